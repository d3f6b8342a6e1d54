//! What travels between the issuer and a browser: cookies, the caller's address, redirects, and errors on a page.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use platform::{Error, ErrorKind};
use url::Url;

use crate::issuer::State;
use crate::keys::random_id;
use crate::pages;
use crate::parameters::{LONGEST_FORM_VALUE, Parameters};
use crate::redirects;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CookieKind {
    /// The single sign-on session.
    Session,
    /// The browser in which a sign-in was begun: what a sign-in page's CSRF token is bound to.
    Browser,
}

impl CookieKind {
    fn name(self, state: &State) -> &'static str {
        match (self, state.secure) {
            (Self::Session, true) => "__Secure-interlock_session",
            (Self::Session, false) => "interlock_session",
            (Self::Browser, true) => "__Secure-interlock_signin",
            (Self::Browser, false) => "interlock_signin",
        }
    }

    /// The cookie's value in a request, if it is one that we could have made.
    pub(crate) fn read(self, state: &State, headers: &HeaderMap) -> Option<String> {
        let name = self.name(state);
        let values = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok());
        values
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .find(|c| c.name() == name && c.value().len() == 43)
            .map(|c| c.value().to_owned())
    }

    /// `Set-Cookie` with a value for `seconds`, or that removes it (0).
    pub(crate) fn set(self, state: &State, value: &str, seconds: i64) -> Result<HeaderValue, Error> {
        let path = if state.path.is_empty() { "/" } else { &state.path };
        let cookie = Cookie::build((self.name(state), value))
            .path(path)
            .http_only(true)
            .secure(state.secure)
            .same_site(SameSite::Lax)
            .max_age(cookie::time::Duration::seconds(seconds));
        HeaderValue::from_str(&cookie.to_string()).map_err(Error::internal)
    }
}

/// The browser's binding: the one it brought, or a new one.
pub(crate) fn browser_id(state: &State, headers: &HeaderMap) -> Result<String, Error> {
    CookieKind::Browser.read(state, headers).map_or_else(random_id, Ok)
}

impl State {
    /// A form of ours that belongs to no sign-in: readable, and sent by a page that this browser was shown. Errors:
    /// `invalid_form`, `csrf`.
    pub(crate) fn own_form(
        &self,
        source: Source,
        headers: &HeaderMap,
        body: &[u8],
        page: &str,
    ) -> Result<Parameters, Error> {
        let form = Parameters::parse(body, LONGEST_FORM_VALUE).ok().filter(|form| form.repeated().is_none());
        let Some(form) = form else {
            self.refuse(source.0, "invalid_form", None);
            let message = "The form could not be read. Go back and try again.";
            return Err(Error::new(ErrorKind::Malformed, "invalid_form", message));
        };
        let browser = CookieKind::Browser.read(self, headers);
        if browser.is_some_and(|b| self.sealer.csrf_holds(&b, page, form.get("csrf").unwrap_or_default())) {
            return Ok(form);
        }
        self.refuse(source.0, "csrf", None);
        Err(Error::new(
            ErrorKind::Forbidden,
            "csrf",
            "This form does not belong to a page in this browser. Cookies may be off. Load the page again.",
        ))
    }
}

/// Adds `Set-Cookie` headers.
pub(crate) fn with_cookies(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Sends the browser back to the client with these parameters, `state` and RFC 9207 `iss`.
pub(crate) fn to_client(
    state: &State,
    redirect: &Url,
    client_state: Option<&str>,
    parameters: &[(&str, &str)],
) -> Result<Response, Error> {
    let mut all = parameters.to_vec();
    all.extend(client_state.map(|s| ("state", s)));
    all.push(("iss", &state.url));
    let url = redirects::with_parameters(redirect, &all);
    let location = HeaderValue::from_str(url.as_str()).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

/// The caller's address, when the server hands it on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) Option<IpAddr>);

impl<S: Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(address.map(|ConnectInfo(a)| a.ip().to_canonical())))
    }
}

/// The body of a form that a browser sent. One that cannot be read whole is refused on a page, like everything else that a
/// person may do wrong there. Errors: `body_too_large`, `invalid_form`.
pub(crate) struct Sent(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|rejection| {
            PageError(match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    let message = "The form is too large. Go back and enter less.";
                    Error::new(ErrorKind::TooLarge, "body_too_large", message)
                }
                _ => Error::new(ErrorKind::Malformed, "invalid_form", "The form did not arrive whole. Send it again."),
            })
        })
    }
}

/// An error that a person sees on a page. It travels in the response's extensions to where the page can be rendered
/// with the issuer's own stylesheet: [`render_error`].
pub(crate) struct PageError(pub(crate) Error);

#[derive(Clone)]
struct Shown(Arc<Error>);

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Shown(Arc::new(self.0)));
        response
    }
}

/// The page of a [`PageError`]; any other response as it is.
pub(crate) fn render_error(state: &State, mut response: Response) -> Response {
    match response.extensions_mut().remove::<Shown>() {
        Some(Shown(error)) => pages::error(state, &error),
        None => response,
    }
}
