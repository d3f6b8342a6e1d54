//! An answer that is read as it comes: an event stream, or a body that its reader bounds. `target` sends the request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::attempt::Failure;
use crate::error::Error;

/// The head of a response, and its body piece by piece. Dropping it closes the connection, which tells the target that
/// nobody listens any more.
#[derive(Debug)]
pub struct Streamed {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    target: String,
    body: reqwest::Response,
}

impl Streamed {
    pub(super) fn new(target: &str, body: reqwest::Response) -> Self {
        Self { status: body.status(), headers: body.headers().clone(), target: target.to_owned(), body }
    }

    /// The next bytes, or `None` at the end. Errors: `target_connection_lost`, and `target_timeout` when nothing comes
    /// for `idle`; the request may have been acted on.
    pub async fn chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, Error> {
        let result = match tokio::time::timeout(idle, self.body.chunk()).await {
            Ok(chunk) => chunk.map_err(Failure::from),
            Err(_) => Err(Failure::Timeout(idle)),
        };
        result.map_err(|failure| failure.into_error(&self.target))
    }

    /// The rest of the body, at most `most` bytes. Errors: those of [`Self::chunk`], `target_response_too_large`.
    pub async fn rest(&mut self, idle: Duration, most: usize) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk(idle).await? {
            if all.len() + chunk.len() > most {
                return Err(Failure::TooLarge(most).into_error(&self.target));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}
