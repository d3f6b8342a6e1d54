//! Token buckets by key, bounded in number.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{NotUntil, Quota, RateLimiter};
use platform::error::Error;
use platform::shared::{RateLimit, Taken};

/// Takes between two rounds of housekeeping.
const HOUSEKEEPING: u64 = 4096;
/// Keys of one limit that have a bucket of their own.
const KEYS: usize = 65_536;
/// Buckets that all keys of a limit share while there are too many of them.
const SHARED_BUCKETS: u64 = 1024;

type Limiter<C> = RateLimiter<String, DashMapStateStore<String>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limiter per distinct limit; limits come from the configuration, so that there are few.
pub(crate) struct Buckets<C: Clock> {
    clock: C,
    limiters: RwLock<HashMap<RateLimit, Arc<Limiter<C>>>>,
    takes: AtomicU64,
    keys: usize,
}

impl<C: Clock + Clone> Buckets<C> {
    pub(crate) fn new(clock: C) -> Self {
        Self { clock, limiters: RwLock::default(), takes: AtomicU64::new(0), keys: KEYS }
    }

    pub(crate) fn take(&self, key: &str, limit: RateLimit) -> Result<Taken, Error> {
        let limiter = self.limiter(limit)?;
        if self.takes.fetch_add(1, Ordering::Relaxed) % HOUSEKEEPING == HOUSEKEEPING - 1 {
            self.forget_the_full();
        }
        // Whoever makes up keys shares a bucket with others, rather than memory growing or the limit falling away.
        let key = if limiter.len() < self.keys { format!("k{key}") } else { shared_bucket(key) };
        Ok(match limiter.check_key(&key) {
            Ok(()) => Taken::Granted,
            Err(not_yet) => Taken::Limited { retry_after: self.wait(&not_yet) },
        })
    }

    fn wait(&self, not_yet: &NotUntil<C::Instant>) -> std::time::Duration {
        not_yet.earliest_possible().duration_since(self.clock.now()).into()
    }

    fn limiter(&self, limit: RateLimit) -> Result<Arc<Limiter<C>>, Error> {
        if let Some(limiter) = self.limiters.read().unwrap_or_else(PoisonError::into_inner).get(&limit) {
            return Ok(Arc::clone(limiter));
        }
        let (Some(per_minute), Some(burst)) = (NonZeroU32::new(limit.per_minute), NonZeroU32::new(limit.burst)) else {
            return Err(Error::internal(format!("a rate limit of nothing: {limit:?}")));
        };
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        let mut limiters = self.limiters.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(RateLimiter::dashmap_with_clock(quota, self.clock.clone()));
        Ok(Arc::clone(limiters.entry(limit).or_insert_with(new)))
    }

    /// A bucket that is full again says nothing that a new one would not.
    fn forget_the_full(&self) {
        for limiter in self.limiters.read().unwrap_or_else(PoisonError::into_inner).values() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

fn shared_bucket(key: &str) -> String {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    format!("s{}", hasher.finish() % SHARED_BUCKETS)
}

impl<C: Clock> std::fmt::Debug for Buckets<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;
    use platform::shared::{RateLimit, Taken};

    use super::{Buckets, HOUSEKEEPING, SHARED_BUCKETS};

    const LIMIT: RateLimit = RateLimit { per_minute: 6, burst: 2 };

    #[test]
    fn a_bucket_refills_at_its_rate_and_says_when() {
        let clock = FakeRelativeClock::default();
        let buckets = Buckets::new(clock.clone());
        let take = || buckets.take("k", LIMIT).unwrap();
        assert_eq!([take(), take()], [Taken::Granted; 2]);
        assert_eq!(take(), Taken::Limited { retry_after: Duration::from_secs(10) });
        clock.advance(Duration::from_secs(4));
        assert_eq!(take(), Taken::Limited { retry_after: Duration::from_secs(6) });
        clock.advance(Duration::from_secs(6));
        assert_eq!(take(), Taken::Granted);
        assert!(matches!(take(), Taken::Limited { .. }));
        clock.advance(Duration::from_secs(3600));
        assert_eq!([take(), take()], [Taken::Granted; 2]);
        assert!(matches!(take(), Taken::Limited { .. }));
    }

    #[test]
    fn made_up_keys_cost_bounded_memory_and_stay_limited() {
        let clock = FakeRelativeClock::default();
        let mut buckets = Buckets::new(clock.clone());
        buckets.keys = 100;
        let granted = (0..HOUSEKEEPING - 1)
            .filter(|n| {
                buckets.take(&format!("made up {n}"), RateLimit { per_minute: 1, burst: 1 }).unwrap() == Taken::Granted
            })
            .count() as u64;
        assert!(granted <= 100 + SHARED_BUCKETS, "{granted}");
        let kept = |buckets: &Buckets<_>| buckets.limiters.read().unwrap().values().map(|l| l.len()).sum::<usize>();
        assert!(kept(&buckets) as u64 <= 100 + SHARED_BUCKETS);
        clock.advance(Duration::from_secs(3600));
        buckets.take("again", LIMIT).unwrap();
        assert!(kept(&buckets) <= 1, "{}", kept(&buckets));
    }
}
