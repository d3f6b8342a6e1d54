//! `interlock user`: people of the built-in issuer.

use clap::{Args, Subcommand};
use http::Method;
use platform::Json;
use serde_json::json;

use super::session::AdminConnection;
use super::{joined, segment, text};
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct User {
    #[command(subcommand)]
    command: What,
    #[command(flatten)]
    connection: AdminConnection,
}

#[derive(Subcommand)]
enum What {
    /// Create somebody, and print the link by which they set password and second factor.
    Create {
        /// Sign-in name.
        name: String,
        /// Name for people; the sign-in name when left out.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// A group; may be given several times.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// List everybody.
    List,
    /// Show one person.
    Show {
        /// Sign-in name.
        name: String,
    },
    /// Take everything away at once: sessions, tokens, and the right to sign in.
    Disable {
        /// Sign-in name.
        name: String,
    },
    /// Let a disabled person sign in again.
    Enable {
        /// Sign-in name.
        name: String,
    },
    /// Remove somebody for good.
    Delete {
        /// Sign-in name.
        name: String,
    },
    /// Set the groups to exactly these.
    SetGroups {
        /// Sign-in name.
        name: String,
        /// Groups; none takes all away.
        groups: Vec<String>,
    },
    /// Take password and second factor away, and print the link by which new ones are set.
    Reset {
        /// Sign-in name.
        name: String,
    },
    /// End every session and token; the person may sign in again.
    SignOut {
        /// Sign-in name.
        name: String,
    },
    /// End the runs of changes that rest on the person; sessions and tokens go on.
    EndRuns {
        /// Sign-in name.
        name: String,
    },
}

impl User {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let admin = self.connection.open(terminal).await?;
        let act = async |method: Method, name: &str, rest: &str, body: Option<&Json>| {
            admin.act(method, &format!("/users/{}{rest}", segment(name)), body).await
        };
        match self.command {
            What::Create { name, display_name, groups } => {
                let body = json!({"name": name, "display_name": display_name.unwrap_or_else(|| name.clone()), "groups": groups});
                let created = admin.act(Method::POST, "/users", Some(&body)).await?;
                terminal.result(&invitation(&created), &created)
            }
            What::List => {
                let mut users: Vec<Json> = Vec::new();
                let mut path = "/users".to_owned();
                loop {
                    let mut page = admin.get(&path).await?;
                    if let Json::Array(more) = page["users"].take() {
                        users.extend(more);
                    }
                    let Some(next) = page["next"].as_str() else { break };
                    path = format!("/users?after={}", segment(next));
                }
                let rows: Vec<Vec<String>> = users.iter().map(row).collect();
                let words = table(&["name", "display name", "groups", "state"], &rows);
                terminal.result(&words, &json!({ "users": users }))
            }
            What::Show { name } => {
                let user = admin.get(&format!("/users/{}", segment(&name))).await?;
                terminal.result(&shown(&user), &user)
            }
            What::Disable { name } => {
                let user = act(Method::POST, &name, "/disable", None).await?;
                terminal.result(&format!("{name} is disabled; sessions and tokens have ended."), &user)
            }
            What::Enable { name } => {
                let user = act(Method::POST, &name, "/enable", None).await?;
                terminal.result(&format!("{name} may sign in again."), &user)
            }
            What::Delete { name } => {
                act(Method::DELETE, &name, "", None).await?;
                terminal.result(&format!("{name} is deleted."), &json!({"deleted": name}))
            }
            What::SetGroups { name, groups } => {
                let user = act(Method::PUT, &name, "/groups", Some(&json!({ "groups": groups }))).await?;
                terminal.result(&format!("{name} is in: {}", joined(&user["groups"])), &user)
            }
            What::Reset { name } => {
                let user = act(Method::POST, &name, "/reset", None).await?;
                terminal.result(&invitation(&user), &user)
            }
            What::SignOut { name } => {
                let user = act(Method::POST, &name, "/sign-out", None).await?;
                terminal.result(&format!("Every session and token of {name} has ended."), &user)
            }
            What::EndRuns { name } => {
                let user = act(Method::POST, &name, "/end-runs", None).await?;
                terminal.result(&format!("The runs of changes that rest on {name} end before their next batch."), &user)
            }
        }
    }
}

fn invitation(user: &Json) -> String {
    let until = user["enrolment_expires_at"].as_i64().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let until = until.map(|t| t.to_string()).unwrap_or_default();
    format!(
        "{} sets password and second factor here, once, until {until}:\n\n  {}\n\nSend it over a channel that reaches nobody else.",
        text(user, "name"),
        text(user, "enrolment_url")
    )
}

fn state(user: &Json) -> &'static str {
    match (user["disabled"] == true, user["enrolled"] == true) {
        (true, _) => "disabled",
        (false, false) => "not enrolled",
        _ => "enrolled",
    }
}

fn row(user: &Json) -> Vec<String> {
    vec![text(user, "name"), text(user, "display_name"), joined(&user["groups"]), state(user).to_owned()]
}

fn shown(user: &Json) -> String {
    let factor = if user["second_factor"] == true { "yes" } else { "no" };
    let lines = [
        ("name", text(user, "name")),
        ("display name", text(user, "display_name")),
        ("subject", text(user, "subject")),
        ("groups", joined(&user["groups"])),
        ("state", state(user).to_owned()),
        ("second factor", factor.to_owned()),
    ];
    lines.map(|(label, value)| format!("{label:<14} {value}")).join("\n")
}
