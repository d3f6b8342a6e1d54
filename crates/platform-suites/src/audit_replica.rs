//! What every [`AuditReplica`] must do: take a log's records in order and once, tell a fork, give them back byte for byte.
//! [`suite`] runs every rule; [`MemoryReplica`] keeps them in memory and can be made to fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use platform::audit::{AuditReplica, ReplicatedRecord};
use platform::canonical::sha256;
use platform::error::{Error, ErrorKind};

/// Runs all rules in turn on one empty replica.
pub async fn suite(replica: &dyn AuditReplica) {
    records_come_back_byte_for_byte(replica).await;
    what_stands_there_is_passed_over(replica).await;
    another_record_at_a_position_is_a_fork(replica).await;
    a_gap_is_a_fork(replica).await;
    logs_do_not_touch_each_other(replica).await;
}

/// Some records of a log from a position on; `kind` makes them differ.
pub fn records(from: u64, count: u64, kind: &str) -> Vec<ReplicatedRecord> {
    (from..from + count)
        .map(|position| {
            let line = format!("{{\"kind\":\"{kind}\",\"sequence\":{position},\"text\":\"ü \u{1f980} \\u0000\"}}");
            let hash = sha256(line.as_bytes());
            let payload =
                position.is_multiple_of(2).then(|| vec![0, 255, 10, u8::try_from(position % 256).unwrap_or(0)]);
            ReplicatedRecord { position, line, hash, payload }
        })
        .collect()
}

async fn refused(replica: &dyn AuditReplica, origin: &str, records: Vec<ReplicatedRecord>) {
    let before = replica.last(origin).await.unwrap();
    let error = replica.append(origin, records).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("audit_forked", ErrorKind::Unavailable));
    assert_eq!(replica.last(origin).await.unwrap(), before, "nothing of it stands");
}

async fn records_come_back_byte_for_byte(replica: &dyn AuditReplica) {
    assert_eq!(replica.last("suite/a").await.unwrap(), None);
    assert!(replica.read("suite/a", 0, 10).await.unwrap().is_empty());
    let all = records(1, 5, "first");
    replica.append("suite/a", all[..3].to_vec()).await.unwrap();
    replica.append("suite/a", all[3..].to_vec()).await.unwrap();
    replica.append("suite/a", Vec::new()).await.unwrap();
    assert_eq!(replica.last("suite/a").await.unwrap(), Some((5, all[4].hash)));
    assert_eq!(replica.read("suite/a", 0, 10).await.unwrap(), all);
    assert_eq!(replica.read("suite/a", 2, 2).await.unwrap(), all[2..4]);
    assert!(replica.read("suite/a", 5, 10).await.unwrap().is_empty());
}

async fn what_stands_there_is_passed_over(replica: &dyn AuditReplica) {
    replica.append("suite/a", records(4, 4, "first")).await.unwrap();
    replica.append("suite/a", records(1, 7, "first")).await.unwrap();
    assert_eq!(replica.read("suite/a", 0, 100).await.unwrap(), records(1, 7, "first"), "each once");
}

async fn another_record_at_a_position_is_a_fork(replica: &dyn AuditReplica) {
    refused(replica, "suite/a", records(7, 1, "other")).await;
    refused(replica, "suite/a", records(6, 4, "other")).await;
    let mut mixed = records(7, 1, "first");
    mixed.extend(records(8, 1, "first"));
    mixed[0].hash = [9; 32];
    refused(replica, "suite/a", mixed).await;
}

async fn a_gap_is_a_fork(replica: &dyn AuditReplica) {
    refused(replica, "suite/a", records(9, 1, "first")).await;
    refused(replica, "suite/new", records(2, 1, "first")).await;
    let mut gap = records(8, 3, "first");
    gap.remove(1);
    refused(replica, "suite/a", gap).await;
}

async fn logs_do_not_touch_each_other(replica: &dyn AuditReplica) {
    replica.append("suite/b", records(1, 2, "second")).await.unwrap();
    assert_eq!(replica.last("suite/a").await.unwrap().map(|(position, _)| position), Some(7));
    assert_eq!(replica.origins().await.unwrap(), ["suite/a", "suite/b"]);
}

/// [`AuditReplica`] in memory.
#[derive(Default)]
pub struct MemoryReplica {
    logs: Mutex<BTreeMap<String, Vec<ReplicatedRecord>>>,
    failing: AtomicBool,
}

impl MemoryReplica {
    /// From now on everything fails with `store_unavailable`, until this is called with `false`.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    /// Puts another record in the place of one, as whoever owns the database can.
    pub fn tamper(&self, origin: &str, record: ReplicatedRecord) {
        let mut logs = self.kept();
        let at = usize::try_from(record.position).unwrap_or(0);
        if let Some(kept) = logs.get_mut(origin).and_then(|log| log.get_mut(at - 1)) {
            *kept = record;
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Vec<ReplicatedRecord>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn up(&self) -> Result<(), Error> {
        if self.failing.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "store_unavailable", "The replica is down."));
        }
        Ok(())
    }
}

fn forked(reason: String) -> Error {
    Error::new(ErrorKind::Unavailable, "audit_forked", "The replica holds another history under this log's name.")
        .with_detail(reason)
}

#[async_trait]
impl AuditReplica for MemoryReplica {
    async fn append(&self, origin: &str, records: Vec<ReplicatedRecord>) -> Result<(), Error> {
        self.up()?;
        let mut logs = self.kept();
        let mut log = logs.get(origin).cloned().unwrap_or_default();
        for record in records {
            let end = log.len() as u64;
            let known = usize::try_from(record.position - 1).ok().and_then(|at| log.get(at));
            match known {
                Some(known) if known.hash == record.hash => {}
                Some(_) => return Err(forked(format!("the record at {} is another one there", record.position))),
                None if record.position == end + 1 => log.push(record),
                None => return Err(forked(format!("record {} is missing", end + 1))),
            }
        }
        if !log.is_empty() {
            logs.insert(origin.to_owned(), log);
        }
        Ok(())
    }

    async fn last(&self, origin: &str) -> Result<Option<(u64, [u8; 32])>, Error> {
        self.up()?;
        Ok(self.kept().get(origin).and_then(|log| log.last()).map(|last| (last.position, last.hash)))
    }

    async fn read(&self, origin: &str, after: u64, limit: usize) -> Result<Vec<ReplicatedRecord>, Error> {
        self.up()?;
        let kept = self.kept();
        let log = kept.get(origin).into_iter().flatten();
        Ok(log.filter(|record| record.position > after).take(limit).cloned().collect())
    }

    async fn origins(&self) -> Result<Vec<String>, Error> {
        self.up()?;
        Ok(self.kept().keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn t25_the_replica_in_memory_keeps_the_contract() {
        super::suite(&super::MemoryReplica::default()).await;
    }
}
