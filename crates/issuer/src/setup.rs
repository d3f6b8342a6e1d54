//! The first administrator (rule T5): while nobody can sign in, a code that the terminal of the platform shows once opens
//! one page, once. Its hash is kept in memory only, so a restart ends it. The page creates the person and goes on to the
//! enrolment.

use std::sync::{Mutex, PoisonError};

use axum::extract::State as Extension;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use platform::audit::Outcome;
use platform::canonical::sha256;
use platform::{Error, ErrorKind, Secret};
use subtle::ConstantTimeEq as _;

use crate::admin::ADMINISTRATORS;
use crate::browser::{CookieKind, PageError, Sent, Source, browser_id, with_cookies};
use crate::enrolment;
use crate::issuer::{Issuer, State};
use crate::keys::random_id;
use crate::pages::{self, SetupPage};
use crate::sign_in::{PENDING_S, throttled};
use crate::throttle::Bucket;

/// What the form's CSRF token is bound to, beside the browser.
const FORM: &str = "setup";
/// Wrong codes from one address before it has to wait.
const FREE_TRIES: u32 = 5;

/// SHA-256 of the code that is open. It is random and long; there is nothing to guess in its hash.
#[derive(Default)]
pub(crate) struct Setup(Mutex<Option<[u8; 32]>>);

impl Setup {
    fn open(&self, code: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sha256(code.as_bytes()));
    }

    fn is_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Uses the code up, if it is the one.
    fn take(&self, code: &str) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let right = open.is_some_and(|hash| hash.ct_eq(&sha256(code.as_bytes())).into());
        if right {
            *open = None;
        }
        right
    }
}

impl Issuer {
    /// While nobody can sign in: shows the code for the first administrator, or says how to see it. `show` writes to the
    /// local terminal and nowhere else; none where there is no such terminal.
    pub async fn offer_setup(&self, show: Option<&(dyn Fn(&str) + Sync)>) -> Result<(), Error> {
        let Some((code, page)) = self.setup_code().await? else { return Ok(()) };
        match show {
            Some(show) => show(&format!(
                "Nobody can sign in yet. Make the first administrator at {page} with this code, which works once and until the next restart:\n\n  {}\n",
                code.expose()
            )),
            None => tracing::warn!(
                "nobody can sign in yet; start `interlock serve` at a terminal, or with --print-setup-code, for the code that makes the first administrator"
            ),
        }
        Ok(())
    }

    /// The code for the first administrator and the page that takes it, when nobody can sign in; for the local terminal, and
    /// for nothing else. A later code ends an earlier one.
    pub async fn setup_code(&self) -> Result<Option<(Secret, String)>, Error> {
        let state = &*self.0;
        if somebody_can_sign_in(state).await? {
            return Ok(None);
        }
        let code = random_id()?;
        state.setup.open(&code);
        Ok(Some((Secret::new(code), format!("{}/setup", state.url))))
    }
}

async fn somebody_can_sign_in(state: &State) -> Result<bool, Error> {
    Ok(state.users.all().await?.iter().any(crate::users::User::can_sign_in))
}

/// `GET /setup`.
pub(crate) async fn get(Extension(issuer): Extension<Issuer>, headers: HeaderMap) -> Result<Response, PageError> {
    let state = &*issuer.0;
    if !state.setup.is_open() {
        return Err(closed().into());
    }
    Ok(page(state, &headers, "", "", None)?)
}

/// `POST /setup`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let form = state.own_form(source, &headers, &body, FORM)?;
    let value = |name: &str| form.get(name).unwrap_or_default();
    let again = |error: &Error| page(state, &headers, value("name"), value("display_name"), Some(error));
    let _one = state.administering.lock().await;
    if !state.setup.is_open() || somebody_can_sign_in(state).await? {
        return Err(closed().into());
    }
    let bucket = Bucket::codes(FORM, source.0, FREE_TRIES);
    if let Err(error) = throttled(state, source, &[bucket]) {
        return Ok(again(&error)?);
    }
    // Names are checked before the code is used up: a slip of the pen costs no restart.
    if let Err(error) = crate::users::checked(value("name"), value("display_name")) {
        return Ok(again(&error)?);
    }
    if !state.setup.take(value("code").trim()) {
        state.throttle.failed(&[bucket], state.clock.epoch_seconds());
        state.refuse(source.0, "setup_code_wrong", None);
        let message = "That is not the code that the terminal shows.";
        let error = Error::new(ErrorKind::Unauthenticated, "setup_code_wrong", message);
        return Ok(again(&error)?);
    }
    let (name, display_name) = (value("name"), value("display_name"));
    let groups = vec![ADMINISTRATORS.to_owned()];
    // Somebody who began before and did not finish.
    if state.users.find(name).await?.is_some() {
        state.users.delete(name).await?;
    }
    let user = state.users.create(name, display_name, groups).await?;
    state.record("issuer.setup", Outcome::Success, state.actor(&user, ""), source.0, None, &[]).await?;
    let (_, link) = enrolment::link(state, &user.name).await?;
    let location = HeaderValue::from_str(link.url.expose()).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

fn page(
    state: &State,
    headers: &HeaderMap,
    name: &str,
    display_name: &str,
    error: Option<&Error>,
) -> Result<Response, Error> {
    let browser = browser_id(state, headers)?;
    let csrf = state.sealer.csrf(&browser, FORM);
    let page = pages::setup(state, &SetupPage { csrf: &csrf, name, display_name, error });
    Ok(with_cookies(page, [CookieKind::Browser.set(state, &browser, PENDING_S)?]))
}

fn closed() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "setup_closed",
        "There is nothing to set up: somebody can sign in already, or the code was used. A restart shows a new code while nobody can sign in.",
    )
}
