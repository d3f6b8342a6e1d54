//! What a handler left unread of a request's body (HTTP/1). hyper ends a connection on which a body is still to come when
//! its reader is gone, and says so to nobody: a client that sends the head by itself, and hears of a refusal before its body
//! is out, would send the next request into a closed connection. A small rest is read away behind the reply; where that
//! cannot be, the reply says `Connection: close` (RFC 9112 sections 9.3 and 9.6).

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;

use super::guarded::Open;

/// Largest rest that is read away, bytes.
const SMALL: u64 = 64 << 10;
/// How long its sender may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body on loan to a handler.
struct Lent {
    /// Nothing once it has been read to its end.
    body: Option<Incoming>,
    back: Arc<Mutex<Option<Incoming>>>,
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

/// Where the unread rest of one request's body comes back to.
pub(super) struct Unread {
    back: Arc<Mutex<Option<Incoming>>>,
    /// The client waits to be told to go on (`Expect: 100-continue`), and after a final reply it is not.
    waits: bool,
}

/// Lends a request's body out; nothing where there is none, or where a body ends by itself (HTTP/2).
pub(super) fn lend(request: Request<Incoming>) -> (Request<Body>, Option<Unread>) {
    if request.version() > Version::HTTP_11 || request.body().is_end_stream() {
        return (request.map(Body::new), None);
    }
    let back = Arc::new(Mutex::new(None));
    let unread = Unread { back: Arc::clone(&back), waits: request.headers().contains_key(header::EXPECT) };
    (request.map(|body| Body::new(Lent { body: Some(body), back })), Some(unread))
}

impl Unread {
    /// Reads the rest away, which keeps the request open, or says in the reply that the connection ends.
    pub(super) fn settle(self, response: &mut Response, open: &Open) {
        let Some(rest) = self.back.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if self.waits || rest.size_hint().upper().is_none_or(|size| size > SMALL) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            return;
        }
        let open = open.clone();
        tokio::spawn(async move {
            let mut rest = rest;
            let read = async { while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {} };
            // Whoever takes longer finds the connection closed.
            drop(tokio::time::timeout(PATIENCE, read).await);
            drop(open);
        });
    }
}
