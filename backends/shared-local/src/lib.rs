//! What replicas would share, for one process alone: `platform::shared::SharedState` with rate buckets and a cache in
//! memory. Everything here may be lost at any time.
//!
//! Where next: [`LocalShared`]; `buckets` for rates, `cache` for results.

mod buckets;
mod cache;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::DefaultClock;
use platform::error::Error;
use platform::shared::{RateLimit, SharedState, Taken};

use self::buckets::Buckets;
use self::cache::Cache;

/// `platform::shared::SharedState` in this process. Time is monotonic: moving the platform's clock moves nothing here.
#[derive(Debug)]
pub struct LocalShared {
    buckets: Buckets<DefaultClock>,
    cache: Cache,
}

impl LocalShared {
    /// Nothing counted, nothing cached; the cache will hold at most `cache_bytes` of values and their keys.
    pub fn new(cache_bytes: u64) -> Self {
        Self { buckets: Buckets::new(DefaultClock::default()), cache: Cache::new(cache_bytes) }
    }
}

impl Default for LocalShared {
    /// With a cache of 32 MiB.
    fn default() -> Self {
        Self::new(32 * 1024 * 1024)
    }
}

#[async_trait]
impl SharedState for LocalShared {
    async fn take(&self, key: &str, limit: RateLimit) -> Result<Taken, Error> {
        self.buckets.take(key, limit)
    }

    async fn cached(&self, key: &[u8; 32]) -> Result<Option<Arc<[u8]>>, Error> {
        Ok(self.cache.get(key))
    }

    async fn keep(&self, key: [u8; 32], value: Arc<[u8]>, ttl: Duration) -> Result<(), Error> {
        self.cache.keep(key, value, ttl);
        Ok(())
    }
}
