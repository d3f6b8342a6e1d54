//! The edge: the layers around every request, outermost first, and [`authenticate`], which a door puts on itself because
//! the resource (T1) is the door's.
//!
//! request id and trace · allowed browser origins · catch panics · shed load · share of a source · failures · URL · time
//! limit · steady body · body limit · host and origin · (door) authenticate · share of a principal
//!
//! What a connection may do before it is a request is the listener's ([`crate::serve()`]).

mod authenticate;
mod cors;
mod failures;
mod identify;
mod origin;
mod steady;
mod turns;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use platform::{Error, ErrorKind};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;

pub(crate) use self::authenticate::{Door, authenticate, references};
use self::failures::Failures;
pub(crate) use self::identify::{Identified, source};
pub(crate) use self::turns::Turns;
use crate::Gateway;
use crate::problem::Problem;
use crate::serve::{bucket, words};

/// Longest path and query. Arguments of a GET are short, and everything else has a body.
const MAX_URL: usize = 8_192;

/// What the layers share.
struct Limits {
    gateway: Arc<Gateway>,
    permits: tokio::sync::Semaphore,
    sources: Turns,
    failures: Failures,
}

/// Puts the list around the doors: origin nearest to them, then the body's limit, and around both the others, outermost first.
pub(crate) fn around(gateway: &Arc<Gateway>, doors: Router) -> Router {
    let options = &gateway.parts.options;
    let limits = Arc::new(Limits {
        gateway: Arc::clone(gateway),
        permits: tokio::sync::Semaphore::new(options.max_concurrent),
        sources: Turns::new(options.max_concurrent_per_source, "your address"),
        failures: Failures::new(options.failures_per_source_per_minute),
    });
    let timeout = options.request_timeout;
    let (per_second, grace) = (options.body_bytes_per_s, options.body_grace);
    // One value of one type: a list of single layers makes a box of each for the next one, and every layer copies all boxes
    // below it for every request. The two that are left change what a body is.
    let list = (
        from_fn_with_state(Arc::clone(gateway), identify::identify),
        from_fn_with_state(Arc::clone(gateway), cors::share),
        CatchPanicLayer::custom(|_panic| Problem::from(Error::internal("a handler panicked")).into_response()),
        from_fn(move |request: Request, next: Next| {
            let limits = Arc::clone(&limits);
            async move { limits.let_in(request, next).await }
        }),
        from_fn(move |request: Request, next: Next| async move {
            tokio::time::timeout(timeout, next.run(request)).await.unwrap_or_else(|_| {
                Problem::from(Error::new(
                    ErrorKind::Timeout,
                    "request_timeout",
                    "The request took longer than this platform allows. Narrow it or repeat it later.",
                ))
                .into_response()
            })
        }),
        from_fn(move |request: Request, next: Next| steady::steady(per_second, grace, request, next)),
        map_response(in_our_words),
    );
    doors
        .layer(from_fn_with_state(Arc::clone(gateway), origin::check))
        .layer(RequestBodyLimitLayer::new(options.max_body))
        .layer(list)
}

/// Libraries below us refuse in plain text or without a word: a length over the limit, a method that a path does not have, a
/// path that is no UTF-8. Every refusal of ours has a code.
async fn in_our_words(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain")) {
        return response;
    }
    let error = match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::new(ErrorKind::TooLarge, "body_too_large", "The request body is too large. Send less at once.")
        }
        StatusCode::METHOD_NOT_ALLOWED => Error::new(
            ErrorKind::Malformed,
            "method_not_allowed",
            "That method does not exist here. The `Allow` header names those that do.",
        ),
        StatusCode::BAD_REQUEST => Error::new(
            ErrorKind::Malformed,
            "http_malformed",
            "The path or the query of the request cannot be read; percent-encode UTF-8.",
        ),
        _ => return response,
    };
    let problem = Problem::from(error).with_status(response.status());
    match response.headers().get(header::ALLOW) {
        Some(allow) => problem.header(header::ALLOW, allow.clone()).into_response(),
        None => problem.into_response(),
    }
}

impl Limits {
    /// Room in the process, the share of a source, the length of the URL; and how often its tokens fail.
    async fn let_in(&self, request: Request, next: Next) -> Response {
        let parts = &self.gateway.parts;
        let Ok(_permit) = self.permits.try_acquire() else {
            parts.metrics.load_shed();
            let refusal =
                Error::new(ErrorKind::Unavailable, "overloaded", "Too many requests are under way. Repeat shortly.")
                    .with_retry_after(std::time::Duration::from_secs(1));
            return Problem::from(refusal).into_response();
        };
        let Some(source) = request.extensions().get::<Identified>().map(|i| i.source) else {
            return Problem::from(Error::internal("the edge did not identify the request")).into_response();
        };
        let refuse = |code: &'static str| {
            parts.metrics.edge_refused(code);
            parts.refusals.count(source, code);
        };
        let _turn = match self.sources.take(bucket(source)) {
            Ok(turn) => turn,
            Err(refusal) => {
                refuse("too_many_at_once");
                return Problem::from(refusal).into_response();
            }
        };
        if request.uri().path_and_query().is_some_and(|url| url.as_str().len() > MAX_URL) {
            refuse("url_too_long");
            return words::url_too_long().into_response();
        }
        let response = next.run(request).await;
        if !self.failures.is_one_too_many(source, &response) {
            return response;
        }
        parts.metrics.edge_refused("too_many_failures");
        failures::told_to_wait().into_response()
    }
}
