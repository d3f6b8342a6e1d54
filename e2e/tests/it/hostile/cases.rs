//! Bad input by door, each with the answer that it gets. One table, read twice: case by case in [`super`], and all at once in
//! [`crate::flood`].

use super::wire::Message;
use crate::http2;

pub(crate) const JSON: &str = "application/json";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
const ACCEPT: &str = "application/json, text/event-stream";
/// More than the platform takes, and than the issuer takes.
const TOO_LARGE: usize = 8 << 20;

/// What comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A refusal with this status and code.
    Coded(u16, &'static str),
    /// A page for people with this status and code.
    Page(u16, &'static str),
    /// HTTP/2's GOAWAY with ENHANCE_YOUR_CALM.
    CalmDown,
    /// The end of the connection, without a word: there is nobody who could read one.
    Closed,
}

/// One bad input.
pub(crate) struct Case {
    pub(crate) door: &'static str,
    pub(crate) input: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) half_close: bool,
    pub(crate) wanted: Wanted,
}

/// Where the doors are, and who knocks.
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) token: &'a str,
}

impl Target<'_> {
    fn case(
        &self,
        door: &'static str,
        input: &'static str,
        message: &Message<'_>,
        status: u16,
        code: &'static str,
    ) -> Case {
        Case { door, input, bytes: message.bytes(self.host), half_close: false, wanted: Wanted::Coded(status, code) }
    }

    fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

fn rpc(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

/// One MCP endpoint; `tool` is there and has no argument called `x`.
pub(crate) fn mcp(to: &Target<'_>, door: &'static str, path: &str, tool: &str) -> Vec<Case> {
    let authorization = to.authorization();
    let post = |body: Vec<u8>| {
        Message::post(path, JSON, body).with("authorization", authorization.clone()).with("accept", ACCEPT)
    };
    let text = |body: &str| post(body.as_bytes().to_vec());
    let latin = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xe9\"}}".to_vec();
    let call = rpc(&format!(r#"{{"name":"{tool}","arguments":{{}}}}"#));
    let plain = |content_type: &str, accept: &str| {
        let message = Message::post(path, content_type, call.clone()).with("authorization", authorization.clone());
        message.with("accept", accept)
    };
    let cases: Vec<(&str, Message<'_>, u16, &str)> = vec![
        ("empty", text(""), 400, "empty_body"),
        ("no JSON", text("hello"), 400, "not_a_message"),
        ("truncated", text(&call[..40]), 400, "parse_error"),
        ("two messages", text(&format!("{call}{call}")), 400, "parse_error"),
        ("batch", text(&format!("[{call}]")), 400, "batch"),
        ("latin-1", post(latin), 400, "invalid_utf8"),
        (
            "deep",
            text(&rpc(&format!(r#"{{"name":"x","arguments":{{"message":{}}}}}"#, nested(5_000)))),
            400,
            "too_deep",
        ),
        ("params array", text(&rpc("[1]")), 400, "invalid_params"),
        ("name number", text(&rpc(r#"{"name":5}"#)), 400, "invalid_params"),
        ("two ids", text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), 400, "duplicate_member"),
        ("oversized", post(vec![b' '; TOO_LARGE]), 413, "body_too_large"),
        ("media type", plain("text/plain", ACCEPT), 415, "unsupported_media_type"),
        ("no accept", plain(JSON, "text/html"), 406, "not_acceptable"),
        ("another method", text("").by("PUT"), 405, "method_not_allowed"),
        ("no token", Message::post(path, JSON, call.clone()), 401, "token_missing"),
        (
            "a bad token",
            Message::post(path, JSON, call.clone()).with("authorization", "Bearer x.y.z"),
            401,
            "token_invalid",
        ),
        ("two tokens", text(&call).with("authorization", "Bearer x"), 400, "authorization_repeated"),
        ("another host", Message::post(path, JSON, call.clone()).with("host", "evil.example"), 403, "host_not_allowed"),
        ("another origin", text(&call).with("origin", "https://evil.example"), 403, "origin_not_allowed"),
        (
            "extra argument",
            text(&rpc(&format!(r#"{{"name":"{tool}","arguments":{{"x":1}}}}"#))),
            200,
            "invalid_arguments",
        ),
        ("no such tool", text(&rpc(r#"{"name":"nope","arguments":{}}"#)), 200, "unknown_tool"),
    ];
    cases.into_iter().map(|(input, message, status, code)| to.case(door, input, &message, status, code)).collect()
}

/// REST.
pub(crate) fn rest(to: &Target<'_>) -> Vec<Case> {
    let authorization = to.authorization();
    let path = "/api/v1/mcp/interlock/tools/echo";
    let at = |path: &'static str, body: Vec<u8>| {
        Message::post(path, JSON, body).with("authorization", authorization.clone())
    };
    let text = |body: &str| at(path, body.as_bytes().to_vec());
    let cases: Vec<(&str, Message<'_>, u16, &str)> = vec![
        ("no JSON", text("hello"), 400, "malformed_body"),
        ("truncated", text(r#"{"arguments":{"message":"#), 400, "malformed_body"),
        ("latin-1", at(path, b"{\"arguments\":{\"message\":\"\xe9\"}}".to_vec()), 400, "malformed_body"),
        ("a member twice", text(r#"{"arguments":{"message":"a","message":"b"}}"#), 400, "malformed_body"),
        ("deep", text(&format!(r#"{{"arguments":{{"message":{}}}}}"#, nested(5_000))), 400, "malformed_body"),
        ("deep objects", text(&r#"{"arguments":"#.repeat(5_000)), 400, "malformed_body"),
        ("oversized", at(path, vec![b' '; TOO_LARGE]), 413, "body_too_large"),
        (
            "media type",
            Message::post(path, "text/plain", "{}").with("authorization", authorization.clone()),
            415,
            "content_type_unsupported",
        ),
        ("no object", text("[1]"), 422, "invalid_arguments"),
        ("arguments as a list", text(r#"{"arguments":[1]}"#), 422, "invalid_arguments"),
        ("another member", text(r#"{"arguments":{},"tool":"x"}"#), 422, "invalid_arguments"),
        ("wrong type", text(r#"{"arguments":{"message":5}}"#), 422, "invalid_arguments"),
        ("missing", text(r#"{"arguments":{}}"#), 422, "invalid_arguments"),
        (
            "too long",
            text(&format!(r#"{{"arguments":{{"message":"{}"}}}}"#, "x".repeat(200_000))),
            422,
            "invalid_arguments",
        ),
        ("another method", text("{}").by("PUT"), 405, "method_not_allowed"),
        (
            "a write by GET",
            at("/api/v1/mcp/catalyst-center/tools/deploy_template", Vec::new()).by("GET"),
            405,
            "method_not_allowed",
        ),
        ("no such tool", at("/api/v1/mcp/interlock/tools/nope", b"{}".to_vec()), 404, "tool_unknown"),
        ("no such server", at("/api/v1/mcp/nope/tools/echo", b"{}".to_vec()), 404, "tool_unknown"),
        ("a path in a name", at("/api/v1/mcp/interlock/tools/..%2f..%2fetc", b"{}".to_vec()), 404, "tool_unknown"),
        ("no such path", at("/api/v2/nothing", b"{}".to_vec()), 404, "path_unknown"),
        ("no token", Message::post(path, JSON, "{}"), 401, "token_missing"),
        ("a bad token", Message::post(path, JSON, "{}").with("authorization", "Bearer x.y.z"), 401, "token_invalid"),
        (
            "a huge token",
            Message::post(path, JSON, "{}").with("authorization", format!("Bearer {}", "x".repeat(20_000))),
            401,
            "token_invalid",
        ),
        ("another host", Message::post(path, JSON, "{}").with("host", "evil.example"), 403, "host_not_allowed"),
        (
            "a reference in control characters",
            text(r#"{"arguments":{"message":"x"}}"#).with("idempotency-key", "a\tb"),
            400,
            "reference_invalid",
        ),
    ];
    let mut cases: Vec<Case> = cases
        .into_iter()
        .map(|(input, message, status, code)| to.case("REST", input, &message, status, code))
        .collect();
    let mut short = text(r#"{"arguments":{"message":"x"}}"#);
    short.length = Some(short.body.len() + 100);
    cases.push(Case { half_close: true, ..to.case("REST", "a body that breaks off", &short, 400, "body_incomplete") });
    let long = format!("/api/v1/mcp/interlock/tools/echo?message={}", "x".repeat(9_000));
    let long = Message::get(&long).with("authorization", authorization.clone());
    cases.push(to.case("REST", "a long URL", &long, 414, "url_too_long"));
    cases
}

/// The token endpoint of the issuer, in OAuth's own codes (RFC 6749 section 5.2).
pub(crate) fn issuer(to: &Target<'_>) -> Vec<Case> {
    let token = |body: Vec<u8>| Message::post("/issuer/token", FORM, body);
    let text = |body: &str| token(body.as_bytes().to_vec());
    let cases: Vec<(&str, Message<'_>, u16, &str)> = vec![
        ("empty", text(""), 401, "invalid_client"),
        (
            "JSON",
            Message::post("/issuer/token", JSON, r#"{"grant_type":"authorization_code"}"#),
            400,
            "invalid_request",
        ),
        (
            "unknown grant",
            text("grant_type=password&client_id=interlock-lab&username=alice&password=x"),
            400,
            "unsupported_grant_type",
        ),
        ("repeated", text("grant_type=authorization_code&grant_type=client_credentials"), 400, "invalid_request"),
        (
            "unknown client",
            text("grant_type=client_credentials&client_id=nobody&client_secret=x"),
            401,
            "invalid_client",
        ),
        (
            "wrong secret",
            text("grant_type=client_credentials&client_id=lab-automation&client_secret=x"),
            401,
            "invalid_client",
        ),
        (
            "unknown code",
            text(
                "grant_type=authorization_code&client_id=interlock-lab&code=x&redirect_uri=http://127.0.0.1:1/callback&code_verifier=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ),
            400,
            "invalid_grant",
        ),
        ("not UTF-8", token(b"grant_type=\xff\xfe".to_vec()), 400, "invalid_request"),
        ("oversized", token(vec![b'a'; 200_000]), 413, "invalid_request"),
    ];
    cases.into_iter().map(|(input, message, status, code)| to.case("issuer", input, &message, status, code)).collect()
}

/// Pages, which refuse as pages.
pub(crate) fn pages(to: &Target<'_>) -> Vec<Case> {
    let attacker = "/issuer/authorize?client_id=nobody&response_type=code&redirect_uri=https://attacker.example/";
    let other = "/issuer/authorize?client_id=interlock-lab&response_type=code&redirect_uri=https://attacker.example/";
    let pages = [
        ("an authorization without parameters", Message::get("/issuer/authorize"), 400, "unknown_client"),
        ("an authorization that is no text", Message::get("/issuer/authorize?client_id=%ff"), 400, "invalid_request"),
        ("a redirect that is not registered", Message::get(other), 400, "redirect_uri_mismatch"),
        ("an unknown client's redirect", Message::get(attacker), 400, "unknown_client"),
        (
            "a sign-in that was never begun",
            Message::post("/issuer/sign-in", FORM, "request=x&csrf=y&username=alice&password=z"),
            400,
            "sign_in_expired",
        ),
        ("an oversized code", Message::post("/issuer/sign-in/otp", FORM, vec![b'o'; 200_000]), 413, "body_too_large"),
        ("an unknown elevation", Message::get("/elevate/unknown"), 404, "elevation_request_unknown"),
        ("a forged callback", Message::get("/signin/callback?code=x&state=y"), 403, "sign_in_expired"),
    ];
    let page = |(input, message, status, code): (&'static str, Message<'_>, u16, &'static str)| Case {
        door: "pages",
        input,
        bytes: message.bytes(to.host),
        half_close: false,
        wanted: Wanted::Page(status, code),
    };
    pages.into_iter().map(page).collect()
}

/// The documents that say what the platform is.
pub(crate) fn documents(to: &Target<'_>) -> Vec<Case> {
    let cases = [
        (
            "an unknown resource",
            Message::get("/.well-known/oauth-protected-resource/mcp/nope"),
            404,
            "resource_unknown",
        ),
        ("an unknown document", Message::get("/.well-known/nothing"), 404, "path_unknown"),
        ("a path out of the root", Message::get("/../../etc/passwd"), 404, "path_unknown"),
        ("an unknown code", Message::get("/errors/nope"), 404, "error_code_unknown"),
        ("another method", Message::get("/healthz").by("DELETE"), 405, "method_not_allowed"),
        ("a name that is no text", Message::get("/errors/%ff"), 400, "http_malformed"),
    ];
    cases
        .into_iter()
        .map(|(input, message, status, code)| to.case("documents", input, &message, status, code))
        .collect()
}

/// What is no HTTP, or is HTTP that two readers read differently.
pub(crate) fn raw(to: &Target<'_>) -> Vec<Case> {
    let host = to.host;
    let many: String = (0..120).map(|n| format!("x-{n}: y\r\n")).collect();
    let post = format!("POST /mcp/interlock HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n", to.authorization());
    let malformed = Wanted::Coded(400, "http_malformed");
    let large = Wanted::Coded(431, "headers_too_large");
    let cases: Vec<(&str, Vec<u8>, Wanted)> = vec![
        ("a TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), malformed),
        ("no version", b"GET /\r\n\r\n".to_vec(), malformed),
        ("another version", b"GET / HTTP/9.9\r\n\r\n".to_vec(), malformed),
        ("zeros", vec![0; 512], malformed),
        (
            "a header without end",
            format!("GET / HTTP/1.1\r\nhost: {host}\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)).into(),
            large,
        ),
        ("many headers", format!("GET / HTTP/1.1\r\nhost: {host}\r\n{many}\r\n").into(), large),
        ("two lengths", format!("{post}content-length: 3\r\ncontent-length: 4\r\n\r\nabcd").into(), malformed),
        ("a length that is none", format!("{post}content-length: -1\r\n\r\n").into(), malformed),
        ("another coding", format!("{post}transfer-encoding: gzip\r\n\r\n").into(), malformed),
        ("a null in a header", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx: a\0b\r\n\r\n").into(), malformed),
        ("a space in a header's name", format!("GET / HTTP/1.1\r\nhost: {host}\r\nx y: z\r\n\r\n").into(), malformed),
        ("nothing", Vec::new(), Wanted::Closed),
        ("half a request line", b"GET /heal".to_vec(), Wanted::Closed),
    ];
    let case = |(input, bytes, wanted)| Case { door: "socket", input, bytes, half_close: true, wanted };
    cases.into_iter().map(case).collect()
}

/// HTTP/2 that asks for work and nothing else.
pub(crate) fn http_2() -> Vec<Case> {
    let flood = |frame: Vec<u8>, times: usize| [http2::opening(), frame.repeat(times)].concat();
    let resets: Vec<u8> = (0..2_000)
        .flat_map(|n| {
            let stream = n * 2 + 1;
            let open = http2::frame(http2::HEADERS, 0x5, stream, &[0x82, 0x86, 0x84]);
            [open, http2::frame(http2::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("pings", flood(http2::frame(http2::PING, 0, 0, &[0; 8]), 5_000)),
        ("settings", flood(http2::frame(http2::SETTINGS, 0, 0, &[]), 5_000)),
        ("streams that are reset at once", [http2::opening(), resets].concat()),
    ];
    let case = |(input, bytes)| Case { door: "HTTP/2", input, bytes, half_close: false, wanted: Wanted::CalmDown };
    cases.into_iter().map(case).collect()
}

/// What takes its time. The platform's limits end it.
pub(crate) fn slow(to: &Target<'_>) -> Vec<Case> {
    let mut body = Message::post("/api/v1/mcp/interlock/tools/echo", JSON, r#"{"arguments":"#);
    body = body.with("authorization", to.authorization());
    body.length = Some(100_000);
    vec![
        to.case("REST", "a body that does not come", &body, 408, "body_too_slow"),
        Case {
            door: "socket",
            input: "a head that does not come",
            bytes: format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n", to.host).into(),
            half_close: false,
            wanted: Wanted::Coded(408, "headers_too_slow"),
        },
        Case { door: "socket", input: "silence", bytes: Vec::new(), half_close: false, wanted: Wanted::Closed },
    ]
}
