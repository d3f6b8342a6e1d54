//! What a connection and a caller may take of a process: time, connections, requests at once, failures; and the words in
//! which each limit is told, also where no handler ever saw a request.

use std::time::Duration;

use gateway::ConnectionLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ALICE, Reply, Server, soon, tool_path};
use crate::http2;

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(150);

async fn limited(change: impl FnOnce(&mut ConnectionLimits)) -> Server {
    Server::serving(1, |_| {}, Default::default(), |serving| change(&mut serving.limits)).await
}

/// Everything that comes until the other side closes.
async fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    soon(async {
        let mut part = [0; 4096];
        while let Ok(1..) = socket.read(&mut part).await.inspect(|n| bytes.extend_from_slice(&part[..*n])) {}
    })
    .await;
    bytes
}

async fn say(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

fn counted(server: &Server, code: &str) -> bool {
    let line = format!("interlock_edge_refused_total{{code=\"{code}\"}} ");
    server.metrics.render().lines().any(|l| l.starts_with(&line))
}

#[tokio::test]
async fn a_head_that_does_not_come_is_told_so_however_busily_it_does_not_come() {
    let server = limited(|l| l.head = SHORT).await;
    let mut quiet = say(&server, b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    assert_eq!(Reply::parse(&rest(&mut quiet).await).problem(), (408, "headers_too_slow".into()));
    // One byte at a time, for ever.
    let trickling = say(&server, b"GET /healthz HTTP/1.1\r\nx: ").await;
    let (mut from, mut to) = trickling.into_split();
    let trickle = tokio::spawn(async move {
        while to.write_all(b"y").await.is_ok() {
            tokio::time::sleep(SHORT / 20).await
        }
    });
    let mut bytes = Vec::new();
    let _end = soon(from.read_to_end(&mut bytes)).await.is_ok();
    assert_eq!(Reply::parse(&bytes).problem(), (408, "headers_too_slow".into()));
    soon(trickle).await.unwrap();
    assert!(counted(&server, "headers_too_slow"));
    server.refusals.flush().await.unwrap();
    assert!(server.audit.entries().iter().any(|e| e.code.as_deref() == Some("headers_too_slow")), "T25: on record");
}

#[tokio::test]
async fn a_silent_connection_is_closed_without_a_word() {
    let server = limited(|l| (l.head, l.idle) = (SHORT, SHORT)).await;
    assert_eq!(rest(&mut say(&server, b"").await).await, b"");
    // After a reply as well, and after HTTP/2's greeting.
    let request = format!("GET /healthz HTTP/1.1\r\n{}\r\n\r\n", server.host());
    let text = String::from_utf8(rest(&mut say(&server, request.as_bytes()).await).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.matches("HTTP/1.1").count() == 1, "{text}");
    let mut greeted = say(&server, &http2::opening()).await;
    let mut goodbye = false;
    while let Some((kind, ..)) = soon(http2::next(&mut greeted)).await {
        goodbye |= kind == http2::GOAWAY;
    }
    assert!(goodbye, "an HTTP/2 peer is told to go");
}

#[tokio::test]
async fn time_without_a_request_does_not_pass_while_one_is_open() {
    let server = limited(|l| (l.head, l.idle) = (SHORT / 3, SHORT / 3)).await;
    let host = server.host();
    let mut slow = server.send("GET", &tool_path("slow_thing"), &[&host, ALICE], b"").await;
    soon(server.signals.started.notified()).await;
    // Longer than both limits.
    tokio::time::sleep(SHORT * 3).await;
    server.signals.go_on.notify_one();
    let text = String::from_utf8(rest(&mut slow).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn one_source_has_its_share_of_connections_and_the_process_its_number() {
    for (change, wanted) in [
        ((|l| l.connections_per_source = 2) as fn(&mut ConnectionLimits), (429, "too_many_connections".to_owned())),
        (|l| l.connections = 2, (503, "connections_exhausted".to_owned())),
    ] {
        let server = limited(change).await;
        let request = format!("GET /healthz HTTP/1.1\r\n{}\r\n\r\n", server.host());
        let mut open = Vec::new();
        for _ in 0..2 {
            let mut socket = say(&server, request.as_bytes()).await;
            let mut first = [0; 12];
            soon(socket.read_exact(&mut first)).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            open.push(socket);
        }
        let reply = Reply::parse(&rest(&mut TcpStream::connect(server.address).await.unwrap()).await);
        assert_eq!(reply.problem(), wanted);
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(reply.header("x-request-id").is_some());
        assert!(counted(&server, &wanted.1));
        // A connection that ends makes room.
        open.pop();
        let last = format!("GET /healthz HTTP/1.1\r\n{}\r\nconnection: close\r\n\r\n", server.host());
        soon(Box::pin(async {
            while !rest(&mut say(&server, last.as_bytes()).await).await.starts_with(b"HTTP/1.1 200") {}
        }))
        .await;
    }
}

#[tokio::test]
async fn what_the_http_library_refuses_by_itself_is_refused_in_our_words() {
    let server = Server::start().await;
    let host = server.host();
    let many: String = (0..120).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("no HTTP", "hello there\r\n\r\n".into(), 400, "http_malformed"),
        ("no version", "GET /\r\n\r\n".into(), 400, "http_malformed"),
        ("another version", "GET / HTTP/3.0\r\n\r\n".into(), 400, "http_malformed"),
        ("a space in a name", format!("GET / HTTP/1.1\r\n{host}\r\nx y: z\r\n\r\n"), 400, "http_malformed"),
        ("a null", format!("GET / HTTP/1.1\r\n{host}\r\nx: a\0b\r\n\r\n"), 400, "http_malformed"),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{host}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
            400,
            "http_malformed",
        ),
        (
            "a length that is none",
            format!("POST / HTTP/1.1\r\n{host}\r\ncontent-length: -1\r\n\r\n"),
            400,
            "http_malformed",
        ),
        (
            "another coding",
            format!("POST / HTTP/1.1\r\n{host}\r\ntransfer-encoding: gzip\r\n\r\n"),
            400,
            "http_malformed",
        ),
        ("many headers", format!("GET / HTTP/1.1\r\n{host}\r\n{many}\r\n"), 431, "headers_too_large"),
        (
            "a large header",
            format!("GET / HTTP/1.1\r\n{host}\r\nx: {}\r\n\r\n", "y".repeat(200_000)),
            431,
            "headers_too_large",
        ),
        (
            "a long URL",
            format!("GET /{} HTTP/1.1\r\n{host}\r\nconnection: close\r\n\r\n", "y".repeat(9_000)),
            414,
            "url_too_long",
        ),
    ];
    for (what, request, status, code) in cases {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let _sent = socket.write_all(request.as_bytes()).await.is_ok();
        let reply = Reply::parse(&rest(&mut socket).await);
        assert_eq!(reply.problem(), (status, code.to_owned()), "{what}: {reply:?}");
        assert!(reply.header("x-request-id").is_some(), "{what}");
        assert!(counted(&server, code), "{what}");
    }
    // A good request before it on the same connection has its own reply first.
    let both = format!("GET /healthz HTTP/1.1\r\n{host}\r\n\r\nhello there\r\n\r\n");
    let text = String::from_utf8(rest(&mut say(&server, both.as_bytes()).await).await).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("HTTP/1.1 400") && text.contains("http_malformed"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_or_not_whole_is_told_apart() {
    let server = Server::with(|o| (o.body_grace, o.body_bytes_per_s) = (SHORT, 1_000_000), Default::default()).await;
    let host = server.host();
    let headers = [&host, ALICE, "content-type: application/json", "content-length: 400", "accept: application/json"];
    for path in [tool_path("read_thing"), "/mcp/lab-1".to_owned()] {
        let mut slow = server.send("POST", &path, &headers, b"{\"arguments\"").await;
        let reply = Reply::parse(&rest(&mut slow).await);
        assert_eq!(reply.problem(), (408, "body_too_slow".into()), "{path}");
    }
    let mut cut = server.send("POST", &tool_path("read_thing"), &headers, b"{\"arguments\"").await;
    cut.shutdown().await.unwrap();
    assert_eq!(Reply::parse(&rest(&mut cut).await).problem(), (400, "body_incomplete".into()));
    let chunked = [&host, ALICE, "content-type: application/json", "transfer-encoding: chunked"];
    let mut broken = server.send("POST", &tool_path("read_thing"), &chunked, b"zz\r\n").await;
    assert_eq!(Reply::parse(&rest(&mut broken).await).problem(), (400, "body_incomplete".into()));
}

#[tokio::test]
async fn nobody_takes_all_the_room_for_requests() {
    for by_source in [true, false] {
        let server = Server::with(
            |o| *(if by_source { &mut o.max_concurrent_per_source } else { &mut o.max_concurrent_per_principal }) = 1,
            Default::default(),
        )
        .await;
        let host = server.host();
        let mut slow = server.send("GET", &tool_path("slow_thing"), &[&host, ALICE], b"").await;
        soon(server.signals.started.notified()).await;
        let reply = server.alice(&tool_path("read_thing")).await;
        assert_eq!(reply.problem(), (429, "too_many_at_once".into()));
        assert_eq!(reply.header("retry-after"), Some("1"));
        let others = server.get(&tool_path("read_thing"), &["authorization: Bearer mallory"]).await;
        assert_eq!(others.status, if by_source { 429 } else { 403 }, "another principal has a share of its own");
        server.signals.go_on.notify_one();
        assert!(rest(&mut slow).await.starts_with(b"HTTP/1.1 200"));
        assert_eq!(server.alice(&tool_path("read_thing")).await.status, 200);
    }
}

#[tokio::test]
async fn failures_are_told_to_wait_and_a_good_token_is_let_in_all_the_same() {
    let server = Server::with(|o| o.failures_per_source_per_minute = 2, Default::default()).await;
    let bad = async || server.get(&tool_path("read_thing"), &["authorization: Bearer nonsense"]).await;
    assert_eq!([bad().await.status, bad().await.status], [401, 401]);
    let reply = bad().await;
    assert_eq!(reply.problem(), (429, "too_many_failures".into()));
    assert_eq!(reply.header("retry-after"), Some("60"));
    assert_eq!(server.alice(&tool_path("read_thing")).await.status, 200);
}

#[tokio::test]
async fn an_http_2_flood_ends_its_own_connection() {
    let server = Server::start().await;
    let at = server.address;
    let pings = http2::frame(http2::PING, 0, 0, &[0; 8]).repeat(5_000);
    let resets: Vec<u8> = (0..2_000)
        .flat_map(|n| {
            let stream = n * 2 + 1;
            [http2::healthz_headers(stream, at), http2::frame(http2::RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let settings = http2::frame(http2::SETTINGS, 0, 0, &[]).repeat(5_000);
    for (what, flood) in [("pings", pings), ("resets", resets), ("settings", settings)] {
        let (mut from, mut to) = TcpStream::connect(at).await.unwrap().into_split();
        let sending = tokio::spawn(async move {
            let _sent = to.write_all(&[http2::opening(), flood].concat()).await.is_ok();
            to
        });
        let mut calm = false;
        while let Some((kind, _, payload)) = soon(http2::next(&mut from)).await {
            // ENHANCE_YOUR_CALM.
            calm |= kind == http2::GOAWAY && payload[4..8] == [0, 0, 0, 0x0b];
        }
        assert!(calm, "{what}: the connection went on, or ended without a word");
        drop(soon(sending).await);
        assert_eq!(server.get("/healthz", &[]).await.status, 200, "after {what}");
    }
    assert!(counted(&server, "http2_flood"));
}
