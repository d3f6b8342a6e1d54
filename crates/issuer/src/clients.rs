//! OAuth clients: what the store keeps of them, and how they prove who they are. Redirect rules stand in `redirects`.

use std::sync::Arc;

use platform::store::{Collection, Expect, Op, Query, Store};
use platform::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::browser::Source;
use crate::issuer::State;
use crate::redirects;
use crate::registration;
use crate::users::{put, transact};

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
    /// What a person granted is renewed without the person (section 6).
    RefreshToken,
    /// A person signs in elsewhere (RFC 8628).
    DeviceCode,
}

impl GrantType {
    /// All of them, in the order of the metadata document.
    pub(crate) const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::RefreshToken, Self::DeviceCode, Self::ClientCredentials];

    /// `grant_type` on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    /// The grant of a `grant_type`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}

/// A client to create or replace.
#[derive(Debug, Clone, Default)]
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
    /// Where the browser may be sent after a sign-out: exact.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent (OpenID Connect Back-Channel Logout 1.0).
    pub backchannel_logout_uri: Option<String>,
    /// Resources whose tokens it may introspect (RFC 7662), by their identifiers; its own tokens it always may. Only for a
    /// client with a secret.
    pub introspects: Vec<String>,
    /// This is a lab's client; a store that holds one is no production's (T30).
    pub seeded: bool,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) post_logout_redirect_uris: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) backchannel_logout_uri: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) introspects: Vec<String>,
    /// Nobody here vouches for it: it registered itself, or is known by its document only. People are asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) third_party: bool,
    /// A lab put it there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    seeded: bool,
}

impl Client {
    /// A public client that nobody here vouches for.
    pub(crate) fn third_party(
        client_id: String,
        name: String,
        redirect_uris: Vec<String>,
        grants: Vec<GrantType>,
    ) -> Self {
        Self {
            client_id,
            secret_sha256: None,
            redirect_uris,
            grants,
            groups: Vec::new(),
            name,
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            introspects: Vec::new(),
            third_party: true,
            seeded: false,
        }
    }

    /// Whether it has no secret.
    pub(crate) fn is_public(&self) -> bool {
        self.secret_sha256.is_none()
    }

    /// Whether a lab put it there.
    pub(crate) fn is_seeded(&self) -> bool {
        self.seeded
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

impl State {
    /// The client of an id, wherever it is known from: registered here, registered by itself, or described by a document at
    /// the URL that its id is. Errors: `client_document_refused` and those of fetching it ([`ErrorKind::InvalidInput`]),
    /// the store's.
    pub(crate) async fn client(&self, client_id: &str, source: Source) -> Result<Option<Client>, Error> {
        if client_id.contains(':') {
            return self.documents.client(client_id, source, self).await;
        }
        match registration::is_registered_id(client_id) {
            true => registration::find(self, client_id).await,
            false => self.clients.find(client_id).await,
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
        let client = checked(new)?;
        if self.find(&client.client_id).await?.as_ref() == Some(&client) {
            return Ok(());
        }
        self.write(&client, Expect::Any).await
    }

    /// Creates a client. Errors: `client_invalid`, `client_exists`.
    pub(crate) async fn create(&self, new: NewClient) -> Result<Client, Error> {
        let client = checked(new)?;
        match self.write(&client, Expect::Absent).await {
            Ok(()) => Ok(client),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(Error::new(
                ErrorKind::Conflict,
                "client_exists",
                format!("There is a client {} already. Choose another id, or delete that one.", client.client_id),
            )),
            Err(error) => Err(error),
        }
    }

    async fn write(&self, client: &Client, expect: Expect) -> Result<(), Error> {
        let body = serde_json::to_value(client).map_err(Error::internal)?;
        put(self.store.as_ref(), CLIENTS, client.client_id.clone(), expect, body, None).await
    }

    /// All clients that somebody here registered.
    pub(crate) async fn all(&self) -> Result<Vec<Client>, Error> {
        let mut all: Vec<Client> = Vec::new();
        loop {
            let after = all.last().map(|c| c.client_id.as_str());
            let page = self
                .store
                .list(Query { collection: CLIENTS, filter: None, after, limit: 1_000, descending: false })
                .await?;
            let last = page.len() < 1_000;
            for record in page {
                all.push(serde_json::from_value(record.body).map_err(Error::internal)?);
            }
            if last {
                return Ok(all);
            }
        }
    }

    /// Removes a client. Errors: `client_unknown`, the store's.
    pub(crate) async fn delete(&self, client_id: &str) -> Result<Client, Error> {
        let unknown = || Error::new(ErrorKind::NotFound, "client_unknown", "There is no client of this id.");
        let client = self.find(client_id).await?.filter(|c| !c.third_party).ok_or_else(unknown)?;
        let gone = Op::Delete { collection: CLIENTS, id: client_id.to_owned(), expect: Expect::Any };
        transact(self.store.as_ref(), vec![gone]).await?;
        Ok(client)
    }
}

/// A client as it can be kept. Error: `client_invalid`.
fn checked(new: NewClient) -> Result<Client, Error> {
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
    let redirects = new.redirect_uris.iter().chain(&new.post_logout_redirect_uris);
    if let Some(uri) = redirects.into_iter().find(|uri| !redirects::registrable(uri)) {
        return invalid(&format!(
            "{uri} cannot be a redirect URI: it must be https, http on loopback, or an application's own scheme, without fragment."
        ));
    }
    if new.backchannel_logout_uri.as_ref().is_some_and(|uri| !redirects::reachable(uri)) {
        return invalid("A back-channel logout URI is https, or http on loopback, without fragment.");
    }
    if new.secret.is_none() && !new.introspects.is_empty() {
        return invalid("A client without a secret cannot introspect tokens.");
    }
    if new.name.is_empty() || new.name.chars().count() > 128 || new.name.chars().any(char::is_control) {
        return invalid("A client's name has 1 to 128 characters.");
    }
    Ok(Client {
        client_id: new.client_id,
        secret_sha256: new.secret.as_ref().map(|s| digest(s.expose())),
        redirect_uris: new.redirect_uris,
        grants: new.grants,
        groups: new.groups,
        name: new.name,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: new.backchannel_logout_uri,
        introspects: new.introspects,
        third_party: false,
        seeded: new.seeded,
    })
}

fn acceptable_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-~".contains(&b);
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

fn digest(secret: &str) -> String {
    hex::encode(platform::canonical::sha256(secret.as_bytes()))
}
