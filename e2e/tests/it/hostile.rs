//! Hostile input on every door: refused with the right status and a code, an id to ask about, and nothing lost: the next
//! good request on the next connection works.

use std::collections::HashMap;

use platform::Json;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::caller::{CENTER, Caller, OWN};

/// An answer, read byte by byte.
#[derive(Debug)]
struct Raw {
    status: u16,
    headers: HashMap<String, String>,
    body: Json,
    text: String,
}

impl Raw {
    fn code(&self) -> Option<&str> {
        ["/code", "/error/data/code", "/result/structuredContent/code", "/error"]
            .iter()
            .find_map(|place| self.body.pointer(place)?.as_str())
    }
}

/// Sends bytes as they are and reads until the other side closes. `None`: it closed without a word.
async fn exchange(caller: &Caller, bytes: &[u8], half_close: bool) -> Option<Raw> {
    let address = caller.lab.url().trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).await.unwrap();
    // The other side may answer and close before it has read everything.
    let _sent = socket.write_all(bytes).await.is_ok();
    if half_close {
        socket.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16_384];
    while let Ok(read) = socket.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let body = serde_json::from_str(body).unwrap_or(Json::Null);
    Some(Raw { status, headers, body, text })
}

/// A request with a body, its length as given.
struct Message<'a> {
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
    length: Option<usize>,
}

impl<'a> Message<'a> {
    fn post(path: &'a str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { method: "POST", path, headers, body: body.into(), length: None }
    }

    fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bytes(&self, caller: &Caller) -> Vec<u8> {
        let host = caller.lab.url().trim_start_matches("http://");
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {length}\r\n\r\n"));
        [head.into_bytes(), self.body.clone()].concat()
    }
}

/// What is sent, and the status and code that have to come back.
type Case<'a> = (&'static str, Message<'a>, u16, &'static str);

async fn hold(caller: &Caller, cases: Vec<Case<'_>>, good: impl AsyncFn() -> bool) {
    let mut wrong = Vec::new();
    for (what, message, status, code) in cases {
        let Some(raw) = exchange(caller, &message.bytes(caller), false).await else {
            wrong.push(format!("{what}: no answer"));
            continue;
        };
        if (raw.status, raw.code()) != (status, Some(code)) {
            let seen = &raw.text[..raw.text.len().min(700)];
            wrong.push(format!("{what}: wanted {status} {code}, got {} {:?}\n{seen}", raw.status, raw.code()));
        }
        if !raw.headers.contains_key("x-request-id") {
            wrong.push(format!("{what}: no x-request-id"));
        }
        if !good().await {
            wrong.push(format!("{what}: the next good request failed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const JSON: &str = "application/json";
/// More than the platform takes, and than the issuer takes.
const TOO_LARGE: usize = 8 << 20;

fn rpc(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn mcp_refuses_broken_requests_and_goes_on() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let path = "/mcp/interlock";
    let authorization = format!("Bearer {alice}");
    let accept = "application/json, text/event-stream";
    let post = |body: Vec<u8>| {
        Message::post(path, JSON, body).with("authorization", authorization.clone()).with("accept", accept)
    };
    let text = |body: &str| post(body.as_bytes().to_vec());
    let latin = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"a\":\"\xe9\"}}".to_vec();
    let echo = rpc(r#"{"name":"echo","arguments":{"message":"x"}}"#);
    let mut get = text("");
    get.method = "PUT";
    let plain = |content_type: &str, accept: &str| {
        let message = Message::post(path, content_type, echo.clone()).with("authorization", authorization.clone());
        message.with("accept", accept)
    };
    let cases: Vec<Case<'_>> = vec![
        ("empty", text(""), 400, "empty_body"),
        ("no JSON", text("hello"), 400, "not_a_message"),
        ("truncated", text(&echo[..40]), 400, "parse_error"),
        ("two messages", text(&format!("{echo}{echo}")), 400, "parse_error"),
        ("batch", text(&format!("[{echo}]")), 400, "batch"),
        ("latin-1", post(latin), 400, "invalid_utf8"),
        (
            "deep",
            text(&rpc(&format!(r#"{{"name":"echo","arguments":{{"message":{}}}}}"#, nested(5_000)))),
            400,
            "too_deep",
        ),
        ("params array", text(&rpc("[1]")), 400, "invalid_params"),
        ("name number", text(&rpc(r#"{"name":5}"#)), 400, "invalid_params"),
        ("two ids", text(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), 400, "duplicate_member"),
        ("oversized", post(vec![b' '; TOO_LARGE]), 413, "body_too_large"),
        ("media type", plain("text/plain", accept), 415, "unsupported_media_type"),
        ("no accept", plain(JSON, "text/html"), 406, "not_acceptable"),
        ("method", get, 405, "method_not_allowed"),
        ("wrong type", text(&rpc(r#"{"name":"echo","arguments":{"message":5}}"#)), 200, "invalid_arguments"),
        ("extra", text(&rpc(r#"{"name":"whoami","arguments":{"x":1}}"#)), 200, "invalid_arguments"),
        ("no such tool", text(&rpc(r#"{"name":"nope","arguments":{}}"#)), 200, "unknown_tool"),
    ];
    hold(&caller, cases, async || caller.mcp(&alice, OWN, "echo", &json!({"message": "x"})).await.status == 200).await;
}

#[tokio::test]
async fn rest_refuses_broken_requests_and_goes_on() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let authorization = format!("Bearer {alice}");
    let path = "/api/v1/mcp/interlock/tools/echo";
    let to = |path: &'static str, body: Vec<u8>| {
        Message::post(path, JSON, body).with("authorization", authorization.clone())
    };
    let text = |body: &str| to(path, body.as_bytes().to_vec());
    let mut put = text("{}");
    put.method = "PUT";
    let mut get_write = to("/api/v1/mcp/catalyst-center/tools/deploy_template", Vec::new());
    get_write.method = "GET";
    let cases: Vec<Case<'_>> = vec![
        ("no JSON", text("hello"), 400, "malformed_body"),
        ("truncated", text(r#"{"arguments":{"message":"#), 400, "malformed_body"),
        ("latin-1", to(path, b"{\"arguments\":{\"message\":\"\xe9\"}}".to_vec()), 400, "malformed_body"),
        ("deep", text(&format!(r#"{{"arguments":{{"message":{}}}}}"#, nested(5_000))), 400, "malformed_body"),
        ("deep objects", text(&r#"{"arguments":"#.repeat(5_000)), 400, "malformed_body"),
        ("oversized", to(path, vec![b' '; TOO_LARGE]), 413, "body_too_large"),
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
        ("method", put, 405, "method_not_allowed"),
        ("a write by GET", get_write, 405, "method_not_allowed"),
        ("no such tool", to("/api/v1/mcp/interlock/tools/nope", b"{}".to_vec()), 404, "tool_unknown"),
        ("no such server", to("/api/v1/mcp/nope/tools/echo", b"{}".to_vec()), 404, "tool_unknown"),
        ("a path in a name", to("/api/v1/mcp/interlock/tools/..%2f..%2fetc", b"{}".to_vec()), 404, "tool_unknown"),
        ("no such path", to("/api/v2/nothing", b"{}".to_vec()), 404, "path_unknown"),
        (
            "a reference in control characters",
            text(r#"{"arguments":{"message":"x"}}"#).with("idempotency-key", "a\tb"),
            400,
            "reference_invalid",
        ),
    ];
    hold(&caller, cases, async || caller.rest(&alice, OWN, "echo", &json!({"message": "x"})).await.status == 200).await;
}

#[tokio::test]
async fn the_issuer_refuses_broken_requests_and_goes_on() {
    let caller = Caller::shared();
    let form = "application/x-www-form-urlencoded";
    let token = |body: Vec<u8>| Message::post("/issuer/token", form, body);
    let text = |body: &str| token(body.as_bytes().to_vec());
    let cases: Vec<Case<'_>> = vec![
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
    let keys = format!("{}/jwks", caller.lab.ready.issuer);
    hold(&caller, cases, async || caller.http.get(&keys).send().await.is_ok_and(|r| r.status().is_success())).await;

    // Pages refuse as pages.
    let get = |path| Message { method: "GET", path, headers: Vec::new(), body: Vec::new(), length: None };
    let pages = [
        (get("/issuer/authorize"), 400),
        (get("/issuer/authorize?client_id=nobody&response_type=code&redirect_uri=https://attacker.example/"), 400),
        (Message::post("/issuer/sign-in", form, "request=x&csrf=y&username=alice&password=z"), 400),
        (Message::post("/issuer/sign-in/otp", form, vec![b'o'; 200_000]), 413),
        (get("/elevate/unknown"), 404),
        (get("/signin/callback?code=x&state=y"), 403),
    ];
    for (message, status) in pages {
        let raw = exchange(&caller, &message.bytes(&caller), false).await.unwrap();
        assert_eq!(raw.status, status, "{}: {}", message.path, raw.text);
        assert!(raw.headers.contains_key("x-request-id"), "{}", message.path);
        assert!(!raw.headers.contains_key("location"), "an open redirect: {}", raw.text);
    }
}

#[tokio::test]
async fn broken_http_ends_its_own_connection_only() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let host = caller.lab.url().trim_start_matches("http://").to_owned();
    let authorization = format!("Bearer {alice}");
    let body = r#"{"arguments":{"message":"x"}}"#;
    let mut short = Message::post("/api/v1/mcp/interlock/tools/echo", JSON, body).with("authorization", authorization);
    short.length = Some(body.len() + 100);
    let long_header = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n", "y".repeat(100_000));
    let two_lengths = format!(
        "POST /api/v1/mcp/interlock/tools/echo HTTP/1.1\r\nhost: {host}\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"
    );
    let smuggled = format!(
        "POST /mcp/interlock HTTP/1.1\r\nhost: {host}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: {host}\r\n\r\n"
    );
    let bad_chunk = format!(
        "POST /mcp/interlock HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n"
    );
    let broken: [(&str, Vec<u8>); 9] = [
        ("a body that breaks off", short.bytes(&caller)),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("no version", b"GET /\r\n\r\n".to_vec()),
        ("a header without end", long_header.into_bytes()),
        ("a path without end", long_path.into_bytes()),
        ("two lengths", two_lengths.into_bytes()),
        ("length and chunks", smuggled.into_bytes()),
        ("a chunk that is no number", bad_chunk.into_bytes()),
        ("a null in a header", format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nx: a\0b\r\n\r\n").into_bytes()),
    ];
    for (what, bytes) in broken {
        if let Some(raw) = exchange(&caller, &bytes, true).await {
            assert!((400..500).contains(&raw.status), "{what}: {}", &raw.text[..raw.text.len().min(500)]);
            assert_eq!(raw.text.matches("HTTP/1.1 ").count(), 1, "{what}: one request, one answer: {}", raw.text);
        }
        assert_eq!(caller.rest(&alice, OWN, "whoami", &json!({})).await.status, 200, "after {what}");
    }
    assert!(caller.tools(&alice, CENTER).await.contains("list_devices"));
}
