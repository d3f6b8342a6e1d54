//! What the vendor's statuses and bodies mean here. The caller reads a sentence of ours. The vendor's own words are repeated
//! nowhere, since they may quote anything: the request, its session, a line of a configuration. An operator finds them in
//! the controller's log, under the call's id (T29).

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

/// Longest code of the vendor that is shown, for example `NCND00001`; what is longer is no code.
const LONGEST_CODE: usize = 16;

/// For the operator: the status, the vendor's code, and how much more it said.
fn summary(response: &Response) -> String {
    let failure = serde_json::from_slice::<Envelope>(&response.body).ok().and_then(|e| match e.response {
        Body::One(failure) => Some(failure),
        Body::Many(failures) => failures.into_iter().next(),
    });
    let status = response.status.as_u16();
    let Some(Failure { error_code, message, detail }) = failure else { return format!("HTTP {status}") };
    let code = match error_code {
        serde_json::Value::String(code) => code,
        serde_json::Value::Number(code) => code.to_string(),
        _ => String::new(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let code = Some(code).filter(|c| !c.is_empty() && c.len() <= LONGEST_CODE && c.chars().all(plain));
    let said = message.chars().count() + detail.chars().count();
    format!("HTTP {status}, code {}, {said} characters of words", code.as_deref().unwrap_or("none"))
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
        StatusCode::UNAUTHORIZED => return rejected_credential().with_detail(summary(response)),
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
    let error = Error::new(kind, code, message).with_detail(summary(response));
    let retry_after = response.headers.get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok());
    match retry_after {
        Some(seconds) => error.with_retry_after(std::time::Duration::from_secs(seconds)),
        None => error,
    }
}
