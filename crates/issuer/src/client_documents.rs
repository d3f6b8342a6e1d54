//! Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): a client whose id is an https URL is
//! described by the document at that URL. Somebody else wrote the URL, so it is fetched by the client for foreign URLs
//! (T13), few at a time, with a small limit, and kept for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use moka::sync::Cache;
use platform::http::ForeignClient;
use platform::{Error, ErrorKind};
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use crate::browser::Source;
use crate::clients::{Client, GrantType};
use crate::issuer::State;
use crate::redirects;
use crate::throttle::Bucket;

/// Longest URL of a client, bytes.
const LONGEST_ID: usize = 512;
/// Most redirect URIs of one client.
const MOST_REDIRECTS: usize = 20;
/// How long a document is kept, seconds: what it says, within these bounds.
const SHORTEST_LIFE_S: i64 = 60;
const USUAL_LIFE_S: i64 = 600;
const LONGEST_LIFE_S: i64 = 86_400;
const MOST_DOCUMENTS: u64 = 1_000;
/// Documents that are fetched at once.
const AT_ONCE: usize = 4;
/// Unusable documents that one address may name before it has to wait.
const FREE_FAILURES: u32 = 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// What we read of a document: members of RFC 7591. Others are passed over.
#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<serde::de::IgnoredAny>,
    client_secret_expires_at: Option<serde::de::IgnoredAny>,
}

/// Documents that were read.
pub(crate) struct ClientDocuments {
    foreign: ForeignClient,
    /// Client, and until when it holds, seconds since the epoch.
    kept: Cache<String, (Arc<Client>, i64)>,
    turns: Semaphore,
}

impl ClientDocuments {
    pub(crate) fn new(foreign: ForeignClient) -> Self {
        Self { foreign, kept: Cache::new(MOST_DOCUMENTS), turns: Semaphore::new(AT_ONCE) }
    }

    /// The client that a URL describes; none when the id can be no such URL. A document that cannot be used is never kept;
    /// a source that names many of them waits. Error: `client_document_refused` ([`ErrorKind::InvalidInput`]).
    pub(crate) async fn client(&self, client_id: &str, source: Source, state: &State) -> Result<Option<Client>, Error> {
        let Some(url) = acceptable(client_id) else { return Ok(None) };
        let now = state.clock.epoch_seconds();
        if let Some((client, until)) = self.kept.get(client_id)
            && now < until
        {
            return Ok(Some(Client::clone(&client)));
        }
        let bucket = Bucket::codes("client document", source.0, FREE_FAILURES);
        if state.throttle.wait(&[bucket], now).is_some() {
            return Err(refused("too many unusable documents from this source"));
        }
        match self.fetch(client_id, &url).await {
            Ok((client, life)) => {
                self.kept.insert(client_id.to_owned(), (Arc::new(client.clone()), now + life));
                Ok(Some(client))
            }
            Err(error) => {
                state.throttle.failed(&[bucket], now);
                state.refuse(source.0, "client_document_refused", None);
                Err(error)
            }
        }
    }

    async fn fetch(&self, client_id: &str, url: &Url) -> Result<(Client, i64), Error> {
        let deadline = Instant::now() + PATIENCE;
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| refused("too many documents at once"))?.map_err(Error::internal)?;
        let accept = HeaderValue::from_static("application/json");
        let answer = self.foreign.get(url, accept, deadline).await.map_err(|e| refused(format!("{e:?}")))?;
        if answer.status != StatusCode::OK {
            return Err(refused(format!("HTTP {}", answer.status.as_u16())));
        }
        let media_type = answer.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type != "application/json"
            && !(media_type.starts_with("application/") && media_type.ends_with("+json"))
        {
            return Err(refused(format!("content type {media_type}")));
        }
        let document: Document = serde_json::from_slice(&answer.body).map_err(refused)?;
        Ok((client(client_id, document)?, life(&answer.headers)))
    }
}

/// The URL of a client id, if it is one that the draft allows: https (the foreign client lets http pass for listed loopback
/// addresses of a lab only), with a path, without dot segments, user, fragment; and written in its one usual form, so that
/// the same client has one id.
fn acceptable(client_id: &str) -> Option<Url> {
    let url = Url::parse(client_id).ok().filter(|_| client_id.len() <= LONGEST_ID)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let usual = url.as_str() == client_id && url.path().len() > 1;
    (matches!(url.scheme(), "https" | "http") && plain && usual && url.host_str().is_some()).then_some(url)
}

fn client(client_id: &str, document: Document) -> Result<Client, Error> {
    let Document { client_name, redirect_uris, grant_types, token_endpoint_auth_method, .. } = document;
    if document.client_id != client_id {
        return Err(refused("the document is another client's"));
    }
    if document.client_secret.is_some() || document.client_secret_expires_at.is_some() {
        return Err(refused("a document cannot hold a secret"));
    }
    if token_endpoint_auth_method.is_some_and(|method| method != "none") {
        return Err(refused("only public clients are known by a document"));
    }
    let name = client_name.unwrap_or_else(|| client_id.to_owned());
    checked_metadata(client_id.to_owned(), &name, redirect_uris, grant_types.as_deref()).map_err(refused)
}

/// A client from what it says about itself: its name without anything that could hide, every redirect URI acceptable, and
/// of its grants those that a public client may use.
pub(crate) fn checked_metadata(
    client_id: String,
    name: &str,
    redirect_uris: Vec<String>,
    grant_types: Option<&[String]>,
) -> Result<Client, &'static str> {
    let shown: String = name.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(64).collect();
    if shown.trim().is_empty() {
        return Err("the client's name is empty");
    }
    if redirect_uris.len() > MOST_REDIRECTS || !redirect_uris.iter().all(|uri| redirects::registrable(uri)) {
        return Err("a redirect URI is not acceptable");
    }
    let may = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode];
    let grants: Vec<GrantType> = match grant_types {
        Some(named) => named.iter().filter_map(|g| GrantType::named(g)).filter(|g| may.contains(g)).collect(),
        None => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
    };
    if redirect_uris.is_empty() && grants.contains(&GrantType::AuthorizationCode) {
        return Err("there is no redirect URI");
    }
    Ok(Client::third_party(client_id, shown, redirect_uris, grants))
}

/// Characters that change how others are shown: direction marks, joiners, and the like.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How long an answer may be kept.
fn life(headers: &HeaderMap) -> i64 {
    let control = headers.get(CACHE_CONTROL).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let told = |directive: &str| control.split(',').map(str::trim).any(|d| d == directive);
    if told("no-store") || told("no-cache") {
        return SHORTEST_LIFE_S;
    }
    let max_age = control.split(',').find_map(|d| d.trim().strip_prefix("max-age=")?.parse::<i64>().ok());
    max_age.unwrap_or(USUAL_LIFE_S).clamp(SHORTEST_LIFE_S, LONGEST_LIFE_S)
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "client_document_refused",
        "The document that describes the application that sent you here cannot be read or is not acceptable.",
    )
    .with_detail(why)
}

#[cfg(test)]
mod tests {
    use super::{acceptable, checked_metadata};
    use crate::clients::GrantType;

    #[test]
    fn a_client_id_is_a_url_in_its_one_usual_form() {
        assert!(acceptable("https://app.example/client.json").is_some());
        for bad in [
            "https://app.example",
            "https://app.example/",
            "https://app.example/a/../b",
            "https://APP.example/c",
            "https://app.example:443/c",
            "https://u@app.example/c",
            "https://app.example/c#x",
            "ftp://app.example/c",
            "urn:x:y",
        ] {
            assert!(acceptable(bad).is_none(), "{bad}");
        }
        assert!(acceptable(&format!("https://app.example/{}", "x".repeat(600))).is_none());
    }

    #[test]
    fn what_a_client_says_about_itself_is_taken_as_far_as_a_public_client_may() {
        let redirects = || vec!["https://app.example/cb".to_owned()];
        let named = |grants: &[&str]| grants.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        let grants = named(&["authorization_code", "client_credentials", "password"]);
        let client = checked_metadata("c".into(), "A\u{202e}pp\n", redirects(), Some(&grants)).unwrap();
        assert_eq!(client.name, "App");
        assert!(client.may(GrantType::AuthorizationCode) && !client.may(GrantType::ClientCredentials));
        assert!(client.third_party && client.is_public());
        assert!(checked_metadata("c".into(), "App", vec!["http://app.example/cb".into()], None).is_err());
        assert!(checked_metadata("c".into(), "App", vec![], None).is_err());
        assert!(checked_metadata("c".into(), "\u{200b}", redirects(), None).is_err());
    }
}
