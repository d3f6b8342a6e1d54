//! OAuth clients: what the store keeps of them, and how they prove who they are. Redirect rules stand in `redirects`.

use std::sync::Arc;

use platform::store::{Collection, Expect, Store};
use platform::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::redirects;
use crate::users::put;

const CLIENTS: Collection = Collection { name: "issuer_clients", indexes: &[] };
/// Client secrets are random, never chosen by people. SHA-256 is enough for them, because there is nothing to guess;
/// this length keeps it so.
const SHORTEST_SECRET: usize = 24;

/// A grant that a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// A person signs in (RFC 6749, section 4.1), with PKCE.
    AuthorizationCode,
    /// The client itself (section 4.4).
    ClientCredentials,
}

/// A client to create or replace.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Id: 1 to 128 of letters, digits, `.`, `_`, `-`, `~`.
    pub client_id: String,
    /// Secret, generated, at least 24 characters; a client without one is public.
    pub secret: Option<Secret>,
    /// Where codes may be sent: exact, except that the port of a loopback URL is free (RFC 8252, section 7.3).
    pub redirect_uris: Vec<String>,
    /// What it may do.
    pub grants: Vec<GrantType>,
    /// Groups of its own tokens (client credentials).
    pub groups: Vec<String>,
    /// Name that people read on the sign-in page.
    pub name: String,
}

/// A client as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    /// SHA-256 of the secret, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_sha256: Option<String>,
    pub(crate) redirect_uris: Vec<String>,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) groups: Vec<String>,
    pub(crate) name: String,
}

impl Client {
    /// Whether it has no secret.
    pub(crate) fn is_public(&self) -> bool {
        self.secret_sha256.is_none()
    }

    /// Whether it may use the grant.
    pub(crate) fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether what was presented is what was registered: the right secret, or none for a public client.
    pub(crate) fn proves(&self, secret: Option<&str>) -> bool {
        match (&self.secret_sha256, secret) {
            (Some(expected), Some(secret)) => digest(secret).as_bytes().ct_eq(expected.as_bytes()).into(),
            (None, None) => true,
            _ => false,
        }
    }
}

/// The collection of clients.
pub(crate) struct Clients {
    store: Arc<dyn Store>,
}

impl Clients {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A client by id.
    pub(crate) async fn find(&self, client_id: &str) -> Result<Option<Client>, Error> {
        if !acceptable_id(client_id) {
            return Ok(None);
        }
        let Some(record) = self.store.get(CLIENTS, client_id).await? else { return Ok(None) };
        serde_json::from_value(record.body).map(Some).map_err(Error::internal)
    }

    /// Creates or replaces a client.
    pub(crate) async fn upsert(&self, new: NewClient) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidInput, "client_invalid", message));
        if !acceptable_id(&new.client_id) {
            return invalid("A client id has 1 to 128 letters, digits or any of . _ - ~.");
        }
        if new.secret.as_ref().is_some_and(|s| s.expose().len() < SHORTEST_SECRET) {
            return invalid("A client secret is generated and has at least 24 characters.");
        }
        if new.secret.is_none() && new.grants.contains(&GrantType::ClientCredentials) {
            return invalid("A client without a secret cannot use client credentials.");
        }
        if let Some(uri) = new.redirect_uris.iter().find(|uri| !redirects::registrable(uri)) {
            return invalid(&format!(
                "{uri} cannot be a redirect URI: it must be https, http on loopback, or an application's own scheme, without fragment."
            ));
        }
        let client = Client {
            client_id: new.client_id,
            secret_sha256: new.secret.as_ref().map(|s| digest(s.expose())),
            redirect_uris: new.redirect_uris,
            grants: new.grants,
            groups: new.groups,
            name: new.name,
        };
        if self.find(&client.client_id).await?.as_ref() == Some(&client) {
            return Ok(());
        }
        let body = serde_json::to_value(&client).map_err(Error::internal)?;
        put(self.store.as_ref(), CLIENTS, client.client_id, Expect::Any, body).await
    }
}

fn acceptable_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-~".contains(&b);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

fn digest(secret: &str) -> String {
    hex::encode(platform::canonical::sha256(secret.as_bytes()))
}
