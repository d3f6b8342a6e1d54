//! `interlock keys`: the signing keys of the built-in issuer, listed and rotated while it runs (T28).

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use platform::Json;
use serde_json::json;

use super::session::AdminConnection;
use super::text;
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: What,
    #[command(flatten)]
    connection: AdminConnection,
}

#[derive(Subcommand)]
enum What {
    /// List the published signing keys.
    List,
    /// Sign with the next key from now on. What the old one signed holds until it expires.
    Rotate {
        /// Whose keys.
        #[arg(value_enum)]
        keys: Which,
        /// Somebody else may have them: make new ones, and believe nothing that the old ones signed.
        #[arg(long)]
        now: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    /// The built-in issuer's signing keys.
    Issuer,
}

impl Keys {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let admin = self.connection.open(terminal).await?;
        match self.command {
            What::List => {
                let keys = admin.get("/keys").await?;
                terminal.result(&listed(&keys), &keys)
            }
            What::Rotate { keys: Which::Issuer, now } => {
                let body = json!({ "compromised": now });
                let rotated = admin.act(Method::POST, "/keys/rotate", Some(&body)).await?;
                let what = if now {
                    "Every old key is worth nothing now; everybody signs in again or refreshes."
                } else {
                    "What the old key signed holds until it expires."
                };
                let words = format!("Signing with {}. {what}\n\n{}", text(&rotated, "current"), listed(&rotated));
                terminal.result(&words, &rotated)
            }
        }
    }
}

fn listed(keys: &Json) -> String {
    let rows = keys["keys"].as_array().into_iter().flatten();
    let since = |key: &Json| key["since"].as_i64().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let rows: Vec<Vec<String>> = rows
        .map(|key| {
            let since = since(key).map(|t| t.to_string()).unwrap_or_default();
            vec!["issuer".to_owned(), text(key, "state"), since, text(key, "kid")]
        })
        .collect();
    table(&["keys", "state", "since", "id"], &rows)
}
