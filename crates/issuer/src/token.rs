//! `/token` (RFC 6749 sections 4.1.3 and 4.4): client authentication, codes and client credentials in, tokens out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use platform::audit::{AuditActor, Outcome};
use platform::{Error, Secret};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::authorize::granted_scope;
use crate::browser::Source;
use crate::claims::{self, AccessClaims, TOKEN_S};
use crate::clients::{Client, GrantType};
use crate::codes::Grant;
use crate::issuer::{Issuer, State};
use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::resources;

/// An error of RFC 6749 section 5.2.
#[derive(Debug)]
struct TokenError {
    status: StatusCode,
    error: &'static str,
    description: &'static str,
}

impl TokenError {
    const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    const CLIENT: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        description: "The client is unknown or did not prove who it is.",
    };
    const GRANT: Self = Self::new(
        "invalid_grant",
        "The code is unknown, used, expired, or for another client, redirect URI or code verifier. Start a new sign-in.",
    );
    const TARGET: Self = Self::new("invalid_target", "The resource is not the one that was granted.");
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        tracing::error!(code = error.code(), detail = error.detail(), "no token could be issued");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "temporarily_unavailable",
            description: "The issuer cannot issue tokens right now. Try again.",
        }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.error, "error_description": self.description}));
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                http::HeaderValue::from_static("Basic realm=\"interlock\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

/// `POST /token`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = match body {
        Ok(body) => issue(state, source, &headers, &body).await,
        Err(rejection) => Err(TokenError {
            status: rejection.status(),
            error: "invalid_request",
            description: "The request is too large or was cut short.",
        }),
    };
    answer.unwrap_or_else(|error| {
        state.refuse(source.0, error.error, None);
        error.into_response()
    })
}

async fn issue(state: &State, source: Source, headers: &HeaderMap, body: &[u8]) -> Result<Response, TokenError> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(TokenError::new("invalid_request", "Send application/x-www-form-urlencoded."));
    }
    let mut form = Parameters::parse(body, LONGEST_VALUE)
        .map_err(|_| TokenError::new("invalid_request", "A parameter is too long, malformed or one too many."))?;
    if form.repeats("resource") {
        return Err(TokenError::new("invalid_target", "Ask for one resource at a time."));
    }
    if form.repeated().is_some() {
        return Err(TokenError::new("invalid_request", "A parameter is repeated."));
    }
    let client = authenticate(state, headers, &mut form).await?;
    match form.get("grant_type") {
        Some("authorization_code") => of_code(state, source, &client, &form).await,
        Some("client_credentials") => of_client(state, source, &client, &form).await,
        Some(_) => Err(TokenError::new("unsupported_grant_type", "Use authorization_code or client_credentials.")),
        None => Err(TokenError::new("invalid_request", "grant_type is missing.")),
    }
}

/// The client, by `client_secret_basic`, `client_secret_post`, or as a public client by its id alone. Wrong secrets are
/// not throttled: they are random and long, so there is nothing to guess, and a delay would only help who wants to lock
/// a client out.
async fn authenticate(state: &State, headers: &HeaderMap, form: &mut Parameters) -> Result<Client, TokenError> {
    let posted = form.secret("client_secret");
    let (id, secret) = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let (id, secret) = value.to_str().ok().and_then(basic).ok_or(TokenError::CLIENT)?;
            if posted.is_some() || form.get("client_id").is_some_and(|other| other != id) {
                return Err(TokenError::new("invalid_request", "Use one way of client authentication."));
            }
            (id, Some(secret))
        }
        None => (form.get("client_id").unwrap_or_default().to_owned(), posted),
    };
    let client = state.clients.find(&id).await?.ok_or(TokenError::CLIENT)?;
    client.proves(secret.as_ref().map(Secret::expose)).then_some(client).ok_or(TokenError::CLIENT)
}

/// Id and secret of HTTP Basic, form-decoded as RFC 6749 section 2.3.1 has it.
pub(crate) fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()?;
    let text = zeroize::Zeroizing::new(String::from_utf8(decoded).ok()?);
    let (id, secret) = text.split_once(':')?;
    let plain = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(|t| t.into_owned());
    Some((plain(id)?, Secret::new(plain(secret)?)))
}

async fn of_code(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, TokenError> {
    if !client.may(GrantType::AuthorizationCode) {
        return Err(TokenError::new("unauthorized_client", "This client may not use the authorization code grant."));
    }
    let code = form.get("code").ok_or(TokenError::new("invalid_request", "code is missing."))?;
    let grant = state.codes.redeem(code, state.clock.epoch_seconds()).ok_or(TokenError::GRANT)?;
    let request = &grant.request;
    if request.client_id != client.client_id
        || form.get("redirect_uri") != Some(&request.redirect_uri)
        || !form.get("code_verifier").is_some_and(|verifier| answers(verifier, &request.challenge))
    {
        return Err(TokenError::GRANT);
    }
    let audience = audience(state, request.resource.as_deref(), form.get("resource"))?;
    // Read again: a person who was removed or changed since the sign-in gets nothing, new groups count at once.
    let user = state.users.find(&grant.name).await?.filter(|u| u.credentials == grant.credentials);
    let user = user.ok_or(TokenError::GRANT)?;
    let claims = claims::of_person(state, &user, &grant, audience)?;
    let actor = state.actor(&user, &client.client_id);
    respond(state, source, actor, &claims, Some(&grant)).await
}

/// The audience of a code's token: what the sign-in named. One that named nothing is for the platform, and may still be
/// narrowed to one part of it.
fn audience(state: &State, granted: Option<&str>, asked: Option<&str>) -> Result<String, TokenError> {
    let asked = asked.map(|a| resources::audience(&state.platform, a).ok_or(TokenError::TARGET)).transpose()?;
    match (granted, asked) {
        (Some(granted), Some(asked)) if granted != asked => Err(TokenError::TARGET),
        (Some(granted), _) => Ok(granted.to_owned()),
        (None, asked) => Ok(asked.unwrap_or_else(|| state.platform.to_string())),
    }
}

/// Whether a PKCE verifier hashes to the challenge (RFC 7636, section 4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let hashed = URL_SAFE_NO_PAD.encode(platform::canonical::sha256(verifier.as_bytes()));
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(allowed)
        && bool::from(hashed.as_bytes().ct_eq(challenge.as_bytes()))
}

/// A client's own token: its groups, and nothing that says a person signed in.
async fn of_client(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, TokenError> {
    if client.is_public() || !client.may(GrantType::ClientCredentials) {
        return Err(TokenError::new("unauthorized_client", "This client may not use client credentials."));
    }
    let scope = granted_scope(form.get("scope")).filter(|s| s.split(' ').any(|s| s == "mcp"));
    if scope.is_none() {
        return Err(TokenError::new("invalid_scope", "A client's own token has the scope mcp."));
    }
    let iat = state.clock.epoch_seconds();
    let claims = AccessClaims {
        iss: state.url.clone(),
        sub: client.client_id.clone(),
        aud: audience(state, None, form.get("resource"))?,
        exp: iat + TOKEN_S,
        iat,
        jti: uuid::Uuid::new_v4().to_string(),
        client_id: client.client_id.clone(),
        scope: "mcp".to_owned(),
        groups: client.groups.clone(),
        preferred_username: client.client_id.clone(),
        name: client.name.clone(),
        authentication: None,
    };
    let actor = AuditActor {
        issuer: state.url.clone(),
        subject: client.client_id.clone(),
        name: client.name.clone(),
        groups: client.groups.clone(),
        client_id: client.client_id.clone(),
        act: Vec::new(),
    };
    respond(state, source, actor, &claims, None).await
}

/// Signs, records, answers; in that order, so that no token leaves without its record.
async fn respond(
    state: &State,
    source: Source,
    actor: AuditActor,
    claims: &AccessClaims,
    grant: Option<&Grant>,
) -> Result<Response, TokenError> {
    let token = claims.sign(state)?;
    let mut body = json!({
        "access_token": token.expose(),
        "token_type": "Bearer",
        "expires_in": TOKEN_S,
        "scope": claims.scope,
    });
    if let Some(grant) = grant.filter(|g| g.request.scope.split(' ').any(|s| s == "openid")) {
        let id_token = claims.id_token(state, &token, grant.request.nonce.as_deref())?;
        body["id_token"] = id_token.expose().into();
    }
    let grant_type = if grant.is_some() { "authorization_code" } else { "client_credentials" };
    let facts = [
        ("grant_type", json!(grant_type)),
        ("audience", json!(claims.aud)),
        ("scope", json!(claims.scope)),
        ("token_id", json!(claims.jti)),
        ("acr", json!(claims.authentication.as_ref().map(|a| &a.acr))),
    ];
    state.record("issuer.token_issued", Outcome::Success, actor, source.0, None, &facts).await?;
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::{answers, basic};

    #[test]
    fn pkce_is_the_example_of_rfc_7636() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge));
        assert!(!answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge));
        assert!(!answers(challenge, challenge), "a plain challenge is not accepted");
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let (id, secret) = basic("Basic Y2xpZW50JTJEMTphK2IlM0Fj").unwrap();
        assert_eq!((id.as_str(), secret.expose()), ("client-1", "a b:c"));
        assert!(basic("Bearer abc").is_none());
    }
}
