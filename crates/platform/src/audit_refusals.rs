//! Refusals before anybody is recognised (T25): one record per source, reason and minute, with its count, so that a flood
//! of bad tokens can neither fill the log nor vanish from it. Next: [`crate::audit`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::Json;
use crate::audit::{AuditEntry, AuditLog, Outcome};
use crate::clock::SharedClock;
use crate::error::Result;

/// Most pairs of source and reason that are counted apart at one time; what comes from further sources is counted
/// together, per reason and minute, in a record without a source.
pub const MAX_SOURCES: usize = 10_000;

/// Known accounts that one record names.
const MAX_ACCOUNTS: usize = 20;

const WINDOW_S: i64 = 60;

// Minute since the epoch, reason, source.
type Key = (i64, &'static str, Option<IpAddr>);

#[derive(Debug)]
struct Count {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    accounts: BTreeSet<String>,
}

/// Counts refusals and writes them to a log when their minute is over. [`Self::run`] has to run somewhere; at the end of
/// the process [`Self::flush`] writes what is left.
pub struct RefusalCounter {
    log: Arc<dyn AuditLog>,
    clock: SharedClock,
    counts: Mutex<BTreeMap<Key, Count>>,
    // One flush at a time, or a failed one could meet its own records again.
    flushing: tokio::sync::Mutex<()>,
}

impl RefusalCounter {
    /// Counts into `log`.
    pub fn new(log: Arc<dyn AuditLog>, clock: SharedClock) -> Self {
        Self { log, clock, counts: Mutex::default(), flushing: tokio::sync::Mutex::default() }
    }

    /// Counts one refusal from `source`; `reason` is its stable code. Never waits.
    pub fn count(&self, source: IpAddr, reason: &'static str) {
        self.count_aimed(Some(source), reason, None);
    }

    /// Counts one refusal; `account` is the existing account that it was aimed at. Only names that exist are kept: people
    /// type passwords into the wrong field.
    pub fn count_aimed(&self, source: Option<IpAddr>, reason: &'static str, account: Option<&str>) {
        let now = self.clock.now();
        let minute = now.as_second().div_euclid(WINDOW_S);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = (minute, reason, source);
        let key = if counts.len() < MAX_SOURCES || counts.contains_key(&own) { own } else { (minute, reason, None) };
        let accounts = account.map(str::to_owned).into_iter().collect();
        add(&mut counts, key, Count { count: 1, first: now, last: now, accounts });
    }

    /// Writes the minutes that are over. What cannot be written is kept for the next time.
    pub async fn flush_due(&self) -> Result<()> {
        self.flush_before(self.clock.epoch_seconds().div_euclid(WINDOW_S)).await
    }

    /// Writes everything, the running minute too: for the end of the process.
    pub async fn flush(&self) -> Result<()> {
        self.flush_before(i64::MAX).await
    }

    /// Writes each minute soon after it is over, until `stop`; then writes the rest.
    pub async fn run(&self, stop: CancellationToken) -> Result<()> {
        // Each second, because the clock may be moved (T30's lab): nothing is due in most of them.
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.flush_due().await {
                tracing::warn!(%error, "counted refusals wait for the audit log");
            }
        }
        self.flush().await
    }

    async fn flush_before(&self, minute: i64) -> Result<()> {
        let _one = self.flushing.lock().await;
        let mut due = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let later = counts.split_off(&(minute, "", None));
            std::mem::replace(&mut *counts, later)
        };
        while let Some((key, count)) = due.pop_first() {
            if let Err(error) = self.log.append(record(key, &count)).await {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                add(&mut counts, key, count);
                due.into_iter().for_each(|(key, count)| add(&mut counts, key, count));
                return Err(error);
            }
        }
        Ok(())
    }
}

fn add(counts: &mut BTreeMap<Key, Count>, key: Key, more: Count) {
    match counts.get_mut(&key) {
        Some(count) => {
            count.count += more.count;
            count.first = count.first.min(more.first);
            count.last = count.last.max(more.last);
            let room = MAX_ACCOUNTS.saturating_sub(count.accounts.len());
            count.accounts.extend(more.accounts.into_iter().take(room));
        }
        None => {
            counts.insert(key, more);
        }
    }
}

fn record((minute, reason, source): Key, count: &Count) -> AuditEntry {
    let mut entry = AuditEntry::event(count.last, "authentication.refused", Outcome::Refused);
    entry.code = Some(reason.to_owned());
    entry.source = source;
    entry.facts.insert("count".to_owned(), Json::from(count.count));
    entry.facts.insert("window_s".to_owned(), Json::from(WINDOW_S));
    entry.facts.insert("first_at".to_owned(), Json::from(count.first.to_string()));
    if let Ok(start) = Timestamp::from_second(minute.saturating_mul(WINDOW_S)) {
        entry.facts.insert("window_start".to_owned(), Json::from(start.to_string()));
    }
    if !count.accounts.is_empty() {
        entry.facts.insert("accounts".to_owned(), count.accounts.iter().cloned().collect());
    }
    if source.is_none() {
        entry.facts.insert("further_sources".to_owned(), Json::from(true));
    }
    entry
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::*;
    use crate::audit::{AuditFilter, AuditPosition};
    use crate::clock::Clock;
    use crate::error::{Error, ErrorKind};

    #[derive(Default)]
    struct Kept {
        entries: Mutex<Vec<AuditEntry>>,
        failing: AtomicBool,
    }

    #[async_trait]
    impl AuditLog for Kept {
        async fn append(&self, entry: AuditEntry) -> Result<AuditPosition> {
            if self.failing.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Unavailable, "audit_unavailable", "no"));
            }
            let mut entries = self.entries.lock().unwrap();
            entries.push(entry);
            Ok(AuditPosition(entries.len() as u64))
        }

        fn append_detached(&self, _: AuditEntry) {}

        async fn recent(&self, _: AuditFilter, _: usize) -> Result<Vec<Json>> {
            Ok(Vec::new())
        }
    }

    #[derive(Default)]
    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
        }
    }

    fn counter() -> (Arc<Kept>, Arc<SetClock>, RefusalCounter) {
        let (log, clock) = (Arc::new(Kept::default()), Arc::new(SetClock(AtomicI64::new(600))));
        (log.clone(), clock.clone(), RefusalCounter::new(log, clock))
    }

    fn source(last: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last))
    }

    fn counts(log: &Kept) -> Vec<(Option<IpAddr>, String, u64)> {
        let entries = log.entries.lock().unwrap();
        entries.iter().map(|e| (e.source, e.code.clone().unwrap(), e.facts["count"].as_u64().unwrap())).collect()
    }

    #[tokio::test]
    async fn t25_one_record_per_source_reason_and_minute_when_the_minute_is_over() {
        let (log, clock, counter) = counter();
        for _ in 0..1_000 {
            counter.count(source(1), "token_invalid");
        }
        counter.count(source(1), "token_missing");
        counter.count(source(2), "token_invalid");
        counter.flush_due().await.unwrap();
        assert_eq!(counts(&log), [], "the minute is not over");
        clock.0.store(660, Ordering::SeqCst);
        counter.count(source(1), "token_invalid");
        counter.flush_due().await.unwrap();
        let expected = [(1, "token_invalid", 1_000), (2, "token_invalid", 1), (1, "token_missing", 1)];
        assert_eq!(counts(&log), expected.map(|(s, r, n)| (Some(source(s)), r.to_owned(), n)));
        counter.flush().await.unwrap();
        assert_eq!(counts(&log).len(), 4, "the end writes the running minute");
        counter.flush().await.unwrap();
        assert_eq!(counts(&log).len(), 4, "and nothing twice");
    }

    #[tokio::test]
    async fn t25_counts_wait_for_a_log_that_cannot_be_written() {
        let (log, clock, counter) = counter();
        counter.count(source(1), "token_invalid");
        counter.count(source(2), "token_invalid");
        log.failing.store(true, Ordering::SeqCst);
        clock.0.store(660, Ordering::SeqCst);
        assert_eq!(counter.flush_due().await.unwrap_err().code(), "audit_unavailable");
        log.failing.store(false, Ordering::SeqCst);
        counter.flush_due().await.unwrap();
        assert_eq!(counts(&log).iter().map(|(_, _, n)| n).sum::<u64>(), 2);
    }

    #[tokio::test]
    async fn t25_a_flood_of_sources_is_bounded_and_still_counted() {
        let (log, _, counter) = counter();
        for i in 0..MAX_SOURCES as u32 + 500 {
            counter.count(source(i), "token_invalid");
        }
        counter.flush().await.unwrap();
        let counts = counts(&log);
        assert_eq!(counts.len(), MAX_SOURCES + 1);
        assert!(counts.contains(&(None, "token_invalid".to_owned(), 500)));
    }

    #[tokio::test]
    async fn t25_stopping_writes_the_rest() {
        let (log, _, counter) = counter();
        counter.count(source(1), "token_invalid");
        let stop = CancellationToken::new();
        stop.cancel();
        counter.run(stop).await.unwrap();
        assert_eq!(counts(&log).len(), 1);
    }
}
