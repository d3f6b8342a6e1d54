//! `/token` (RFC 6749): codes, device codes, refresh tokens and client credentials in, tokens out. Who asks is found out in
//! `oauth`; families of refresh tokens stand in `refresh`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use platform::audit::{AuditActor, Outcome};
use platform::revocation::Revoked;
use platform::{Error, Secret};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use crate::authorize::granted_scope;
use crate::browser::Source;
use crate::claims::{self, AccessClaims, TOKEN_S};
use crate::clients::{Client, GrantType};
use crate::codes::Spent;
use crate::grants::Granted;
use crate::issuer::{Issuer, State};
use crate::oauth::{OAuthError, answered, request};
use crate::parameters::Parameters;
use crate::refresh::Found;
use crate::{back_channel, device, registration, resources};

const GRANT: OAuthError = OAuthError::new(
    "invalid_grant",
    "The code is unknown, used, expired, or for another client, redirect URI or code verifier. Start a new sign-in.",
);
const REFRESH: OAuthError = OAuthError::new(
    "invalid_grant",
    "The refresh token is unknown, used, expired, revoked, or another client's. Start a new sign-in.",
);
const TARGET: OAuthError = OAuthError::new("invalid_target", "The resource is not one that was granted.");

/// `POST /token`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = match request(state, source, &headers, body).await {
        Ok((client, form)) => issue(state, source, &client, &form).await,
        Err(error) => Err(error),
    };
    answered(state, source, answer)
}

async fn issue(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    let asked = form.get("grant_type").ok_or(OAuthError::new("invalid_request", "grant_type is missing."))?;
    let Some(grant) = GrantType::named(asked) else {
        return Err(OAuthError::new(
            "unsupported_grant_type",
            "Use authorization_code, refresh_token, client_credentials, or the device code grant.",
        ));
    };
    if !client.may(grant) {
        return Err(OAuthError::new("unauthorized_client", "This client may not use this grant."));
    }
    match grant {
        GrantType::AuthorizationCode => of_code(state, source, client, form).await,
        GrantType::DeviceCode => of_device(state, source, client, form).await,
        GrantType::RefreshToken => of_refresh(state, source, client, form).await,
        GrantType::ClientCredentials => of_client(state, source, client, form).await,
    }
}

/// What goes out.
struct Issued {
    grant: GrantType,
    claims: AccessClaims,
    refresh: Option<Secret>,
    nonce: Option<String>,
}

async fn of_code(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    let code = form.get("code").ok_or(OAuthError::new("invalid_request", "code is missing."))?;
    let iat = state.clock.epoch_seconds();
    let Some(grant) = state.codes.redeem(code, iat) else {
        end_spent(state, code).await?;
        return Err(GRANT);
    };
    if grant.granted.client_id != client.client_id
        || form.get("redirect_uri") != Some(&grant.redirect_uri)
        || !form.get("code_verifier").is_some_and(|verifier| answers(verifier, &grant.challenge))
    {
        return Err(GRANT);
    }
    let granted = narrowed(state, grant.granted, form)?;
    // Read again: a person who was removed or changed since the sign-in gets nothing, new groups count at once.
    let user = granted.person(state).await?.ok_or(GRANT)?;
    let claims = claims::of_person(state, &user, &granted, audience(state, &granted), iat);
    let refresh = first_refresh(state, client, &granted, &claims).await?;
    state.codes.spend(code, Spent { jti: claims.jti.clone(), refresh: refresh.clone() });
    let actor = state.actor(&user, &client.client_id);
    let issued = Issued { grant: GrantType::AuthorizationCode, claims, refresh, nonce: grant.nonce };
    respond(state, source, client, actor, issued).await
}

/// A code that comes a second time: one of the two who had it stole it, so what it brought ends (RFC 6749, section 4.1.2).
async fn end_spent(state: &State, code: &str) -> Result<(), Error> {
    let Some(spent) = state.codes.spent(code) else { return Ok(()) };
    state.revoke(Revoked::Token(spent.jti)).await?;
    if let Some(refresh) = spent.refresh
        && let Found::Newest(presented) = state.present(refresh.expose()).await?
    {
        state.end_presented(&presented).await?;
    }
    Ok(())
}

async fn of_device(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    let code = form.get("device_code").ok_or(OAuthError::new("invalid_request", "device_code is missing."))?;
    let iat = state.clock.epoch_seconds();
    let granted = device::redeem(state, client, code).await?;
    let granted = narrowed(state, granted, form)?;
    let user = granted.person(state).await?.ok_or(GRANT)?;
    let claims = claims::of_person(state, &user, &granted, audience(state, &granted), iat);
    let refresh = first_refresh(state, client, &granted, &claims).await?;
    let actor = state.actor(&user, &client.client_id);
    let issued = Issued { grant: GrantType::DeviceCode, claims, refresh, nonce: None };
    respond(state, source, client, actor, issued).await
}

async fn of_refresh(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    let token = form.get("refresh_token").ok_or(OAuthError::new("invalid_request", "refresh_token is missing."))?;
    let iat = state.clock.epoch_seconds();
    let presented = match state.present(token).await? {
        Found::Newest(presented) if presented.granted().client_id == client.client_id => *presented,
        Found::Newest(_) | Found::Nothing => return Err(REFRESH),
        Found::Reused(granted) => {
            reused(state, source, &granted).await?;
            return Err(REFRESH);
        }
    };
    let granted = presented.granted().clone();
    // The family keeps what the person granted; one token may be for less.
    let mut narrower = narrowed(state, granted.clone(), form)?;
    narrower.scope = narrowed_scope(&granted.scope, form.get("scope"))?;
    let Some(user) = granted.person(state).await? else {
        state.end_presented(&presented).await?;
        return Err(REFRESH);
    };
    let claims = claims::of_person(state, &user, &narrower, audience(state, &narrower), iat);
    let Some(refresh) = state.follow(presented, &claims.jti, claims.exp).await? else {
        reused(state, source, &granted).await?;
        return Err(REFRESH);
    };
    let actor = state.actor(&user, &client.client_id);
    let issued = Issued { grant: GrantType::RefreshToken, claims, refresh: Some(refresh), nonce: None };
    respond(state, source, client, actor, issued).await
}

/// Writes down that a refresh token came twice: somebody has a copy of it.
async fn reused(state: &State, source: Source, granted: &Granted) -> Result<(), Error> {
    let actor = AuditActor {
        issuer: state.url.clone(),
        subject: granted.sub.clone(),
        name: granted.name.clone(),
        groups: Vec::new(),
        client_id: granted.client_id.clone(),
        act: Vec::new(),
    };
    state.record("issuer.refresh_reused", Outcome::Refused, actor, source.0, Some("invalid_grant"), &[]).await
}

/// A client's own token: its groups, and nothing that says a person signed in.
async fn of_client(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    if client.is_public() {
        return Err(OAuthError::new("unauthorized_client", "This client may not use client credentials."));
    }
    let scope = granted_scope(form.get("scope")).filter(|s| s.split(' ').any(|s| s == "mcp"));
    if scope.is_none() {
        return Err(OAuthError::new("invalid_scope", "A client's own token has the scope mcp."));
    }
    let platform = state.platform.as_str();
    let aud = match form.get("resource") {
        Some(asked) => resources::audience(&state.platform, asked)
            .filter(|asked| resources::narrows(&state.platform, &state.url, platform, asked))
            .ok_or(TARGET)?,
        None => platform.to_owned(),
    };
    let iat = state.clock.epoch_seconds();
    let claims = AccessClaims {
        iss: state.url.clone(),
        sub: client.client_id.clone(),
        aud,
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
    let issued = Issued { grant: GrantType::ClientCredentials, claims, refresh: None, nonce: None };
    respond(state, source, client, actor, issued).await
}

/// The grant with the resource that this request asks for, if that is no more than what was granted.
fn narrowed(state: &State, mut granted: Granted, form: &Parameters) -> Result<Granted, OAuthError> {
    let Some(asked) = form.get("resource") else { return Ok(granted) };
    let asked = resources::audience(&state.platform, asked).ok_or(TARGET)?;
    let before = granted.resource.as_deref().unwrap_or(state.platform.as_str());
    if !resources::narrows(&state.platform, &state.url, before, &asked) {
        return Err(TARGET);
    }
    granted.resource = Some(asked);
    Ok(granted)
}

/// What the request asks for of the granted scopes; all of them when it names none (RFC 6749, section 6).
fn narrowed_scope(granted: &str, asked: Option<&str>) -> Result<String, OAuthError> {
    let Some(asked) = asked else { return Ok(granted.to_owned()) };
    let has = |scope: &str| granted.split(' ').any(|g| g == scope);
    if asked.split(' ').any(|scope| !scope.is_empty() && !has(scope)) {
        return Err(OAuthError::new("invalid_scope", "A refresh cannot widen the scope."));
    }
    Ok(granted.split(' ').filter(|g| asked.split(' ').any(|a| a == *g)).collect::<Vec<_>>().join(" "))
}

/// The audience of a grant's token.
fn audience(state: &State, granted: &Granted) -> String {
    granted.resource.clone().unwrap_or_else(|| state.platform.to_string())
}

async fn first_refresh(
    state: &State,
    client: &Client,
    granted: &Granted,
    claims: &AccessClaims,
) -> Result<Option<Secret>, Error> {
    if !client.may(GrantType::RefreshToken) {
        return Ok(None);
    }
    state.begin_family(granted.clone(), &claims.jti, claims.exp).await.map(Some)
}

/// Whether a PKCE verifier hashes to the challenge (RFC 7636, section 4.6).
fn answers(verifier: &str, challenge: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let hashed = URL_SAFE_NO_PAD.encode(platform::canonical::sha256(verifier.as_bytes()));
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(allowed)
        && bool::from(hashed.as_bytes().ct_eq(challenge.as_bytes()))
}

/// Signs, records, answers; in that order, so that no token leaves without its record.
async fn respond(
    state: &State,
    source: Source,
    client: &Client,
    actor: AuditActor,
    issued: Issued,
) -> Result<Response, OAuthError> {
    let Issued { grant, claims, refresh, nonce } = issued;
    let token = claims.sign(state)?;
    let mut body = json!({
        "access_token": token.expose(),
        "token_type": "Bearer",
        "expires_in": TOKEN_S,
        "scope": claims.scope,
    });
    if claims.authentication.is_some() && claims.scope.split(' ').any(|s| s == "openid") {
        let id_token = claims.id_token(state, &token, nonce.as_deref())?;
        body["id_token"] = id_token.expose().into();
    }
    if let Some(refresh) = &refresh {
        body["refresh_token"] = refresh.expose().into();
    }
    let facts = [
        ("grant_type", json!(grant.name())),
        ("audience", json!(claims.aud)),
        ("scope", json!(claims.scope)),
        ("token_id", json!(claims.jti)),
        ("acr", json!(claims.authentication.as_ref().map(|a| &a.acr))),
        ("refresh_token", json!(refresh.is_some())),
    ];
    state.record("issuer.token_issued", Outcome::Success, actor, source.0, None, &facts).await?;
    back_channel::note(state, client, &claims).await?;
    registration::used(state, client).await?;
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use super::{answers, narrowed_scope};

    #[test]
    fn pkce_is_the_example_of_rfc_7636() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge));
        assert!(!answers("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", challenge));
        assert!(!answers(challenge, challenge), "a plain challenge is not accepted");
    }

    #[test]
    fn a_refresh_narrows_the_scope_and_never_widens_it() {
        assert_eq!(narrowed_scope("openid mcp", None).unwrap(), "openid mcp");
        assert_eq!(narrowed_scope("openid mcp", Some("mcp")).unwrap(), "mcp");
        assert!(narrowed_scope("openid mcp", Some("mcp profile")).is_err());
    }
}
