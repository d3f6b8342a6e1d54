//! Why somebody is at the issuer's pages, and how it goes on from there: sign in, pass the second factor, be asked, and go
//! back to the client or see that the device may go on. The posts of the sign-in stand in `sign_in`, the person's answer
//! in `decision`.

use axum::response::Response;
use http::HeaderMap;
use platform::Error;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::authorize::{self, AuthorizationRequest};
use crate::browser::{CookieKind, browser_id, to_client, with_cookies};
use crate::clients::Client;
use crate::consents;
use crate::device::DeviceErrand;
use crate::issuer::State;
use crate::sessions::Session;
use crate::sign_in::{PENDING_S, Pending, Step};
use crate::users::User;

/// Why somebody is here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Errand {
    /// A client sent the browser, and gets it back with a code.
    Client(AuthorizationRequest),
    /// A device is to be let in (RFC 8628); it ends on a page of ours.
    Device(DeviceErrand),
}

impl Errand {
    /// The client that it is for.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Client(request) => &request.client_id,
            Self::Device(device) => &device.client_id,
        }
    }

    /// Whether a second factor is wanted.
    pub(crate) fn wants_mfa(&self) -> bool {
        match self {
            Self::Client(request) => request.mfa,
            Self::Device(device) => device.mfa,
        }
    }

    /// The name to fill in.
    pub(crate) fn login_hint(&self) -> Option<&str> {
        match self {
            Self::Client(request) => request.login_hint.as_deref(),
            Self::Device(_) => None,
        }
    }

    /// What would be granted: scopes and audience.
    pub(crate) fn asks_for(&self) -> (&str, Option<&str>) {
        match self {
            Self::Client(request) => (&request.scope, request.resource.as_deref()),
            Self::Device(device) => (&device.scope, device.resource.as_deref()),
        }
    }

    /// Whether this session is fresh enough.
    fn accepts(&self, session: &Session, now: i64) -> bool {
        let (fresh, max_age) = match self {
            Self::Client(request) => (request.fresh, request.max_age),
            Self::Device(device) => (false, device.max_age),
        };
        let too_old = max_age.is_some_and(|age| age == 0 || now - session.password_at > age);
        !(fresh || too_old)
    }

    /// The client's own `state`, and whether it may not be shown any page.
    fn silent(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Client(request) if request.silent => Some(request),
            _ => None,
        }
    }
}

/// The first answer: what the browser's session is good for, or a page.
pub(crate) async fn begin(
    state: &State,
    headers: &HeaderMap,
    errand: Errand,
    client: &Client,
    redirect: Option<&Url>,
) -> Result<Response, Error> {
    let session = usable_session(state, headers, &errand).await?;
    let browser = browser_id(state, headers)?;
    let step = match session {
        Some((session, user)) if session.mfa || !(errand.wants_mfa() || user.mfa_always) => {
            let proceeded = proceed(state, errand, client, redirect, &user, &session, &browser).await?;
            return proceeded.into_response(state, &browser);
        }
        Some((session, user)) if user.has_totp() => Step::Code {
            name: user.name,
            credentials: user.credentials,
            password_at: session.password_at,
            sid: session.sid,
        },
        _ => Step::Password,
    };
    if let (Some(request), Some(redirect)) = (errand.silent(), redirect) {
        let error = [("error", "login_required"), ("error_description", "The person has to sign in.")];
        return to_client(state, redirect, request.state.as_deref(), &error);
    }
    let page = Pending::new(state, errand, step).page(state, client, redirect, &browser, None)?;
    Ok(with_cookies(page, [CookieKind::Browser.set(state, &browser, PENDING_S)?]))
}

/// The browser's session with its user, if both still stand and the errand does not ask for a fresher one.
async fn usable_session(state: &State, headers: &HeaderMap, errand: &Errand) -> Result<Option<(Session, User)>, Error> {
    let now = state.clock.epoch_seconds();
    let cookie = CookieKind::Session.read(state, headers);
    let found = cookie.and_then(|c| state.sessions.find(&c, now));
    let Some(session) = found.filter(|s| errand.accepts(s, now)) else { return Ok(None) };
    let user = state.users.live(&session.name, &session.credentials).await?;
    Ok(user.map(|user| (session, user)))
}

/// How it goes on after a sign-in.
pub(crate) enum Proceeded {
    /// The browser leaves; what bound it to the sign-in has done its work.
    Away(Response),
    /// Another page under the same binding.
    Page(Response),
}

impl Proceeded {
    /// The answer with the cookie of the binding, or without one.
    pub(crate) fn into_response(self, state: &State, browser: &str) -> Result<Response, Error> {
        Ok(match self {
            Self::Away(response) => response,
            Self::Page(response) => with_cookies(response, [CookieKind::Browser.set(state, browser, PENDING_S)?]),
        })
    }
}

/// Goes on for somebody who is signed in: asks where asking is due, else back to the client.
pub(crate) async fn proceed(
    state: &State,
    errand: Errand,
    client: &Client,
    redirect: Option<&Url>,
    user: &User,
    session: &Session,
    browser: &str,
) -> Result<Proceeded, Error> {
    if let (Errand::Client(request), Some(redirect)) = (&errand, redirect) {
        let asked = request.consent || (client.third_party && !consents::given(state, user, request, redirect).await?);
        if !asked {
            return authorize::code(state, redirect, request, user, session).map(Proceeded::Away);
        }
        if request.silent {
            let error = [("error", "consent_required"), ("error_description", "The person has to agree.")];
            return to_client(state, redirect, request.state.as_deref(), &error).map(Proceeded::Away);
        }
    }
    let step = Step::Decide { name: user.name.clone(), sid: session.sid.clone() };
    Pending::new(state, errand, step).page(state, client, redirect, browser, None).map(Proceeded::Page)
}
