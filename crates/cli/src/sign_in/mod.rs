//! How this program gets a token for a person: it finds the issuer of a resource, sends the person there, and comes back
//! with an access token for exactly that resource, and with a refresh token where the issuer gives one.
//!
//! Two ways lead there: the person's own browser and back to a loopback port ([`authorization`], RFC 8252), or a code that
//! the person types on any device ([`device`], RFC 8628). Where next: [`discovery`] for who is asked, [`grant`] for the
//! token endpoint, [`crate::tokens`] for what is kept and how it is renewed.

pub(crate) mod authorization;
pub(crate) mod browser;
mod device;
pub(crate) mod discovery;
pub(crate) mod grant;

use platform::Clock as _;
use platform::clock::SystemClock;

use self::discovery::{IssuerDocument, Protected};
use self::grant::Granted;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::tokens::Kept;

/// The registered public client of this command line; its redirect is a loopback address with any port.
pub(crate) const CLIENT_ID: &str = "interlock-cli";

/// Hears what the person has to be told. Standard error for everybody: standard output belongs to results.
pub(crate) type Say = dyn Fn(&str) + Send + Sync;

/// How the person gets to the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A browser where there is one, else a code for another device, else a printed address.
    Auto,
    /// By a printed address, opened on this machine.
    Print,
    /// By a code, on any device.
    Device,
}

/// A sign-in that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The protected resource: what the token is for (RFC 8707).
    pub(crate) resource: String,
    /// Registered public client.
    pub(crate) client_id: String,
    /// How.
    pub(crate) way: Way,
    /// What a challenge asked for beyond that.
    pub(crate) more: More,
}

/// What a challenge asks of the next token (RFC 6750 section 3, RFC 9470).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct More {
    /// Scopes beyond those that the resource names.
    pub(crate) scopes: Vec<String>,
    /// `acr_values`: how the person has to be authenticated.
    pub(crate) acr_values: Option<String>,
    /// `max_age`: how long ago at most, in seconds.
    pub(crate) max_age: Option<u64>,
}

/// Signs a person in. Waits for them, at most five minutes (or the life of a device code).
pub(crate) async fn sign_in(wanted: &Wanted, say: &Say) -> Outcome<Kept> {
    let protected = discovery::protected(&wanted.resource).await?;
    let issuer = discovery::issuer_document(&protected.issuer).await?;
    issuer.refuse_in_clear()?;
    let scope = scope(&protected, &issuer, &wanted.more);
    let granted = match wanted.way {
        Way::Device => device::sign_in(&issuer, wanted, &scope, say).await?,
        Way::Auto if !browser::available() && issuer.device_authorization_endpoint.is_some() => {
            device::sign_in(&issuer, wanted, &scope, say).await?
        }
        Way::Auto | Way::Print => authorization::sign_in(&issuer, wanted, &scope, say).await?,
    };
    Ok(kept(granted, &wanted.resource, &issuer.issuer, &wanted.client_id, &scope))
}

/// Renews a kept sign-in by its refresh token (RFC 6749 section 6); `None` when the issuer takes it no longer.
pub(crate) async fn refresh(before: &Kept) -> Outcome<Option<Kept>> {
    let Some(token) = &before.refresh_token else { return Ok(None) };
    let issuer = discovery::issuer_document(&before.issuer).await?;
    issuer.refuse_in_clear()?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.expose()),
        ("client_id", &before.client_id),
        ("resource", &before.resource),
    ];
    match grant::ask(&issuer.token_endpoint, &form).await? {
        Ok(mut granted) => {
            // An issuer that does not rotate leaves the old one valid (RFC 6749 section 6).
            granted.refresh_token = granted.refresh_token.or_else(|| before.refresh_token.clone());
            Ok(Some(kept(granted, &before.resource, &before.issuer, &before.client_id, &before.scope)))
        }
        // Whatever it objects to, asking again with the same token would not change its mind.
        Err(refused) if refused.is_final() => Ok(None),
        Err(refused) => Err(refused.into_failure("The issuer did not renew the sign-in")),
    }
}

fn kept(granted: Granted, resource: &str, issuer: &str, client_id: &str, asked: &str) -> Kept {
    Kept {
        resource: resource.to_owned(),
        issuer: issuer.to_owned(),
        client_id: client_id.to_owned(),
        // Left out when it is what was asked for (RFC 6749 section 5.1).
        scope: granted.scope.unwrap_or_else(|| asked.to_owned()),
        access_token: granted.access_token,
        expires_at: SystemClock.epoch_seconds().saturating_add(granted.expires_in.unwrap_or(300)),
        refresh_token: granted.refresh_token,
    }
}

/// The scopes to ask for: the resource's, those of a challenge, and `offline_access` where the issuer knows it, since
/// some give a refresh token for nothing less.
fn scope(protected: &Protected, issuer: &IssuerDocument, more: &More) -> String {
    let mut all: Vec<&str> = protected.scopes.iter().chain(&more.scopes).map(String::as_str).collect();
    if all.is_empty() {
        all.push("mcp");
    }
    if issuer.scopes_supported.iter().any(|s| s == "offline_access") {
        all.push("offline_access");
    }
    let mut once: Vec<&str> = Vec::new();
    for scope in all {
        if !once.contains(&scope) {
            once.push(scope);
        }
    }
    once.join(" ")
}

/// Nobody came within the time.
fn expired() -> Failure {
    Failure::new(Exit::NotSignedIn, "sign_in_expired", "Nobody signed in within 5 minutes; start again.")
}

#[cfg(test)]
mod tests {
    use super::discovery::{IssuerDocument, Protected};
    use super::{More, scope};

    #[test]
    fn scopes_are_the_resources_and_the_challenges_once_each() {
        let protected = |scopes: &[&str]| Protected {
            issuer: "http://i".to_owned(),
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        };
        let more =
            |scopes: &[&str]| More { scopes: scopes.iter().map(|s| (*s).to_owned()).collect(), ..More::default() };
        let mut issuer = IssuerDocument::for_tests("http://i");
        assert_eq!(scope(&protected(&["mcp"]), &issuer, &more(&["mcp", "admin"])), "mcp admin");
        assert_eq!(scope(&protected(&[]), &issuer, &More::default()), "mcp");
        issuer.scopes_supported = vec!["offline_access".to_owned()];
        assert_eq!(scope(&protected(&["mcp"]), &issuer, &More::default()), "mcp offline_access");
    }
}
