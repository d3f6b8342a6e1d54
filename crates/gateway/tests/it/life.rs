//! The listener: HTTP/2 with prior knowledge on the same port, and a stop that lets an open call finish.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::fixture::{ALICE, Server, soon, tool_path};
use crate::http2;

#[tokio::test]
async fn a_stop_lets_an_open_call_finish_and_takes_no_new_connection() {
    let server = Server::start().await;
    let host = server.host();
    let mut slow = server.send("GET", &tool_path("slow_thing"), &[&host, ALICE], b"").await;
    soon(server.signals.started.notified()).await;
    server.stop.cancel();
    // The listener is closed once connecting is refused; the call is still open.
    soon(async { while TcpStream::connect(server.address).await.is_ok() {} }).await;
    assert!(!server.serving.is_finished());
    server.signals.go_on.notify_one();
    let mut reply = String::new();
    soon(slow.read_to_string(&mut reply)).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("\"status\":\"success\""), "{reply}");
    soon(server.serving).await.unwrap();
    soon(server.endpoints.drain()).await;
}

#[tokio::test]
async fn http_2_works_with_prior_knowledge() {
    let server = Server::start().await;
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (status, body) = soon(http2::healthz(socket, server.address)).await;
    // 0x88 is `:status 200` of the static table.
    assert_eq!(status, Some(0x88));
    assert_eq!(body, r#"{"status":"ok","version":"1.2.3"}"#);
}
