//! The contract of `platform::shared::SharedState`: [`suite`], and [`MemoryShared`], which keeps it with plain maps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use platform::error::Error;
use platform::shared::{RateLimit, SharedState, Taken};

/// Runs every rule of the contract that needs no waiting. `factory` makes an empty state.
pub async fn suite(factory: impl Fn() -> Arc<dyn SharedState>) {
    a_bucket_grants_its_burst_and_then_says_when(&*factory()).await;
    buckets_are_apart(&*factory()).await;
    a_kept_value_comes_back_until_its_time(&*factory()).await;
}

const SLOW: RateLimit = RateLimit { per_minute: 1, burst: 3 };

async fn a_bucket_grants_its_burst_and_then_says_when(s: &dyn SharedState) {
    for _ in 0..SLOW.burst {
        assert_eq!(s.take("k", SLOW).await.unwrap(), Taken::Granted);
    }
    match s.take("k", SLOW).await.unwrap() {
        Taken::Limited { retry_after } => {
            assert!(retry_after > Duration::ZERO && retry_after <= Duration::from_secs(60), "{retry_after:?}");
        }
        Taken::Granted => panic!("more than the burst was granted"),
    }
}

async fn buckets_are_apart(s: &dyn SharedState) {
    let once = RateLimit { per_minute: 1, burst: 1 };
    for key in ["a", "b", ""] {
        assert_eq!(s.take(key, once).await.unwrap(), Taken::Granted, "{key}");
        assert!(matches!(s.take(key, once).await.unwrap(), Taken::Limited { .. }), "{key}");
    }
    assert_eq!(s.take("a", SLOW).await.unwrap(), Taken::Granted);
    for nonsense in [RateLimit { per_minute: 0, burst: 1 }, RateLimit { per_minute: 1, burst: 0 }] {
        assert!(s.take("a", nonsense).await.is_err());
    }
}

async fn a_kept_value_comes_back_until_its_time(s: &dyn SharedState) {
    let (key, long) = ([7; 32], Duration::from_secs(3600));
    assert_eq!(s.cached(&key).await.unwrap(), None);
    s.keep(key, Arc::from(*b"one"), long).await.unwrap();
    assert_eq!(s.cached(&key).await.unwrap().as_deref(), Some(b"one".as_slice()));
    assert_eq!(s.cached(&[8; 32]).await.unwrap(), None);
    s.keep(key, Arc::from(*b"two"), long).await.unwrap();
    assert_eq!(s.cached(&key).await.unwrap().as_deref(), Some(b"two".as_slice()));
    // A value that may not be kept takes the place of the one that was.
    s.keep(key, Arc::from(*b"three"), Duration::ZERO).await.unwrap();
    assert_eq!(s.cached(&key).await.unwrap(), None);
    s.keep(key, Arc::from(*b"brief"), Duration::from_millis(5)).await.unwrap();
    while s.cached(&key).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
}

/// By key and limit: what is left, and since when.
type Buckets = HashMap<(String, RateLimit), (f64, Instant)>;

/// A value, and until when it is shown.
type Cache = HashMap<[u8; 32], (Arc<[u8]>, Instant)>;

/// `platform::shared::SharedState` in plain maps that only grow.
#[derive(Default)]
pub struct MemoryShared {
    buckets: Mutex<Buckets>,
    cache: Mutex<Cache>,
}

#[async_trait]
impl SharedState for MemoryShared {
    async fn take(&self, key: &str, limit: RateLimit) -> Result<Taken, Error> {
        if limit.per_minute == 0 || limit.burst == 0 {
            return Err(Error::internal("a rate limit of nothing"));
        }
        let (now, burst, per_second) = (Instant::now(), f64::from(limit.burst), f64::from(limit.per_minute) / 60.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, since) = buckets.entry((key.to_owned(), limit)).or_insert((burst, now));
        *left = burst.min(*left + now.duration_since(*since).as_secs_f64() * per_second);
        *since = now;
        if *left < 1.0 {
            return Ok(Taken::Limited { retry_after: Duration::from_secs_f64((1.0 - *left) / per_second) });
        }
        *left -= 1.0;
        Ok(Taken::Granted)
    }

    async fn cached(&self, key: &[u8; 32]) -> Result<Option<Arc<[u8]>>, Error> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(cache.get(key).filter(|(_, until)| Instant::now() < *until).map(|(value, _)| value.clone()))
    }

    async fn keep(&self, key: [u8; 32], value: Arc<[u8]>, ttl: Duration) -> Result<(), Error> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (value, Instant::now() + ttl));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemoryShared;

    #[tokio::test]
    async fn the_shared_state_in_memory_keeps_the_contract() {
        super::suite(|| Arc::new(MemoryShared::default())).await;
    }
}
