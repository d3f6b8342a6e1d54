//! What REST speaks: JSON and nothing else. A caller that accepts neither it nor a problem document is told with 406
//! (RFC 9110 section 12.5.1), before anything is done for it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use platform::{Error, ErrorKind};

use crate::problem::Problem;

pub(super) async fn accept(request: Request, next: Next) -> Response {
    if takes_json(request.headers()) {
        return next.run(request).await;
    }
    let error = Error::new(
        ErrorKind::Malformed,
        "not_acceptable",
        "REST answers in application/json only, and the Accept header rules that out. Accept it.",
    );
    Problem::from(error).with_status(StatusCode::NOT_ACCEPTABLE).into_response()
}

/// Whether any range of any `Accept` header covers JSON; the most specific one decides.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut best: Option<(u8, bool)> = None;
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        for range in value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|r| !r.is_empty()) {
            any = true;
            let mut parts = range.split(';').map(str::trim);
            let rank = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/json" => 2,
                "application/*" => 1,
                "*/*" => 0,
                _ => continue,
            };
            let refused = parts.filter_map(|p| p.split_once('=')).any(|(name, q)| {
                name.trim().eq_ignore_ascii_case("q") && q.trim().parse::<f32>().is_ok_and(|q| q == 0.0)
            });
            if best.is_none_or(|(known, _)| rank >= known) {
                best = Some((rank, !refused));
            }
        }
    }
    best.map_or(!any, |(_, taken)| taken)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::takes_json;

    #[test]
    fn the_most_specific_range_decides() {
        for (accept, taken) in [
            (&[][..], true),
            (&["*/*"], true),
            (&["application/json"], true),
            (&["Application/JSON;q=0.1"], true),
            (&["text/html, application/*;q=0.2"], true),
            (&["text/html", "application/json"], true),
            (&["text/html"], false),
            (&["text/html, */*;q=0"], false),
            (&["*/*, application/json;q=0"], false),
            (&["application/json;q=0.000, */*"], false),
            (&["application/problem+json"], false),
            (&[""], true),
        ] {
            let mut headers = HeaderMap::new();
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(takes_json(&headers), taken, "{accept:?}");
        }
    }
}
