//! `POST /token`: a code of ours for the provider's tokens, and a refresh token of ours for new ones. The code is used up
//! whatever comes of it; the refresh token is the provider's, sealed with the client that it was given to.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{Request, State as Extension};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use platform::tokens::ProviderTokens;
use platform::{Json, Secret, canonical};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::State;
use crate::clients::Client;
use crate::oauth::{MAX_FORM, OAuthError, Parameters, answer};

const BROKEN: OAuthError =
    OAuthError::new("invalid_request", "A parameter is missing, stands twice or cannot be read.");
const GRANT: OAuthError = OAuthError::new(
    "invalid_grant",
    "The code or token is unknown, used, too old, or another client's. Sign in again.",
);
const CLIENT: OAuthError = OAuthError::new("invalid_client", "No such client is registered here. Register again.");

pub(crate) async fn post(Extension(state): Extension<Arc<State>>, request: Request) -> Response {
    let given = match to_bytes(request.into_body(), MAX_FORM).await {
        Ok(body) => Parameters::read(&body),
        Err(_) => None,
    };
    let Some(given) = given else { return BROKEN.into_response() };
    match granted(&state, &given).await {
        Ok(body) => answer(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    }
}

async fn granted(state: &State, given: &Parameters) -> Result<Json, OAuthError> {
    let client_id = given.get("client_id").ok_or(CLIENT)?;
    let client = Client::open(state, client_id).ok_or(CLIENT)?;
    if given.get("resource").is_some_and(|resource| !state.is_ours(resource)) {
        return Err(OAuthError::new("invalid_target", "The resource is not one of this platform."));
    }
    match given.get("grant_type") {
        Some("authorization_code") => by_code(state, given, client_id).await,
        Some("refresh_token") => by_refresh_token(state, given, client_id, &client).await,
        _ => Err(OAuthError::new("unsupported_grant_type", "There is authorization_code and refresh_token.")),
    }
}

async fn by_code(state: &State, given: &Parameters, client_id: &str) -> Result<Json, OAuthError> {
    let code = given.get("code").ok_or(BROKEN)?;
    let issued = state.codes.remove(code).ok_or(GRANT)?;
    let verified = given.get("code_verifier").is_some_and(|verifier| answers(verifier, &issued.challenge));
    if issued.client_id != client_id || given.get("redirect_uri") != Some(&*issued.redirect_uri) || !verified {
        return Err(GRANT);
    }
    state.record("facade.token_handed_over", &issued.client, &issued.redirect_uri).await?;
    body(state, client_id, &issued.tokens)
}

async fn by_refresh_token(
    state: &State,
    given: &Parameters,
    client_id: &str,
    client: &Client,
) -> Result<Json, OAuthError> {
    let sealed = given.get("refresh_token").and_then(|token| URL_SAFE_NO_PAD.decode(token).ok()).ok_or(GRANT)?;
    let opened = state.options.sealer.open(&refresh_place(state, client_id), &sealed).ok_or(GRANT)?;
    let theirs = Secret::new(std::str::from_utf8(&opened).map_err(|_| GRANT)?);
    let mut tokens = state.options.provider.refresh(&theirs).await?;
    // A provider that does not rotate says nothing of the one that stays good (RFC 6749 section 6).
    tokens.refresh_token.get_or_insert(theirs);
    state.record("facade.token_refreshed", client, client.redirects.first().map_or("", String::as_str)).await?;
    body(state, client_id, &tokens)
}

/// Bound to the client by its place: another client's `client_id` does not open it.
fn refresh_place(state: &State, client_id: &str) -> String {
    state.place(&format!("refresh token of {client_id}"))
}

fn body(state: &State, client_id: &str, tokens: &ProviderTokens) -> Result<Json, OAuthError> {
    let mut body = json!({"access_token": tokens.access_token.expose(), "token_type": "Bearer"});
    if let Some(seconds) = tokens.expires_in {
        body["expires_in"] = seconds.into();
    }
    if let Some(scope) = &tokens.scope {
        body["scope"] = scope.as_str().into();
    }
    if let Some(theirs) = &tokens.refresh_token {
        let sealed = state.options.sealer.seal(&refresh_place(state, client_id), theirs.expose().as_bytes());
        body["refresh_token"] = URL_SAFE_NO_PAD.encode(sealed?).into();
    }
    Ok(body)
}

/// Whether a PKCE verifier hashes to the challenge (RFC 7636, section 4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let hashed = URL_SAFE_NO_PAD.encode(canonical::sha256(verifier.as_bytes()));
    (43..=128).contains(&verifier.len()) && bool::from(hashed.as_bytes().ct_eq(challenge.as_bytes()))
}
