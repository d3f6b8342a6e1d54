//! Growing delays after failures, per account and per source (rule T5). Only failures count; memory is bounded, and
//! what is lost with a restart is a delay of at most a quarter of an hour.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::sync::Cache;
use platform::canonical::sha256;

/// Failures on one account before the first delay.
const FREE_PER_ACCOUNT: u32 = 5;
/// Failures from one address before the first delay: people share addresses.
const FREE_PER_SOURCE: u32 = 20;
const FIRST_DELAY_S: i64 = 5;
const LONGEST_DELAY_S: i64 = 900;
/// Without a new failure for this long, the count starts again.
const FORGET_AFTER_S: i64 = 3_600;
const MOST_ENTRIES: u64 = 100_000;

/// What failures are counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    key: [u8; 32],
    free: u32,
}

impl Bucket {
    /// Passwords of one name, whether anybody has that name or not.
    pub(crate) fn password(name: &str) -> Self {
        Self { key: sha256(format!("password\0{name}").as_bytes()), free: FREE_PER_ACCOUNT }
    }

    /// One-time codes of one subject: knowing the password must not buy more guesses here.
    pub(crate) fn otp(sub: &str) -> Self {
        Self { key: sha256(format!("otp\0{sub}").as_bytes()), free: FREE_PER_ACCOUNT }
    }

    /// Tries of one kind from one address, of which `free` cost nothing: device codes, links, registrations.
    pub(crate) fn codes(kind: &str, source: Option<IpAddr>, free: u32) -> Self {
        let Self { key, .. } = Self::source(source);
        Self { key: sha256(&[kind.as_bytes(), b"\0", &key].concat()), free }
    }

    /// Everything from one address. IPv6 counts by /64, which is what one customer holds. Callers without a known
    /// address share one bucket.
    pub(crate) fn source(source: Option<IpAddr>) -> Self {
        let network = match source {
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => match v6.to_ipv4_mapped() {
                Some(v4) => v4.to_string(),
                None => Ipv6Addr::from(u128::from(v6) >> 64 << 64).to_string(),
            },
            None => "unknown".to_owned(),
        };
        Self { key: sha256(format!("source\0{network}").as_bytes()), free: FREE_PER_SOURCE }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Failures {
    count: u32,
    last: i64,
    blocked_until: i64,
}

/// The counters.
pub(crate) struct Throttle {
    entries: Cache<[u8; 32], Arc<Mutex<Failures>>>,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self { entries: Cache::new(MOST_ENTRIES) }
    }

    /// Seconds to wait before the next try counts, if any of the buckets is blocked at `now` (seconds since the epoch).
    pub(crate) fn wait(&self, buckets: &[Bucket], now: i64) -> Option<u64> {
        let longest = buckets.iter().filter_map(|b| self.entries.get(&b.key)).map(|e| lock(&e).blocked_until).max()?;
        u64::try_from(longest - now).ok().filter(|s| *s > 0)
    }

    /// Counts a failure in each bucket.
    pub(crate) fn failed(&self, buckets: &[Bucket], now: i64) {
        for bucket in buckets {
            let entry = self.entries.get_with(bucket.key, Arc::default);
            let mut failures = lock(&entry);
            if now - failures.last > FORGET_AFTER_S {
                *failures = Failures::default();
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
            if let Some(over) = failures.count.checked_sub(bucket.free) {
                failures.blocked_until = now + (FIRST_DELAY_S << over.min(8)).min(LONGEST_DELAY_S);
            }
        }
    }

    /// Forgets the failures of an account that has just proven itself. A source is never forgiven this way: otherwise
    /// anybody with one account could reset it between guesses at others.
    pub(crate) fn succeeded(&self, account: &Bucket) {
        self.entries.invalidate(&account.key);
    }
}

fn lock(entry: &Mutex<Failures>) -> MutexGuard<'_, Failures> {
    entry.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Bucket, LONGEST_DELAY_S, Throttle};

    #[test]
    fn t5_delays_begin_after_five_failures_grow_and_end() {
        let (throttle, account) = (Throttle::new(), Bucket::password("alice"));
        for n in 0..5 {
            assert_eq!(throttle.wait(&[account], 1_000), None, "try {n}");
            throttle.failed(&[account], 1_000);
        }
        assert_eq!(throttle.wait(&[account], 1_000), Some(5));
        assert_eq!(throttle.wait(&[account], 1_005), None);
        throttle.failed(&[account], 1_005);
        assert_eq!(throttle.wait(&[account], 1_005), Some(10));
        for _ in 0..40 {
            throttle.failed(&[account], 1_100);
        }
        assert_eq!(throttle.wait(&[account], 1_100), Some(LONGEST_DELAY_S.unsigned_abs()));
        throttle.succeeded(&account);
        assert_eq!(throttle.wait(&[account], 1_100), None);
    }

    #[test]
    fn t5_password_and_code_of_one_person_are_counted_apart_and_forgotten_after_an_hour() {
        let throttle = Throttle::new();
        for _ in 0..5 {
            throttle.failed(&[Bucket::otp("alice")], 0);
        }
        assert_eq!(throttle.wait(&[Bucket::password("alice")], 0), None);
        throttle.failed(&[Bucket::otp("alice")], 3_601);
        assert_eq!(throttle.wait(&[Bucket::otp("alice")], 3_601), None);
    }

    #[test]
    fn t5_a_source_is_an_address_or_an_ipv6_network() {
        let at = |text: &str| Bucket::source(Some(text.parse::<IpAddr>().unwrap()));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }
}
