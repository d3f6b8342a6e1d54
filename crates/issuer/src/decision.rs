//! `POST /decision`: a signed-in person says whether a client that nobody here vouches for may act for them, or whether a
//! device may be let in. The page belongs to the session that was asked, in the browser that was asked.

use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::response::Response;
use http::HeaderMap;
use platform::audit::Outcome;
use platform::{Error, ErrorKind, Json};
use serde_json::json;

use crate::authorize;
use crate::browser::{CookieKind, PageError, Source, to_client, with_cookies};
use crate::errand::Errand;
use crate::issuer::{Issuer, State};
use crate::sessions::Session;
use crate::sign_in::{Step, Submitted, submitted};
use crate::users::User;
use crate::{consents, device, pages};

/// `POST /decision`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let post = submitted(state, source, &headers, &body).await?;
    let Step::Decide { name, sid } = &post.pending.step else { return Err(gone(state, source).into()) };
    let now = state.clock.epoch_seconds();
    let session = CookieKind::Session.read(state, &headers).and_then(|c| state.sessions.find(&c, now));
    let session = session.filter(|s| s.name == *name && s.sid == *sid).ok_or_else(|| gone(state, source))?;
    let user = state.users.live(&session.name, &session.credentials).await?.ok_or_else(|| gone(state, source))?;
    let approved = match post.form.get("action") {
        Some("approve") => true,
        Some("deny") => false,
        _ => return Err(PageError(Error::new(ErrorKind::Malformed, "invalid_form", "The form could not be read."))),
    };
    let response = decided(state, source, &post, &user, &session, approved).await?;
    Ok(with_cookies(response, [CookieKind::Browser.set(state, "", 0)?]))
}

async fn decided(
    state: &State,
    source: Source,
    post: &Submitted,
    user: &User,
    session: &Session,
    approved: bool,
) -> Result<Response, Error> {
    let (scope, resource) = post.pending.errand.asks_for();
    let (scope, resource) = (Json::from(scope), json!(resource));
    let outcome = if approved { Outcome::Success } else { Outcome::Refused };
    let actor = || state.actor(user, &post.client.client_id);
    match (&post.pending.errand, &post.redirect) {
        (Errand::Client(request), Some(redirect)) => {
            let facts = [("scope", scope), ("resource", resource), ("redirect_host", json!(redirect.host_str()))];
            state.record("issuer.consent", outcome, actor(), source.0, None, &facts).await?;
            if !approved {
                let error = [("error", "access_denied"), ("error_description", "The person said no.")];
                return to_client(state, redirect, request.state.as_deref(), &error);
            }
            consents::give(state, user, request, redirect).await?;
            authorize::code(state, redirect, request, user, session)
        }
        (Errand::Device(errand), _) => {
            state
                .record("issuer.device", outcome, actor(), source.0, None, &[("scope", scope), ("resource", resource)])
                .await?;
            device::decide(state, errand, user, session, approved).await?;
            Ok(pages::device_done(state, &post.client, approved))
        }
        (Errand::Client(_), None) => Err(Error::internal("a client's sign-in without a redirect")),
    }
}

fn gone(state: &State, source: Source) -> Error {
    state.refuse(source.0, "sign_in_expired", None);
    Error::new(
        ErrorKind::Malformed,
        "sign_in_expired",
        "You are not signed in as the one who was asked any more. Go back to your application and start again.",
    )
}
