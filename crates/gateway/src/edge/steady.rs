//! Bodies that come too slowly, or not to their end. Whatever a handler makes of a body that broke off, the caller is told
//! what happened.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use platform::{Error, ErrorKind};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::problem::Problem;

/// What went wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooSlow,
    BrokenOff,
}

#[derive(Debug)]
struct TooSlow;

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body came too slowly")
    }
}

impl std::error::Error for TooSlow {}

/// A body under watch.
struct Steady {
    body: Body,
    began: Instant,
    grace: Duration,
    per_second: u64,
    received: u64,
    timer: Option<Pin<Box<Sleep>>>,
    fault: Arc<OnceLock<Fault>>,
}

impl Steady {
    fn due(&self) -> Instant {
        self.began + self.grace + Duration::from_secs(self.received / self.per_second.max(1))
    }

    fn fail(&self, fault: Fault) {
        self.fault.get_or_init(|| fault);
    }
}

impl http_body::Body for Steady {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                this.received = this.received.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.fail(Fault::BrokenOff);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let due = this.due();
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
                // A timer that is due too early is set anew when it fires.
                while timer.as_mut().poll(cx).is_ready() {
                    if Instant::now() >= due {
                        this.fail(Fault::TooSlow);
                        return Poll::Ready(Some(Err(axum::Error::new(TooSlow))));
                    }
                    timer.as_mut().reset(due);
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Lets a request through with its body under watch: whole within `grace`, or coming with `per_second` bytes after it.
pub(super) async fn steady(per_second: u64, grace: Duration, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let fault = Arc::new(OnceLock::new());
    let request = request.map(|body| {
        Body::new(Steady {
            body,
            began: Instant::now(),
            grace,
            per_second,
            received: 0,
            timer: None,
            fault: Arc::clone(&fault),
        })
    });
    let response = next.run(request).await;
    match fault.get() {
        Some(Fault::TooSlow) => Problem::from(Error::new(
            ErrorKind::Malformed,
            "body_too_slow",
            "The body of the request came too slowly. Repeat over a better connection.",
        ))
        .with_status(StatusCode::REQUEST_TIMEOUT)
        .into_response(),
        // A door that speaks a protocol of its own says it in that protocol's words.
        Some(Fault::BrokenOff) if is_ours(&response) => Problem::from(Error::new(
            ErrorKind::Malformed,
            "body_incomplete",
            "The body of the request broke off, or its chunks cannot be read.",
        ))
        .into_response(),
        _ => response,
    }
}

fn is_ours(response: &Response) -> bool {
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    refused && kind.is_none_or(|kind| kind == b"application/problem+json" || kind.starts_with(b"text/plain"))
}
