//! Who comes to a page: the cookies, the session behind them, and whether a form was sent by one of our own pages.
//!
//! With HTTPS every cookie has the `__Host-` prefix, so that no neighbour of this host can plant one. A form needs all of
//! it: a session, its form token, and, where the browser tells, that the page which sent it was ours.

use axum::extract::Request;
use cookie::{Cookie, SameSite};
use http::request::Parts as Head;
use http::{HeaderMap, HeaderValue, header};
use platform::{Error, ErrorKind, Result};
use subtle::ConstantTimeEq as _;

use super::sessions::Session;
use crate::Gateway;

/// The session's cookie.
const SESSION: &str = "interlock_session";
/// Begins the name of the cookie that binds a sign-in to the browser that began it; the rest comes from its `state`, so
/// that two sign-ins in one browser do not end each other.
const SIGN_IN: &str = "interlock_signin_";
/// How long a sign-in may take, seconds.
pub(super) const SIGN_IN_S: i64 = 600;
/// Longest form, bytes; ours hold a token, and at most a thousand characters that a person wrote.
const MAX_FORM: usize = 16 << 10;

/// The hidden field of every form.
pub(crate) const FORM_TOKEN: &str = "form_token";

fn secure(gateway: &Gateway) -> bool {
    gateway.parts.options.base.as_str().starts_with("https:")
}

fn name_of(gateway: &Gateway, name: &str) -> String {
    if secure(gateway) { format!("__Host-{name}") } else { name.to_owned() }
}

/// A `Set-Cookie` value; `seconds` = 0 takes the cookie away, nothing = as long as the browser runs.
fn set(gateway: &Gateway, name: &str, value: &str, seconds: Option<i64>) -> Result<HeaderValue> {
    let cookie = Cookie::build((name_of(gateway, name), value.to_owned()))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure(gateway))
        .path("/");
    let cookie = match seconds {
        Some(seconds) => cookie.max_age(cookie::time::Duration::seconds(seconds)),
        None => cookie,
    };
    HeaderValue::from_str(&cookie.build().to_string()).map_err(Error::internal)
}

/// The one cookie of that name; two of them are none, since nobody can tell which is ours.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut found =
        all.flat_map(Cookie::split_parse).filter_map(std::result::Result::ok).filter(|cookie| cookie.name() == name);
    let first = found.next()?;
    found.next().is_none().then(|| first.value().to_owned())
}

fn get(gateway: &Gateway, headers: &HeaderMap, name: &str) -> Option<String> {
    cookie(headers, &name_of(gateway, name))
}

pub(super) fn session_cookie(gateway: &Gateway, value: &str) -> Result<HeaderValue> {
    set(gateway, SESSION, value, None)
}

pub(super) fn no_session_cookie(gateway: &Gateway) -> Result<HeaderValue> {
    set(gateway, SESSION, "", Some(0))
}

fn sign_in_name(state: &str) -> String {
    format!("{SIGN_IN}{}", state.chars().take(12).collect::<String>())
}

pub(super) fn sign_in_cookie(gateway: &Gateway, state: &str, value: &str) -> Result<HeaderValue> {
    set(gateway, &sign_in_name(state), value, Some(SIGN_IN_S))
}

pub(super) fn no_sign_in_cookie(gateway: &Gateway, state: &str) -> Result<HeaderValue> {
    set(gateway, &sign_in_name(state), "", Some(0))
}

/// Whether this browser began the sign-in with that `state`.
pub(super) fn began(gateway: &Gateway, headers: &HeaderMap, state: &str, value: &str) -> bool {
    let cookie = get(gateway, headers, &sign_in_name(state));
    cookie.is_some_and(|c| bool::from(c.as_bytes().ct_eq(value.as_bytes())))
}

/// The session that a browser brings. A session opens pages; an `Authorization` header means nothing here.
pub(super) async fn session(gateway: &Gateway, headers: &HeaderMap) -> Result<Option<Session>> {
    match get(gateway, headers, SESSION) {
        Some(value) => gateway.parts.sessions.find(&value).await,
        None => Ok(None),
    }
}

/// What a person filled in.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The one field of that name. Error: `form_refused`, for one that is not there or comes twice.
    pub(super) fn one(&self, name: &str) -> Result<&str> {
        let mut found = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(refused()),
        }
    }
}

/// The session behind a form that one of our own pages sent. Errors: `session_missing`, `form_refused`.
pub(super) async fn form(gateway: &Gateway, request: Request) -> Result<Session> {
    filled_in(gateway, request).await.map(|(session, _)| session)
}

/// The same for a form with fields.
pub(super) async fn filled_in(gateway: &Gateway, request: Request) -> Result<(Session, Fields)> {
    let (head, body) = request.into_parts();
    let Some(session) = session(gateway, &head.headers).await? else { return Err(not_signed_in()) };
    let body = axum::body::to_bytes(body, MAX_FORM).await.map_err(|_| refused())?;
    let fields = Fields(url::form_urlencoded::parse(&body).into_owned().collect());
    let ours = bool::from(fields.one(FORM_TOKEN)?.as_bytes().ct_eq(session.form_token().as_bytes()));
    if ours && is_form(&head) && from_our_page(gateway, &head.headers) { Ok((session, fields)) } else { Err(refused()) }
}

fn is_form(head: &Head) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// What a browser says of the page that sent a form. Our pages have no referrer, so that their own `Origin` is `null`
/// (Fetch, "serializing a request origin"); then `Sec-Fetch-Site` has to say that it was ours.
fn from_our_page(gateway: &Gateway, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    let same_origin = text("sec-fetch-site").map(|site| site == "same-origin");
    let ours = |origin: &str| {
        url::Url::parse(gateway.parts.options.base.as_str())
            .is_ok_and(|base| base.origin().ascii_serialization().eq_ignore_ascii_case(origin))
    };
    match (text("origin"), same_origin) {
        (_, Some(false)) => false,
        (None, _) => true,
        (Some("null"), said) => said == Some(true),
        (Some(origin), _) => ours(origin),
    }
}

pub(super) fn not_signed_in() -> Error {
    Error::new(ErrorKind::Unauthenticated, "session_missing", "You are not signed in here any more. Sign in again.")
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "form_refused",
        "This form was not sent from its own page, or the page was too old. Nothing was done; open the page again.",
    )
}
