//! The back-channel logout door (OpenID Connect Back-Channel Logout 1.0 section 2.5): `POST /backchannel-logout` with a
//! form. The logout token is its own proof, so no bearer token is asked for; what it ends is decided behind
//! [`platform::revocation::LogoutTokens`].

use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::{HeaderValue, StatusCode, header};
use platform::audit::{AuditEntry, Outcome};
use platform::revocation::Logout;
use platform::{Error, ErrorKind};
use url::form_urlencoded;

use crate::Gateway;
use crate::edge::Identified;
use crate::problem::Problem;

/// Most bytes of the form.
const MAX_FORM: usize = 32 << 10;

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    Router::new().route("/backchannel-logout", post(receive)).with_state(Arc::clone(gateway))
}

async fn receive(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let source = request.extensions().get::<Identified>().map(|identified| identified.source);
    match accept(&gateway, request).await {
        // Section 2.8: nothing is kept of it on the way.
        Ok(()) => (StatusCode::OK, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response(),
        Err(error) => {
            if let Some(source) = source.filter(|_| error.kind() == ErrorKind::Malformed) {
                gateway.parts.refusals.count(source, "logout_token");
            }
            Problem::from(error).into_response()
        }
    }
}

async fn accept(gateway: &Gateway, request: Request) -> Result<(), Error> {
    let malformed = |message: &'static str| Error::new(ErrorKind::Malformed, "logout_token_invalid", message);
    let form = request.headers().get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).is_some_and(|t| {
        t.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    if !form {
        return Err(malformed("Send the logout token as a form, application/x-www-form-urlencoded."));
    }
    let body = to_bytes(request.into_body(), MAX_FORM).await.map_err(|_| {
        Error::new(ErrorKind::TooLarge, "body_too_large", "The request body is too large or broke off.")
    })?;
    let mut tokens = form_urlencoded::parse(&body).filter(|(name, _)| name == "logout_token");
    let token = match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => token,
        _ => return Err(malformed("Send exactly one `logout_token`.")),
    };
    let logout = gateway.parts.logout.accept(&token).await?;
    record(gateway, logout).await
}

/// A sign-out that the issuer announced is on record before the issuer hears that it was done.
async fn record(gateway: &Gateway, logout: Logout) -> Result<(), Error> {
    let mut entry = AuditEntry::event(gateway.parts.clock.now(), "token.signed_out", Outcome::Success);
    entry.facts.insert("issuer".into(), logout.issuer.into());
    entry.facts.insert("subject".into(), logout.subject.into());
    entry.facts.insert("session".into(), logout.session.into());
    gateway.parts.audit.append(entry).await.map(drop)
}
