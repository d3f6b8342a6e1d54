//! What the endpoints for programs share: reading a form, finding out which client asks and whether it is that client
//! (RFC 6749 section 2.3), and the errors of RFC 6749 section 5.2.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use platform::{Error, ErrorKind, Secret};
use serde_json::json;

use crate::browser::Source;
use crate::clients::Client;
use crate::issuer::State;
use crate::parameters::{LONGEST_VALUE, Parameters};

/// An error of RFC 6749 section 5.2.
#[derive(Debug)]
pub(crate) struct OAuthError {
    status: StatusCode,
    pub(crate) error: &'static str,
    description: &'static str,
}

impl OAuthError {
    /// An error with status 400.
    pub(crate) const fn new(error: &'static str, description: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description }
    }

    /// The client is not who it says.
    pub(crate) const CLIENT: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        description: "The client is unknown or did not prove who it is.",
    };

    /// The same with another status.
    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        if error.kind() == ErrorKind::InvalidInput {
            // A client id that is a URL and does not lead to a usable document.
            tracing::debug!(code = error.code(), detail = error.detail(), "a client was not accepted");
            return Self::CLIENT;
        }
        tracing::error!(code = error.code(), detail = error.detail(), "an endpoint for programs failed");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "temporarily_unavailable",
            description: "The issuer cannot answer right now. Try again.",
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.error, "error_description": self.description}));
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                http::HeaderValue::from_static("Basic realm=\"interlock\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

/// The answer, or the error; an error is counted (T25).
pub(crate) fn answered(state: &State, source: Source, answer: Result<Response, OAuthError>) -> Response {
    answer.unwrap_or_else(|error| {
        state.refuse(source.0, error.error, None);
        error.into_response()
    })
}

/// The form of a post and the client that sent it. A parameter that came twice is refused, `resource` as its own error
/// (RFC 8707, section 2).
pub(crate) async fn request(
    state: &State,
    source: Source,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(Client, Parameters), OAuthError> {
    let body = body.map_err(|rejection| {
        OAuthError::new("invalid_request", "The request is too large or was cut short.").with_status(rejection.status())
    })?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(OAuthError::new("invalid_request", "Send application/x-www-form-urlencoded."));
    }
    let mut form = Parameters::parse(&body, LONGEST_VALUE)
        .map_err(|_| OAuthError::new("invalid_request", "A parameter is too long, malformed or one too many."))?;
    if form.repeats("resource") {
        return Err(OAuthError::new("invalid_target", "Ask for one resource at a time."));
    }
    if form.repeated().is_some() {
        return Err(OAuthError::new("invalid_request", "A parameter is repeated."));
    }
    let client = authenticate(state, source, headers, &mut form).await?;
    Ok((client, form))
}

/// The client, by `client_secret_basic`, `client_secret_post`, or as a public client by its id alone. Wrong secrets are
/// not throttled: they are random and long, so there is nothing to guess, and a delay would only help who wants to lock
/// a client out.
async fn authenticate(
    state: &State,
    source: Source,
    headers: &HeaderMap,
    form: &mut Parameters,
) -> Result<Client, OAuthError> {
    let posted = form.secret("client_secret");
    let (id, secret) = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let (id, secret) = value.to_str().ok().and_then(basic).ok_or(OAuthError::CLIENT)?;
            if posted.is_some() || form.get("client_id").is_some_and(|other| other != id) {
                return Err(OAuthError::new("invalid_request", "Use one way of client authentication."));
            }
            (id, Some(secret))
        }
        None => (form.get("client_id").unwrap_or_default().to_owned(), posted),
    };
    let client = state.client(&id, source).await?.ok_or(OAuthError::CLIENT)?;
    client.proves(secret.as_ref().map(Secret::expose)).then_some(client).ok_or(OAuthError::CLIENT)
}

/// Id and secret of HTTP Basic, form-decoded as RFC 6749 section 2.3.1 has it.
pub(crate) fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok()).flatten()?;
    let text = zeroize::Zeroizing::new(String::from_utf8(decoded).ok()?);
    let (id, secret) = text.split_once(':')?;
    let plain = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().ok().map(|t| t.into_owned());
    Some((plain(id)?, Secret::new(plain(secret)?)))
}

#[cfg(test)]
mod tests {
    use super::basic;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let (id, secret) = basic("Basic Y2xpZW50JTJEMTphK2IlM0Fj").unwrap();
        assert_eq!((id.as_str(), secret.expose()), ("client-1", "a b:c"));
        assert!(basic("Bearer abc").is_none());
    }
}
