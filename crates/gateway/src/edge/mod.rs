//! The edge: the layers around every request, outermost first, and [`authenticate`], which a door puts on itself because
//! the resource (T1) is the door's.
//!
//! request id and trace · catch panics · shed load · time limit · body limit · host and origin · (door) authenticate

mod authenticate;
mod identify;
mod origin;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use platform::{Error, ErrorKind};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;

pub(crate) use self::authenticate::{Door, authenticate};
pub(crate) use self::identify::Identified;
use crate::Gateway;
use crate::problem::Problem;

/// Puts the list around the doors. Read from the bottom: the last layer added is the first that a request meets.
pub(crate) fn around(gateway: &Arc<Gateway>, doors: Router) -> Router {
    let options = &gateway.parts.options;
    let permits = Arc::new(tokio::sync::Semaphore::new(options.max_concurrent));
    let metrics = Arc::clone(&gateway.parts.metrics);
    let timeout = options.request_timeout;
    doors
        .layer(from_fn_with_state(Arc::clone(gateway), origin::check))
        .layer(RequestBodyLimitLayer::new(options.max_body))
        .layer(map_response(in_our_words))
        .layer(from_fn(move |request: Request, next: Next| async move {
            tokio::time::timeout(timeout, next.run(request)).await.unwrap_or_else(|_| {
                Problem::from(Error::new(
                    ErrorKind::Timeout,
                    "request_timeout",
                    "The request took longer than this platform allows. Narrow it or repeat it later.",
                ))
                .into_response()
            })
        }))
        .layer(from_fn(move |request: Request, next: Next| {
            let (permits, metrics) = (Arc::clone(&permits), Arc::clone(&metrics));
            async move { shed(permits, metrics, request, next).await }
        }))
        .layer(CatchPanicLayer::custom(|_panic| Problem::from(Error::internal("a handler panicked")).into_response()))
        .layer(from_fn_with_state(Arc::clone(gateway), identify::identify))
}

/// The body limit answers a length that it refuses in plain text; every refusal of ours has a code.
async fn in_our_words(response: Response) -> Response {
    let plain = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/plain"));
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE || !plain {
        return response;
    }
    Problem::from(Error::new(
        ErrorKind::TooLarge,
        "body_too_large",
        "The request body is too large. Send less at once.",
    ))
    .into_response()
}

async fn shed(
    permits: Arc<tokio::sync::Semaphore>,
    metrics: Arc<platform::telemetry::Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = permits.try_acquire() else {
        metrics.load_shed();
        let refusal =
            Error::new(ErrorKind::Unavailable, "overloaded", "Too many requests are under way. Repeat shortly.")
                .with_retry_after(std::time::Duration::from_secs(1));
        return Problem::from(refusal).into_response();
    };
    next.run(request).await
}
