//! A controller that gives everything away: it lets anybody in and then answers each request with an error, a wrong shape
//! or a broken body that repeats the request, its credential included, and a secret of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) struct EchoingTarget {
    pub(super) url: String,
    calls: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl EchoingTarget {
    /// `reply` stands in every answer; `session` is the token that its login gives.
    pub(super) async fn start(reply: &str, session: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, reply, session) = (Arc::clone(&calls), reply.to_owned(), session.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let (reply, session) = (reply.clone(), session.clone());
                tokio::spawn(async move { answer(stream, number, &reply, &session).await });
            }
        });
        Self { url, calls, task }
    }

    /// How many requests there were.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for EchoingTarget {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, number: usize, reply: &str, session: &str) {
    let request = request(&mut stream).await;
    // The credential in clear, as a careless program prints it while it looks for its mistake.
    let basic = request.lines().find_map(|line| line.split_once("Basic ").or_else(|| line.split_once("basic ")));
    let clear = basic.and_then(|(_, text)| STANDARD.decode(text.trim()).ok()).unwrap_or_default();
    let words = format!("{reply} cannot serve {request} for {}", String::from_utf8_lossy(&clear));
    let failure = json!({"response": {"errorCode": reply, "message": words, "detail": words}, "version": "1.0"});
    let (status, body) = match number % 6 {
        _ if request.contains("/auth/token") => ("200 OK", json!({"Token": session}).to_string()),
        0 => ("500 Internal Server Error", failure.to_string()),
        1 => ("400 Bad Request", failure.to_string()),
        2 => ("200 OK", json!({"response": {"unexpected": words}}).to_string()),
        3 => ("200 OK", format!("<html>{words}")),
        4 => ("404 Not Found", failure.to_string()),
        _ => ("200 OK", words),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-echo: {reply}\r\n\
         set-cookie: session={session}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    drop(stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await);
    drop(stream.shutdown().await);
}

/// The request as text: head, and as much of a body as its length says.
async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4_096];
    loop {
        let read = stream.read(&mut part).await.unwrap_or(0);
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let done = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if read == 0 || done {
            return text;
        }
    }
}
