//! Cached results, each with its own time to live, bounded in bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;

type Key = [u8; 32];

#[derive(Clone)]
struct Kept {
    value: Arc<[u8]>,
    until: Instant,
}

/// The cache. An entry past its time is never shown, whenever moka gets round to removing it.
pub(crate) struct Cache(moka::sync::Cache<Key, Kept>);

/// What an entry costs beside its value: key, bookkeeping, allocation.
const OVERHEAD: u32 = 256;
/// No result is fresh for longer, whatever the caller says; it also keeps the time within what an `Instant` can hold.
const LONGEST: Duration = Duration::from_secs(86_400);

struct ByEntry;

impl Expiry<Key, Kept> for ByEntry {
    fn expire_after_create(&self, _: &Key, kept: &Kept, at: Instant) -> Option<Duration> {
        Some(kept.until.saturating_duration_since(at))
    }

    fn expire_after_update(&self, _: &Key, kept: &Kept, at: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.until.saturating_duration_since(at))
    }
}

impl Cache {
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |_: &Key, kept: &Kept| u32::try_from(kept.value.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD);
        Self(moka::sync::Cache::builder().max_capacity(bytes).weigher(weigh).expire_after(ByEntry).build())
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<[u8]>> {
        self.0.get(key).filter(|kept| Instant::now() < kept.until).map(|kept| kept.value)
    }

    pub(crate) fn keep(&self, key: Key, value: Arc<[u8]>, ttl: Duration) {
        if ttl.is_zero() {
            self.0.invalidate(&key);
            return;
        }
        self.0.insert(key, Kept { value, until: Instant::now() + ttl.min(LONGEST) });
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("entries", &self.0.entry_count()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Cache;

    #[test]
    fn the_cache_stays_within_its_bytes() {
        let cache = Cache::new(64 * 1024);
        for n in 0..=255 {
            cache.keep([n; 32], Arc::from(vec![n; 1024]), Duration::MAX);
        }
        cache.0.run_pending_tasks();
        let kept = (0..=255).filter(|n| cache.get(&[*n; 32]).is_some()).count();
        assert!((1..=64).contains(&kept), "{kept}");
    }
}
