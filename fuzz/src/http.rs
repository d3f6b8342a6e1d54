//! Headers: media types, trace context, forwarded addresses, references, cookies; and below them HTTP/2 frames, the HTTP
//! library's own answers, certificates.

use std::net::{IpAddr, Ipv4Addr};

use platform::context::TraceContext;

use crate::Verdict;

/// The values of a repeated header: one a line.
fn lines(data: &[u8]) -> Vec<&[u8]> {
    data.split(|b| *b == b'\n').collect()
}

/// `Accept` on the first line, `Content-Type` on the second. Without JSON in either, nothing is let in.
pub fn media_types(data: &[u8]) -> Verdict {
    let values = lines(data);
    let (accept, content_type) = (values[0], values.get(1).copied().unwrap_or_default());
    let good = mcp::fuzzing::media_types(accept, content_type);
    if good {
        let text = String::from_utf8_lossy(content_type).to_ascii_lowercase();
        assert!(text.contains("application/json"), "{text} was taken for JSON");
    }
    Verdict::of(good)
}

/// `traceparent` on the first line, `tracestate` on the second. Whatever comes in, what goes out is valid.
pub fn traceparent(data: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(data) else { return Verdict::Refused };
    let (parent, state) = text.split_once('\n').unwrap_or((text, ""));
    let trace = TraceContext::from_headers(Some(parent), Some(state));
    assert!(trace.trace_id != [0; 16] && trace.span_id != [0; 8]);
    let sent = trace.traceparent();
    let read = TraceContext::from_headers(Some(&sent), None);
    assert_eq!((read.trace_id, read.parent_id), (trace.trace_id, Some(trace.span_id)), "what we send can be joined");
    assert!(trace.state.is_none_or(|s| s == state && s.len() <= 512));
    Verdict::of(trace.parent_id.is_some())
}

/// `X-Forwarded-For`, one header a line. An untrusted peer is its own source, and a trusted one can only be replaced by an
/// address that the header names and that is no proxy of ours.
pub fn forwarded_for(data: &[u8]) -> Verdict {
    let values = lines(data);
    let proxies = [ipnet::IpNet::from(IpAddr::from([10, 0, 0, 0])), ipnet::IpNet::from(IpAddr::from([10, 0, 0, 1]))];
    let trusts = |address: IpAddr| proxies.iter().any(|net| net.contains(&address));
    let stranger = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let proxy = IpAddr::from([10, 0, 0, 1]);
    let Some(source) = gateway::fuzzing::source(stranger, &values, trusts) else { return Verdict::Refused };
    assert_eq!(source, stranger, "a stranger chose its own address");
    let source = gateway::fuzzing::source(proxy, &values, trusts).unwrap_or(proxy);
    if source == proxy {
        return Verdict::Refused;
    }
    let text = String::from_utf8_lossy(data).into_owned();
    let named = text.split([',', '\n']).any(|hop| hop.trim().parse() == Ok(source));
    assert!(named && !trusts(source), "{source} came from nowhere");
    Verdict::Read
}

/// `Idempotency-Key`, one header a line: once, in visible characters, or refused.
pub fn references(data: &[u8]) -> Verdict {
    let values = lines(data);
    match gateway::fuzzing::references(&values) {
        Some(Ok(references)) => {
            assert!(values.len() <= 1, "two keys were taken for one");
            let key = references.idempotency_key.unwrap_or_default();
            assert!(key.bytes().all(|b| (0x20..0x7f).contains(&b)), "{key:?} is not printable");
            Verdict::Read
        }
        Some(Err(code)) => {
            assert_eq!(code, "reference_invalid");
            Verdict::Refused
        }
        None => Verdict::Refused,
    }
}

/// `Cookie`, one header a line: the value of our cookie is part of what was sent.
pub fn cookies(data: &[u8]) -> Verdict {
    let Some(value) = gateway::fuzzing::sign_in_cookie(&lines(data)) else { return Verdict::Refused };
    assert!(String::from_utf8_lossy(data).contains(&value), "{value:?} was never sent");
    Verdict::Read
}

/// Frames of HTTP/2 after the preface: however their bytes are cut, the meter comes to the same end.
pub fn http2_frames(data: &[u8]) -> Verdict {
    let whole = gateway::fuzzing::http2_frames(data, data.len());
    for piece in [1, 7, 64] {
        assert_eq!(gateway::fuzzing::http2_frames(data, piece), whole, "pieces of {piece}");
    }
    Verdict::of(whole)
}

/// What the HTTP library wrote: only a whole, empty head without a request id is replaced.
pub fn library_answers(data: &[u8]) -> Verdict {
    let Some(code) = gateway::fuzzing::instead_of(data) else { return Verdict::Refused };
    assert!(["http_malformed", "url_too_long", "headers_too_large"].contains(&code));
    let text = String::from_utf8_lossy(data).to_ascii_lowercase();
    assert!(
        text.starts_with("http/1.1 4") && text.ends_with("\r\n\r\n") && !text.contains("\r\nx-request-id:"),
        "{text:?}"
    );
    assert_eq!(text.matches("\r\n\r\n").count(), 1, "{text:?}");
    Verdict::Read
}

/// Certificates of a PEM file.
pub fn certificates(data: &[u8]) -> Verdict {
    let Some(ends) = gateway::fuzzing::certificates(data) else { return Verdict::Refused };
    assert!(!ends.is_empty(), "a chain without a certificate");
    Verdict::of(ends.iter().all(Option::is_some))
}
