//! Enrolment by a single-use link (rule T5): a person sets a password and a second factor and proves the factor before
//! either is kept. Until then the secret of the factor travels sealed in the form, and nothing is stored.

use axum::extract::{RawQuery, State as Extension};
use axum::response::Response;
use http::HeaderMap;
use platform::audit::Outcome;
use platform::store::{Collection, Expect, Op};
use platform::{Error, ErrorKind, Secret, seal};
use serde::{Deserialize, Serialize};

use crate::browser::{CookieKind, PageError, Sent, Source, browser_id, with_cookies};
use crate::issuer::{Issuer, State};
use crate::keys::random_id;
use crate::pages::{self, EnrolmentPage};
use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::sealing::Purpose;
use crate::second_factor::{self, CodeCheck};
use crate::sign_in::{PENDING_S, throttled};
use crate::throttle::Bucket;
use crate::users::{User, transact};
use crate::{logout, password_rules};

pub(crate) const ENROLMENTS: Collection = Collection { name: "issuer_enrolments", indexes: &[] };
/// How long a link can be used, seconds.
const LIFE_S: i64 = 86_400;
/// What the form's CSRF token is bound to, beside the browser; and what the sealed part of the form is sealed for.
const FORM: &str = "enrolment";
/// Wrong links from one address before it has to wait.
const FREE_TRIES: u32 = 10;

/// A link that can be used once.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) url: Secret,
    /// Seconds since the epoch.
    pub(crate) expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    name: String,
    sub: String,
}

/// What the form carries, sealed.
#[derive(Serialize, Deserialize)]
struct Begun {
    /// Keyed hash of the link's code.
    id: String,
    name: String,
    secret: String,
    begun_at: i64,
}

/// Takes a person's factors away and makes the link by which new ones are set. Older links are worth nothing from then on,
/// and so is everything that was issued to the person.
pub(crate) async fn link(state: &State, name: &str) -> Result<(User, Link), Error> {
    let code = random_id()?;
    let id = state.sealer.at_rest("enrolment", &code);
    let expires_at = state.clock.epoch_seconds() + LIFE_S;
    let (_, user, mut ops) = state.users.prepare(name, |user| user.reset(id.clone())).await?;
    let kept = Kept { name: user.name.clone(), sub: user.sub.clone() };
    ops.push(Op::Put {
        collection: ENROLMENTS,
        id,
        expect: Expect::Absent,
        body: serde_json::to_value(&kept).map_err(Error::internal)?,
        expires_at: Some(expires_at),
    });
    transact(state.store.as_ref(), ops).await?;
    logout::end_everything(state, &user).await?;
    Ok((user, Link { url: Secret::new(format!("{}/enrol?code={code}", state.url)), expires_at }))
}

/// `GET /enrol`.
pub(crate) async fn get(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let (bucket, now) = (Bucket::codes(FORM, source.0, FREE_TRIES), state.clock.epoch_seconds());
    throttled(state, source, &[bucket])?;
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes(), LONGEST_VALUE).ok();
    let code = parameters.as_ref().and_then(|p| p.get("code")).unwrap_or_default();
    let mut found = None;
    for id in state.sealer.kept_at_rest("enrolment", code) {
        if found.is_none() {
            found = invited(state, &id).await?.map(|user| (id, user));
        }
    }
    let Some((id, user)) = found else {
        state.throttle.failed(&[bucket], now);
        state.refuse(source.0, "enrolment_unknown", None);
        return Err(unknown().into());
    };
    let secret = totp_rs::Secret::from(seal::random::<20>()?.to_vec()).to_base32();
    let begun = Begun { id, name: user.name, secret, begun_at: now };
    Ok(page(state, &headers, &begun, None)?)
}

/// `POST /enrol`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let mut form = state.own_form(source, &headers, &body, FORM)?;
    let now = state.clock.epoch_seconds();
    let opened = state.sealer.open(Purpose::Request, FORM, form.get("request").unwrap_or_default());
    let begun: Option<Begun> = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
    let begun = begun.filter(|b| now - b.begun_at <= PENDING_S * 2).ok_or_else(|| {
        Error::new(ErrorKind::Malformed, "sign_in_expired", "This page is too old. Open your link again.")
    })?;
    let user = invited(state, &begun.id).await?.ok_or_else(unknown)?;
    match enrol(state, source, &mut form, &begun, &user).await {
        Ok(()) => {
            let text = format!("From now on {} signs in with the new password and a code from the app.", user.name);
            let done = pages::notice(state, "Your account is set up", &text);
            Ok(with_cookies(done, [CookieKind::Browser.set(state, "", 0)?]))
        }
        Err(error) if error.kind() == ErrorKind::Internal => Err(error.into()),
        Err(error) => Ok(page(state, &headers, &begun, Some(&error))?),
    }
}

/// Checks everything, then keeps it and uses the link up, in one transaction.
async fn enrol(state: &State, source: Source, form: &mut Parameters, begun: &Begun, user: &User) -> Result<(), Error> {
    let typed: String = form.get("otp").unwrap_or_default().chars().filter(|c| *c != ' ').collect();
    let (Some(password), Some(again)) = (form.secret("password"), form.secret("again")) else {
        return Err(Error::new(ErrorKind::Malformed, "form_incomplete", "Enter the new password twice."));
    };
    if password.expose() != again.expose() {
        return Err(Error::new(ErrorKind::InvalidInput, "passwords_differ", "The two passwords are not the same."));
    }
    password_rules::check(&password, &user.name)?;
    let (account, now) = (Bucket::otp(&user.sub), state.clock.epoch_seconds());
    throttled(state, source, &[account])?;
    let secret = Secret::new(begun.secret.clone());
    let totp = second_factor::generator(&secret)?;
    match second_factor::check(state.store.as_ref(), &user.sub, &totp, &typed, now).await? {
        CodeCheck::Accepted => state.throttle.succeeded(&account),
        CodeCheck::Wrong => {
            state.throttle.failed(&[account], now);
            let message = "That code is not right. Scan the picture and enter the code that the app shows now.";
            return Err(Error::new(ErrorKind::Unauthenticated, "code_refused", message));
        }
        CodeCheck::Used => {
            let message = "That code was used already. Wait for the next one and enter that.";
            return Err(Error::new(ErrorKind::Unauthenticated, "code_used", message));
        }
    }
    let hash = state.passwords.hash(password).await?;
    let (before, after, mut ops) =
        state.users.prepare(&user.name, |user| user.enrol(hash, &secret, &state.sealer)).await?;
    if before.enrolment.as_ref() != Some(&begun.id) || before.disabled {
        return Err(unknown());
    }
    ops.push(Op::Delete { collection: ENROLMENTS, id: begun.id.clone(), expect: Expect::Any });
    state.record("issuer.enrolled", Outcome::Success, state.actor(&after, ""), source.0, None, &[]).await?;
    transact(state.store.as_ref(), ops).await
}

/// The person whom a link invites, if it still stands.
async fn invited(state: &State, id: &str) -> Result<Option<User>, Error> {
    let Some(record) = state.store.get(ENROLMENTS, id).await? else { return Ok(None) };
    let kept: Kept = serde_json::from_value(record.body).map_err(Error::internal)?;
    let user = state.users.find(&kept.name).await?;
    Ok(user.filter(|u| u.sub == kept.sub && u.enrolment.as_deref() == Some(id) && !u.disabled))
}

fn page(state: &State, headers: &HeaderMap, begun: &Begun, error: Option<&Error>) -> Result<Response, Error> {
    let browser = browser_id(state, headers)?;
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(begun).map_err(Error::internal)?);
    let sealed = state.sealer.seal(Purpose::Request, FORM, &plain)?;
    let csrf = state.sealer.csrf(&browser, FORM);
    let secret = Secret::new(begun.secret.clone());
    let page = EnrolmentPage { csrf: &csrf, request: &sealed, name: &begun.name, secret: &secret, error };
    let page = pages::enrolment(state, &page)?;
    Ok(with_cookies(page, [CookieKind::Browser.set(state, &browser, PENDING_S * 2)?]))
}

fn unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "enrolment_unknown",
        "This link is unknown, used, or too old. Ask an administrator for a new one; a link lasts 24 hours.",
    )
}
