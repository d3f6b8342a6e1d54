//! `/userinfo` (OpenID Connect Core, section 5.3): what is known about the person behind an access token with `openid`.

use axum::Json;
use axum::extract::State as Extension;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use platform::Error;
use serde_json::json;

use crate::browser::Source;
use crate::issuer::Issuer;

/// `GET` and `POST /userinfo`, with a bearer token in the header.
pub(crate) async fn handle(Extension(issuer): Extension<Issuer>, source: Source, headers: HeaderMap) -> Response {
    let state = &*issuer.0;
    let header = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = header.and_then(|h| h.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return challenge(StatusCode::UNAUTHORIZED, "Bearer realm=\"interlock\"");
    };
    let claims = match state.live_token(token.trim()).await {
        Ok(Some(claims)) => claims,
        Ok(None) => {
            state.refuse(source.0, "invalid_token", None);
            return challenge(StatusCode::UNAUTHORIZED, "Bearer realm=\"interlock\", error=\"invalid_token\"");
        }
        Err(error) => return failed(&error),
    };
    if !claims.scope.split(' ').any(|scope| scope == "openid") {
        return challenge(
            StatusCode::FORBIDDEN,
            "Bearer realm=\"interlock\", error=\"insufficient_scope\", scope=\"openid\"",
        );
    }
    match state.users.find(&claims.preferred_username).await {
        Ok(Some(user)) if user.sub == claims.sub && !user.disabled => Json(json!({
            "sub": user.sub,
            "name": user.display_name,
            "preferred_username": user.name,
            "groups": user.groups,
        }))
        .into_response(),
        Ok(_) => challenge(StatusCode::UNAUTHORIZED, "Bearer realm=\"interlock\", error=\"invalid_token\""),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Response {
    tracing::error!(code = error.code(), detail = error.detail(), "userinfo failed");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

fn challenge(status: StatusCode, challenge: &'static str) -> Response {
    (status, [(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))]).into_response()
}
