//! Signing in at the issuer (OpenID Connect, code flow with PKCE) for a page: begin, come back, and the session that
//! results. Login CSRF is closed by a cookie of the browser that began: a callback that was begun elsewhere is refused.
//!
//! What is under way is kept in memory, bounded: a restart, or a flood, costs a click. With several replicas the balancer
//! has to bring a browser back to the one where it began.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use change_control::ChangeId;
use http::{HeaderMap, HeaderValue, header};
use platform::audit::{AuditActor, Outcome};
use platform::tokens::SignInRequest;
use platform::{Error, ErrorKind, Result, Secret};
use serde::Deserialize;

use super::sessions::{Began, Session, ShownSubmission, random};
use super::visitor::{self, SIGN_IN_S};
use super::{account, changes, elevate, event, layout};
use crate::Gateway;
use crate::edge::Identified;

/// Most sign-ins under way.
const MOST: u64 = 10_000;

/// Sign-ins under way: state → what it is for.
#[derive(Clone)]
pub(crate) struct PendingSignIns(moka::sync::Cache<String, Arc<Pending>>);

/// One sign-in under way.
struct Pending {
    /// What the issuer was asked for.
    request: SignInRequest,
    /// Value of the cookie of the browser that began it.
    browser: String,
    purpose: Purpose,
}

/// What a person signs in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Their own page.
    Account,
    /// An elevation request.
    Elevation(String),
    /// Their changes, or one of them.
    Changes(Option<ChangeId>),
    /// The decision about a submission, by the person who was shown it.
    Decision(ChangeId, ShownSubmission, (String, String)),
}

impl Purpose {
    /// Whether the issuer is asked for a factor that is given now.
    const fn needs_factor(&self) -> bool {
        matches!(self, Self::Elevation(_) | Self::Decision(..))
    }
}

impl Default for PendingSignIns {
    fn default() -> Self {
        let life = Duration::from_secs(SIGN_IN_S.unsigned_abs());
        Self(moka::sync::Cache::builder().max_capacity(MOST).time_to_live(life).build())
    }
}

/// `GET /signin`: for the account page.
pub(super) async fn start(State(gateway): State<Arc<Gateway>>) -> Response {
    go(&gateway, Purpose::Account, None).await
}

/// Sends the browser to the issuer.
pub(super) async fn go(gateway: &Gateway, purpose: Purpose, login_hint: Option<String>) -> Response {
    match begin(gateway, purpose, login_hint).await {
        Ok((url, cookie)) => with_cookies(Redirect::to(&url).into_response(), [cookie]),
        Err(error) => layout::failed(&error),
    }
}

async fn begin(gateway: &Gateway, purpose: Purpose, login_hint: Option<String>) -> Result<(String, HeaderValue)> {
    let parts = &gateway.parts;
    let request = SignInRequest {
        redirect_uri: format!("{}/signin/callback", parts.options.base),
        state: random()?,
        nonce: random()?,
        code_verifier: Secret::new(random()?),
        require_mfa: purpose.needs_factor(),
        login_hint,
    };
    let url = parts.sign_in.authorization_url(&request).await?;
    let browser = random()?;
    let cookie = visitor::sign_in_cookie(gateway, &request.state, &browser)?;
    let state = request.state.clone();
    gateway.sign_ins.0.insert(state, Arc::new(Pending { request, browser, purpose }));
    Ok((url, cookie))
}

pub(super) fn with_cookies<const N: usize>(mut response: Response, cookies: [HeaderValue; N]) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The issuer's redirect (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Deserialize)]
pub(super) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn finish(
    State(gateway): State<Arc<Gateway>>,
    Extension(identified): Extension<Identified>,
    Query(callback): Query<Callback>,
    headers: HeaderMap,
) -> Response {
    let (purpose, value, session) = match redeem(&gateway, &callback, &headers, &identified).await {
        Ok(done) => done,
        Err(error) => {
            // Anybody can knock here: before a person is known, refusals are counted and not written one by one (T25).
            gateway.parts.refusals.count(identified.source, "sign_in");
            return layout::failed(&error);
        }
    };
    let cookies = visitor::session_cookie(&gateway, value.expose()).and_then(|session| {
        Ok([session, visitor::no_sign_in_cookie(&gateway, callback.state.as_deref().unwrap_or(""))?])
    });
    let cookies = match cookies {
        Ok(cookies) => cookies,
        Err(error) => return layout::failed(&error),
    };
    let response = match purpose {
        Purpose::Account => Redirect::to(account::PATH).into_response(),
        Purpose::Elevation(id) => elevate::signed_in(&gateway, &identified, &id, &session).await,
        Purpose::Changes(id) => Redirect::to(&changes::path(id.as_ref())).into_response(),
        Purpose::Decision(id, ..) if session.decides().is_none() => {
            Redirect::to(&changes::path(Some(&id))).into_response()
        }
        Purpose::Decision(id, ..) => Redirect::to(&changes::decision_path(&id)).into_response(),
    };
    with_cookies(response, cookies)
}

async fn redeem(
    gateway: &Gateway,
    callback: &Callback,
    headers: &HeaderMap,
    identified: &Identified,
) -> Result<(Purpose, Secret, Session)> {
    let expired = || {
        Error::new(
            ErrorKind::Unmet,
            "sign_in_expired",
            "This sign-in was not begun in this browser, or took too long. Open the page or the link again.",
        )
    };
    let state = callback.state.as_ref().ok_or_else(expired)?;
    // Taken out first: a redirect works once, whatever becomes of it.
    let pending = gateway.sign_ins.0.remove(state).ok_or_else(expired)?;
    if !visitor::began(gateway, headers, state, &pending.browser) {
        return Err(expired());
    }
    let code = match (&callback.code, &callback.error) {
        (Some(code), None) => code,
        _ => {
            return Err(Error::new(
                ErrorKind::Unmet,
                "sign_in_declined",
                "The issuer did not complete the sign-in. Nothing was granted; open the page or the link again to try once more.",
            ));
        }
    };
    let parts = &gateway.parts;
    let person = parts.sign_in.redeem(&pending.request, code, callback.iss.as_deref()).await?.principal;
    let factor_for = match &pending.purpose {
        Purpose::Elevation(id) => Some(id.clone()),
        Purpose::Account | Purpose::Changes(_) | Purpose::Decision(..) => None,
    };
    // Somebody else came back than the person who was shown the plan: they have seen nothing yet.
    let decides = match &pending.purpose {
        Purpose::Decision(_, shown, (issuer, subject)) if person.issuer == *issuer && person.subject == *subject => {
            Some(shown.clone())
        }
        _ => None,
    };
    let browser = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("");
    let began = Began { person: &person, factor_for, decides, browser, source: identified.source.to_string() };
    let before = visitor::session(gateway, headers).await?;
    let mut entry = event(gateway, identified, "session.started", Outcome::Success, AuditActor::from(&person));
    entry.facts.insert("mfa".into(), person.mfa.into());
    // A session that is not on record does not begin.
    parts.audit.append(entry).await?;
    let (value, session) = parts.sessions.begin(began, before.as_ref()).await?;
    Ok((pending.purpose.clone(), value, session))
}
