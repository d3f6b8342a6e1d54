//! What the vendor's statuses and bodies mean here. The caller reads a sentence of ours; the vendor's own words go to
//! the operator's log, since they may quote anything.

use http::StatusCode;
use platform::http::Response;
use platform::{Error, ErrorKind};
use serde::Deserialize;

/// Intent API: one object; data API: a list of them.
#[derive(Deserialize)]
struct Envelope {
    response: Body,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One(Failure),
    Many(Vec<Failure>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    #[serde(default)]
    error_code: serde_json::Value,
    #[serde(default)]
    message: String,
    #[serde(default)]
    detail: String,
}

/// The vendor's code and words, as far as there are any.
fn words(response: &Response) -> String {
    let failure = serde_json::from_slice::<Envelope>(&response.body).ok().and_then(|e| match e.response {
        Body::One(failure) => Some(failure),
        Body::Many(failures) => failures.into_iter().next(),
    });
    failure.map_or_else(
        || format!("HTTP {}", response.status.as_u16()),
        |f| format!("HTTP {} {} {} {}", response.status.as_u16(), f.error_code, f.message, f.detail),
    )
}

/// The stored credential does not let the platform in.
pub(crate) fn rejected_credential() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "target_rejected_credential",
        "Catalyst Center does not accept the stored credential. An operator has to look at it.",
    )
}

/// The error of a response that is no success.
pub(crate) fn of(response: &Response) -> Error {
    let (kind, code, message) = match response.status {
        StatusCode::UNAUTHORIZED => return rejected_credential().with_detail(words(response)),
        StatusCode::FORBIDDEN => (
            ErrorKind::Upstream,
            "target_forbidden",
            "Catalyst Center does not allow this to the platform's account. An operator has to look at its role.",
        ),
        StatusCode::NOT_FOUND => {
            (ErrorKind::NotFound, "target_not_found", "Catalyst Center does not know what the arguments name.")
        }
        StatusCode::BAD_REQUEST | StatusCode::NOT_ACCEPTABLE | StatusCode::CONFLICT => (
            ErrorKind::InvalidInput,
            "target_refused_arguments",
            "Catalyst Center refused the arguments. Check ids and parameters with the read tools.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            ErrorKind::RateLimited,
            "target_rate_limited",
            "Catalyst Center limits the rate of calls at the moment. Repeat later.",
        ),
        _ => (ErrorKind::Upstream, "target_failed", "Catalyst Center failed while handling the call."),
    };
    let error = Error::new(kind, code, message).with_detail(words(response));
    let retry_after = response.headers.get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    match retry_after {
        Some(seconds) => error.with_retry_after(std::time::Duration::from_secs(seconds)),
        None => error,
    }
}
