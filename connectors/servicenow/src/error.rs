//! What the vendor's statuses and bodies mean here. The caller reads a sentence of ours. The vendor's words are repeated
//! nowhere but for the labels of fields that it wants: they may quote anything that was sent.

use std::time::Duration;

use http::{StatusCode, header};
use platform::http::Response;
use platform::{Error, ErrorKind};
use serde::Deserialize;

/// `{"error": {"message", "detail"}, "status": "failure"}`.
#[derive(Deserialize)]
struct Envelope {
    error: Failure,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

/// Longest list of field labels that is shown.
const LONGEST_LABELS: usize = 120;

/// The stored credential does not let the platform in.
pub(crate) fn rejected_credential() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "target_rejected_credential",
        "ServiceNow does not accept the stored credential. An operator has to look at it.",
    )
}

/// A page for people where an answer was asked for: an instance that sleeps answers so, with 200.
pub(crate) fn hibernating() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "servicenow_hibernating",
        "ServiceNow answered with a web page instead of data: the instance sleeps, or something stands before it. Wake it \
         up in a browser, then repeat.",
    )
}

/// The filter was not applied to the rows that came.
pub(crate) fn query_ignored(field: &str) -> Error {
    Error::new(
        ErrorKind::Upstream,
        "servicenow_query_ignored",
        format!(
            "ServiceNow answered with rows that the filter on `{field}` excludes, so the answer is not used. The platform's \
             account may not read that field, or this instance does not have it."
        ),
    )
}

/// The error of a response that is no success. `now_s` is seconds since the epoch, for limits that end at a time.
pub(crate) fn of(response: &Response, now_s: i64) -> Error {
    let said = serde_json::from_slice::<Envelope>(&response.body).ok().map(|e| e.error);
    let length = |text: &Option<String>| text.as_deref().map_or(0, |t| t.chars().count());
    let words = said.as_ref().map_or(0, |f| length(&f.message) + length(&f.detail));
    let detail = format!("HTTP {}, {words} characters of words", response.status.as_u16());
    let (kind, code, message) = match response.status {
        StatusCode::UNAUTHORIZED => return rejected_credential().with_detail(detail),
        StatusCode::FORBIDDEN => match said.as_ref().and_then(wanted_fields) {
            Some(fields) => return field_required(&fields).with_detail(detail),
            None => (
                ErrorKind::Upstream,
                "target_forbidden",
                "ServiceNow does not allow this to the platform's account. An operator has to look at its roles.",
            ),
        },
        StatusCode::NOT_FOUND => (
            ErrorKind::NotFound,
            "target_not_found",
            "ServiceNow does not know what the arguments name, or does not show it to the platform's account.",
        ),
        StatusCode::BAD_REQUEST
        | StatusCode::NOT_ACCEPTABLE
        | StatusCode::CONFLICT
        | StatusCode::METHOD_NOT_ALLOWED => (
            ErrorKind::InvalidInput,
            "target_refused_arguments",
            "ServiceNow refused the arguments. Check them with the read tools.",
        ),
        StatusCode::TOO_MANY_REQUESTS => (
            ErrorKind::RateLimited,
            "target_rate_limited",
            "ServiceNow limits the rate of calls at the moment. Repeat later.",
        ),
        _ => (ErrorKind::Upstream, "target_failed", "ServiceNow failed while handling the call."),
    };
    let error = Error::new(kind, code, message).with_detail(detail);
    match wait(response, now_s) {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}

fn field_required(fields: &str) -> Error {
    let which = if fields.is_empty() { "ServiceNow does not say which".to_owned() } else { fields.to_owned() };
    Error::new(
        ErrorKind::InvalidInput,
        "servicenow_field_required",
        format!("ServiceNow wants more fields to be filled in before it stores this: {which}. Nothing was stored."),
    )
}

/// The labels in `Data Policy Exception: … mandatory: Resolution code, Resolution notes`; nothing where it says no such
/// thing, and an empty text where it does not name them in plain words.
fn wanted_fields(failure: &Failure) -> Option<String> {
    let said = [failure.message.as_deref(), failure.detail.as_deref()].map(Option::unwrap_or_default).join(" ");
    if !said.contains("Data Policy Exception") {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | '-' | '_');
    let labels = said.rsplit_once("mandatory:").map(|(_, labels)| labels.trim()).unwrap_or_default();
    Some(if labels.len() <= LONGEST_LABELS && labels.chars().all(plain) { labels.to_owned() } else { String::new() })
}

/// `Retry-After` in seconds, or the time at which the limit is counted anew.
fn wait(response: &Response, now_s: i64) -> Option<Duration> {
    let number = |name: &str| response.headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    let seconds = match number(header::RETRY_AFTER.as_str()) {
        Some(seconds) => seconds,
        None if response.status == StatusCode::TOO_MANY_REQUESTS => number("x-ratelimit-reset")? - now_s,
        None => return None,
    };
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Whether a write that failed so may have taken effect all the same.
pub(crate) fn is_ambiguous(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Internal => true,
        ErrorKind::Unavailable => {
            !["target_circuit_open", "target_unreachable", "target_rejected_credential", "credential_incomplete"]
                .contains(&error.code())
        }
        ErrorKind::Upstream => error.code() != "target_forbidden",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};
    use platform::ErrorKind;
    use platform::http::Response;

    use super::of;

    fn response(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Response {
        let headers: HeaderMap =
            headers.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect();
        Response { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() }
    }

    #[test]
    fn a_missing_field_is_the_callers_to_mend_and_a_missing_right_the_operators() {
        let policy = r#"{"error":{"message":"Operation Failed","detail":"Data Policy Exception: the following fields are mandatory: Resolution code, Resolution notes"},"status":"failure"}"#;
        let error = of(&response(403, policy, &[]), 0);
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "servicenow_field_required"));
        assert!(error.message().contains("Resolution code, Resolution notes"));
        let acl = r#"{"error":{"message":"Operation Failed","detail":"ACL Exception due to insufficient rights"},"status":"failure"}"#;
        assert_eq!(of(&response(403, acl, &[]), 0).code(), "target_forbidden");
    }

    #[test]
    fn what_the_vendor_says_is_not_repeated() {
        let body = r#"{"error":{"message":"hunter2","detail":"Data Policy Exception: <b>hunter2</b> mandatory: <i>hunter2</i>"},"status":"failure"}"#;
        for status in [400, 401, 403, 404, 409, 429, 500, 503] {
            let error = of(&response(status, body, &[]), 0);
            assert!(!format!("{error:?} {}", error.message()).contains("hunter2"), "{status}");
        }
    }

    #[test]
    fn a_limit_says_how_long_it_holds_in_seconds_or_by_its_end() {
        let seconds =
            |headers: &[(&'static str, &'static str)]| of(&response(429, "", headers), 1_000).refusal().retry_after_s;
        assert_eq!(seconds(&[("retry-after", "7")]), Some(7));
        assert_eq!(seconds(&[("x-ratelimit-reset", "1030")]), Some(30));
        assert_eq!(seconds(&[("x-ratelimit-reset", "900")]), None);
        assert_eq!(seconds(&[]), None);
    }
}
