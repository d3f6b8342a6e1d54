//! `delete_secret_version`, `undelete_secret_version`, `destroy_secret_version`.

use std::sync::Arc;

use platform::secrets::{SecretStore, check_writable};
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

use super::TARGETS;

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Path.
    #[schemars(length(min = 1, max = 256))]
    path: String,
    /// Numbers of the versions: all of them, or none where one is not there.
    #[schemars(length(min = 1, max = 100))]
    versions: Vec<u64>,
}

#[derive(Serialize, JsonSchema)]
struct Changed {
    /// Path.
    path: String,
    /// The versions.
    versions: Vec<u64>,
}

pub(super) fn delete(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Changed>(
        "delete_secret_version",
        "Delete versions of a secret",
        "Deletes versions of a secret so that they are not found any more. They can be taken back with \
         `undelete_secret_version`. Where the current version is deleted, its readers find no secret.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center", "versions": [1]}));
    typed(spec, move |_, args: Args| {
        let secrets = Arc::clone(&secrets);
        async move {
            check_writable(&args.path)?;
            secrets.delete_versions(&args.path, &args.versions).await?;
            Ok(Changed { path: args.path, versions: args.versions })
        }
    })
}

pub(super) fn undelete(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Changed>(
        "undelete_secret_version",
        "Take deleted versions back",
        "Takes deleted versions of a secret back. Destroyed ones do not come back.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center", "versions": [1]}));
    typed(spec, move |_, args: Args| {
        let secrets = Arc::clone(&secrets);
        async move {
            check_writable(&args.path)?;
            secrets.undelete_versions(&args.path, &args.versions).await?;
            Ok(Changed { path: args.path, versions: args.versions })
        }
    })
}

#[derive(Deserialize, JsonSchema)]
struct DestroyArgs {
    /// Path.
    #[schemars(length(min = 1, max = 256))]
    path: String,
    /// Numbers of the versions: all of them, or none where one is not there.
    #[serde(default)]
    #[schemars(length(max = 100))]
    versions: Vec<u64>,
    /// Instead of versions: the whole secret, with its metadata and its rules.
    #[serde(default)]
    everything: bool,
}

pub(super) fn destroy(secrets: Arc<dyn SecretStore>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<DestroyArgs, Changed>(
        "destroy_secret_version",
        "Destroy versions of a secret",
        "Destroys versions of a secret, or the whole secret, for good. Nothing brings them back.",
    )
    .targets(TARGETS)
    .example(json!({"path": "api/catalyst-center", "versions": [1]}));
    typed(spec, move |_, args: DestroyArgs| {
        let secrets = Arc::clone(&secrets);
        async move {
            let DestroyArgs { path, mut versions, everything } = args;
            check_writable(&path)?;
            if everything != versions.is_empty() {
                let message = "Name the versions to destroy, or say `everything`, and not both.";
                return Err(Error::new(ErrorKind::InvalidInput, "secret_versions_unclear", message));
            }
            if everything {
                versions = secrets.metadata(&path).await?.versions.iter().map(|v| v.version).collect();
                secrets.delete_all(&path).await?;
            } else {
                secrets.destroy_versions(&path, &versions).await?;
            }
            Ok(Changed { path, versions })
        }
    })
}
