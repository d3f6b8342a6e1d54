//! HTTP/2 by hand (RFC 9113): frames exactly as a test means them.

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// One frame (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What opens a connection.
pub(crate) fn opening() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &[])].concat()
}

/// The error code of the GOAWAY in an answer.
pub(crate) fn goaway(mut answer: &[u8]) -> Option<u32> {
    while answer.len() >= 9 {
        let length = usize::try_from(u32::from_be_bytes([0, answer[0], answer[1], answer[2]])).unwrap();
        let payload = answer.get(9..9 + length)?;
        if answer[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload.get(4..8)?.try_into().unwrap()));
        }
        answer = &answer[9 + length..];
    }
    None
}
