//! A caller that goes away: cancellation for 2026-07-28, none for the older revisions.

use std::time::Duration;

use mcp::EndpointOptions;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::fixture::{Server, modern, request};

async fn call_and_vanish(server: &Server, headers: &str, body: &Value) {
    let body = body.to_string();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    server.signals.started.notified().await;
    drop(socket);
}

/// A bound for a failing test only; a passing one never waits.
async fn soon(what: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it never happened");
}

#[tokio::test]
async fn a_newer_call_is_dropped_when_its_caller_hangs_up() {
    for fast_calls in [true, false] {
        let server = Server::start(EndpointOptions { fast_calls, ..EndpointOptions::default() }).await;
        let headers = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: slow\r\n";
        call_and_vanish(&server, headers, &modern("tools/call", json!({"name": "slow"}))).await;
        soon(server.signals.dropped.notified()).await;
        soon(server.endpoint.drain()).await;
    }
}

#[tokio::test]
async fn an_older_call_runs_to_its_end_when_its_caller_hangs_up_and_drain_waits_for_it() {
    for fast_calls in [true, false] {
        let server = Server::start(EndpointOptions { fast_calls, ..EndpointOptions::default() }).await;
        call_and_vanish(&server, "", &request("tools/call", json!({"name": "slow"}))).await;
        let drain = server.endpoint.drain();
        tokio::pin!(drain);
        assert!(futures_util::poll!(&mut drain).is_pending(), "the call is still under way");
        server.signals.go_on.notify_one();
        soon(server.signals.finished.notified()).await;
        soon(drain).await;
    }
}
