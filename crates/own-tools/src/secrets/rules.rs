//! `set_secret_rules`: whether writes name a version, how many are kept, and what stands beside them in clear.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::secrets::{SecretRules, SecretStore, check_writable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

use super::TARGETS;

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Path. The secret need not be written yet.
    #[schemars(length(min = 1, max = 256))]
    path: String,
    /// Whether a write must name the version it replaces.
    cas_required: Option<bool>,
    /// How many versions are kept; what is too much goes with the next write.
    #[schemars(range(min = 1, max = 1000))]
    max_versions: Option<u64>,
    /// All custom metadata, in place of what stands there. It is not secret.
    #[schemars(extend("maxProperties" = 64))]
    custom: Option<BTreeMap<String, String>>,
}

#[derive(Serialize, JsonSchema)]
struct Rules {
    /// Path.
    path: String,
    /// A write must name the version it replaces.
    cas_required: bool,
    /// How many versions are kept.
    max_versions: u64,
    /// Custom metadata.
    custom: BTreeMap<String, String>,
}

pub(super) fn tool(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Rules>(
        "set_secret_rules",
        "Set a secret's rules",
        "Sets whether writes must name the version they replace, how many versions are kept, and custom metadata. What is \
         left out stays as it is.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center", "cas_required": true, "custom": {"owner": "netops"}}));
    typed(spec, move |_, args: Args| {
        let secrets = Arc::clone(&secrets);
        async move {
            let Args { path, cas_required, max_versions, custom } = args;
            check_writable(&path)?;
            secrets.set_rules(&path, SecretRules { cas_required, max_versions, custom }).await?;
            let now = secrets.metadata(&path).await?;
            let (cas_required, max_versions, custom) = (now.cas_required, now.max_versions, now.custom);
            Ok(Rules { path, cas_required, max_versions, custom })
        }
    })
}
