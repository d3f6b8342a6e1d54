//! Bytes as they are, on a socket, and what comes back.

use std::collections::HashMap;
use std::net::SocketAddr;

use platform::Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

/// An answer, read byte by byte.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Json,
    pub(crate) text: String,
}

impl Raw {
    pub(crate) fn parse(answer: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()));
        let headers: HashMap<String, String> = lines.filter_map(header).collect();
        let body = serde_json::from_str(body).unwrap_or(Json::Null);
        Some(Self { status, headers, body, text })
    }

    /// The code of a refusal: a member of the document, or what a page for people names.
    pub(crate) fn code(&self) -> Option<&str> {
        if self.is_page() {
            let (_, after) = self.text.split_once("Code: ")?;
            let (_, after) = after.split_once("<code>")?;
            return Some(after.split_once("</code>")?.0);
        }
        ["/code", "/error/data/code", "/result/structuredContent/code", "/error"]
            .iter()
            .find_map(|place| self.body.pointer(place)?.as_str())
    }

    pub(crate) fn is_page(&self) -> bool {
        self.content_type().starts_with("text/html")
    }

    pub(crate) fn content_type(&self) -> &str {
        self.headers.get("content-type").map_or("", String::as_str)
    }
}

/// Sends bytes as they are and reads until the other side closes; gives back all that came.
pub(crate) async fn send(from: Option<SocketAddr>, to: SocketAddr, bytes: &[u8], half_close: bool) -> Vec<u8> {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(from) = from {
        socket.bind(from).unwrap();
    }
    let mut answer = Vec::new();
    let Ok(stream) = socket.connect(to).await else { return answer };
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        // The other side may answer and close before it has read everything.
        let sent = writing.write_all(bytes).await.is_ok();
        if half_close && sent {
            drop(writing.shutdown().await);
        }
        writing
    };
    let receiving = async {
        let mut buffer = vec![0; 16_384];
        while let Ok(read @ 1..) = reading.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::join!(sending, receiving);
    answer
}

/// A request with a body, its length as given.
pub(crate) struct Message<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) length: Option<usize>,
}

impl<'a> Message<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: Vec::new(), body: Vec::new(), length: None }
    }

    pub(crate) fn post(path: &'a str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { method: "POST", path, headers, body: body.into(), length: None }
    }

    pub(crate) fn by(mut self, method: &'a str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn bytes(&self, host: &str) -> Vec<u8> {
        let length = self.length.unwrap_or(self.body.len());
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {length}\r\n\r\n"));
        [head.into_bytes(), self.body.clone()].concat()
    }
}
