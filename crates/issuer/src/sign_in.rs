//! The two posts of the sign-in pages. Between them nothing is kept in memory: a sign-in's state is sealed in its form,
//! bound to the browser by a cookie whose value is new after the password and gone after the sign-in (rule T5).

use std::time::Duration;

use axum::extract::State as Extension;
use axum::response::Response;
use http::HeaderMap;
use platform::audit::Outcome;
use platform::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::browser::{CookieKind, PageError, Sent, Source, to_client, with_cookies};
use crate::claims::{ACR_MFA, ACR_PASSWORD};
use crate::clients::Client;
use crate::errand::{self, Errand, Proceeded};
use crate::issuer::{Issuer, State};
use crate::keys::random_id;
use crate::pages::{self, DecisionPage, FormPage};
use crate::parameters::{LONGEST_FORM_VALUE, Parameters};
use crate::redirects;
use crate::sealing::Purpose;
use crate::second_factor::{self, CodeCheck};
use crate::sessions::{SESSION_S, Session};
use crate::throttle::Bucket;
use crate::users::{User, folded};

/// How long a sign-in may take, seconds.
pub(crate) const PENDING_S: i64 = 900;
/// What a sealed sign-in is bound to.
const OWNER: &str = "sign-in";

/// A sign-in that has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    id: String,
    begun_at: i64,
    pub(crate) errand: Errand,
    pub(crate) step: Step,
}

/// What is asked for next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Name and password.
    Password,
    /// The one-time code of somebody whose password is known to be right.
    Code {
        /// The user's name.
        name: String,
        /// The credentials of that moment.
        credentials: String,
        /// When the password was given.
        password_at: i64,
        /// The session's `sid`.
        sid: String,
    },
    /// Whether a client may, of somebody who is signed in.
    Decide {
        /// The user's name.
        name: String,
        /// The session's `sid`.
        sid: String,
    },
}

impl Pending {
    /// Begins now.
    pub(crate) fn new(state: &State, errand: Errand, step: Step) -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), begun_at: state.clock.epoch_seconds(), errand, step }
    }

    /// The page of its step.
    pub(crate) fn page(
        &self,
        state: &State,
        client: &Client,
        redirect: Option<&Url>,
        browser: &str,
        error: Option<&Error>,
    ) -> Result<Response, Error> {
        self.page_for(state, client, redirect, browser, None, error)
    }

    fn page_for(
        &self,
        state: &State,
        client: &Client,
        redirect: Option<&Url>,
        browser: &str,
        typed: Option<&str>,
        error: Option<&Error>,
    ) -> Result<Response, Error> {
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        let sealed = state.sealer.seal(Purpose::Request, OWNER, &plain)?;
        let csrf = state.sealer.csrf(browser, &self.id);
        let mut page = FormPage { request: &sealed, csrf: &csrf, client, redirect, username: "", error };
        Ok(match &self.step {
            Step::Password => {
                page.username = typed.or(self.errand.login_hint()).unwrap_or_default();
                pages::sign_in(state, &page)
            }
            Step::Code { name, .. } => {
                page.username = name;
                pages::second_factor(state, &page)
            }
            Step::Decide { name, .. } => {
                page.username = name;
                let (scope, resource) = self.errand.asks_for();
                let device = match &self.errand {
                    Errand::Device(device) => Some(device),
                    Errand::Client(_) => None,
                };
                pages::decision(state, &DecisionPage { form: page, scope, resource, device })
            }
        })
    }
}

/// A form that belongs to a sign-in in this browser.
pub(crate) struct Submitted {
    pub(crate) pending: Pending,
    browser: String,
    pub(crate) client: Client,
    /// Where the client gets the browser back; none for a device.
    pub(crate) redirect: Option<Url>,
    pub(crate) form: Parameters,
}

/// Reads a post: the sealed sign-in, the browser it belongs to, the CSRF token.
pub(crate) async fn submitted(
    state: &State,
    source: Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Submitted, Error> {
    let malformed = |code: &'static str, message: &str| {
        state.refuse(source.0, code, None);
        Error::new(ErrorKind::Malformed, code, message)
    };
    let form = Parameters::parse(body, LONGEST_FORM_VALUE)
        .ok()
        .filter(|form| form.repeated().is_none())
        .ok_or_else(|| malformed("invalid_form", "The form could not be read. Go back and try again."))?;
    let too_old =
        || malformed("sign_in_expired", "This sign-in is too old. Go back to your application and start again.");
    let opened = state.sealer.open(Purpose::Request, OWNER, form.get("request").unwrap_or_default());
    let pending: Pending = opened.and_then(|plain| serde_json::from_slice(&plain).ok()).ok_or_else(too_old)?;
    if state.clock.epoch_seconds() - pending.begun_at > PENDING_S {
        return Err(too_old());
    }
    let browser = CookieKind::Browser.read(state, headers);
    let csrf = form.get("csrf").unwrap_or_default();
    let Some(browser) = browser.filter(|b| state.sealer.csrf_holds(b, &pending.id, csrf)) else {
        state.refuse(source.0, "csrf", None);
        return Err(Error::new(
            ErrorKind::Forbidden,
            "csrf",
            "This form does not belong to a sign-in in this browser. Cookies may be off, or you signed in from another tab. Go back to your application and start again.",
        ));
    };
    // Read again: the client may have changed since the page was shown.
    let client = state.client(pending.errand.client_id(), source).await?.ok_or_else(too_old)?;
    let redirect = match &pending.errand {
        Errand::Client(request) => {
            Some(redirects::matching(&client.redirect_uris, &request.redirect_uri).ok_or_else(too_old)?)
        }
        Errand::Device(_) => None,
    };
    Ok(Submitted { pending, browser, client, redirect, form })
}

/// `POST /sign-in`.
pub(crate) async fn password(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let mut post = submitted(state, source, &headers, &body).await?;
    if post.form.get("action") == Some("cancel") {
        return Ok(cancelled(state, &post)?);
    }
    if !matches!(post.pending.step, Step::Password) {
        return Err(wrong_step(state, source).into());
    }
    let typed = post.form.get("username").unwrap_or_default().to_owned();
    let Some(password) = post.form.secret("password").filter(|_| !typed.is_empty()) else {
        let error = Error::new(ErrorKind::Malformed, "form_incomplete", "Enter your name and your password.");
        return Ok(again(state, &post, &typed, &error)?);
    };
    let user = match check_password(state, source, &typed, password).await {
        Ok(user) => user,
        Err(error) => return Ok(again(state, &post, &typed, &error)?),
    };
    let password_at = state.clock.epoch_seconds();
    let mfa = post.pending.errand.wants_mfa() || user.mfa_always;
    let acr = if mfa { ACR_MFA } else { ACR_PASSWORD };
    let facts = [("step", json!("password")), ("acr_wanted", json!(acr))];
    let actor = state.actor(&user, &post.client.client_id);
    state.record("issuer.sign_in", Outcome::Success, actor, source.0, None, &facts).await?;
    let sid = uuid::Uuid::new_v4().to_string();
    if !mfa {
        let session = Session { name: user.name.clone(), credentials: user.credentials.clone(), password_at, mfa, sid };
        return Ok(finish(state, &headers, post, &user, session).await?);
    }
    if !user.has_totp() {
        return Ok(no_second_factor(state, &post)?);
    }
    let step = Step::Code { name: user.name, credentials: user.credentials, password_at, sid };
    Ok(next_step(state, &post, step)?)
}

/// `POST /sign-in/otp`.
pub(crate) async fn otp(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let post = submitted(state, source, &headers, &body).await?;
    let Step::Code { name, credentials, password_at, sid } = post.pending.step.clone() else {
        return Err(wrong_step(state, source).into());
    };
    match post.form.get("action") {
        Some("cancel") => return Ok(cancelled(state, &post)?),
        Some("other") => return Ok(next_step(state, &post, Step::Password)?),
        _ => {}
    }
    let user = state.users.live(&name, &credentials).await?;
    let Some(user) = user else { return Err(wrong_step(state, source).into()) };
    let typed: String = post.form.get("otp").unwrap_or_default().chars().filter(|c| *c != ' ').collect();
    if let Err(error) = check_code(state, source, &user, &post.client.client_id, &typed).await {
        return Ok(again(state, &post, "", &error)?);
    }
    let session = Session { name, credentials, password_at, mfa: true, sid };
    Ok(finish(state, &headers, post, &user, session).await?)
}

/// The user, if name and password are right. The throttle is read while a turn to hash is held, so that parallel guesses
/// cannot overtake it. Errors: `sign_in_refused`, `sign_in_throttled`, `sign_in_busy`.
async fn check_password(state: &State, source: Source, typed: &str, password: Secret) -> Result<User, Error> {
    let turn = state.passwords.turn().await?;
    // A text that can be no name is counted under its own spelling: it behaves like a name that nobody has.
    let account = Bucket::password(&folded(typed).unwrap_or_else(|| typed.to_owned()));
    let buckets = [account, Bucket::source(source.0)];
    throttled(state, source, &buckets)?;
    let user = state.users.find(typed).await?;
    let stored = user.as_ref().and_then(User::usable_password);
    let (right, turn) = state.passwords.verify(turn, password, stored).await?;
    let user = match user {
        Some(user) if right => {
            state.throttle.succeeded(&account);
            user
        }
        other => {
            state.throttle.failed(&buckets, state.clock.epoch_seconds());
            state.refuse(source.0, "wrong_password", other.as_ref().map(|u| u.name.as_str()));
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "sign_in_refused",
                "That name and password do not go together. Check both and try again.",
            ));
        }
    };
    drop(turn);
    Ok(user)
}

/// Accepts a code once. Errors: `code_refused`, `code_used`, `sign_in_throttled`.
async fn check_code(state: &State, source: Source, user: &User, client_id: &str, typed: &str) -> Result<(), Error> {
    let (account, now) = (Bucket::otp(&user.sub), state.clock.epoch_seconds());
    let buckets = [account, Bucket::source(source.0)];
    throttled(state, source, &buckets)?;
    let totp = user.totp(&state.sealer)?.ok_or_else(|| Error::internal("a code was asked of a user without one"))?;
    // A wrong code is found and counted without a pause after the throttle was read, so that parallel guesses count. A used
    // one is no guess, and is not counted.
    let checked = second_factor::check(state.store.as_ref(), &user.sub, &totp, typed, now).await?;
    if checked == CodeCheck::Wrong {
        state.throttle.failed(&buckets, now);
    }
    let actor = state.actor(user, client_id);
    let refusal = match checked {
        CodeCheck::Accepted => {
            state.throttle.succeeded(&account);
            return state.record("issuer.second_factor", Outcome::Success, actor, source.0, None, &[]).await;
        }
        CodeCheck::Wrong => ("code_refused", "That code is not right. Enter the one your authenticator shows now."),
        CodeCheck::Used => ("code_used", "That code was used already. Wait for the next one and enter that."),
    };
    let (code, message) = refusal;
    state.record("issuer.second_factor", Outcome::Refused, actor, source.0, Some(code), &[]).await?;
    Err(Error::new(ErrorKind::Unauthenticated, code, message))
}

pub(crate) fn throttled(state: &State, source: Source, buckets: &[Bucket]) -> Result<(), Error> {
    let Some(seconds) = state.throttle.wait(buckets, state.clock.epoch_seconds()) else { return Ok(()) };
    state.refuse(source.0, "sign_in_throttled", None);
    let message = format!("Too many wrong tries. Wait {seconds} seconds and try again.");
    Err(Error::new(ErrorKind::RateLimited, "sign_in_throttled", message).with_retry_after(Duration::from_secs(seconds)))
}

/// The same page with what went wrong.
fn again(state: &State, post: &Submitted, typed: &str, error: &Error) -> Result<Response, Error> {
    if error.kind() == ErrorKind::Internal {
        return Ok(pages::error(state, error));
    }
    post.pending.page_for(state, &post.client, post.redirect.as_ref(), &post.browser, Some(typed), Some(error))
}

/// The next page, under a new browser cookie: what was known before this step is worth nothing after it.
fn next_step(state: &State, post: &Submitted, step: Step) -> Result<Response, Error> {
    let browser = random_id()?;
    let pending = Pending::new(state, post.pending.errand.clone(), step);
    let cookie = CookieKind::Browser.set(state, &browser, PENDING_S)?;
    Ok(with_cookies(pending.page(state, &post.client, post.redirect.as_ref(), &browser, None)?, [cookie]))
}

/// A new session under a new id, and on with the errand.
async fn finish(
    state: &State,
    headers: &HeaderMap,
    post: Submitted,
    user: &User,
    session: Session,
) -> Result<Response, Error> {
    let former = CookieKind::Session.read(state, headers);
    let left = SESSION_S - (state.clock.epoch_seconds() - session.password_at);
    let id = state.sessions.start(session.clone(), former.as_deref())?;
    let (errand, client, redirect) = (post.pending.errand, &post.client, post.redirect.as_ref());
    let browser = random_id()?;
    let (response, binding) = match errand::proceed(state, errand, client, redirect, user, &session, &browser).await? {
        Proceeded::Away(response) => (response, CookieKind::Browser.set(state, "", 0)?),
        Proceeded::Page(response) => (response, CookieKind::Browser.set(state, &browser, PENDING_S)?),
    };
    Ok(with_cookies(response, [CookieKind::Session.set(state, id.expose(), left)?, binding]))
}

fn cancelled(state: &State, post: &Submitted) -> Result<Response, Error> {
    let response = turned_away(state, post, "access_denied", "The person cancelled the sign-in.")?;
    Ok(with_cookies(response, [CookieKind::Browser.set(state, "", 0)?]))
}

fn no_second_factor(state: &State, post: &Submitted) -> Result<Response, Error> {
    turned_away(state, post, "unmet_authentication_requirements", "This person has no second factor.")
}

/// An error for the client; for a device, which nobody sends back, a page.
fn turned_away(state: &State, post: &Submitted, error: &str, description: &str) -> Result<Response, Error> {
    match (&post.pending.errand, &post.redirect) {
        (Errand::Client(request), Some(redirect)) => {
            let error = [("error", error), ("error_description", description)];
            to_client(state, redirect, request.state.as_deref(), &error)
        }
        _ => Ok(pages::notice(state, "The device was not let in", description)),
    }
}

fn wrong_step(state: &State, source: Source) -> Error {
    state.refuse(source.0, "sign_in_expired", None);
    Error::new(
        ErrorKind::Malformed,
        "sign_in_expired",
        "This sign-in cannot go on from here. Go back to your application and start again.",
    )
}
