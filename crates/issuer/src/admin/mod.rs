//! Administration over HTTP, below `<issuer>/admin` (rule T5). A caller is a person with a token for exactly that resource,
//! in the group `admin` now, with a second factor that is at most a quarter of an hour old: never a program of its own, never
//! somebody's agent. Every act has a record before it and one after it.
//!
//! `people` holds users and groups, `programs` clients, `signing` keys.

mod people;
mod programs;
mod signing;

use std::net::IpAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use platform::audit::{AuditActor, Outcome};
use platform::{Error, ErrorKind, Json, strict_json};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::browser::Source;
use crate::claims::ACR_MFA;
use crate::clients::Client;
use crate::issuer::{Issuer, State};

/// The group whose members administer.
pub(crate) const ADMINISTRATORS: &str = "admin";
/// How old the second factor may be, seconds (T4).
const FRESH_S: i64 = 900;

/// The routes below `/admin`.
pub(crate) fn routes() -> Router<Issuer> {
    Router::new()
        .route("/admin/users", get(people::list).post(people::create))
        .route("/admin/users/{name}", get(people::show).delete(people::delete))
        .route("/admin/users/{name}/disable", post(people::disable))
        .route("/admin/users/{name}/enable", post(people::enable))
        .route("/admin/users/{name}/reset", post(people::reset))
        .route("/admin/users/{name}/sign-out", post(people::sign_out))
        .route("/admin/users/{name}/end-runs", post(people::end_runs))
        .route("/admin/users/{name}/groups", put(people::set_groups))
        .route("/admin/groups", get(people::groups))
        .route("/admin/clients", get(programs::list).post(programs::create))
        .route("/admin/clients/{client_id}", get(programs::show).delete(programs::delete))
        .route("/admin/keys", get(signing::list))
        .route("/admin/keys/rotate", post(signing::rotate))
}

impl State {
    /// The resource of the administration.
    pub(crate) fn admin_resource(&self) -> String {
        format!("{}/admin", self.url)
    }

    /// Whether a client may ask for tokens for a resource of this platform. Below the issuer there is one only, its
    /// administration, and it is for clients that somebody here registered.
    pub(crate) fn may_ask_for(&self, client: &Client, audience: &str) -> bool {
        let below =
            audience.strip_prefix(self.url.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        !below || (audience == self.admin_resource() && !client.third_party)
    }
}

/// A verified administrator.
pub(crate) struct Administrator {
    actor: AuditActor,
    source: Option<IpAddr>,
}

/// An error as a problem document (RFC 9457), with a challenge where another token would help (RFC 9470).
pub(crate) struct Problem {
    error: Error,
    challenge: Option<HeaderValue>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { error, challenge: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { error, challenge } = self;
        if error.kind() == ErrorKind::Internal {
            tracing::error!(code = error.code(), detail = error.detail(), "an administrator's request failed");
        }
        let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = serde_json::to_value(error.refusal()).unwrap_or_default();
        body["type"] = json!(format!("/errors/{}", error.code()));
        body["title"] = json!(status.canonical_reason());
        body["status"] = json!(status.as_u16());
        body["detail"] = json!(error.message());
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, json)], body.to_string()).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl FromRequestParts<Issuer> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, issuer: &Issuer) -> Result<Self, Problem> {
        let state = &*issuer.0;
        let Ok(source) = Source::from_request_parts(parts, issuer).await;
        let admitted = admit(state, source, &parts.headers).await;
        admitted.inspect_err(|problem| {
            let known =
                ["token_missing", "token_invalid", "admin_required", "admin_person_required", "step_up_not_met"];
            let code = known.into_iter().find(|code| *code == problem.error.code()).unwrap_or("denied");
            state.refuse(source.0, code, None);
        })
    }
}

async fn admit(state: &State, source: Source, headers: &HeaderMap) -> Result<Administrator, Problem> {
    let unauthenticated = |code: &'static str, message: &str, error: &str| Problem {
        error: Error::new(ErrorKind::Unauthenticated, code, message),
        challenge: HeaderValue::from_str(&format!("Bearer realm=\"interlock\"{error}")).ok(),
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values.next().and_then(|v| v.to_str().ok()).filter(|_| values.next().is_none());
    let bearer = header.and_then(|h| h.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = bearer else {
        return Err(unauthenticated(
            "token_missing",
            "Sign in as an administrator; `interlock user list` does it.",
            "",
        ));
    };
    let invalid = || {
        let message = "The token is not one for the administration, or it holds no more. Sign in again.";
        unauthenticated("token_invalid", message, ", error=\"invalid_token\"")
    };
    let claims = state.live_token(token.trim()).await?.filter(|c| c.aud == state.admin_resource());
    let claims = claims.ok_or_else(invalid)?;
    let Some(authentication) = &claims.authentication else {
        let message = "Administration is for people: a client's own token does not do.";
        return Err(Error::new(ErrorKind::Forbidden, "admin_person_required", message).into());
    };
    // What the account is now counts, not what it was when the token was issued.
    let user = state.users.find(&claims.preferred_username).await?;
    let user = user.filter(|u| u.sub == claims.sub && u.can_sign_in()).ok_or_else(invalid)?;
    if !user.groups.iter().any(|g| g == ADMINISTRATORS) {
        let message = "This is for members of the group `admin`. Ask one of them.";
        return Err(Error::new(ErrorKind::Forbidden, "admin_required", message).into());
    }
    let now = state.clock.epoch_seconds();
    if authentication.acr != ACR_MFA || now - authentication.auth_time > FRESH_S {
        let message = "Administration needs a second factor that is at most 15 minutes old. Sign in again with one.";
        let challenge = format!(
            "Bearer realm=\"interlock\", error=\"insufficient_user_authentication\", acr_values=\"{ACR_MFA}\", max_age={FRESH_S}"
        );
        return Err(Problem {
            error: Error::new(ErrorKind::Unauthenticated, "step_up_not_met", message),
            challenge: HeaderValue::from_str(&challenge).ok(),
        });
    }
    Ok(Administrator { actor: state.actor(&user, &claims.client_id), source: source.0 })
}

impl Administrator {
    /// Does something under two records: one that it is about to happen, one of what came of it. Without the first it does
    /// not happen.
    async fn act<T>(
        &self,
        state: &State,
        action: &str,
        target: &str,
        facts: Json,
        act: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let facts = [("target", json!(target)), ("facts", facts)];
        let record = async |outcome, code: Option<&str>| {
            state.record(action, outcome, self.actor.clone(), self.source, code, &facts).await
        };
        record(Outcome::Pending, None).await?;
        let result = act.await;
        match &result {
            Ok(_) => record(Outcome::Success, None).await?,
            Err(error) => record(Outcome::Failure, Some(error.code())).await?,
        }
        result
    }
}

/// A JSON body, read strictly: no member twice, none that is not known.
fn body<T: DeserializeOwned>(headers: &HeaderMap, bytes: &Bytes) -> Result<T, Error> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Error::new(ErrorKind::Malformed, "content_type_unsupported", "Send application/json."));
    }
    if strict_json::too_deep(bytes) {
        return Err(Error::new(ErrorKind::Malformed, "malformed_body", "The body nests too deep."));
    }
    serde_json::from_slice(bytes)
        .map_err(|e| Error::new(ErrorKind::Malformed, "malformed_body", format!("The body cannot be read: {e}.")))
}
