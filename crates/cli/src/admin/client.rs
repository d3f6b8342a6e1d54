//! `interlock client`: OAuth clients of the built-in issuer.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use platform::Json;
use serde_json::json;

use super::session::AdminConnection;
use super::{joined, segment, text};
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Client {
    #[command(subcommand)]
    command: What,
    #[command(flatten)]
    connection: AdminConnection,
}

#[derive(Subcommand)]
enum What {
    /// Register a client. A secret is generated, and shown this once.
    Create(Box<Create>),
    /// List clients.
    List,
    /// Show one client.
    Show {
        /// Client id.
        client_id: String,
    },
    /// Remove a client; its refresh tokens and its own tokens end.
    Delete {
        /// Client id.
        client_id: String,
    },
}

#[derive(Args)]
struct Create {
    /// Client id.
    client_id: String,
    /// Name that people read; the id when left out.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it may do; may be given several times.
    #[arg(long = "grant", value_name = "GRANT", value_enum, required = true)]
    grants: Vec<Grant>,
    /// Where codes may be sent; the port of a loopback URL is free.
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Vec<String>,
    /// Where the browser may be sent after a sign-out.
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent.
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// A group of its own tokens (client credentials).
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A resource whose tokens it may introspect.
    #[arg(long = "introspects", value_name = "URL")]
    introspects: Vec<String>,
    /// Give it a secret.
    #[arg(long)]
    confidential: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Grant {
    AuthorizationCode,
    RefreshToken,
    DeviceCode,
    ClientCredentials,
}

impl Grant {
    const fn on_the_wire(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::ClientCredentials => "client_credentials",
        }
    }
}

impl Client {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let admin = self.connection.open(terminal).await?;
        match self.command {
            What::Create(new) => {
                let body = json!({
                    "client_id": new.client_id,
                    "name": new.name.as_ref().unwrap_or(&new.client_id),
                    "grants": new.grants.iter().map(|g| g.on_the_wire()).collect::<Vec<_>>(),
                    "redirect_uris": new.redirect_uris,
                    "post_logout_redirect_uris": new.post_logout_redirect_uris,
                    "backchannel_logout_uri": new.backchannel_logout_uri,
                    "groups": new.groups,
                    "introspects": new.introspects,
                    "confidential": new.confidential,
                });
                let created = admin.act(Method::POST, "/clients", Some(&body)).await?;
                let mut words = format!("{} is registered.", text(&created, "client_id"));
                if let Some(secret) = created["client_secret"].as_str() {
                    words.push_str(&format!("\nIts secret, shown this once:\n\n  {secret}"));
                }
                terminal.result(&words, &created)
            }
            What::List => {
                let clients = admin.get("/clients").await?;
                let rows = clients["clients"].as_array().into_iter().flatten();
                let rows: Vec<Vec<String>> = rows.map(row).collect();
                terminal.result(&table(&["client", "name", "sort", "grants", "groups"], &rows), &clients)
            }
            What::Show { client_id } => {
                let client = admin.get(&format!("/clients/{}", segment(&client_id))).await?;
                terminal.result(&shown(&client), &client)
            }
            What::Delete { client_id } => {
                admin.act(Method::DELETE, &format!("/clients/{}", segment(&client_id)), None).await?;
                terminal.result(&format!("{client_id} is deleted."), &json!({"deleted": client_id}))
            }
        }
    }
}

fn sort(client: &Json) -> &'static str {
    if client["confidential"] == true { "confidential" } else { "public" }
}

fn grants(client: &Json) -> String {
    joined(&client["grants"]).replace("urn:ietf:params:oauth:grant-type:", "")
}

fn row(client: &Json) -> Vec<String> {
    vec![
        text(client, "client_id"),
        text(client, "name"),
        sort(client).to_owned(),
        grants(client),
        joined(&client["groups"]),
    ]
}

fn shown(client: &Json) -> String {
    let lines = [
        ("client", text(client, "client_id")),
        ("name", text(client, "name")),
        ("sort", sort(client).to_owned()),
        ("grants", grants(client)),
        ("groups", joined(&client["groups"])),
        ("redirects", joined(&client["redirect_uris"])),
        ("after sign-out", joined(&client["post_logout_redirect_uris"])),
        ("logout tokens", text(client, "backchannel_logout_uri")),
        ("introspects", joined(&client["introspects"])),
    ];
    lines.map(|(label, value)| format!("{label:<15} {value}")).join("\n")
}
