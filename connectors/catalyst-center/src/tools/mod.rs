//! The tools, by area. Each is its arguments, its row and one function; paging, cursors and field selection are the
//! runtime's combinators.

pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod compliance;
pub(crate) mod deployments;
pub(crate) mod devices;
pub(crate) mod health;
pub(crate) mod sites;
pub(crate) mod target_source;
pub(crate) mod templates;
pub(crate) mod work;

use std::sync::Arc;

use platform::Error;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tool_runtime::combinators::{PageOf, PageRequest, paged};
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolCx, ToolSpec};

use crate::client::Api;

/// All tools over one API.
pub(crate) fn all(api: &Arc<Api>) -> Vec<Arc<dyn Tool>> {
    vec![
        templates::get_all_templates(api),
        templates::get_template(api),
        templates::preview_template(api),
        deployments::deploy_template(api),
        deployments::get_deployment(api),
        devices::list_devices(api),
        devices::get_device(api),
        devices::get_device_config(api),
        devices::list_interfaces(api),
        changes::update_interface(api),
        changes::save_config(api),
        commands::run_show_commands(api),
        compliance::list_compliance(api),
        compliance::get_compliance(api),
        compliance::run_compliance(api),
        work::get_task(api),
        sites::list_sites(api),
        health::list_issues(api),
        health::get_network_health(api),
    ]
}

/// A list tool out of a function over the API.
fn listed<A, R, F, Fut>(api: &Arc<Api>, spec: ToolSpec, list: F) -> Arc<dyn Tool>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + JsonSchema + 'static,
    F: Fn(Arc<Api>, ToolCx, A, PageRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<PageOf<R>, Error>> + Send + 'static,
{
    let api = Arc::clone(api);
    paged(spec, move |cx, args, page| list(Arc::clone(&api), cx, args, page))
}

/// A tool with one result out of a function over the API.
fn single<A, R, F, Fut>(api: &Arc<Api>, spec: ToolSpec, read: F) -> Arc<dyn Tool>
where
    A: DeserializeOwned + Send + 'static,
    R: Serialize + 'static,
    F: Fn(Arc<Api>, ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    let api = Arc::clone(api);
    typed(spec, move |cx, args| read(Arc::clone(&api), cx, args))
}
