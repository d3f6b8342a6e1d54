//! From the operator's `[[issuer]]` and `[pages]` to entries and the pages' sign-in. Everything that can be wrong with them
//! is found here, at start; what they mean stands in `entry`.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::config::{Config, IssuerConfig, IssuerTokens};
use platform::error::{Error, ErrorKind};
use platform::http::{OutboundObserver, TargetClient, TargetOptions};
use platform::secrets::{SecretStore, SecretVersion};
use platform::{Secret, SharedClock};
use url::Url;

use crate::claim_path::ClaimPath;
use crate::entry::{ClientCredentials, IssuerEntry, MfaRule, TokenKind};
use crate::provider::OidcProvider;
use crate::sign_in::OidcSignIn;

impl IssuerEntry {
    /// The entry that `config` describes. The built-in issuer is reached over HTTP like any other.
    ///
    /// Errors (settings): `issuer_entry_invalid`, `issuer_secret_missing`, `ca_file_unreadable`, those of
    /// [`TargetClient::new`].
    pub async fn configured(
        config: &IssuerConfig,
        secrets: &dyn SecretStore,
        observer: &Arc<dyn OutboundObserver>,
    ) -> Result<Self, Error> {
        let mut entry = Self::new(identifier(&config.url), target(config, observer)?);
        entry.tokens = tokens(config, secrets).await?;
        entry.types.clone_from(&config.types);
        if config.builtin {
            // Its tokens are issued by the clock that judges them: they end when they say.
            entry.clock_skew_s = 0;
        }
        entry.required_scopes.clone_from(&config.required_scopes);
        entry.groups_claim = config.groups_claim.parse()?;
        entry.allowed_groups.clone_from(&config.groups);
        entry.group_names.clone_from(&config.group_names);
        entry.person_claim = config.person_claim.parse()?;
        entry.name_claim = config.name_claim.as_deref().map(str::parse::<ClaimPath>).transpose()?;
        entry.acr_claim = config.acr_claim.parse()?;
        entry.amr_claim = config.amr_claim.parse()?;
        entry.mfa = MfaRule {
            acr: config.mfa_acr.clone(),
            amr: config.mfa_amr.clone(),
            two_factors: false,
            always: config.assume_mfa,
        };
        entry.accepts_platform_audience = config.platform_audience;
        entry.platform_alias.clone_from(&config.audience);
        entry.facade.clone_from(&config.facade);
        entry.allowed_clients.clone_from(&config.clients);
        entry.check()?;
        Ok(entry)
    }
}

impl OidcSignIn {
    /// The sign-in of the platform's pages.
    ///
    /// Errors (settings): `pages_issuer_unknown`, `pages_secret_missing`, those of [`IssuerEntry::configured`].
    pub async fn configured(
        config: &Config,
        secrets: &dyn SecretStore,
        observer: &Arc<dyn OutboundObserver>,
        clock: SharedClock,
    ) -> Result<Self, Error> {
        let pages = &config.pages;
        let wanted = |issuer: &&IssuerConfig| identifier(&issuer.url) == pages.issuer.trim_end_matches('/');
        let issuer = config.issuer.iter().find(wanted).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "pages_issuer_unknown",
                "`pages.issuer` must be the url of one of the [[issuer]] entries: people sign in to the step-up page there.",
            )
        })?;
        let missing = |message: String| Error::new(ErrorKind::Unavailable, "pages_secret_missing", message);
        let path = &pages.secret;
        let secret = secrets.get(path, None).await.map_err(|error| {
            missing(format!(
                "The secret store has no client secret at `{path}` (`pages.secret`). Add it with `interlock secret put`."
            ))
            .with_detail(error)
        })?;
        let client_secret = field(&secret, "client_secret")
            .ok_or_else(|| missing(format!("The secret at `{path}` has no field `client_secret`.")))?;
        let entry = IssuerEntry::configured(issuer, secrets, observer).await?;
        Self::new(entry, pages.client_id.clone(), client_secret, clock)
    }
}

impl OidcProvider {
    /// The provider behind the façade of `config`.
    ///
    /// Errors (settings): `issuer_secret_missing`, those of [`IssuerEntry::configured`].
    pub async fn configured(
        config: &IssuerConfig,
        secrets: &dyn SecretStore,
        observer: &Arc<dyn OutboundObserver>,
        clock: SharedClock,
    ) -> Result<Self, Error> {
        let client = kept(config, secrets).await?.client().ok_or_else(|| secret_missing(config))?;
        Self::new(IssuerEntry::configured(config, secrets, observer).await?, client, clock)
    }
}

/// The platform's own clients at each issuer, to which its logout tokens are sent: that of the pages, that of
/// introspection, and those that the operator named.
pub fn own_clients(config: &Config, entries: &[IssuerEntry]) -> BTreeMap<String, Vec<String>> {
    let of = |entry: &IssuerEntry| {
        let mut clients = entry.allowed_clients.clone().unwrap_or_default();
        if config.pages.issuer.trim_end_matches('/') == entry.issuer {
            clients.push(config.pages.client_id.clone());
        }
        match &entry.tokens {
            TokenKind::Introspection(client) | TokenKind::Userinfo { introspection: Some(client), .. } => {
                clients.push(client.id.clone());
            }
            _ => {}
        }
        (entry.issuer.clone(), clients)
    };
    entries.iter().map(of).collect()
}

/// The issuer identifier as its tokens have it.
fn identifier(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

fn target(config: &IssuerConfig, observer: &Arc<dyn OutboundObserver>) -> Result<TargetClient, Error> {
    let mut origin = config.url.clone();
    origin.set_path("");
    let mut options = TargetOptions::new(format!("issuer {}", config.url.host_str().unwrap_or_default()), origin);
    if let Some(path) = &config.ca_file {
        let unreadable = |error: std::io::Error| {
            let message = format!("{} cannot be read: {error}.", path.display());
            Error::new(ErrorKind::InvalidInput, "ca_file_unreadable", message)
        };
        options.ca_pem = Some(std::fs::read(path).map_err(unreadable)?);
    }
    TargetClient::observed(options, Arc::clone(observer))
}

/// What stands at an issuer's `secret`.
struct Kept(Option<SecretVersion>);

impl Kept {
    fn text(&self, name: &str) -> Option<Secret> {
        self.0.as_ref().and_then(|secret| field(secret, name))
    }

    fn client(&self) -> Option<ClientCredentials> {
        let (id, secret) = (self.text("client_id")?, self.text("client_secret")?);
        Some(ClientCredentials { id: id.expose().to_owned(), secret })
    }
}

async fn kept(config: &IssuerConfig, secrets: &dyn SecretStore) -> Result<Kept, Error> {
    let kept = match secrets.get(&config.secret, None).await {
        Ok(secret) => Kept(Some(secret)),
        Err(error) if error.kind() == ErrorKind::NotFound => Kept(None),
        Err(error) => return Err(error),
    };
    let ours = identifier(&config.url);
    match kept.text("issuer").filter(|issuer| issuer.expose().trim_end_matches('/') != ours) {
        Some(other) => Err(invalid(format!(
            "The secret at `{}` is for the issuer {}, not for {ours}.",
            config.secret,
            other.expose()
        ))),
        None => Ok(kept),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "issuer_entry_invalid", message)
}

fn secret_missing(config: &IssuerConfig) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "issuer_secret_missing",
        format!(
            "The platform needs a client of its own at issuer {}, and the secret store has no `client_id` and \
             `client_secret` at `{}`. Add them with `interlock secret put`.",
            config.url, config.secret
        ),
    )
}

async fn tokens(config: &IssuerConfig, secrets: &dyn SecretStore) -> Result<TokenKind, Error> {
    if config.tokens == IssuerTokens::Jwt {
        return Ok(TokenKind::Jwt);
    }
    let kept = kept(config, secrets).await?;
    let (path, issuer) = (&config.secret, &config.url);
    match (config.tokens, kept.client()) {
        (IssuerTokens::Introspection, Some(client)) => Ok(TokenKind::Introspection(client)),
        (IssuerTokens::Userinfo, client) if client.is_some() != config.userinfo_any_client => {
            let endpoint = kept.text("userinfo_url").map(|url| Url::parse(url.expose())).transpose();
            let endpoint = endpoint.map_err(|_| invalid(format!("`userinfo_url` at `{path}` is no URL.")))?;
            Ok(TokenKind::Userinfo { endpoint, introspection: client })
        }
        (IssuerTokens::Userinfo, Some(_)) => Err(invalid(format!(
            "Issuer {issuer}: `userinfo_any_client` is set and `{path}` holds a client for introspection. Keep one."
        ))),
        _ => Err(secret_missing(config)),
    }
}

fn field(secret: &SecretVersion, name: &str) -> Option<Secret> {
    secret.data.get(name).cloned()
}
