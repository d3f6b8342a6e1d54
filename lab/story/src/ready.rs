//! The line that a lab prints when it is ready, and keeps as `lab.json` in its state folder: the contract with scripts.
//! It holds the lab's secrets on purpose; a lab's secrets are worth nothing elsewhere (T30). Hence no `Debug`.

use std::collections::BTreeMap;
use std::path::Path;

use platform::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::people::LabUser;

/// What a running lab says about itself. Members are only ever added.
#[derive(Clone, Serialize, Deserialize)]
pub struct Ready {
    /// Always true.
    pub ready: bool,
    /// Process id of the platform.
    pub pid: u32,
    /// Public base URL, without trailing slash.
    pub url: String,
    /// Issuer identifier.
    pub issuer: String,
    /// Policy profile.
    #[serde(default)]
    pub profile: String,
    /// MCP endpoint by server instance.
    pub mcp: BTreeMap<String, String>,
    /// People.
    pub users: Vec<ReadyUser>,
    /// Programs.
    pub clients: Vec<ReadyClient>,
    /// Simulated systems by server instance.
    pub simulators: BTreeMap<String, ReadySimulator>,
    /// The lab's admin door.
    pub lab_admin: ReadyAdmin,
}

/// A person.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadyUser {
    /// Sign-in name.
    pub name: String,
    /// Password.
    pub password: String,
    /// TOTP secret, base32.
    pub totp_secret: String,
    /// Groups.
    pub groups: Vec<String>,
}

impl From<&LabUser> for ReadyUser {
    fn from(user: &LabUser) -> Self {
        Self {
            name: user.name.clone(),
            password: user.password.expose().to_owned(),
            totp_secret: user.totp_secret.expose().to_owned(),
            groups: user.groups.clone(),
        }
    }
}

/// A program.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadyClient {
    /// OAuth client id.
    pub client_id: String,
    /// Secret; `null` for a public client.
    pub client_secret: Option<String>,
}

/// A simulated system.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadySimulator {
    /// Its own base URL.
    pub url: String,
    /// The one account.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// The admin door: `POST /faults`, `GET /device-commands`, `POST /clock`.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReadyAdmin {
    /// Base URL.
    pub url: String,
    /// Bearer token.
    pub token: String,
}

impl Ready {
    /// For people: where to click and what to paste.
    /// `program` is how this program was called, so that its lines can be pasted.
    pub fn in_words(&self, state: &Path, program: &str) -> String {
        let folder = state.display();
        let mut text = format!("\nInterlock's lab is running at {}\n\nMCP servers (Streamable HTTP):\n", self.url);
        for (name, url) in &self.mcp {
            text.push_str(&format!("  {name:<22} {url}\n"));
        }
        text.push_str("\nPeople (password, groups):\n");
        for user in &self.users {
            let groups = if user.groups.is_empty() { "no group".to_owned() } else { user.groups.join(", ") };
            text.push_str(&format!("  {:<8} {}   {groups}\n", user.name, user.password));
        }
        let url = &self.url;
        text.push_str(&format!(
            "\nTry, in another terminal:\n  {program} lab story --state {folder}\n  \
             TOKEN=$({program} lab token --state {folder} --user alice)\n  \
             curl -H \"Authorization: Bearer $TOKEN\" {url}/api/v1/mcp/catalyst-center/tools\n\n\
             Connect an MCP client; it signs you in by itself:\n  \
             {program} connect claude-code --url {url}\n\n\
             Or add a server of type HTTP with one of the URLs above, or {url}/mcp for all of them, and the header\n  \
             Authorization: Bearer <the token>\n\n\
             When a page asks for the second factor:\n  \
             {program} lab otp --state {folder} --user alice\n\n\
             Approve a change on its page as somebody else:\n  \
             {program} lab approve --state {folder} --user bob chg-…\n\n\
             Stop with Ctrl-C. The state folder {folder} can be used again.\n"
        ));
        text
    }

    /// Reads `lab.json`. Errors: `lab_not_started` when there is none, `lab_state_unusable` when it is broken.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(file).map_err(|error| {
            let message = format!(
                "No lab was started in {}; start one there with `interlock lab --state {0}`.",
                file.parent().unwrap_or(file).display()
            );
            Error::new(ErrorKind::Unavailable, "lab_not_started", message).with_detail(error)
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("{} is not what a lab writes; start the lab again.", file.display());
            Error::new(ErrorKind::Unavailable, "lab_state_unusable", message).with_detail(error)
        })
    }

    /// A person by name. Errors: `lab_user_unknown`, which lists everybody.
    pub fn user(&self, name: &str) -> Result<&ReadyUser, Error> {
        self.users.iter().find(|user| user.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.users.iter().map(|u| u.name.as_str()).collect();
            let message = format!("The lab has no user `{name}`; it has {}.", names.join(", "));
            Error::new(ErrorKind::InvalidInput, "lab_user_unknown", message)
        })
    }
}
