//! `/authorize` (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2): checks the request, reuses a session that
//! suffices, or shows the sign-in page. An error goes to the client only once its redirect URI is known to be its own.

use axum::extract::{RawQuery, State as Extension};
use axum::response::Response;
use http::HeaderMap;
use platform::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::browser::{PageError, Sent, Source, to_client};
use crate::claims::{ACR_MFA, ACR_PASSWORD};
use crate::clients::{Client, GrantType};
use crate::codes::Grant;
use crate::errand::{self, Errand};
use crate::grants::Granted;
use crate::issuer::{Issuer, State};
use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::redirects;
use crate::resources;
use crate::sessions::Session;
use crate::users::User;

/// Scopes that are granted when asked for; others are left out, as RFC 6749 section 3.3 lets us.
const SCOPES: [&str; 3] = ["openid", "profile", "mcp"];

/// A checked authorization request, as it travels through the sign-in and into the code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    /// As it was sent: the token request must repeat it.
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    /// PKCE S256 challenge.
    pub(crate) challenge: String,
    /// Granted scopes, space-separated.
    pub(crate) scope: String,
    /// The audience that `resource` asked for.
    pub(crate) resource: Option<String>,
    pub(crate) mfa: bool,
    pub(crate) max_age: Option<i64>,
    pub(crate) fresh: bool,
    /// The person is asked whether the client may, whatever was said before.
    pub(crate) consent: bool,
    pub(crate) silent: bool,
    pub(crate) login_hint: Option<String>,
}

/// An error for the client: RFC 6749 section 4.1.2.1 code, and a sentence.
type ClientError = (&'static str, &'static str);

/// `GET /authorize`.
pub(crate) async fn get(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    begin(&issuer.0, source, &headers, query.unwrap_or_default().as_bytes()).await
}

/// `POST /authorize` (OpenID Connect Core section 3.1.2.1 wants both).
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    begin(&issuer.0, source, &headers, &body).await
}

async fn begin(state: &State, source: Source, headers: &HeaderMap, encoded: &[u8]) -> Result<Response, PageError> {
    let refused = |kind: ErrorKind, code: &'static str, message: &str| {
        state.refuse(source.0, code, None);
        PageError(Error::new(kind, code, message))
    };
    let parameters = Parameters::parse(encoded, LONGEST_VALUE).map_err(|e| {
        let message = format!("{e} Go back to your application and start again.");
        refused(ErrorKind::Malformed, "invalid_request", &message)
    })?;
    let client = match parameters.get("client_id") {
        Some(id) => state.client(id, source).await?,
        None => None,
    };
    let Some(client) = client else {
        return Err(refused(
            ErrorKind::Malformed,
            "unknown_client",
            "The application that sent you here is not registered. Ask your administrator to register it.",
        ));
    };
    let redirect_uri = parameters.get("redirect_uri").unwrap_or_default();
    let Some(redirect) = redirects::matching(&client.redirect_uris, redirect_uri) else {
        return Err(refused(
            ErrorKind::Malformed,
            "redirect_uri_mismatch",
            "The application that sent you here asked to send you back to an address that is not registered for it, so you stay here. Ask your administrator to register it.",
        ));
    };
    let request = match check(state, &client, redirect_uri, &parameters) {
        Ok(request) => request,
        Err((code, description)) => {
            state.refuse(source.0, code, None);
            let error = [("error", code), ("error_description", description)];
            return Ok(to_client(state, &redirect, parameters.get("state"), &error)?);
        }
    };
    Ok(errand::begin(state, headers, Errand::Client(request), &client, Some(&redirect)).await?)
}

/// Everything about the request that the client may be told about.
fn check(
    state: &State,
    client: &Client,
    redirect_uri: &str,
    p: &Parameters,
) -> Result<AuthorizationRequest, ClientError> {
    if p.repeats("resource") {
        return Err(("invalid_target", "Ask for one resource at a time."));
    }
    if p.repeated().is_some() {
        return Err(("invalid_request", "A parameter is repeated."));
    }
    if p.get("request").is_some() {
        return Err(("request_not_supported", "Request objects are not supported."));
    }
    if p.get("request_uri").is_some() {
        return Err(("request_uri_not_supported", "Request objects are not supported."));
    }
    if !client.may(GrantType::AuthorizationCode) {
        return Err(("unauthorized_client", "This client may not use the authorization code grant."));
    }
    if p.get("response_type") != Some("code") {
        return Err(("unsupported_response_type", "Only response_type=code is supported."));
    }
    if p.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "Only response_mode=query is supported."));
    }
    let base64url = |c: &str| c.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let challenge = p.get("code_challenge").filter(|c| c.len() == 43 && base64url(c));
    let Some(challenge) = challenge.filter(|_| p.get("code_challenge_method") == Some("S256")) else {
        return Err(("invalid_request", "PKCE with code_challenge_method=S256 is required."));
    };
    let resource = match p.get("resource") {
        Some(resource) => Some(
            resources::audience(&state.platform, resource)
                .filter(|audience| state.may_ask_for(client, audience))
                .ok_or(("invalid_target", "The resource is not part of this platform, or not for this client."))?,
        ),
        None => None,
    };
    let prompts: Vec<&str> = p.get("prompt").unwrap_or_default().split_ascii_whitespace().collect();
    let silent = prompts.contains(&"none");
    if silent && prompts.len() > 1 {
        return Err(("invalid_request", "prompt=none stands alone."));
    }
    let interactive = ["login", "consent", "select_account"];
    if prompts.iter().any(|prompt| *prompt != "none" && !interactive.contains(prompt)) {
        return Err(("invalid_request", "prompt may be none, login, consent or select_account."));
    }
    let max_age = match p.get("max_age") {
        Some(text) => match text.parse::<u32>() {
            Ok(seconds) => Some(i64::from(seconds)),
            Err(_) => return Err(("invalid_request", "max_age is a number of seconds.")),
        },
        None => None,
    };
    if p.get("nonce").is_some_and(|n| n.len() > 512) || p.get("login_hint").is_some_and(|h| h.len() > 256) {
        return Err(("invalid_request", "A parameter is too long."));
    }
    // In order of preference (OpenID Connect Core section 3.1.2.1); what we do not know is passed over.
    let wanted = p.get("acr_values").unwrap_or_default();
    let acr = wanted.split_ascii_whitespace().find(|acr| [ACR_PASSWORD, ACR_MFA].contains(acr));
    Ok(AuthorizationRequest {
        client_id: client.client_id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        state: p.get("state").map(str::to_owned),
        nonce: p.get("nonce").map(str::to_owned),
        challenge: challenge.to_owned(),
        scope: granted_scope(p.get("scope")).ok_or(("invalid_scope", "Ask for openid, profile or mcp."))?,
        resource,
        mfa: acr == Some(ACR_MFA),
        max_age,
        // There is one account at a time: who wants to choose signs in again.
        fresh: prompts.contains(&"login") || prompts.contains(&"select_account"),
        consent: prompts.contains(&"consent"),
        silent,
        login_hint: p.get("login_hint").map(str::to_owned),
    })
}

/// The scopes of a request that we grant; `mcp` when it names none; nothing when it names only unknown ones.
pub(crate) fn granted_scope(asked: Option<&str>) -> Option<String> {
    let Some(asked) = asked else { return Some("mcp".to_owned()) };
    let granted: Vec<&str> = SCOPES.into_iter().filter(|s| asked.split(' ').any(|a| a == *s)).collect();
    (!granted.is_empty()).then(|| granted.join(" "))
}

/// Sends the browser back with a code.
pub(crate) fn code(
    state: &State,
    redirect: &Url,
    request: &AuthorizationRequest,
    user: &User,
    session: &Session,
) -> Result<Response, Error> {
    let code = state.codes.issue(Grant {
        granted: Granted::new(&request.client_id, &request.scope, request.resource.as_deref(), user, session),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        nonce: request.nonce.clone(),
        issued_at: state.clock.epoch_seconds(),
    })?;
    to_client(state, redirect, request.state.as_deref(), &[("code", code.expose())])
}
