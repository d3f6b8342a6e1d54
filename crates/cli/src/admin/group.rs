//! `interlock group`: groups of the built-in issuer. A group exists as long as somebody is in it.

use clap::{Args, Subcommand};
use http::Method;
use platform::Json;
use serde_json::json;

use super::session::{AdminConnection, Administration};
use super::{joined, segment, text};
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Group {
    #[command(subcommand)]
    command: What,
    #[command(flatten)]
    connection: AdminConnection,
}

#[derive(Subcommand)]
enum What {
    /// List groups with their members.
    List,
    /// Put people into a group.
    Add {
        /// Group.
        group: String,
        /// Sign-in names.
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Take people out of a group; their tokens end.
    Remove {
        /// Group.
        group: String,
        /// Sign-in names.
        #[arg(required = true)]
        users: Vec<String>,
    },
}

impl Group {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let admin = self.connection.open(terminal).await?;
        match self.command {
            What::List => {
                let groups = admin.get("/groups").await?;
                let rows = groups["groups"].as_array().into_iter().flatten();
                let rows: Vec<Vec<String>> =
                    rows.map(|g| vec![text(g, "name"), joined(&g["members"]), joined(&g["clients"])]).collect();
                terminal.result(&table(&["group", "members", "clients"], &rows), &groups)
            }
            What::Add { group, users } => {
                let changed = change(&admin, &users, |groups| groups.push(group.clone())).await?;
                terminal.result(&format!("In {group}: {}", users.join(" ")), &json!({ "users": changed }))
            }
            What::Remove { group, users } => {
                let changed = change(&admin, &users, |groups| groups.retain(|g| *g != group)).await?;
                terminal.result(&format!("No more in {group}: {}", users.join(" ")), &json!({ "users": changed }))
            }
        }
    }
}

async fn change(admin: &Administration, users: &[String], change: impl Fn(&mut Vec<String>)) -> Outcome<Vec<Json>> {
    let mut changed = Vec::new();
    for user in users {
        let path = format!("/users/{}", segment(user));
        let now = admin.get(&path).await?;
        let mut groups: Vec<String> =
            now["groups"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
        change(&mut groups);
        let body = json!({ "groups": groups });
        changed.push(admin.act(Method::PUT, &format!("{path}/groups"), Some(&body)).await?);
    }
    Ok(changed)
}
