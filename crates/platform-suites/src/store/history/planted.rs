//! Stores with a defect that the search must find, and one without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use platform::Error;
use platform::store::{Collection, Conflict, Expect, Op, OpResult, Record, Store, TransactError};

use super::{Load, StandingClock, check, record};
use crate::store::{InterceptedStore, Interceptor, MemoryStore};

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    None,
    /// Now and then a record that was written and acknowledged is not there.
    LostUpdate,
    /// Now and then a write on an old revision overwrites a newer one.
    StaleWrite,
    /// Now and then a lock is handed out under the number of its last holder.
    StaleFence,
    /// Now and then a lock is kept by one who has lost it.
    KeptByTheLast,
    /// Now and then half a transaction stands after a conflict.
    HalfATransaction,
    /// Now and then a read answers with what was there before.
    StaleRead,
}

/// How often the defect shows: once in so many occasions.
const SELDOM: u64 = 25;

struct Planted {
    defect: Defect,
    occasions: AtomicU64,
    fences: std::sync::Mutex<std::collections::BTreeMap<String, u64>>,
    reads: std::sync::Mutex<std::collections::BTreeMap<String, Option<Record>>>,
}

impl Planted {
    fn strikes(&self, defect: Defect) -> bool {
        self.defect == defect && self.occasions.fetch_add(1, Ordering::SeqCst) % SELDOM == SELDOM - 1
    }
}

#[async_trait]
impl Interceptor for Planted {
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        if let [Op::Put { collection, id, expect: Expect::Any, .. }] = &ops[..]
            && self.strikes(Defect::LostUpdate)
        {
            let stands = inner.get(*collection, id).await.ok().flatten();
            return Ok(vec![OpResult::Revision(stands.map_or(1, |record| record.revision + 1))]);
        }
        let answer = inner.transact(ops.clone()).await;
        match (&ops[..], &answer) {
            (
                [Op::Put { collection, id, body, expires_at, .. }],
                Err(TransactError::Conflict { conflict: Conflict::Revision { current: Some(_) }, .. }),
            ) if self.strikes(Defect::StaleWrite) => {
                let (collection, id, body) = (*collection, id.clone(), body.clone());
                let put = Op::Put { collection, id, expect: Expect::Any, body, expires_at: *expires_at };
                inner.transact(vec![put]).await
            }
            ([Op::KeepLock { .. }], Err(_)) if self.strikes(Defect::KeptByTheLast) => Ok(vec![OpResult::Done]),
            ([first, _, ..], Err(TransactError::Conflict { index: 1.., .. }))
                if self.strikes(Defect::HalfATransaction) =>
            {
                drop(inner.transact(vec![first.clone()]).await);
                answer
            }
            ([.., Op::TakeLock { name, .. }], Ok(results)) => {
                let Some(OpResult::Fence(fence)) = results.last() else { return answer };
                let last = self.fences.lock().unwrap().insert(name.clone(), *fence);
                let mut results = results.clone();
                if let Some(last) = last.filter(|_| self.strikes(Defect::StaleFence)) {
                    results.pop();
                    results.push(OpResult::Fence(last));
                }
                Ok(results)
            }
            _ => answer,
        }
    }

    async fn get(&self, inner: &MemoryStore, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        let record = inner.get(collection, id).await?;
        let last = self.reads.lock().unwrap().insert(id.to_owned(), record.clone());
        let changed = last.filter(|last| *last != record);
        Ok(match changed {
            Some(last) if self.strikes(Defect::StaleRead) => last,
            _ => record,
        })
    }
}

async fn checked(defect: Defect, seed: u64) -> Result<(), super::Violation> {
    let clock = StandingClock::new();
    let inner = Arc::new(MemoryStore::new(clock.clone()));
    let planted =
        Planted { defect, occasions: AtomicU64::new(0), fences: Default::default(), reads: Default::default() };
    check(&record(&[Arc::new(InterceptedStore::new(inner, planted))], clock, Load::seeded(seed)).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t7_the_search_finds_every_planted_defect_and_nothing_in_a_sound_store() {
    for seed in 1..=3 {
        if let Err(violation) = checked(Defect::None, seed).await {
            panic!("seed {seed}: {violation}");
        }
        for defect in [
            Defect::LostUpdate,
            Defect::StaleWrite,
            Defect::StaleFence,
            Defect::KeptByTheLast,
            Defect::HalfATransaction,
            Defect::StaleRead,
        ] {
            let found = checked(defect, seed).await;
            assert!(found.is_err(), "seed {seed}: {defect:?} was not found");
        }
    }
}
