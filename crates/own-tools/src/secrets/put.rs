//! `put_secret`: a new version.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::Secret;
use platform::secrets::{SecretStore, check_writable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{SecretArgument, Tool, ToolSpec};

use super::TARGETS;

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Path, for example `api/catalyst-center`.
    #[schemars(length(min = 1, max = 256))]
    path: String,
    /// Values by name of their field, for example `username` and `password`. They are in no log and no reply.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 64))]
    fields: BTreeMap<String, SecretArgument>,
    /// Write only if this is the current version; 0 if there must be none.
    cas: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Written {
    /// Path.
    path: String,
    /// The new version.
    version: u64,
}

pub(super) fn tool(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Written>(
        "put_secret",
        "Write a secret",
        "Writes a new version of a secret. Readers get it from their next call on. To replace the credential of a server \
         that is in use, `rotate_credential` tries it first.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center", "fields": {"username": "svc", "password": "…"}, "cas": 1}));
    typed(spec, move |cx, args: Args| {
        let secrets = Arc::clone(&secrets);
        async move {
            check_writable(&args.path)?;
            let mut data: BTreeMap<String, Secret> = BTreeMap::new();
            for (name, value) in &args.fields {
                data.insert(name.clone(), value.reveal(&cx)?.clone());
            }
            let version = secrets.put(&args.path, data, args.cas).await?;
            Ok(Written { path: args.path, version })
        }
    })
}
