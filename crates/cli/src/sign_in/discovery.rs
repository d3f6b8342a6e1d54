//! Who issues tokens for a resource, and where that issuer is asked: RFC 9728 and RFC 8414 (or OpenID Connect Discovery).
//! Each document must call itself what it was asked for; otherwise somebody could send us to another issuer.

use platform::Json;
use serde::Deserialize;
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::web;

/// What a protected resource says of itself.
#[derive(Debug)]
pub(crate) struct Protected {
    /// The issuer to ask: the first that the resource names.
    pub(crate) issuer: String,
    /// Scopes to ask for.
    pub(crate) scopes: Vec<String>,
}

/// What we need of an issuer's metadata (RFC 8414).
#[derive(Debug, Deserialize)]
pub(crate) struct IssuerDocument {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Url,
    pub(crate) device_authorization_endpoint: Option<Url>,
    pub(crate) revocation_endpoint: Option<Url>,
    pub(crate) jwks_uri: Option<Url>,
    #[serde(default)]
    pub(crate) scopes_supported: Vec<String>,
    #[serde(default)]
    pub(crate) code_challenge_methods_supported: Vec<String>,
    /// RFC 9207.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

impl IssuerDocument {
    /// Codes and tokens travel to these endpoints: never in clear, except on this machine.
    pub(crate) fn refuse_in_clear(&self) -> Outcome {
        let endpoints = [self.authorization_endpoint.as_ref(), Some(&self.token_endpoint)];
        let more = [self.device_authorization_endpoint.as_ref(), self.revocation_endpoint.as_ref()];
        for url in endpoints.into_iter().chain(more).flatten() {
            web::refuse_in_clear(url)?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn for_tests(issuer: &str) -> Self {
        let at = |path: &str| Url::parse(&format!("{issuer}{path}")).unwrap();
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: Some(at("/authorize")),
            token_endpoint: at("/token"),
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            jwks_uri: None,
            scopes_supported: Vec::new(),
            code_challenge_methods_supported: vec!["S256".to_owned()],
            authorization_response_iss_parameter_supported: true,
        }
    }
}

/// Reads a resource's own document. Errors: `issuer_not_named`, `resource_mismatch`.
pub(crate) async fn protected(resource: &str) -> Outcome<Protected> {
    let url = Url::parse(resource).map_err(|e| {
        Failure::new(Exit::Usage, "resource_malformed", format!("`{resource}` is no URL.")).with_detail(&e)
    })?;
    web::refuse_in_clear(&url)?;
    let (at, document) = document(&url).await?;
    // RFC 9728, section 3.3: a document about something else must not be used.
    if document["resource"].as_str().map(bare) != Some(bare(resource)) {
        let message =
            format!("{at} speaks of `{}` and not of `{resource}`; nothing was asked for.", document["resource"]);
        return Err(Failure::new(Exit::Failed, "resource_mismatch", message));
    }
    let scopes = texts(&document["scopes_supported"]);
    match texts(&document["authorization_servers"]).into_iter().next() {
        Some(issuer) => Ok(Protected { issuer, scopes }),
        None => Err(not_named(&at)),
    }
}

/// The issuers whose tokens a platform takes, from its own document.
pub(crate) async fn issuers(platform: &Url) -> Outcome<Vec<String>> {
    let (at, document) = document(platform).await?;
    let issuers = texts(&document["authorization_servers"]);
    if issuers.is_empty() { Err(not_named(&at)) } else { Ok(issuers) }
}

async fn document(resource: &Url) -> Outcome<(Url, Json)> {
    let at = web::well_known(resource, "oauth-protected-resource");
    let response = web::get_url(&at).await?;
    if response.status.as_u16() == 404 {
        let message = format!("There is no protected resource at {resource}; check the server's name and the URL.");
        return Err(Failure::new(Exit::Usage, "resource_unknown", message));
    }
    Ok((at, response.json()?))
}

fn not_named(at: &Url) -> Failure {
    let message = format!("{at} names no issuer; is this URL a platform's?");
    Failure::new(Exit::Unavailable, "issuer_not_named", message)
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

fn bare(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// An issuer's metadata, looked for where RFC 8414 and OpenID Connect put it; its `issuer` must be what was asked for
/// (RFC 8414, section 3.3). Errors: `issuer_malformed`, `issuer_unreadable`, `issuer_mismatch`.
pub(crate) async fn issuer_document(issuer: &str) -> Outcome<IssuerDocument> {
    let malformed = || Failure::new(Exit::Usage, "issuer_malformed", format!("The issuer `{issuer}` is no URL."));
    let parsed = Url::parse(issuer).map_err(|e| malformed().with_detail(&e))?;
    let appended = format!("{}/.well-known/openid-configuration", bare(issuer));
    let mut places = vec![
        web::well_known(&parsed, "oauth-authorization-server"),
        web::well_known(&parsed, "openid-configuration"),
        Url::parse(&appended).map_err(|e| malformed().with_detail(&e))?,
    ];
    places.dedup();
    let last = places.len() - 1;
    for (n, at) in places.iter().enumerate() {
        let response = web::get_url(at).await?;
        if response.status.is_success() {
            let document: IssuerDocument = response.json()?;
            if document.issuer == issuer {
                return Ok(document);
            }
            let message = format!(
                "{at} calls itself `{}`; set the issuer's URL to exactly that, if it is the right one.",
                document.issuer
            );
            return Err(Failure::new(Exit::Failed, "issuer_mismatch", message));
        }
        if n == last {
            let message = format!(
                "{at} answered HTTP {}; the issuer's URL must be exactly the one in its tokens.",
                response.status.as_u16()
            );
            return Err(Failure::new(Exit::Unavailable, "issuer_unreadable", message));
        }
    }
    Err(malformed())
}
