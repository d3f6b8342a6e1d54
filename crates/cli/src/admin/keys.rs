//! `interlock keys`: the platform's own keys, listed and rotated while it runs, by its tools `list_keys` and `rotate_key`
//! (T28); and the two of the secret store while it is stopped.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use platform::Json;
use platform::keys::Rotation;
use serde_json::json;
use server::offline::keys as offline;
use url::Url;

use super::text;
use crate::command::read_config;
use crate::failure::{Failure, Outcome};
use crate::rest::{Connection, Rest};
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: What,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
struct Place {
    /// Public base URL of the platform; the last one signed in to when left out.
    #[arg(long, global = true, env = "INTERLOCK_URL", value_name = "URL")]
    url: Option<Url>,
    /// State folder of a lab, instead of a URL.
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    /// With --state: the administrator of the lab who acts.
    #[arg(long = "as", global = true, value_name = "NAME", default_value = "ada")]
    who: String,
    /// Configuration of a platform that is stopped, instead of a URL: for `master` and `data`.
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["state"])]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum What {
    /// List the keys: where each comes from, its versions, and since when they are.
    List,
    /// Put a new version of a key in force. What older ones made holds for the key's overlap.
    Rotate {
        /// Name of the key, as `list` shows it.
        key: String,
        /// Somebody else may have it: old versions are worth nothing at once, whatever that ends.
        #[arg(long)]
        now: bool,
        /// For `master`: file on the platform's machine that holds the new key, mode 0400.
        #[arg(long, value_name = "FILE")]
        new_key_file: Option<PathBuf>,
    },
}

impl Keys {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            What::List => {
                let keys = match &self.place.config {
                    Some(file) => json!({ "keys": offline::list(&read_config(file)?.config).await? }),
                    None => {
                        let rest = self.place.open(terminal).await?;
                        rest.call_by_person(terminal, "list_keys", &json!({})).await?.body["result"].take()
                    }
                };
                terminal.result(&listed(&keys), &keys)
            }
            What::Rotate { key, now, new_key_file } => {
                let rotated = match &self.place.config {
                    Some(file) => rotate_offline(file, &key, now, new_key_file).await?,
                    None => {
                        let mut arguments = json!({"key": key, "compromised": now});
                        if let Some(file) = &new_key_file {
                            arguments["new_key_file"] = json!(file);
                        }
                        let rest = self.place.open(terminal).await?;
                        rest.call_by_person(terminal, "rotate_key", &arguments).await?.body["result"].take()
                    }
                };
                terminal.result(&in_words(&key, &rotated), &rotated)
            }
        }
    }
}

impl Place {
    async fn open(self, terminal: &Terminal) -> Outcome<Rest> {
        let of_the_lab = self.state.map(|state| (state, self.who));
        Connection::to(self.url, of_the_lab).open(terminal).await
    }
}

async fn rotate_offline(file: &Path, key: &str, now: bool, new_key_file: Option<PathBuf>) -> Outcome<Json> {
    let rotation = Rotation { compromised: now, new_key_file };
    let rotated = offline::rotate(&read_config(file)?.config, key, &rotation).await?;
    serde_json::to_value(&rotated).map_err(|e| Failure::internal(&e))
}

fn listed(keys: &Json) -> String {
    let mut rows = Vec::new();
    for key in keys["keys"].as_array().into_iter().flatten() {
        for version in key["versions"].as_array().into_iter().flatten() {
            rows.push(vec![
                text(key, "name"),
                text(version, "state"),
                text(version, "since"),
                text(version, "version"),
                text(key, "source"),
            ]);
        }
    }
    table(&["key", "state", "since", "version", "source"], &rows)
}

fn in_words(key: &str, rotated: &Json) -> String {
    let mut words = format!("{key}: version {} is in force.", text(rotated, "current"));
    let retired: Vec<&str> = rotated["retired"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    if !retired.is_empty() {
        words.push_str(&format!("\nWorth nothing any more: {}.", retired.join(", ")));
    }
    if let Some(resealed) = rotated["resealed"].as_u64().filter(|n| *n > 0) {
        words.push_str(&format!("\nSealed again: {resealed}."));
    }
    if let Some(note) = rotated["note"].as_str() {
        words.push_str(&format!("\n{note}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{in_words, listed};

    #[test]
    fn keys_are_shown_with_every_version() {
        let keys = json!({"keys": [{"name": "results", "source": "random", "versions": [
            {"version": "2", "state": "current", "since": "2026-01-02T00:00:00Z"},
            {"version": "1", "state": "old", "since": null}]}]});
        insta::assert_snapshot!(listed(&keys), @r"
        KEY      STATE    SINCE                 VERSION  SOURCE
        results  current  2026-01-02T00:00:00Z  2        random
        results  old      -                     1        random
        ");
    }

    #[test]
    fn a_rotation_says_what_it_ended_and_what_is_left_to_do() {
        let rotated = json!({"current": "3", "retired": ["1", "2"], "resealed": 4, "note": "Do this."});
        assert_eq!(
            in_words("data", &rotated),
            "data: version 3 is in force.\nWorth nothing any more: 1, 2.\nSealed again: 4.\nDo this."
        );
    }
}
