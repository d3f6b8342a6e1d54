//! `/introspect` (RFC 7662) and `/revoke` (RFC 7009): what a token is worth now, for the client whose business it is, and the
//! end of a token that its client needs no more.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use platform::Error;
use platform::audit::{AuditActor, Outcome};
use platform::revocation::Revoked;
use serde_json::json;

use crate::browser::Source;
use crate::claims::AccessClaims;
use crate::clients::Client;
use crate::issuer::{Issuer, State};
use crate::keys::ACCESS_TOKEN;
use crate::oauth::{OAuthError, answered, request};
use crate::parameters::Parameters;
use crate::refresh::Found;

const MISSING: OAuthError = OAuthError::new("invalid_request", "token is missing.");

/// `POST /introspect`.
pub(crate) async fn introspect(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = match request(state, source, &headers, body).await {
        Ok((client, form)) => describe(state, &client, &form).await,
        Err(error) => Err(error),
    };
    answered(state, source, answer)
}

/// What is told is told only of a token that is alive and the client's own or for a resource that it serves; of every
/// other one nothing but that it is not active (RFC 7662, section 4).
async fn describe(state: &State, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    if client.is_public() {
        return Err(OAuthError::CLIENT);
    }
    let token = form.get("token").ok_or(MISSING)?;
    if let Some(claims) = state.live_token(token).await?
        && (claims.client_id == client.client_id || serves(client, &claims.aud))
        && account_stands(state, &claims).await?
    {
        return Ok(Json(of_access(&claims)).into_response());
    }
    // Looked at and not used: a token that was used before still ends its family, whoever asks.
    if let Found::Newest(presented) = state.present(token).await?
        && presented.granted().client_id == client.client_id
        && let Some(person) = presented.granted().person(state).await?
    {
        let granted = presented.granted();
        return Ok(Json(json!({
            "active": true,
            "token_type": "refresh_token",
            "client_id": granted.client_id,
            "scope": granted.scope,
            "iss": state.url,
            "sub": granted.sub,
            "username": person.name,
            "exp": presented.ends_at(),
        }))
        .into_response());
    }
    Ok(Json(json!({"active": false})).into_response())
}

fn serves(client: &Client, audience: &str) -> bool {
    client.introspects.iter().any(|resource| resource == audience)
}

/// Whether who the token speaks of still is there: a person who may sign in, or a client.
async fn account_stands(state: &State, claims: &AccessClaims) -> Result<bool, Error> {
    if claims.authentication.is_none() {
        return Ok(state.clients.find(&claims.client_id).await?.is_some());
    }
    let user = state.users.find(&claims.preferred_username).await?;
    Ok(user.is_some_and(|u| u.sub == claims.sub && !u.disabled))
}

fn of_access(claims: &AccessClaims) -> platform::Json {
    let mut body = json!({
        "active": true,
        "token_type": "Bearer",
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud,
        "exp": claims.exp,
        "iat": claims.iat,
        "jti": claims.jti,
        "client_id": claims.client_id,
        "scope": claims.scope,
        "username": claims.preferred_username,
        "preferred_username": claims.preferred_username,
        "name": claims.name,
        "groups": claims.groups,
    });
    if let Some(authentication) = &claims.authentication {
        body["acr"] = json!(authentication.acr);
        body["amr"] = json!(authentication.amr);
        body["auth_time"] = json!(authentication.auth_time);
        body["sid"] = json!(authentication.sid);
    }
    body
}

/// `POST /revoke`.
pub(crate) async fn revoke(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = match request(state, source, &headers, body).await {
        Ok((client, form)) => end(state, source, &client, &form).await,
        Err(error) => Err(error),
    };
    answered(state, source, answer)
}

/// Ends the token before it answers. A token that is unknown or has ended needs nothing (RFC 7009, section 2.2).
async fn end(state: &State, source: Source, client: &Client, form: &Parameters) -> Result<Response, OAuthError> {
    const OTHERS: OAuthError = OAuthError::new("invalid_request", "The token was issued to another client.");
    let token = form.get("token").ok_or(MISSING)?;
    let now = state.clock.epoch_seconds();
    let signed = (token.len() <= 16_384).then(|| state.keys.verify::<AccessClaims>(ACCESS_TOKEN, token, now)).flatten();
    let ended = if let Some(claims) = signed {
        if claims.client_id != client.client_id {
            return Err(OTHERS);
        }
        let actor = actor(state, &claims.sub, &claims.preferred_username, client);
        state.revoke(Revoked::Token(claims.jti.clone())).await?;
        Some((actor, json!(claims.jti), "access_token"))
    } else {
        match state.present(token).await? {
            Found::Newest(presented) => {
                if presented.granted().client_id != client.client_id {
                    return Err(OTHERS);
                }
                state.end_presented(&presented).await?;
                let granted = presented.granted();
                Some((actor(state, &granted.sub, &granted.name, client), json!(null), "refresh_token"))
            }
            Found::Reused(_) | Found::Nothing => None,
        }
    };
    if let Some((actor, id, kind)) = ended {
        let facts = [("token_type", json!(kind)), ("token_id", id)];
        state.record("issuer.token_revoked", Outcome::Success, actor, source.0, None, &facts).await?;
    }
    Ok(StatusCode::OK.into_response())
}

fn actor(state: &State, subject: &str, name: &str, client: &Client) -> AuditActor {
    AuditActor {
        issuer: state.url.clone(),
        subject: subject.to_owned(),
        name: name.to_owned(),
        groups: Vec::new(),
        client_id: client.client_id.clone(),
        act: Vec::new(),
    }
}
