//! Refusals of people who are not known, counted: one audit record per source, reason and minute (rule T25), so that a
//! flood of wrong passwords cannot fill the disk.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditEntry, Outcome};

/// Beyond this many sources in a few minutes, the rest are counted together.
const MOST_KEYS: usize = 10_000;
/// Known accounts that one record names.
const MOST_ACCOUNTS: usize = 20;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    source: Option<IpAddr>,
    reason: &'static str,
    minute: i64,
}

/// A count.
#[derive(Debug)]
pub(crate) struct Tally {
    first: Timestamp,
    count: u64,
    accounts: BTreeSet<String>,
}

impl Tally {
    /// The record of one minute.
    pub(crate) fn entry(&self, key: &Key) -> AuditEntry {
        let mut entry = AuditEntry::event(self.first, "authentication.refused", Outcome::Refused);
        entry.code = Some(key.reason.to_owned());
        entry.source = key.source;
        entry.protocol = Some("oidc".to_owned());
        entry.facts.insert("count".to_owned(), self.count.into());
        if !self.accounts.is_empty() {
            // Only names that exist: people type passwords into the wrong field.
            let names = self.accounts.iter().cloned().map(Json::String).collect();
            entry.facts.insert("accounts".to_owned(), Json::Array(names));
        }
        entry
    }
}

/// The counters.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Key, Tally>>);

impl Refusals {
    /// Counts one. `account`: the existing user that was aimed at.
    pub(crate) fn note(&self, now: Timestamp, source: Option<IpAddr>, reason: &'static str, account: Option<&str>) {
        let mut tallies = self.lock();
        let mut key = Key { source, reason, minute: now.as_second().div_euclid(60) };
        if tallies.len() >= MOST_KEYS && !tallies.contains_key(&key) {
            key.source = None;
        }
        let tally = tallies.entry(key).or_insert_with(|| Tally { first: now, count: 0, accounts: BTreeSet::new() });
        tally.count += 1;
        if let Some(account) = account.filter(|_| tally.accounts.len() < MOST_ACCOUNTS) {
            tally.accounts.insert(account.to_owned());
        }
    }

    /// Takes the counts of finished minutes, or all.
    pub(crate) fn due(&self, now: Timestamp, all: bool) -> Vec<(Key, Tally)> {
        let minute = now.as_second().div_euclid(60);
        self.lock().extract_if(|key, _| all || key.minute < minute).collect()
    }

    /// Puts a count back that could not be written.
    pub(crate) fn restore(&self, key: Key, tally: Tally) {
        let mut tallies = self.lock();
        match tallies.get_mut(&key) {
            Some(newer) => {
                newer.count += tally.count;
                newer.first = newer.first.min(tally.first);
                newer.accounts.extend(tally.accounts);
            }
            None => {
                tallies.insert(key, tally);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::Refusals;

    #[test]
    fn t25_refusals_make_one_record_per_source_reason_and_minute() {
        let refusals = Refusals::default();
        let at = |s| Timestamp::from_second(s).unwrap();
        let source = Some("192.0.2.1".parse().unwrap());
        for second in [0, 1, 59] {
            refusals.note(at(second), source, "wrong_password", Some("alice"));
        }
        refusals.note(at(3), source, "unknown_client", None);
        refusals.note(at(61), source, "wrong_password", None);
        assert!(refusals.due(at(59), false).is_empty());
        let mut counts: Vec<_> =
            refusals.due(at(61), false).iter().map(|(k, t)| t.entry(k).facts["count"].clone()).collect();
        counts.sort_by_key(|c| c.as_u64());
        assert_eq!(counts, [1, 3]);
        assert_eq!(refusals.due(at(61), true).len(), 1);
    }
}
