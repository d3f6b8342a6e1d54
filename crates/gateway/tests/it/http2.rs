//! HTTP/2 by hand (RFC 9113, RFC 7541): frames exactly as a test means them.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

/// One frame (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
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

/// Headers of `GET /healthz`, which end their stream.
pub(crate) fn healthz_headers(stream: u32, authority: SocketAddr) -> Vec<u8> {
    // :method GET, :scheme http, :path and :authority.
    let mut block = vec![0x82, 0x86];
    block.extend(literal(0x04, "/healthz"));
    block.extend(literal(0x01, &authority.to_string()));
    frame(HEADERS, 0x5, stream, &block)
}

/// What opens a connection.
pub(crate) fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The next frame: kind, flags, payload. Nothing at the end of the connection.
pub(crate) async fn next(socket: &mut (impl AsyncRead + Unpin)) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    socket.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// `GET /healthz` on stream 1: the first byte of the reply's headers, and its body.
pub(crate) async fn healthz(mut socket: impl AsyncRead + AsyncWrite + Unpin, at: SocketAddr) -> (Option<u8>, String) {
    socket.write_all(&[opening(), healthz_headers(1, at)].concat()).await.unwrap();
    socket.flush().await.unwrap();
    let (mut status, mut body) = (None, Vec::new());
    loop {
        let (kind, flags, payload) = next(&mut socket).await.expect("the connection ended");
        match kind {
            HEADERS => status = payload.first().copied(),
            DATA => body.extend(payload),
            _ => continue,
        }
        if flags & 1 == 1 {
            return (status, String::from_utf8(body).unwrap());
        }
    }
}
