//! One attempt on the wire: send, read the body no further than its cap, stop at the time given. `target` decides
//! whether there is a second one; `foreign` makes only one.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::observe::Outcome;
use super::request::Response;
use crate::error::{Error, ErrorKind};

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no answer in {0:?}")]
    Timeout(Duration),
    /// No connection came about: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended after the request may have been sent, and before the answer was complete.
    #[error("{0}")]
    Lost(String),
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
}

impl Failure {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Timeout(_) => Outcome::Timeout,
            Self::Unreachable(_) | Self::Lost(_) => Outcome::Unreachable,
            Self::TooLarge(_) => Outcome::TooLarge,
        }
    }

    /// The platform's error, naming the target.
    pub(super) fn into_error(self, target: &str) -> Error {
        let (kind, code, message) = match &self {
            Self::Timeout(_) => (ErrorKind::Timeout, "target_timeout", format!("{target} did not answer in time.")),
            Self::Unreachable(_) => {
                (ErrorKind::Unavailable, "target_unreachable", format!("{target} cannot be reached; try again later."))
            }
            Self::Lost(_) => (
                ErrorKind::Unavailable,
                "target_connection_lost",
                format!("The connection to {target} broke before its answer was complete; try again later."),
            ),
            Self::TooLarge(most) => (
                ErrorKind::Upstream,
                "target_response_too_large",
                format!("{target} answered with more than {most} bytes; ask for a smaller page."),
            ),
        };
        Error::new(kind, code, message).with_detail(self)
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        // The URL may carry a secret in its query; the chain of causes is what an operator needs.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        if error.is_connect() || error.is_builder() { Self::Unreachable(text) } else { Self::Lost(text) }
    }
}

/// Sends once and reads the whole answer within `limit`. Returns the peer's address too, where it is known.
pub(super) async fn attempt(
    request: reqwest::RequestBuilder,
    limit: Duration,
    max_body: usize,
) -> Result<(Response, Option<SocketAddr>), Failure> {
    let exchange = async {
        let response = request.send().await?;
        let (status, headers, peer) = (response.status(), response.headers().clone(), response.remote_addr());
        Ok((Response { status, headers, body: read_body(response, max_body).await? }, peer))
    };
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(Failure::Timeout(limit)))
}

async fn read_body(mut response: reqwest::Response, max_body: usize) -> Result<Bytes, Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > max_body as u64 {
        return Err(Failure::TooLarge(max_body));
    }
    let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_body {
            return Err(Failure::TooLarge(max_body));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
