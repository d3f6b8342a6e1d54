//! What OAuth answers look like: parameters that stand once, errors as JSON (RFC 6749 section 5.2) and as redirects (section
//! 4.1.2.1), random identifiers.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use platform::{Error, ErrorKind, Json, seal};
use serde_json::json;
use url::{Url, form_urlencoded};

/// Most bytes of a query or form.
pub(crate) const MAX_FORM: usize = 16 << 10;

/// Parameters, each of which stands once (RFC 6749 section 3.1).
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads a query or form; `None` where a name stands twice or there is too much.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let mut all = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.get(..MAX_FORM.min(text.len()))?) {
            if all.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        (text.len() <= MAX_FORM).then_some(Self(all))
    }

    /// A parameter that has a value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// An error of OAuth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl OAuthError {
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    fn status(self) -> StatusCode {
        match self.code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// What the provider or the platform refused, as a client of OAuth may hear it.
impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        tracing::warn!(
            error.code = error.code(),
            error.message = error.detail(),
            "the façade's provider or log refused"
        );
        match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::Unmet => {
                Self::new("invalid_grant", "The identity provider did not accept this. Sign in again.")
            }
            ErrorKind::Internal => Self::new("server_error", "The platform failed; its log has the details."),
            _ => Self::new("temporarily_unavailable", "The identity provider cannot be reached. Repeat shortly."),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        answer(self.status(), &json!({"error": self.code, "error_description": self.description}))
    }
}

/// A JSON answer that nobody keeps.
pub(crate) fn answer(status: StatusCode, body: &Json) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body.to_string()).into_response()
}

/// Sends a browser on. 303, so that a form's answer is fetched and not posted again.
pub(crate) fn redirect(to: &Url) -> Response {
    let Ok(location) = HeaderValue::from_str(to.as_str()) else {
        return OAuthError::new("server_error", "The redirect cannot be written.").into_response();
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// 256 random bits, base64url.
pub(crate) fn random_id() -> Result<String, Error> {
    seal::random_text::<32>()
}

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn a_parameter_stands_once_and_an_empty_one_is_none() {
        let read = Parameters::read(b"a=1&b=&c=x%20y").unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.get("c")), (Some("1"), None, Some("x y")));
        assert!(Parameters::read(b"a=1&a=1").is_none());
        assert!(Parameters::read(&[b'a'; 20_000]).is_none());
    }
}
