//! The clients without which nobody could begin: the command line's, and the platform's own pages where people sign in to
//! them here. They are written at every start; others are an administrator's.

use platform::config::Config;
use platform::secrets::SecretStore;
use platform::{Error, Secret};

use crate::clients::{GrantType, NewClient};
use crate::issuer::Issuer;

/// The command line's client, which every built-in issuer knows.
pub const COMMAND_LINE_CLIENT: &str = "interlock-cli";

impl Issuer {
    /// [`Self::register_own_clients`], with the pages where the configuration says that this issuer is theirs; the secret of their
    /// client is made where there is none.
    pub async fn register_configured_clients(&self, config: &Config, secrets: &dyn SecretStore) -> Result<(), Error> {
        let pages = &config.pages;
        if pages.issuer.trim_end_matches('/') != self.0.url.as_str().trim_end_matches('/') {
            return self.register_own_clients(None).await;
        }
        let secret = platform::keys::generated(secrets, &pages.secret, "client_secret").await?;
        self.register_own_clients(Some((&pages.client_id, secret))).await
    }

    /// Registers the platform's own clients; what is unchanged is not written. `pages`: id and secret of the client of the
    /// pages, if this issuer is theirs.
    pub async fn register_own_clients(&self, pages: Option<(&str, Secret)>) -> Result<(), Error> {
        let base = &self.0.platform;
        let command_line = NewClient {
            client_id: COMMAND_LINE_CLIENT.to_owned(),
            redirect_uris: vec!["http://127.0.0.1/callback".to_owned(), "http://localhost/callback".to_owned()],
            grants: vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode],
            name: "Interlock command line".to_owned(),
            ..NewClient::default()
        };
        self.create_client(command_line).await?;
        let Some((client_id, secret)) = pages else { return Ok(()) };
        let pages = NewClient {
            client_id: client_id.to_owned(),
            secret: Some(secret),
            redirect_uris: vec![format!("{base}/signin/callback")],
            grants: vec![GrantType::AuthorizationCode],
            name: "Interlock's own pages".to_owned(),
            post_logout_redirect_uris: vec![base.to_string(), format!("{base}/"), format!("{base}/signedout")],
            backchannel_logout_uri: Some(format!("{base}/backchannel-logout")),
            ..NewClient::default()
        };
        self.create_client(pages).await
    }
}
