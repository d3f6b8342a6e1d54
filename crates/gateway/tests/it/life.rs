//! The listener: HTTP/2 with prior knowledge on the same port, and a stop that lets an open call finish.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ALICE, Server, tool_path};

/// A bound for a failing test only; a passing one never waits.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it never happened")
}

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

/// One HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header that is not indexed, its name from the static table (RFC 7541 section 6.2.2).
fn literal(name: u8, value: &str) -> Vec<u8> {
    let mut field = vec![name, u8::try_from(value.len()).unwrap()];
    field.extend(value.as_bytes());
    field
}

#[tokio::test]
async fn http_2_works_with_prior_knowledge() {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    let server = Server::start().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    // :method GET, :scheme http, :path and :authority.
    let mut block = vec![0x82, 0x86];
    block.extend(literal(0x04, "/healthz"));
    block.extend(literal(0x01, &server.address.to_string()));
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, 0x5, 1, &block));
    socket.write_all(&bytes).await.unwrap();
    let (mut status, mut body) = (None, Vec::new());
    soon(async {
        loop {
            let mut head = [0; 9];
            socket.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            socket.read_exact(&mut payload).await.unwrap();
            match head[3] {
                HEADERS => status = payload.first().copied(),
                DATA => body.extend(payload),
                _ => continue,
            }
            if head[4] & 1 == 1 {
                break;
            }
        }
    })
    .await;
    // 0x88 is `:status 200` of the static table.
    assert_eq!(status, Some(0x88));
    assert_eq!(String::from_utf8(body).unwrap(), r#"{"status":"ok","version":"1.2.3"}"#);
}
