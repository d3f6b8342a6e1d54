//! Refusals where no handler can answer: a head that cannot be read or does not come, a connection too many. hyper has
//! bare status lines for some of them; here they become what every other refusal is, a problem document with a code.

use http::StatusCode;
use platform::context::RequestId;
use platform::{Error, ErrorKind};

use crate::problem::Problem;

/// A whole HTTP/1.1 response with a problem document, after which the connection closes.
pub(crate) fn answer(problem: impl Into<Problem>) -> Vec<u8> {
    let (status, body) = problem.into().document();
    let later = status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE;
    let retry = if later { "retry-after: 1\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n{retry}x-request-id: {}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error"),
        RequestId::mint(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// Our words for an answer that hyper writes by itself (RFC 9110 sections 15.5.1 and 15.5.15, RFC 6585 section 5): a whole
/// head without a body and without the request id that every reply of a handler has.
pub(crate) fn instead_of(written: &[u8]) -> Option<(&'static str, Problem)> {
    let head = std::str::from_utf8(written.strip_suffix(b"\r\n\r\n")?).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let mut empty = false;
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("x-request-id") {
            return None;
        }
        empty |= name.eq_ignore_ascii_case("content-length") && value.trim() == "0";
    }
    if !empty {
        return None;
    }
    match status {
        "400" => Some(("http_malformed", malformed())),
        "414" => Some(("url_too_long", url_too_long())),
        "431" => Some(("headers_too_large", headers_too_large())),
        _ => None,
    }
}

fn malformed() -> Problem {
    Problem::from(Error::new(
        ErrorKind::Malformed,
        "http_malformed",
        "What arrived is no HTTP request that can be read in one way.",
    ))
}

/// The target of the request is longer than anything here is called.
pub(crate) fn url_too_long() -> Problem {
    Problem::from(Error::new(
        ErrorKind::TooLarge,
        "url_too_long",
        "The URL is too long. Send arguments in the body of a POST.",
    ))
    .with_status(StatusCode::URI_TOO_LONG)
}

fn headers_too_large() -> Problem {
    Problem::from(Error::new(
        ErrorKind::TooLarge,
        "headers_too_large",
        "The headers of the request are too many or too large.",
    ))
    .with_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
}

/// The head of a request did not come in time.
pub(super) fn headers_too_slow() -> Problem {
    Problem::from(Error::new(
        ErrorKind::Malformed,
        "headers_too_slow",
        "The headers of the request did not arrive in time. Send a request at once, and open a connection when there is one.",
    ))
    .with_status(StatusCode::REQUEST_TIMEOUT)
}

/// Plain HTTP arrived where TLS is spoken.
pub(super) fn tls_required() -> Problem {
    Problem::from(Error::new(
        ErrorKind::Malformed,
        "tls_required",
        "This port speaks TLS. Use a URL that begins with https.",
    ))
}

#[cfg(test)]
mod tests {
    use super::{answer, headers_too_slow, instead_of};

    #[test]
    fn only_what_a_library_says_by_itself_is_replaced() {
        let code =
            |bytes: &[u8]| instead_of(bytes).map(|(code, problem)| (code == problem.code()).then_some(code).unwrap());
        let bare = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(code(bare.as_bytes()), Some("http_malformed"));
        assert_eq!(code(bare.replace("400", "431").as_bytes()), Some("headers_too_large"));
        assert_eq!(code(bare.replace("400", "414").as_bytes()), Some("url_too_long"));
        for other in [
            bare.replace("400", "404"),
            bare.replace("date: x", "x-request-id: 1"),
            bare.replace("length: 0", "length: 1"),
            format!("{bare}x"),
            format!("HTTP/1.1 200 OK\r\n\r\n{bare}"),
            "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        ] {
            assert_eq!(code(other.as_bytes()), None, "{other}");
        }
        assert!(instead_of(&answer(headers_too_slow())).is_none());
    }

    #[test]
    fn an_answer_is_whole() {
        let text = String::from_utf8(answer(headers_too_slow())).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n") && head.contains("x-request-id: "));
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert_eq!(serde_json::from_str::<platform::Json>(body).unwrap()["code"], "headers_too_slow");
    }
}
