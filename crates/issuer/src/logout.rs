//! Sign-out: `/logout` (OpenID Connect RP-Initiated Logout 1.0), and what ends when a session or everything of a person
//! ends. A sign-out without a token that proves whose it is asks first, so that no other site can sign people out.

use axum::extract::{RawQuery, State as Extension};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use platform::audit::{AuditActor, Outcome};
use platform::revocation::Revoked;
use platform::{Error, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::back_channel::{self, Ended};
use crate::browser::{CookieKind, PageError, Sent, Source, browser_id, with_cookies};
use crate::issuer::{Issuer, State};
use crate::keys::ID_TOKEN;
use crate::pages;
use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::redirects;
use crate::sealing::Purpose;
use crate::sign_in::PENDING_S;
use crate::users::User;

/// What the form's CSRF token is bound to, beside the browser; and what the sealed part of the form is sealed for.
const FORM: &str = "sign-out";

/// What we need of an ID token of ours. It may have expired: it proves who signs out, nothing else.
#[derive(Clone, Deserialize)]
struct Hint {
    iss: String,
    sub: String,
    aud: String,
    #[serde(default)]
    sid: Option<String>,
    #[serde(default)]
    preferred_username: Option<String>,
}

/// Where to go after a sign-out, sealed into the form that asks for it.
#[derive(Serialize, Deserialize)]
struct Afterwards {
    redirect: Option<Url>,
    client_id: Option<String>,
    begun_at: i64,
}

/// `GET` and `POST /logout`.
pub(crate) async fn handle(
    Extension(issuer): Extension<Issuer>,
    method: Method,
    source: Source,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let query = query.unwrap_or_default();
    let encoded = if method == Method::POST { &body[..] } else { query.as_bytes() };
    let malformed = |message: &str| {
        state.refuse(source.0, "sign_out_invalid", None);
        Error::new(ErrorKind::Malformed, "sign_out_invalid", message)
    };
    // An ID token with many groups is longer than other parameters.
    let parameters = Parameters::parse(encoded, LONGEST_VALUE * 4).ok().filter(|p| p.repeated().is_none());
    let parameters = parameters.ok_or_else(|| malformed("The request to sign out cannot be read."))?;
    let now = state.clock.epoch_seconds();
    // One that no published key verifies proves nothing, and is no reason to refuse a sign-out.
    let hint = parameters.get("id_token_hint").and_then(|token| state.keys.verify::<Hint>(ID_TOKEN, token, now));
    let hint = hint.filter(|hint| hint.iss == state.url);
    let client_id = match (parameters.get("client_id"), &hint) {
        (Some(id), Some(hint)) if id != hint.aud => {
            return Err(malformed("The client that asks to sign you out is not the one that you signed in to.").into());
        }
        (Some(id), _) => Some(id.to_owned()),
        (None, hint) => hint.as_ref().map(|h| h.aud.clone()),
    };
    let redirect = match parameters.get("post_logout_redirect_uri") {
        Some(uri) => {
            let client = match &client_id {
                Some(id) => state.client(id, source).await?,
                None => None,
            };
            let url = client.and_then(|c| redirects::matching(&c.post_logout_redirect_uris, uri));
            let url = url.ok_or_else(|| {
                malformed(
                    "The application asked to send you to an address that is not registered for it, so you stay here.",
                )
            })?;
            let state = parameters.get("state").map(|s| ("state", s));
            Some(redirects::with_parameters(&url, state.as_slice()))
        }
        None => None,
    };
    let cookie = CookieKind::Session.read(state, &headers);
    let session = cookie.as_deref().and_then(|c| state.sessions.find(c, now));
    if let Some(Hint { sub, sid: Some(sid), preferred_username, .. }) = &hint
        && session.as_ref().is_none_or(|s| s.sid == *sid)
    {
        let name = preferred_username.as_deref().unwrap_or(sub);
        end_session(state, source, sub, sid, name, client_id.as_deref().unwrap_or_default()).await?;
        return Ok(done(state, redirect)?);
    }
    let Some(session) = session else { return Ok(done(state, redirect)?) };
    let browser = browser_id(state, &headers)?;
    let afterwards = Afterwards { redirect, client_id, begun_at: now };
    let plain = serde_json::to_vec(&afterwards).map_err(Error::internal)?;
    let sealed = state.sealer.seal(Purpose::Request, FORM, &plain)?;
    let csrf = state.sealer.csrf(&browser, FORM);
    let page = pages::sign_out(state, &csrf, &sealed, Some(&session.name), afterwards.redirect.as_ref());
    Ok(with_cookies(page, [CookieKind::Browser.set(state, &browser, PENDING_S)?]))
}

/// `POST /logout/confirm`.
pub(crate) async fn confirm(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let form = state.own_form(source, &headers, &body, FORM)?;
    let now = state.clock.epoch_seconds();
    let opened = state.sealer.open(Purpose::Request, FORM, form.get("request").unwrap_or_default());
    let afterwards: Option<Afterwards> = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
    let afterwards = afterwards
        .filter(|a| now - a.begun_at <= PENDING_S)
        .ok_or_else(|| Error::new(ErrorKind::Malformed, "sign_in_expired", "This page is too old. Sign out again."))?;
    if form.get("action") != Some("sign-out") {
        return Ok(pages::notice(state, "You are still signed in", "Nothing was changed. You can close this page."));
    }
    let session = CookieKind::Session.read(state, &headers).and_then(|c| state.sessions.find(&c, now));
    if let Some(session) = session {
        let client_id = afterwards.client_id.unwrap_or_default();
        let user = state.users.find(&session.name).await?;
        let sub = user.map(|u| u.sub).unwrap_or_default();
        end_session(state, source, &sub, &session.sid, &session.name, &client_id).await?;
    }
    Ok(done(state, afterwards.redirect)?)
}

/// Back to the client, or a page; without the cookies.
fn done(state: &State, redirect: Option<Url>) -> Result<Response, Error> {
    let response = match redirect {
        Some(url) => {
            let location = HeaderValue::from_str(url.as_str()).map_err(Error::internal)?;
            (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
        }
        None => pages::notice(state, "You are signed out", "You can close this page."),
    };
    Ok(with_cookies(response, [CookieKind::Session.set(state, "", 0)?, CookieKind::Browser.set(state, "", 0)?]))
}

/// Ends a session: its cookie, its tokens, its refresh tokens, and the clients that took part are told.
async fn end_session(
    state: &State,
    source: Source,
    sub: &str,
    sid: &str,
    name: &str,
    client_id: &str,
) -> Result<(), Error> {
    state.sessions.end(sid);
    state.revoke(Revoked::Session(sid.to_owned())).await?;
    state.end_families("session", sid).await?;
    back_channel::announce(state, Ended::Session { sub, sid }).await?;
    let actor = AuditActor {
        issuer: state.url.clone(),
        subject: sub.to_owned(),
        name: name.to_owned(),
        groups: Vec::new(),
        client_id: client_id.to_owned(),
        act: Vec::new(),
    };
    state.record("issuer.sign_out", Outcome::Success, actor, source.0, None, &[("session", json!(sid))]).await
}

/// Ends everything that was issued to a person up to now. The person's record has been changed before: what begins after
/// this is judged by the new one.
pub(crate) async fn end_everything(state: &State, user: &User) -> Result<(), Error> {
    state.revoke(Revoked::Subject(user.sub.clone())).await?;
    state.end_families("subject", &user.sub).await?;
    back_channel::announce(state, Ended::Subject { sub: &user.sub }).await
}
