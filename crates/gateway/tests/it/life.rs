//! The listener: HTTP/2 with prior knowledge on the same port, and a stop that lets an open call finish.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ALICE, Reply, Server, soon, tool_path};
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

/// Sends a head by itself, with a body of so many bytes to come, and reads the whole reply to it.
async fn refused_at_the_head(server: &Server, socket: &mut TcpStream, length: usize, more: &str) -> Reply {
    let head = format!(
        "POST /mcp/lab-1 HTTP/1.1\r\n{}\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n",
        server.host()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let read = soon(socket.read_buf(&mut bytes)).await.unwrap();
        assert!(read > 0, "the connection ended before the reply did: {bytes:?}");
        if !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            continue;
        }
        let reply = Reply::parse(&bytes);
        let whole: usize = reply.header("content-length").unwrap().parse().unwrap();
        if reply.body.len() == whole {
            return reply;
        }
    }
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_body_leaves_the_connection_to_the_next_request() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        let reply = refused_at_the_head(&server, &mut socket, 2, "").await;
        assert_eq!((reply.status, reply.header("connection")), (401, None));
        socket.write_all(b"{}").await.unwrap();
    }
    let next = format!("GET /healthz HTTP/1.1\r\n{}\r\nconnection: close\r\n\r\n", server.host());
    socket.write_all(next.as_bytes()).await.unwrap();
    let mut reply = String::new();
    soon(socket.read_to_string(&mut reply)).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

#[tokio::test]
async fn a_refusal_says_that_the_connection_ends_where_the_body_is_not_read_away() {
    let server = Server::start().await;
    for (status, length, more) in [(413, 100_000, ""), (401, 2, "expect: 100-continue\r\n")] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let reply = refused_at_the_head(&server, &mut socket, length, more).await;
        assert_eq!((reply.status, reply.header("connection")), (status, Some("close")), "{length} {more}");
        assert_eq!(soon(socket.read_u8()).await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
