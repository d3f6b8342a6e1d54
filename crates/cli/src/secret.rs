//! `interlock secret`: writes to the secret store of a platform that does not run, and shows what may be shown. A value is
//! read from a prompt or standard input, never from the command line; there is no command that prints one.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use platform::{Json, Secret};
use serde_json::json;
use server::lab_state::LabState;
use server::offline::secrets;

use crate::command::Place;
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct SecretCommand {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a new version. The values are asked for, or read from standard input, a line per field.
    Put {
        /// Path, for example `api/catalyst-center`.
        path: String,
        /// Names of the fields, for example `username password`.
        #[arg(required = true)]
        fields: Vec<String>,
        /// Write only if this is the current version; 0 if there must be none.
        #[arg(long, value_name = "VERSION")]
        cas: Option<u64>,
        #[command(flatten)]
        place: Place,
    },
    /// Show versions and times, never values.
    GetMetadata {
        /// Path.
        path: String,
        #[command(flatten)]
        place: Place,
    },
}

impl SecretCommand {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            What::Put { path, fields, cas, place } => {
                // Opened first: nobody types a password for a store that is in use.
                let store = open(&place)?;
                let mut data: BTreeMap<String, Secret> = BTreeMap::new();
                for field in fields {
                    let value = terminal.secret(&field)?;
                    data.insert(field, value);
                }
                let version = store.put(&path, data, cas).await?;
                terminal.result(&format!("{path} is at version {version}"), &json!({"path": path, "version": version}))
            }
            What::GetMetadata { path, place } => {
                let found = open(&place)?.metadata(&path).await?;
                let state = |deleted: bool, destroyed: bool| match (destroyed, deleted) {
                    (true, _) => "destroyed",
                    (false, true) => "deleted",
                    _ => "kept",
                };
                let rows: Vec<Vec<String>> = found
                    .versions
                    .iter()
                    .map(|v| {
                        let state = state(v.deleted_at.is_some(), v.destroyed);
                        vec![v.version.to_string(), v.created_at.to_string(), state.to_owned()]
                    })
                    .collect();
                let words = format!(
                    "{} at version {}\n{}",
                    found.path,
                    found.current_version,
                    table(&["version", "written", "state"], &rows)
                );
                let versions: Vec<Json> = found
                    .versions
                    .iter()
                    .map(|v| {
                        json!({"version": v.version, "created_at": v.created_at.to_string(),
                            "deleted_at": v.deleted_at.map(|t| t.to_string()), "destroyed": v.destroyed})
                    })
                    .collect();
                let value = json!({"path": found.path, "current_version": found.current_version,
                    "cas_required": found.cas_required, "max_versions": found.max_versions, "versions": versions});
                terminal.result(&words, &value)
            }
        }
    }
}

fn open(place: &Place) -> Outcome<std::sync::Arc<dyn platform::secrets::SecretStore>> {
    Ok(match (place.configuration()?, &place.state) {
        (Some(config), _) => secrets::open(&config)?,
        (None, state) => secrets::open_lab(&LabState::at(state.clone().unwrap_or_default()))?,
    })
}
