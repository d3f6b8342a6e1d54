//! Who there is in the lab: people in the article's groups, and the OAuth clients. Names and groups are fixed; passwords,
//! second-factor secrets and client secrets are random per state folder and kept in one file of mode 0600.
//!
//! Next: [`crate::ready`], which tells scripts about them.

use std::collections::BTreeMap;
use std::path::Path;

use platform::resource::BaseUrl;
use platform::{Error, ErrorKind, Secret, private_file, seal};
use serde::{Deserialize, Serialize};

use crate::one_time_code;

/// The public client of command lines and MCP clients; any loopback port.
pub const LAB_CLIENT: &str = "interlock-lab";
/// Public client that answers a step-up challenge by HTTP (RFC 9470): the platform's own command line.
pub const COMMAND_LINE_CLIENT: &str = "interlock-cli";
/// The confidential client of scripts: client credentials, in `network-engineers`.
pub const AUTOMATION_CLIENT: &str = "lab-automation";
/// The confidential client of the platform's own pages.
pub const PAGES_CLIENT: &str = "interlock-pages";

/// Name, display name, groups.
const CAST: [(&str, &str, &[&str]); 7] = [
    ("alice", "Alice Adler", &["network-engineers"]),
    ("bob", "Bob Brandt", &["network-engineers"]),
    ("sam", "Sam Sommer", &["service-desk"]),
    ("dora", "Dora Dahl", &["developers"]),
    ("ada", "Ada Admin", &["admin"]),
    ("audrey", "Audrey Auditor", &["auditors"]),
    ("vic", "Vic Visitor", &[]),
];

/// A person of the lab.
#[derive(Debug, Clone)]
pub struct LabUser {
    /// Sign-in name.
    pub name: String,
    /// Name for people.
    pub display_name: String,
    /// Password.
    pub password: Secret,
    /// TOTP secret, base32 of 160 bits.
    pub totp_secret: Secret,
    /// Groups, as tokens carry them.
    pub groups: Vec<String>,
}

/// A program of the lab.
#[derive(Debug, Clone)]
pub struct LabClient {
    /// OAuth client id.
    pub client_id: String,
    /// Secret; nothing for a public client.
    pub client_secret: Option<Secret>,
    /// Name on the sign-in page.
    pub name: String,
    /// Where codes may be sent; the port of a loopback URL is free.
    pub redirect_uris: Vec<String>,
    /// People sign in through it.
    pub authorization_code: bool,
    /// It asks for tokens of its own.
    pub client_credentials: bool,
    /// Groups of its own tokens.
    pub groups: Vec<String>,
}

/// Everybody, with their secrets.
#[derive(Debug, Clone)]
pub struct People {
    users: Vec<LabUser>,
    automation: Secret,
    pages: Secret,
}

/// The file: secrets only, by name. Who there is stands in the code, so that a newer binary can add somebody.
#[derive(Default, PartialEq, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(default)]
    users: BTreeMap<String, KeptUser>,
    #[serde(default)]
    clients: BTreeMap<String, String>,
}

#[derive(PartialEq, Clone, Serialize, Deserialize)]
struct KeptUser {
    password: String,
    totp_secret: String,
}

impl People {
    /// Reads the secrets of a state folder, and makes those that are missing. Errors: `lab_state_unusable`.
    pub fn open(file: &Path) -> Result<Self, Error> {
        let unusable = |why: String| {
            let message =
                format!("{} cannot be used; give the lab another state folder, or remove it.", file.display());
            Error::new(ErrorKind::Unavailable, "lab_state_unusable", message).with_detail(why)
        };
        let before: Kept = match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| unusable(e.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let mut kept = before.clone();
        let mut users = Vec::new();
        for (name, display_name, groups) in CAST {
            let secrets = match kept.users.get(name) {
                Some(secrets) => secrets.clone(),
                None => KeptUser { password: random_text()?, totp_secret: one_time_code::new_secret()? },
            };
            kept.users.insert(name.to_owned(), secrets.clone());
            users.push(LabUser {
                name: name.to_owned(),
                display_name: display_name.to_owned(),
                password: secrets.password.into(),
                totp_secret: secrets.totp_secret.into(),
                groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            });
        }
        for client in [AUTOMATION_CLIENT, PAGES_CLIENT] {
            if !kept.clients.contains_key(client) {
                kept.clients.insert(client.to_owned(), random_text()?);
            }
        }
        if kept != before {
            let text = serde_json::to_string_pretty(&kept).map_err(Error::internal)?;
            private_file::write(file, text.as_bytes()).map_err(|e| unusable(e.to_string()))?;
        }
        let secret = |client: &str| Secret::new(kept.clients.get(client).cloned().unwrap_or_default());
        Ok(Self { users, automation: secret(AUTOMATION_CLIENT), pages: secret(PAGES_CLIENT) })
    }

    /// The people.
    pub fn users(&self) -> &[LabUser] {
        &self.users
    }

    /// The programs, for a platform at `base`.
    pub fn clients(&self, base: &BaseUrl) -> Vec<LabClient> {
        vec![
            LabClient {
                client_id: LAB_CLIENT.to_owned(),
                client_secret: None,
                name: "Interlock command line and MCP clients".to_owned(),
                redirect_uris: vec!["http://127.0.0.1/callback".to_owned(), "http://localhost/callback".to_owned()],
                authorization_code: true,
                client_credentials: false,
                groups: Vec::new(),
            },
            LabClient {
                client_id: COMMAND_LINE_CLIENT.to_owned(),
                client_secret: None,
                name: "Interlock command line".to_owned(),
                redirect_uris: vec!["http://127.0.0.1/callback".to_owned()],
                authorization_code: true,
                client_credentials: false,
                groups: Vec::new(),
            },
            LabClient {
                client_id: AUTOMATION_CLIENT.to_owned(),
                client_secret: Some(self.automation.clone()),
                name: "Lab automation".to_owned(),
                redirect_uris: Vec::new(),
                authorization_code: false,
                client_credentials: true,
                groups: vec!["network-engineers".to_owned()],
            },
            LabClient {
                client_id: PAGES_CLIENT.to_owned(),
                client_secret: Some(self.pages.clone()),
                name: "Interlock's own pages".to_owned(),
                redirect_uris: vec![format!("{base}/signin/callback")],
                authorization_code: true,
                client_credentials: false,
                groups: Vec::new(),
            },
        ]
    }

    /// The secret of the pages' client, for the secret store.
    pub fn pages_secret(&self) -> &Secret {
        &self.pages
    }
}

/// 192 random bits as text.
fn random_text() -> Result<String, Error> {
    seal::random_text::<24>()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use platform::private_file;
    use platform::resource::BaseUrl;
    use url::Url;

    use super::People;

    fn folder() -> std::path::PathBuf {
        let name = format!("interlock-story-{}", super::random_text().unwrap());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn t30_secrets_are_random_per_folder_private_and_stay_the_same_in_it() {
        let (one, other) = (folder().join("people.json"), folder().join("people.json"));
        let first = People::open(&one).unwrap();
        let again = People::open(&one).unwrap();
        let elsewhere = People::open(&other).unwrap();
        let password = |people: &People| people.users()[0].password.expose().to_owned();
        assert_eq!(password(&first), password(&again));
        assert_ne!(password(&first), password(&elsewhere));
        assert_eq!(std::fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn somebody_new_gets_secrets_without_changing_the_others() {
        let file = folder().join("people.json");
        private_file::write(&file, br#"{"users":{"alice":{"password":"kept-kept","totp_secret":"GEZDGNBVGY3TQOJQ"}}}"#)
            .unwrap();
        let people = People::open(&file).unwrap();
        assert_eq!(people.users()[0].password.expose(), "kept-kept");
        assert_eq!(people.users().len(), 7);
        let base = BaseUrl::new(&Url::parse("http://127.0.0.1:1/").unwrap());
        let pages = people.clients(&base).into_iter().find(|c| c.client_id == super::PAGES_CLIENT).unwrap();
        assert_eq!(pages.redirect_uris, ["http://127.0.0.1:1/signin/callback"]);
        assert!(pages.client_secret.unwrap().expose().len() >= 24);
    }

    #[test]
    fn a_broken_file_is_named_and_not_overwritten() {
        let file = folder().join("people.json");
        std::fs::write(&file, "{").unwrap();
        assert_eq!(People::open(&file).err().map(|e| e.code().to_owned()).as_deref(), Some("lab_state_unusable"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{");
    }
}
