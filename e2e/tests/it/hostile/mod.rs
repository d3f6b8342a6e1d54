//! Hostile input on every door: refused with the right status and a code, an id to ask about, and nothing lost: the next
//! good request on the next connection works. `cases` is what is sent, `wire` how.

pub(crate) mod cases;
pub(crate) mod wire;

use serde_json::json;

use self::cases::{Case, Target, Wanted};
use self::wire::{Raw, send};
use crate::caller::{CENTER, Caller, OWN};

fn host(caller: &Caller) -> &str {
    caller.lab.url().trim_start_matches("http://")
}

async fn hold(caller: &Caller, cases: Vec<Case>, good: impl AsyncFn() -> bool) {
    let mut wrong = Vec::new();
    let to = host(caller).parse().unwrap();
    for case in cases {
        let what = format!("{}: {}", case.door, case.input);
        let answer = send(None, to, &case.bytes, case.half_close).await;
        let Some(raw) = Raw::parse(&answer) else {
            if case.wanted != Wanted::Closed {
                wrong.push(format!("{what}: no answer"));
            }
            continue;
        };
        let (status, code) = match case.wanted {
            Wanted::Coded(status, code) => (status, Some(code)),
            Wanted::Page(status, code) => (status, Some(code)),
            Wanted::CalmDown | Wanted::Closed => (0, None),
        };
        if (raw.status, raw.code()) != (status, code) {
            let seen = &raw.text[..raw.text.len().min(700)];
            wrong.push(format!("{what}: wanted {:?}, got {} {:?}\n{seen}", case.wanted, raw.status, raw.code()));
        }
        if raw.is_page() != matches!(case.wanted, Wanted::Page(..)) {
            wrong.push(format!("{what}: people get pages and programs documents: {}", raw.content_type()));
        }
        if !raw.headers.contains_key("x-request-id") {
            wrong.push(format!("{what}: no x-request-id"));
        }
        if raw.headers.contains_key("location") {
            wrong.push(format!("{what}: an open redirect: {}", raw.text));
        }
        if raw.text.matches("HTTP/1.1 ").count() != 1 {
            wrong.push(format!("{what}: one request, one answer: {}", raw.text));
        }
        if !good().await {
            wrong.push(format!("{what}: the next good request failed"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn mcp_refuses_broken_requests_and_goes_on() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let cases = cases::mcp(&Target { host: host(&caller), token: &alice }, "MCP", "/mcp/interlock", "whoami");
    hold(&caller, cases, async || caller.mcp(&alice, OWN, "echo", &json!({"message": "x"})).await.status == 200).await;
}

#[tokio::test]
async fn rest_refuses_broken_requests_and_goes_on() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let cases = cases::rest(&Target { host: host(&caller), token: &alice });
    hold(&caller, cases, async || caller.rest(&alice, OWN, "echo", &json!({"message": "x"})).await.status == 200).await;
}

#[tokio::test]
async fn the_issuer_pages_and_documents_refuse_broken_requests_and_go_on() {
    let caller = Caller::shared();
    let target = Target { host: host(&caller), token: "" };
    let cases = [cases::issuer(&target), cases::pages(&target), cases::documents(&target)].into_iter().flatten();
    let keys = format!("{}/jwks", caller.lab.ready.issuer);
    let good = async || caller.http.get(&keys).send().await.is_ok_and(|r| r.status().is_success());
    hold(&caller, cases.collect(), good).await;
}

#[tokio::test]
async fn broken_http_ends_its_own_connection_only() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let target = Target { host: host(&caller), token: &alice };
    hold(&caller, cases::raw(&target), async || caller.rest(&alice, OWN, "whoami", &json!({})).await.status == 200)
        .await;
    // One request with two lengths is one request: what is hidden in its body is never read as a second one.
    let smuggled = format!(
        "POST /mcp/interlock HTTP/1.1\r\nhost: {0}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: {0}\r\n\r\n",
        target.host
    );
    let answer = send(None, target.host.parse().unwrap(), smuggled.as_bytes(), true).await;
    let raw = Raw::parse(&answer).unwrap();
    assert!((400..500).contains(&raw.status), "{}", raw.text);
    assert_eq!(raw.text.matches("HTTP/1.1 ").count(), 1, "{}", raw.text);
    assert!(caller.tools(&alice, CENTER).await.contains("list_devices"));
}
