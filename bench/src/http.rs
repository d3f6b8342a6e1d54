//! A small HTTP/1.1 client with keep-alive, so that the load costs little of the machine that is measured. It writes
//! requests that are made once and reads replies that carry their length; nothing else. Next: [`crate::load`].

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects without Nagle's delay.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends one request and reads its whole reply.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (body, length) = loop {
            self.read().await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break (end + 4, content_length(&self.buffer[..end])?);
            }
        };
        while self.buffer.len() < body + length {
            self.read().await?;
        }
        let status = self.buffer.get(9..12).and_then(|s| std::str::from_utf8(s).ok());
        let status = status.and_then(|s| s.parse().ok()).context("a reply without a status")?;
        Ok(Reply { status, body: &self.buffer[body..body + length] })
    }

    async fn read(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
        Ok(())
    }
}

/// One GET on a connection of its own; the text of a 200.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<String> {
    let request = request("GET", address, path, headers, b"");
    let mut connection = Connection::open(address).await?;
    let reply = connection.call(&request).await?;
    if reply.status != 200 {
        bail!("GET {path} answered {}: {}", reply.status, String::from_utf8_lossy(reply.body));
    }
    Ok(String::from_utf8(reply.body.to_vec())?)
}

/// A POST of JSON, ready to be sent again and again.
pub(crate) fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &Json) -> Vec<u8> {
    let mut all = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    all.extend_from_slice(headers);
    request("POST", address, path, &all, body.to_string().as_bytes())
}

/// A request, ready to be sent again and again.
pub(crate) fn request(method: &str, address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

/// The address in `http://<address>/…`.
pub(crate) fn address(url: &str) -> Result<SocketAddr> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not plain HTTP"))?;
    rest.split('/').next().unwrap_or(rest).parse().with_context(|| format!("{url} names no address"))
}

/// Where `wanted` begins in `text`.
pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
    });
    length.with_context(|| format!("a reply without a length:\n{head}"))
}

#[cfg(test)]
mod tests {
    use super::{address, content_length, find};

    #[test]
    fn a_reply_is_read_by_its_length() {
        assert_eq!(content_length(b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 12").unwrap(), 12);
        assert!(content_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
        assert_eq!(find(b"abc\r\n\r\nx", b"\r\n\r\n"), Some(3));
    }

    #[test]
    fn only_plain_addresses_are_measured() {
        assert_eq!(address("http://127.0.0.1:80/mcp/x").unwrap().port(), 80);
        assert!(address("https://127.0.0.1:80").is_err());
    }
}
