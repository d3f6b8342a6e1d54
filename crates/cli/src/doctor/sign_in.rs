//! Issuers: reachable, called what the configuration calls them, with keys, and at the same time of day.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use platform::clock::SystemClock;
use platform::http::Response;
use platform::{Clock as _, Json};

use super::Findings;
use crate::sign_in::discovery::issuer_document;
use crate::web;

/// Tokens are judged with little leeway; more than this is a clock that is wrong.
const MOST_SKEW_S: i64 = 30;

/// Discovery, its `issuer`, the keys and the clock.
pub(super) async fn issuer(url: &str, setting: &str, findings: &mut Findings) {
    let check = format!("issuer {url}");
    let document = match issuer_document(url).await {
        Ok(document) => document,
        Err(failure) => {
            return findings.failed(
                &check,
                &failure,
                format!("set `{setting}` to exactly the `iss` of its tokens, and let this machine reach it"),
            );
        }
    };
    findings.ok(&check, "discovery answers and calls itself the same");
    let Some(jwks) = document.jwks_uri else {
        return findings.wrong(&check, "discovery names no `jwks_uri`", "the issuer must publish its keys (RFC 8414)");
    };
    let keys = format!("keys {jwks}");
    match web::get_url(&jwks).await {
        Ok(response) => {
            let set: Json = response.json().unwrap_or_default();
            match set["keys"].as_array().map_or(0, Vec::len) {
                0 => findings.wrong(
                    &keys,
                    format!("HTTP {} without a key", response.status.as_u16()),
                    "the issuer must publish at least one signing key",
                ),
                n => findings.ok(&keys, format!("{n} published")),
            }
            clock(&check, &response, findings);
        }
        Err(error) => findings.failed(&keys, &error.into(), "let this machine reach the issuer's `jwks_uri`"),
    }
}

/// Compares the machine's clock with a reply's `Date` (RFC 9110, section 6.6.1).
pub(super) fn clock(whose: &str, response: &Response, findings: &mut Findings) {
    let check = format!("clock against {whose}");
    match response.headers.get(http::header::DATE).and_then(|v| v.to_str().ok()).and_then(date) {
        None => findings.skipped(&check, "the reply has no date"),
        Some(there) => {
            let skew = SystemClock.epoch_seconds() - there.as_second();
            if skew.abs() <= MOST_SKEW_S {
                findings.ok(&check, format!("{skew} s apart"));
            } else {
                findings.wrong(
                    &check,
                    format!("{skew} s apart"),
                    "synchronise both clocks (NTP); tokens would be refused as expired or not yet valid",
                );
            }
        }
    }
}

fn date(text: &str) -> Option<Timestamp> {
    // jiff reads RFC 2822; an HTTP date is one with the zone written as GMT.
    let text = text.replace("GMT", "+0000");
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn an_http_date_is_read() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().as_second(), 784_111_777);
        assert!(date("yesterday").is_none());
    }
}
