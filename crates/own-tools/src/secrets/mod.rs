//! The secret store, administered while the platform runs: versions are written, deleted, taken back and destroyed, rules
//! are set, and what may be shown is shown. There is no tool that reads a value.
//!
//! Values come in as arguments that only the tool sees (T27). Whatever changes something is of risk `control`: a person's own
//! session with a second factor for this one call (T6). The path is the call's target, so that policy and audit see it.
//!
//! Next: `put` and `versions` for what changes a secret, `read` for what may be shown; [`crate::rotation`] for a credential
//! that is replaced in use.

mod put;
mod read;
mod rules;
mod versions;

use std::sync::Arc;

use platform::Error;
use platform::policy::TargetFacts;
use platform::secrets::{SecretStore, check_path};
use tool_runtime::{TargetArgument, Tool};

/// Kind of target that a path is.
pub(crate) const KIND: &str = "secret";
/// The argument that names it.
const TARGETS: &[TargetArgument] = &[TargetArgument { argument: "path", kind: KIND }];

/// The tools over this store.
pub(crate) fn tools(secrets: &Arc<dyn SecretStore>) -> Vec<Arc<dyn Tool>> {
    vec![
        put::tool(Arc::clone(secrets)),
        read::list(Arc::clone(secrets)),
        read::metadata(Arc::clone(secrets)),
        versions::delete(Arc::clone(secrets)),
        versions::undelete(Arc::clone(secrets)),
        versions::destroy(Arc::clone(secrets)),
        rules::tool(Arc::clone(secrets)),
    ]
}

/// A path as policy, page and audit know it. It need not stand in the store: a first version is written to a new one.
pub(crate) fn facts(path: &str) -> Result<TargetFacts, Error> {
    check_path(path)?;
    Ok(TargetFacts {
        kind: KIND.to_owned(),
        id: path.to_owned(),
        name: path.to_owned(),
        source: "live".to_owned(),
        ..TargetFacts::default()
    })
}
