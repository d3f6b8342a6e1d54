//! `list_keys` and `rotate_key` (T28, `docs/keys.md`): the platform's own keys, for administrators. Who may, and with what
//! proof, is policy's; what a rotation does is each key's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use platform::audit::AuditActor;
use platform::keys::{KeyRegistry, Rotation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::tool::{SideEffect, typed};
use tool_runtime::{Tool, ToolCx, ToolSpec};

#[derive(Deserialize, JsonSchema)]
struct ListArgs {}

#[derive(Serialize, JsonSchema)]
struct Keys {
    /// All keys of the platform; never a key itself.
    keys: Vec<Key>,
}

#[derive(Serialize, JsonSchema)]
struct Key {
    /// Name, for `rotate_key`.
    name: String,
    /// Where it comes from.
    source: String,
    /// Who reads it.
    readers: String,
    /// Since when the version in force is, which is the last rotation; nothing where it was not recorded.
    rotated_at: Option<String>,
    /// Kept versions, the one in force first.
    versions: Vec<Version>,
}

#[derive(Serialize, JsonSchema)]
struct Version {
    /// Number or id.
    version: String,
    /// `current`, `next` or `old`.
    state: platform::Json,
    /// Since when.
    since: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct RotateArgs {
    /// Name of the key, as `list_keys` shows it.
    #[schemars(length(min = 1, max = 64))]
    key: String,
    /// Somebody else may have it: old versions are worth nothing at once, whatever that ends.
    #[serde(default)]
    compromised: bool,
    /// For `master` only: file on the platform's machine that holds the new key, mode 0400.
    #[schemars(length(max = 1024))]
    new_key_file: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Done {
    /// Name of the key.
    key: String,
    /// The version in force.
    current: String,
    /// Versions that are worth nothing any more.
    retired: Vec<String>,
    /// How many things were sealed again.
    resealed: u64,
    /// What is left to do.
    note: Option<String>,
}

pub(super) fn tools(keys: &KeyRegistry) -> [Arc<dyn Tool>; 2] {
    let list = ToolSpec::new::<ListArgs, Keys>(
        "list_keys",
        "List keys",
        "Lists the platform's own keys: where each comes from, who reads it, its versions and when it was last rotated. \
         Never shows a key.",
    );
    let rotate = ToolSpec::new::<RotateArgs, Done>(
        "rotate_key",
        "Rotate a key",
        "Puts a new version of one of the platform's keys in force. What older versions made still holds for the key's \
         overlap, unless `compromised` is set. `master` needs `new_key_file`.",
    )
    .effect(SideEffect::Once)
    .timeout(Duration::from_secs(120));
    let (listed, rotated) = (keys.clone(), keys.clone());
    [
        typed(list, move |_, ListArgs {}| {
            let keys = listed.clone();
            async move { show(&keys).await }
        }),
        typed(rotate, move |cx, args: RotateArgs| {
            let keys = rotated.clone();
            async move { run(&keys, &cx, args).await }
        }),
    ]
}

async fn show(keys: &KeyRegistry) -> Result<Keys, platform::Error> {
    let mut shown = Vec::new();
    for key in keys.list().await? {
        let versions = key.versions.iter().map(|v| Version {
            version: v.version.clone(),
            state: serde_json::to_value(v.state).unwrap_or_default(),
            since: v.since.map(|t| t.to_string()),
        });
        let rotated_at = key.in_force_since().map(|t| t.to_string());
        shown.push(Key {
            rotated_at,
            versions: versions.collect(),
            name: key.name,
            source: key.source,
            readers: key.readers,
        });
    }
    Ok(Keys { keys: shown })
}

async fn run(keys: &KeyRegistry, cx: &ToolCx, args: RotateArgs) -> Result<Done, platform::Error> {
    let p = &cx.call.principal;
    let actor = AuditActor {
        issuer: p.issuer.clone(),
        subject: p.subject.clone(),
        name: p.name.clone(),
        groups: p.groups.clone(),
        client_id: p.client_id.clone(),
        act: Vec::new(),
    };
    let rotation = Rotation { compromised: args.compromised, new_key_file: args.new_key_file.map(PathBuf::from) };
    let done = keys.rotate(&args.key, &rotation, Some(actor)).await?;
    Ok(Done { key: args.key, current: done.current, retired: done.retired, resealed: done.resealed, note: done.note })
}
