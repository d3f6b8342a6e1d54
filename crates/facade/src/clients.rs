//! Clients: registered by themselves (RFC 7591), kept nowhere. A `client_id` is the sealed registration, so that what it names
//! cannot be changed and costs nothing to remember.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State as Extension};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use platform::Json;
use platform::strict_json::StrictJson;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::{Host, Url};

use crate::State;
use crate::oauth::{OAuthError, answer};

/// Most bytes of a registration.
const MAX_REGISTRATION: usize = 8 << 10;
/// Most redirect URIs of one client.
const MAX_REDIRECTS: usize = 5;
/// Most characters of a name and of a redirect URI.
const MAX_NAME: usize = 100;
const MAX_URI: usize = 400;

const METADATA: OAuthError =
    OAuthError::new("invalid_client_metadata", "Send an object with redirect_uris and, if you like, client_name.");
const REDIRECT: OAuthError = OAuthError::new(
    "invalid_redirect_uri",
    "A redirect URI is http on loopback, or https at an origin that the operator allowed; without a fragment.",
);

/// A registered client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) redirects: Vec<String>,
    /// When, epoch seconds.
    pub(crate) at: i64,
}

impl Client {
    /// Reads a `client_id` of this façade.
    pub(crate) fn open(state: &State, client_id: &str) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(client_id).ok()?;
        serde_json::from_slice(&state.options.sealer.open(&state.place("client"), &sealed)?).ok()
    }

    /// The redirect URI that a request means: the registered text, or the same loopback URL on another port (RFC 8252
    /// section 7.3).
    pub(crate) fn redirect(&self, requested: &str) -> Option<Url> {
        let url = Url::parse(requested).ok()?;
        let same = |uri: &String| uri == requested || same_but_port(uri, &url);
        self.redirects.iter().any(same).then_some(url)
    }
}

fn same_but_port(registered: &str, requested: &Url) -> bool {
    let Ok(mut registered) = Url::parse(registered) else { return false };
    is_loopback(&registered) && registered.set_port(requested.port()).is_ok() && registered == *requested
}

fn is_loopback(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && here
}

fn may_be_registered(state: &State, uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let origin = url.origin().ascii_serialization();
    let known =
        url.scheme() == "https" && state.options.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin));
    plain && uri.len() <= MAX_URI && uri.bytes().all(|b| b.is_ascii_graphic()) && (known || is_loopback(&url))
}

/// `POST /register`.
pub(crate) async fn register(Extension(state): Extension<Arc<State>>, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), MAX_REGISTRATION).await else { return METADATA.into_response() };
    match registered(&state, &body) {
        Ok(document) => answer(StatusCode::CREATED, &document),
        Err(error) => error.into_response(),
    }
}

fn registered(state: &State, body: &[u8]) -> Result<Json, OAuthError> {
    let StrictJson(asked) = serde_json::from_slice(body).map_err(|_| METADATA)?;
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let redirects: Option<Vec<String>> =
        asked.get("redirect_uris").and_then(Json::as_array).and_then(|all| all.iter().map(text).collect());
    let redirects = redirects.ok_or(METADATA)?;
    if !(1..=MAX_REDIRECTS).contains(&redirects.len()) || !redirects.iter().all(|uri| may_be_registered(state, uri)) {
        return Err(REDIRECT);
    }
    let name = match asked.get("client_name") {
        None => "A client without a name".to_owned(),
        Some(name) => name
            .as_str()
            .filter(|name| {
                name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control) && !name.trim().is_empty()
            })
            .ok_or(METADATA)?
            .to_owned(),
    };
    let client = Client { name, redirects, at: state.options.clock.epoch_seconds() };
    let plain = serde_json::to_vec(&client).map_err(|e| OAuthError::from(platform::Error::internal(e)))?;
    let client_id = URL_SAFE_NO_PAD.encode(state.options.sealer.seal(&state.place("client"), &plain)?);
    Ok(json!({
        "client_id": client_id,
        "client_id_issued_at": client.at,
        "client_name": client.name,
        "redirect_uris": client.redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }))
}
