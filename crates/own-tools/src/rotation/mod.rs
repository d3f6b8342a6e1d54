//! `rotate_credential`: the stored credential of a server is replaced while calls use it. New is tried against the target,
//! becomes the version in force, is tried again by the road that calls take, and only then the old version is deleted. A
//! failure on the way leaves the old one in force; what a killed process left is finished or undone at the next start.
//!
//! Next: [`Rotations`] in `steps` for the order, `journal` for what survives a kill.

mod journal;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::{Error, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{SecretArgument, TargetArgument, Tool, ToolSpec};

pub use self::steps::{Rotations, Settled};

/// Kind of target that a server instance is.
pub(crate) const KIND: &str = "server";
/// How long a caller waits; the rotation itself goes on to its end.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Server instance, for example `catalyst-center`.
    #[schemars(length(min = 1, max = 40))]
    server: String,
    /// Fields of the new credential by name; one that is left out stays as it is. The target must accept it already.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    fields: BTreeMap<String, SecretArgument>,
    /// Keep the old version, deleted, until the next rotation destroys it. Otherwise it is destroyed at once.
    #[serde(default = "yes")]
    keep: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, JsonSchema)]
struct Rotated {
    /// Server instance.
    server: String,
    /// The version in force.
    version: u64,
    /// The version that it replaces.
    replaced: u64,
    /// Versions that were destroyed.
    destroyed: Vec<u64>,
}

pub(crate) fn tool(rotations: Arc<Rotations>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Rotated>(
        "rotate_credential",
        "Rotate a server's credential",
        "Replaces the stored credential of a server: signs in with the new one first, switches, signs in again, and deletes \
         the old one. Nothing changes where the target does not accept the new one. Calls under way go on.",
    )
    .targets(&[TargetArgument { argument: "server", kind: KIND }])
    .timeout(PATIENCE)
    .example(json!({"server": "catalyst-center", "fields": {"password": "…"}}));
    typed(spec, move |cx, args: Args| {
        let rotations = Arc::clone(&rotations);
        async move {
            let mut fields: BTreeMap<String, Secret> = BTreeMap::new();
            for (name, value) in &args.fields {
                fields.insert(name.clone(), value.reveal(&cx)?.clone());
            }
            // On a task of its own: a caller's patience may end between two steps, and the steps must not.
            let Args { server, keep, .. } = args;
            let task = tokio::spawn(async move {
                let done = rotations.rotate(&cx, &server, fields, keep).await?;
                Ok(Rotated { server, version: done.version, replaced: done.replaced, destroyed: done.destroyed })
            });
            task.await.unwrap_or_else(|failed| Err(Error::internal(failed)))
        }
    })
}
