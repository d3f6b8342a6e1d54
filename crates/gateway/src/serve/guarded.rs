//! A connection under watch: how long it may stay silent, how long a head may take, how long a reply may wait to be taken,
//! and what its end looks like. Stands between hyper and the socket (or TLS), because hyper waits for the first bytes
//! without a bound and says nothing that has a code.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::frames::{Flood, Meter, PREFACE};
use super::{ConnectionLimits, words};

/// How long, and for how many bytes, an ended connection is read on, so that a reply is not lost to a reset because its
/// reader was still sending (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 << 20;
/// How long an HTTP/2 peer may take to go after it was told to.
const FAREWELL: Duration = Duration::from_secs(5);
/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 sections 6.8 and 7).
const CALM_DOWN: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0x0b];

/// What a connection and the requests on it know of each other.
pub(super) struct Watch {
    open: AtomicUsize,
    begun: AtomicUsize,
    refusal: OnceLock<&'static str>,
    tell: Box<dyn Fn(&'static str) + Send + Sync>,
    /// The connection has been silent for too long.
    pub(super) idle: Notify,
}

impl Watch {
    /// `tell` hears why the connection is refused or ended, once.
    pub(super) fn new(tell: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self {
            open: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            refusal: OnceLock::new(),
            tell: Box::new(tell),
            idle: Notify::new(),
        }
    }

    /// A request has begun; it is open until the value is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::AcqRel);
        Open(Arc::clone(self))
    }

    fn refuse(&self, code: &'static str) {
        // The first reason is the reason.
        if self.refusal.set(code).is_ok() {
            (self.tell)(code);
        }
    }
}

/// An open request.
pub(super) struct Open(Arc<Watch>);

impl Clone for Open {
    /// The same request, held open from another place too.
    fn clone(&self) -> Self {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of a reply, which keeps its request open.
pub(super) struct Held {
    body: Body,
    _open: Open,
}

impl Held {
    pub(super) fn new(body: Body, open: Open) -> Self {
        Self { body, _open: open }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is asked.
    Idle,
    /// Some bytes of a head are there.
    Head,
    /// A request is open.
    Busy,
    /// The peer was told to go.
    Farewell,
}

enum Protocol {
    /// So many bytes of the HTTP/2 preface have been seen.
    Unknown(usize),
    Http1,
    Http2(Meter),
}

/// Words of ours on their way out, in place of so many bytes of hyper's.
struct Own {
    words: Vec<u8>,
    sent: usize,
    instead_of: usize,
}

struct Closing {
    until: Pin<Box<Sleep>>,
    left: usize,
}

/// The stream.
pub(super) struct Guarded<IO> {
    io: IO,
    limits: ConnectionLimits,
    watch: Arc<Watch>,
    protocol: Protocol,
    phase: Phase,
    since: Instant,
    begun: usize,
    timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Nothing was written since the last flush: what is written now begins a reply or goes on with one.
    clean: bool,
    own: Option<Own>,
    closing: Option<Closing>,
    /// Ended by us; reported once the peer has read why.
    ended: Option<io::ErrorKind>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Guarded<IO> {
    pub(super) fn new(io: IO, limits: ConnectionLimits, watch: Arc<Watch>) -> Self {
        let since = Instant::now();
        let timer = Box::pin(sleep_until(since + limits.head));
        Self {
            io,
            limits,
            watch,
            protocol: Protocol::Unknown(0),
            phase: Phase::Idle,
            since,
            begun: 0,
            timer,
            stalled: None,
            clean: true,
            own: None,
            closing: None,
            ended: None,
        }
    }

    fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.since = Instant::now();
        }
    }

    /// Bytes have come in.
    fn received(&mut self, bytes: &[u8]) -> Result<(), Flood> {
        if let Protocol::Unknown(seen) = self.protocol {
            let rest = &PREFACE[seen..];
            let same = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            self.protocol = if same == rest.len() || same == bytes.len() {
                Protocol::Unknown(seen + same)
            } else {
                Protocol::Http1
            };
            if seen + same == PREFACE.len() {
                let mut meter = Meter::new(self.since.into_std());
                // Earlier reads held the preface's beginning, and nothing else.
                let flood = meter.take(&PREFACE[..seen], Instant::now().into_std());
                debug_assert!(flood.is_ok());
                self.protocol = Protocol::Http2(meter);
            }
        }
        if let Protocol::Http2(meter) = &mut self.protocol {
            meter.take(bytes, Instant::now().into_std())?;
        }
        if self.phase == Phase::Idle {
            self.enter(Phase::Head);
        }
        Ok(())
    }

    /// Where the connection stands, and until when it may stand there.
    fn deadline(&mut self) -> Instant {
        let begun = self.watch.begun.load(Ordering::Relaxed);
        if self.watch.open.load(Ordering::Acquire) > 0 {
            self.enter(Phase::Busy);
        } else if self.phase == Phase::Busy || begun != self.begun {
            self.phase = Phase::Busy;
            self.enter(Phase::Idle);
        }
        self.begun = begun;
        let http2 = matches!(self.protocol, Protocol::Http2(_));
        match self.phase {
            // Looked at again: the end of a reply does not wake its reader.
            Phase::Busy => Instant::now() + self.limits.head.min(self.limits.idle),
            Phase::Head if !http2 => self.since + self.limits.head,
            Phase::Idle if begun == 0 && !http2 => self.since + self.limits.head,
            Phase::Idle | Phase::Head => self.since + self.limits.idle,
            Phase::Farewell => self.since + FAREWELL,
        }
    }

    /// Ends the connection with as many words as the socket takes at once.
    fn end(&mut self, cx: &mut Context<'_>, code: &'static str, words: &[u8], kind: io::ErrorKind) {
        self.watch.refuse(code);
        self.ended = Some(kind);
        // Not into the middle of a reply.
        if self.clean && Pin::new(&mut self.io).poll_write(cx, words).is_ready() {
            drop(Pin::new(&mut self.io).poll_flush(cx));
        }
    }

    /// Whether hyper refuses by itself, in which case our words take the place of its own.
    fn own_words(&mut self, bytes: &[u8]) {
        let by_itself = self.clean
            && self.own.is_none()
            && !matches!(self.protocol, Protocol::Http2(_))
            && self.watch.open.load(Ordering::Acquire) == 0;
        if let Some((code, problem)) = by_itself.then(|| words::instead_of(bytes)).flatten() {
            self.watch.refuse(code);
            self.own = Some(Own { words: words::answer(problem), sent: 0, instead_of: bytes.len() });
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        while let Some(own) = &mut self.own {
            if own.sent == own.words.len() {
                let instead_of = own.instead_of;
                self.own = None;
                return Poll::Ready(Ok(instead_of));
            }
            self.clean = false;
            own.sent += ready!(Pin::new(&mut self.io).poll_write(cx, &own.words[own.sent..]))?;
        }
        Poll::Ready(Ok(0))
    }

    /// Judges the outcome of a write: a reader who takes nothing for too long is gone.
    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.stalled = None;
            self.clean = false;
            return outcome;
        }
        let limit = self.limits.stalled;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(stalled.as_mut().poll(cx));
        self.watch.refuse("reply_not_taken");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guarded<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        loop {
            if let Some(kind) = this.ended {
                ready!(Pin::new(&mut *this).poll_shutdown(cx))?;
                return Poll::Ready(Err(kind.into()));
            }
            match Pin::new(&mut this.io).poll_read(cx, buf) {
                Poll::Ready(Ok(())) => {
                    let received = &buf.filled()[before..];
                    if received.is_empty() || this.received(received).is_ok() {
                        return Poll::Ready(Ok(()));
                    }
                    this.end(cx, "http2_flood", CALM_DOWN, io::ErrorKind::ConnectionAborted);
                    continue;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            let deadline = this.deadline();
            // A timer that is due too early is set anew when it fires: a busy connection sets it once in a while, and not
            // with every request.
            if deadline < this.timer.deadline() {
                this.timer.as_mut().reset(deadline);
            }
            ready!(this.timer.as_mut().poll(cx));
            if Instant::now() < deadline {
                this.timer.as_mut().reset(deadline);
                continue;
            }
            match (this.phase, &this.protocol) {
                (Phase::Busy, _) => {}
                (Phase::Idle | Phase::Head, Protocol::Http2(_)) => {
                    this.enter(Phase::Farewell);
                    this.watch.idle.notify_one();
                }
                (Phase::Head, _) => {
                    let words = words::answer(words::headers_too_slow());
                    this.end(cx, "headers_too_slow", &words, io::ErrorKind::TimedOut);
                }
                // As if the peer had closed: nothing is asked, so there is nothing to answer.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.own_words(bytes);
        let outcome = if this.own.is_some() { this.poll_own(cx) } else { Pin::new(&mut this.io).poll_write(cx, bytes) };
        this.written(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut full = parts.iter().filter(|part| !part.is_empty());
        if let (Some(only), None) = (full.next(), full.next()) {
            this.own_words(only);
        }
        let outcome =
            if this.own.is_some() { this.poll_own(cx) } else { Pin::new(&mut this.io).poll_write_vectored(cx, parts) };
        this.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.io).poll_flush(cx))?;
        this.clean = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        }
        let closing =
            this.closing.get_or_insert_with(|| Closing { until: Box::pin(sleep(LINGER)), left: LINGER_BYTES });
        loop {
            let mut space = [0; 8 << 10];
            let mut unread = ReadBuf::new(&mut space);
            match Pin::new(&mut this.io).poll_read(cx, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {
                    closing.left = closing.left.saturating_sub(unread.filled().len());
                    if closing.left == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => {
                    ready!(closing.until.as_mut().poll(cx));
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::{Guarded, Watch};
    use crate::serve::ConnectionLimits;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

    fn guarded(room: usize) -> (Guarded<DuplexStream>, DuplexStream, Arc<Watch>) {
        let (here, there) = duplex(room);
        let limits = ConnectionLimits { stalled: Duration::from_millis(50), ..ConnectionLimits::default() };
        let watch = Arc::new(Watch::new(|_| {}));
        (Guarded::new(here, limits, Arc::clone(&watch)), there, watch)
    }

    async fn read(mut from: DuplexStream) -> String {
        let mut text = String::new();
        from.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_reply_of_which_nothing_is_taken_is_given_up() {
        let (mut here, _there, watch) = guarded(64);
        let error = here.write_all(&[7; 1_000]).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(watch.refusal.get().copied(), Some("reply_not_taken"));
    }

    #[tokio::test]
    async fn a_bare_refusal_becomes_ours_however_small_the_pieces_in_which_it_leaves() {
        let (mut here, there, watch) = guarded(16);
        let reading = tokio::spawn(read(there));
        here.write_all(BARE).await.unwrap();
        drop(here);
        let text = reading.await.unwrap();
        assert!(text.contains("x-request-id") && text.ends_with('}') && text.contains("http_malformed"), "{text}");
        assert_eq!(watch.refusal.get().copied(), Some("http_malformed"));
    }

    #[tokio::test]
    async fn what_a_handler_says_is_left_as_it_is() {
        let (mut here, there, watch) = guarded(4_096);
        let open = watch.begin();
        here.write_all(BARE).await.unwrap();
        drop(open);
        // No request is open, but a reply is on its way: these bytes may be the end of its body.
        here.write_all(BARE).await.unwrap();
        drop(here);
        assert_eq!(read(there).await.as_bytes(), [BARE, BARE].concat());
        assert_eq!(watch.refusal.get().copied(), None);
    }
}
