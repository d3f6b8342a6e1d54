//! HTTP/2 floods: frames that cost work and carry no request (RFC 9113 section 10.5). The library answers every ping and
//! every setting; this meter looks at frame heads as they come in and says when a connection sends more of them than
//! any client has a use for.

use std::time::Instant;

/// What a client sends first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEAD: usize = 9;
/// Allowance at the start, and most of it: 500 pings.
const MOST: u64 = 50_000;
/// Allowance that comes back in a second: 50 pings.
const PER_SECOND: u64 = 5_000;

/// Too many frames without a request in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flood;

/// Reads the heads of the frames of one connection.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Bytes of the preface, or of a payload, that are read over.
    over: usize,
    head: [u8; HEAD],
    have: usize,
    left: u64,
    at: Instant,
}

impl Meter {
    /// For a connection whose preface is still to come.
    pub(crate) fn new(now: Instant) -> Self {
        Self { over: PREFACE.len(), head: [0; HEAD], have: 0, left: MOST, at: now }
    }

    /// Takes the next bytes in.
    pub(crate) fn take(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Flood> {
        let passed = now.saturating_duration_since(self.at).as_millis();
        let back = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(PER_SECOND) / 1000;
        if back > 0 {
            self.left = self.left.saturating_add(back).min(MOST);
            self.at = now;
        }
        while !bytes.is_empty() {
            if self.over > 0 {
                let skipped = self.over.min(bytes.len());
                self.over -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEAD {
                self.have = 0;
                let length =
                    usize::from(self.head[0]) << 16 | usize::from(self.head[1]) << 8 | usize::from(self.head[2]);
                self.over = length;
                self.left = self.left.checked_sub(cost(self.head[3], self.head[4], length)).ok_or(Flood)?;
            }
        }
        Ok(())
    }
}

/// What a frame takes from the allowance (RFC 9113 section 6).
fn cost(kind: u8, flags: u8, length: usize) -> u64 {
    const END: u8 = 1;
    match kind {
        // DATA: its bytes are bounded elsewhere; one without any is work for nothing, unless it ends a body.
        0 if length == 0 && flags & END == 0 => 100,
        // HEADERS, DATA: requests, which have limits of their own.
        0 | 1 => 0,
        // WINDOW_UPDATE: some for every reply, small ones for nothing.
        8 => 1,
        // PRIORITY, RST_STREAM, CONTINUATION: a few for a request.
        2 | 3 | 9 => 20,
        // SETTINGS, PING: answered one by one.
        4 | 6 => 100,
        // GOAWAY, PUSH_PROMISE and what nobody knows.
        _ => 50,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Flood, Meter, PREFACE};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn meter(now: Instant) -> Meter {
        let mut meter = Meter::new(now);
        meter.take(PREFACE, now).unwrap();
        meter
    }

    #[test]
    fn frames_without_a_request_run_out_and_come_back_with_time() {
        let now = Instant::now();
        for kind in [2, 3, 4, 6, 7, 9, 0x42] {
            let mut meter = meter(now);
            let taken = (0..10_000).take_while(|_| meter.take(&frame(kind, 0, &[]), now).is_ok()).count();
            assert!((500..=2_500).contains(&taken), "{kind}: {taken}");
            assert_eq!(meter.take(&frame(4, 0, &[]), now), Err(Flood));
            assert_eq!(meter.take(&frame(4, 0, &[]), now + Duration::from_secs(1)), Ok(()));
        }
        let mut empty = meter(now);
        assert!((0..1_000).any(|_| empty.take(&frame(0, 0, &[]), now).is_err()), "empty DATA is not free");
    }

    #[test]
    fn requests_are_free_however_their_bytes_are_cut() {
        let now = Instant::now();
        let mut meter = meter(now);
        let request = [frame(1, 4, &[0x82; 40]), frame(0, 0, &[7; 1_000]), frame(0, 1, &[])].concat();
        for _ in 0..10_000 {
            for part in request.chunks(97) {
                meter.take(part, now).unwrap();
            }
        }
        for byte in request.iter().copied().cycle().take(request.len() * 3) {
            meter.take(&[byte], now).unwrap();
        }
    }
}
