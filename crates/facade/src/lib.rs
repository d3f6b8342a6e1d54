//! The façade: an OAuth 2.1 authorization server face at `<base>/oauth/<name>` for an identity provider whose clients have to be
//! registered by hand, or that does not know `resource` (RFC 8707). Every MCP client that comes here is mapped to the one
//! client that the operator registered at the provider.
//!
//! That mapping is what makes a confused deputy: the provider asks a person once for the one client, and would let every
//! other through in its name. Hence a page of our own, each time, before anything reaches the provider (`authorize`, `page`);
//! redirect URIs that are compared exactly (`clients`); proof keys of the client's and of our own, each with its own side;
//! a `state` of ours that exists only after the consent and counts only in the browser that gave it.
//!
//! What a client registers is sealed into its `client_id`, and what a refresh token stands for into the token: nothing is
//! stored, so that nobody can fill a store. `token` hands over what the provider gave.

mod authorize;
mod clients;
mod documents;
mod oauth;
mod page;
mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use moka::sync::Cache;
use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::resource::BaseUrl;
use platform::seal::Sealer;
use platform::tokens::Provider;
use platform::{Error, ErrorKind, SharedClock};

use crate::authorize::{Issued, Pending};

/// Longest time between the consent and the provider's answer.
const SIGN_IN: Duration = Duration::from_secs(600);
/// Longest life of a code of ours.
const CODE: Duration = Duration::from_secs(60);
/// Most sign-ins and codes at a time.
const MAX_PENDING: u64 = 10_000;

/// What a façade is made of.
pub struct FacadeOptions {
    /// Last part of its URL: `[a-z0-9-]{1,40}`.
    pub name: String,
    /// Public base URL of the platform.
    pub platform: BaseUrl,
    /// The provider behind it.
    pub provider: Arc<dyn Provider>,
    /// Scopes that the provider is asked for.
    pub scopes: Vec<String>,
    /// Origins of web clients that may be redirected to, beside loopback.
    pub origins: Vec<String>,
    /// Seals registrations and refresh tokens.
    pub sealer: Sealer,
    /// Audit.
    pub audit: Arc<dyn AuditLog>,
    /// Time of day.
    pub clock: SharedClock,
}

/// One façade.
#[derive(Clone)]
pub struct Facade(Arc<State>);

pub(crate) struct State {
    pub(crate) options: FacadeOptions,
    /// Its issuer identifier.
    pub(crate) url: String,
    /// `/oauth/<name>`.
    pub(crate) path: String,
    /// Sign-ins at the provider, by our `state`.
    pub(crate) pending: Cache<String, Arc<Pending>>,
    /// What codes of ours stand for.
    pub(crate) codes: Cache<String, Arc<Issued>>,
}

impl Facade {
    /// A façade. Error (settings): `facade_name_invalid`.
    pub fn new(options: FacadeOptions) -> Result<Self, Error> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=40).contains(&options.name.len()) || !options.name.bytes().all(allowed) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "facade_name_invalid",
                format!("`{}` cannot stand in a URL. Use lower case letters, digits and hyphens.", options.name),
            ));
        }
        let path = format!("/oauth/{}", options.name);
        Ok(Self(Arc::new(State {
            url: format!("{}{path}", options.platform),
            path,
            pending: Cache::builder().max_capacity(MAX_PENDING).time_to_live(SIGN_IN).build(),
            codes: Cache::builder().max_capacity(MAX_PENDING).time_to_live(CODE).build(),
            options,
        })))
    }

    /// Its routes, at their full paths.
    pub fn router(&self) -> Router {
        let path = &self.0.path;
        Router::new()
            .route(&format!("/.well-known/oauth-authorization-server{path}"), get(documents::metadata))
            .route(&format!("{path}/.well-known/oauth-authorization-server"), get(documents::metadata))
            .route(&format!("{path}/register"), post(clients::register))
            .route(&format!("{path}/authorize"), get(authorize::ask).post(authorize::decide))
            .route(&format!("{path}/callback"), get(authorize::come_back))
            .route(&format!("{path}/token"), post(token::post))
            .with_state(Arc::clone(&self.0))
    }
}

impl State {
    /// The place that sealed bytes of this façade belong to.
    pub(crate) fn place(&self, what: &str) -> String {
        format!("{} {what}", self.url)
    }

    /// Whether a `resource` is one of this platform's: the only thing that is read of it, because the provider does not
    /// know it (RFC 8707 section 2).
    pub(crate) fn is_ours(&self, resource: &str) -> bool {
        let base = self.options.platform.as_str();
        let below = resource.strip_prefix(base);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !resource.contains('#')
    }

    /// One record of what went through here.
    pub(crate) async fn record(&self, action: &str, client: &clients::Client, redirect: &str) -> Result<(), Error> {
        let mut entry = AuditEntry::event(self.options.clock.now(), action, Outcome::Success);
        entry.facts.insert("facade".into(), self.options.name.clone().into());
        entry.facts.insert("client_name".into(), client.name.clone().into());
        entry.facts.insert("redirect_uri".into(), redirect.into());
        self.options.audit.append(entry).await.map(drop)
    }
}
