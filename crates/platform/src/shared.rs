//! State that replicas share and that may be lost: rate counters and cached results. Implementations:
//! `backends/shared-local`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Error;

/// A rate: `burst` calls at once, refilled at `per_minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Calls per minute in the long run; at least 1.
    pub per_minute: u32,
    /// Calls at once; at least 1.
    pub burst: u32,
}

/// The answer to [`SharedState::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Go on.
    Granted,
    /// Come back later.
    Limited {
        /// Earliest time at which a repeat can succeed.
        retry_after: Duration,
    },
}

/// Rate counters and a cache of results.
#[async_trait]
pub trait SharedState: Send + Sync + 'static {
    /// Takes one call from the bucket `key`.
    async fn take(&self, key: &str, limit: RateLimit) -> Result<Taken, Error>;

    /// A cached value, if it is still fresh.
    async fn cached(&self, key: &[u8; 32]) -> Result<Option<Arc<[u8]>>, Error>;

    /// Keeps a value for at most `ttl`.
    async fn keep(&self, key: [u8; 32], value: Arc<[u8]>, ttl: Duration) -> Result<(), Error>;
}
