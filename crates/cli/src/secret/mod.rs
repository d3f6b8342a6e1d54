//! `interlock secret`: the secret store of a running platform over REST, or of a stopped one by its files. A value is read
//! from a prompt or standard input, never from the command line; there is no command that prints one.
//!
//! Next: `place` for which store it is, `shown` for what is printed.

mod place;
mod shown;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use platform::Secret;
use platform::secrets::SecretRules;

use self::place::{Secrets, Where};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
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
        place: Where,
    },
    /// List paths.
    List {
        /// Only paths below this one.
        #[arg(default_value = "")]
        prefix: String,
        #[command(flatten)]
        place: Where,
    },
    /// Show versions, times and rules, never values.
    #[command(alias = "get-metadata")]
    Show {
        /// Path.
        path: String,
        #[command(flatten)]
        place: Where,
    },
    /// Delete versions; they can be taken back.
    Delete(Versions),
    /// Take deleted versions back.
    Undelete(Versions),
    /// Destroy versions, or the whole secret, for good.
    Destroy {
        /// Path.
        path: String,
        /// Numbers of the versions.
        #[arg(required_unless_present = "everything")]
        versions: Vec<u64>,
        /// The whole secret, with its metadata and its rules.
        #[arg(long, conflicts_with = "versions")]
        everything: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Set how a secret is written and kept, and what stands beside it in clear.
    Rules {
        /// Path.
        path: String,
        /// Whether a write must name the version it replaces.
        #[arg(long, value_name = "BOOL")]
        cas_required: Option<bool>,
        /// How many versions are kept.
        #[arg(long, value_name = "NUMBER")]
        max_versions: Option<u64>,
        /// Custom metadata, in place of what stands there; may be given several times.
        #[arg(long = "custom", value_name = "NAME=VALUE")]
        custom: Vec<String>,
        #[command(flatten)]
        place: Where,
    },
    /// Replace the credential of a server of a running platform: tried first, then switched, then the old one deleted.
    Rotate {
        /// Server instance, for example `catalyst-center`.
        server: String,
        /// Names of the fields that change, for example `password`; the values are asked for.
        #[arg(required = true)]
        fields: Vec<String>,
        /// Destroy the old version at once; otherwise the next rotation does.
        #[arg(long)]
        destroy_old: bool,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Args)]
struct Versions {
    /// Path.
    path: String,
    /// Numbers of the versions.
    #[arg(required = true)]
    versions: Vec<u64>,
    #[command(flatten)]
    place: Where,
}

impl SecretCommand {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            What::Put { path, fields, cas, place } => {
                // Opened first: nobody types a password for a store that cannot be had.
                let secrets = Secrets::open(place, terminal).await?;
                let data = values(terminal, fields)?;
                let done = secrets.put(terminal, &path, data, cas).await?;
                terminal.result(&format!("{path} is at version {}", done["version"]), &done)
            }
            What::List { prefix, place } => {
                let listed = Secrets::open(place, terminal).await?.list(terminal, &prefix).await?;
                terminal.result(&shown::list(&listed), &listed)
            }
            What::Show { path, place } => {
                let found = Secrets::open(place, terminal).await?.metadata(terminal, &path).await?;
                terminal.result(&shown::metadata(&found), &found)
            }
            What::Delete(Versions { path, versions, place }) => {
                let done = Secrets::open(place, terminal).await?.delete(terminal, &path, &versions).await?;
                terminal.result(&format!("{path}: {} deleted", shown::versions(&done)), &done)
            }
            What::Undelete(Versions { path, versions, place }) => {
                let done = Secrets::open(place, terminal).await?.undelete(terminal, &path, &versions).await?;
                terminal.result(&format!("{path}: {} taken back", shown::versions(&done)), &done)
            }
            What::Destroy { path, versions, everything, yes, place } => {
                let secrets = Secrets::open(place, terminal).await?;
                let what = if everything { "everything".to_owned() } else { shown::numbers(&versions) };
                if !yes && !terminal.confirm(&format!("Destroy {what} of {path} for good?"))? {
                    return Err(Failure::new(Exit::Failed, "not_confirmed", "Nothing was destroyed."));
                }
                let done = secrets.destroy(terminal, &path, &versions, everything).await?;
                terminal.result(&format!("{path}: {} destroyed", shown::versions(&done)), &done)
            }
            What::Rules { path, cas_required, max_versions, custom, place } => {
                let rules = SecretRules { cas_required, max_versions, custom: pairs(&custom)? };
                let now = Secrets::open(place, terminal).await?.set_rules(terminal, &path, rules).await?;
                terminal.result(&shown::rules(&now), &now)
            }
            What::Rotate { server, fields, destroy_old, place } => {
                let secrets = Secrets::open(place, terminal).await?;
                secrets.can_rotate()?;
                let data = values(terminal, fields)?;
                let done = secrets.rotate(terminal, &server, data, !destroy_old).await?;
                let words = format!("{server} uses version {} in place of {}", done["version"], done["replaced"]);
                terminal.result(&words, &done)
            }
        }
    }
}

/// Asks for the value of each field.
fn values(terminal: &Terminal, fields: Vec<String>) -> Outcome<BTreeMap<String, Secret>> {
    let mut data = BTreeMap::new();
    for field in fields {
        let value = terminal.secret(&field)?;
        data.insert(field, value);
    }
    Ok(data)
}

/// `NAME=VALUE`; none at all leaves what stands there.
fn pairs(given: &[String]) -> Outcome<Option<BTreeMap<String, String>>> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::new(Exit::Usage, "arguments_unreadable", "Custom metadata is given as NAME=VALUE.")
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    let read = given.iter().map(pair).collect::<Outcome<BTreeMap<_, _>>>()?;
    Ok(Some(read).filter(|read| !read.is_empty()))
}
