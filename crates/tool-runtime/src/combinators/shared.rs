//! Tools out of functions over what several of them share: the API of a connector, or a port. Each call gets the shared thing
//! beside its context and its arguments.

use std::sync::Arc;

use platform::Error;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::page::{Found, PageRequest, paged};
use crate::tool::{FollowUp, Tool, ToolCx, ToolSpec, following, typed};

/// A tool with one result; otherwise as [`typed`].
pub fn single<S, A, R, F, Fut>(shared: &Arc<S>, spec: ToolSpec, run: F) -> Arc<dyn Tool>
where
    S: ?Sized + Send + Sync + 'static,
    A: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
    F: Fn(Arc<S>, ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    let shared = Arc::clone(shared);
    typed(spec, move |cx, args| run(Arc::clone(&shared), cx, args))
}

/// A tool with one result whose work may go on after its reply; otherwise as [`following`].
pub fn single_followed<S, A, R, F, Fut>(shared: &Arc<S>, spec: ToolSpec, run: F) -> Arc<dyn Tool>
where
    S: ?Sized + Send + Sync + 'static,
    A: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(Arc<S>, ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(R, Option<FollowUp>), Error>> + Send + 'static,
{
    let shared = Arc::clone(shared);
    following(spec, move |cx, args| run(Arc::clone(&shared), cx, args))
}

/// A list tool; otherwise as [`paged`].
pub fn listed<S, A, L, F, Fut>(shared: &Arc<S>, spec: ToolSpec, list: F) -> Arc<dyn Tool>
where
    S: ?Sized + Send + Sync + 'static,
    A: DeserializeOwned + Send + 'static,
    L: Found<Row: Serialize + JsonSchema> + 'static,
    F: Fn(Arc<S>, ToolCx, A, PageRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<L, Error>> + Send + 'static,
{
    let shared = Arc::clone(shared);
    paged(spec, move |cx, args, page| list(Arc::clone(&shared), cx, args, page))
}
