//! `list_secrets` and `get_secret_metadata`: where secrets stand and how old they are. Never a value, nor the name of a field.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::secrets::{SecretMetadata, SecretStore};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

use super::TARGETS;

#[derive(Deserialize, JsonSchema)]
struct ListArgs {
    /// Only paths below this one; nothing = all.
    #[serde(default)]
    #[schemars(length(max = 256))]
    prefix: String,
    /// Only paths after this one: `next` of the page before.
    #[schemars(length(max = 256))]
    after: Option<String>,
    /// Most paths.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn hundred() -> usize {
    100
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    /// Sorted.
    paths: Vec<String>,
    /// Paths below the prefix in all.
    total: usize,
    /// Where the next page begins; nothing on the last.
    next: Option<String>,
}

pub(super) fn list(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListArgs, Listed>(
        "list_secrets",
        "List secrets",
        "Lists the paths of secrets. The credential of a server stands at `api/<server>`. Values cannot be read.",
    )
    .example(json!({"prefix": "api"}));
    typed(spec, move |_, args: ListArgs| {
        let secrets = Arc::clone(&secrets);
        async move {
            let all = secrets.list(&args.prefix).await?;
            let total = all.len();
            let mut rest = all.into_iter().filter(|path| args.after.as_ref().is_none_or(|after| path > after));
            let paths: Vec<String> = rest.by_ref().take(args.limit).collect();
            let next = rest.next().and_then(|_| paths.last().cloned());
            Ok(Listed { paths, total, next })
        }
    })
}

#[derive(Deserialize, JsonSchema)]
struct MetadataArgs {
    /// Path.
    #[schemars(length(min = 1, max = 256))]
    path: String,
}

/// What may be shown about a secret.
#[derive(Serialize, JsonSchema)]
struct Metadata {
    /// Path.
    path: String,
    /// Latest version; 0 where nothing was written yet.
    current_version: u64,
    /// A write must name the version it replaces.
    cas_required: bool,
    /// How many versions are kept.
    max_versions: u64,
    /// What operators wrote beside it.
    custom: BTreeMap<String, String>,
    /// Kept versions, oldest first.
    versions: Vec<Version>,
}

#[derive(Serialize, JsonSchema)]
struct Version {
    /// Number.
    version: u64,
    /// When it was written.
    created_at: String,
    /// Since when it is deleted, where it is; it can be taken back.
    deleted_at: Option<String>,
    /// Destroyed for good.
    destroyed: bool,
}

impl From<SecretMetadata> for Metadata {
    fn from(found: SecretMetadata) -> Self {
        let version = |v: platform::secrets::VersionMetadata| Version {
            version: v.version,
            created_at: v.created_at.to_string(),
            deleted_at: v.deleted_at.map(|at| at.to_string()),
            destroyed: v.destroyed,
        };
        Self {
            path: found.path,
            current_version: found.current_version,
            cas_required: found.cas_required,
            max_versions: found.max_versions,
            custom: found.custom,
            versions: found.versions.into_iter().map(version).collect(),
        }
    }
}

pub(super) fn metadata(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<MetadataArgs, Metadata>(
        "get_secret_metadata",
        "Show a secret's versions",
        "Shows the versions of a secret with their times, its rules and its custom metadata. Values cannot be read.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center"}));
    typed(spec, move |_, args: MetadataArgs| {
        let secrets = Arc::clone(&secrets);
        async move { Ok(Metadata::from(secrets.metadata(&args.path).await?)) }
    })
}
