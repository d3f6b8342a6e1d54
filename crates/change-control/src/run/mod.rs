//! The run of a change: what its activities do. The order of them is a body's (`workflows`), which any engine that keeps the
//! promises of `workflow-api` may drive; this crate names none. The change's row is the truth at every moment, and each
//! activity begins by reading it.
//!
//! - [`contract`]: what body and activities say to each other
//! - `enter`: what a run needs of the plan, its window, its devices
//! - `locks`: taken together, numbered, renewed by a keeper
//! - `advance`: how a change moves, together with its locks
//! - `recheck`: compared with the plan once more, under the locks (T18)
//! - `record`: what the platform puts on record by itself, before the row that says so
//! - `attempt`: announced, sent once, followed, settled (T20)
//! - `verify`, `health`: compared with what was predicted, or with what it was before; checked
//! - `save`: the startup configuration
//! - [`steer`]: what people do to a run: cancel, undo, resume, settle

pub mod contract;
pub mod steer;

mod advance;
mod attempt;
mod enter;
mod health;
mod locks;
mod recheck;
pub(crate) mod record;
mod save;
mod verify;

use std::pin::Pin;
use std::sync::Arc;

use platform::{Error, Json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::changes::Changes;

/// What an activity comes to. An error is one that a repeat may mend, or a defect; what a target says is an answer.
pub type ActivityFuture = Pin<Box<dyn Future<Output = Result<Json, Error>> + Send>>;

/// The function behind an activity's name.
pub type Activity = Arc<dyn Fn(Json) -> ActivityFuture + Send + Sync>;

/// All activities, by the names of [`contract`].
pub fn activities(changes: &Arc<Changes>) -> Vec<(&'static str, Activity)> {
    vec![
        activity(contract::MAKE_PLAN, changes, |changes, of: contract::Of| async move {
            Box::pin(changes.make_plan(&of.change)).await
        }),
        activity(contract::BEGIN, changes, |changes, of| async move { Box::pin(changes.begin_run(of)).await }),
        activity(contract::ENTER, changes, |changes, of| async move { Box::pin(changes.enter_run(of)).await }),
        activity(contract::ADVANCE, changes, |changes, step| async move { Box::pin(changes.advance_run(step)).await }),
        activity(contract::RECHECK, changes, |changes, input| async move { Box::pin(changes.recheck(input)).await }),
        activity(contract::APPLY, changes, |changes, which| async move { Box::pin(changes.send_attempt(which)).await }),
        activity(
            contract::SETTLE,
            changes,
            |changes, which| async move { Box::pin(changes.settle_attempt(which)).await },
        ),
        activity(
            contract::FOLLOW,
            changes,
            |changes, which| async move { Box::pin(changes.follow_attempt(which)).await },
        ),
        activity(
            contract::VERIFY,
            changes,
            |changes, input| async move { Box::pin(changes.verify_device(input)).await },
        ),
        activity(contract::SAVE, changes, |changes, input| async move { Box::pin(changes.save_startup(input)).await }),
        activity(contract::FINISH, changes, |changes, end| async move { Box::pin(changes.finish_run(end)).await }),
    ]
}

fn activity<I, O, F, Fut>(name: &'static str, changes: &Arc<Changes>, function: F) -> (&'static str, Activity)
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + 'static,
    F: Fn(Arc<Changes>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, Error>> + Send + 'static,
{
    let (changes, function) = (Arc::clone(changes), Arc::new(function));
    let activity = move |input: Json| -> ActivityFuture {
        let (changes, function) = (Arc::clone(&changes), Arc::clone(&function));
        Box::pin(async move {
            let input = serde_json::from_value(input).map_err(Error::internal)?;
            let output = function(changes, input).await?;
            serde_json::to_value(output).map_err(Error::internal)
        })
    };
    (name, Arc::new(activity))
}
