//! A store in memory that keeps the contract, and forgets everything when it is dropped.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use platform::error::Error;
use platform::store::{
    Collection, Conflict, Expect, Op, OpResult, OpenIntent, Query, Record, Store, TransactError, Voided,
};
use platform::{Json, SharedClock};

/// `platform::store::Store` in memory. Expired things are kept: they only stop counting.
pub struct MemoryStore {
    clock: SharedClock,
    state: Mutex<State>,
}

/// All that a store knows, as one value: also the sequential model that histories are checked against.
#[derive(Debug, Default, Clone)]
pub(super) struct State {
    records: BTreeMap<(&'static str, String), Record>,
    one_time: BTreeMap<(&'static str, String), i64>,
    counters: BTreeMap<(String, i64), u64>,
    locks: BTreeMap<String, Lock>,
    last_fence: u64,
    keys: BTreeMap<(String, String), Key>,
    intents: Vec<Intent>,
    transactions: u64,
}

#[derive(Debug, Clone)]
struct Lock {
    holder: String,
    fence: u64,
    lease_until: i64,
}

#[derive(Debug, Clone)]
struct Key {
    digest: String,
    call_id: String,
    result: Option<Vec<u8>>,
    expires_at: i64,
}

#[derive(Debug, Clone)]
struct Intent {
    open: OpenIntent,
    outcome: Option<String>,
}

/// Why an operation of a transaction does nothing.
pub(super) enum Stop {
    Conflict(Conflict),
    Defect(&'static str),
}

impl From<Conflict> for Stop {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl MemoryStore {
    /// An empty store that reads this clock.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, state: Mutex::new(State::default()) }
    }

    /// How many transactions have taken effect.
    pub fn transactions(&self) -> u64 {
        self.state().transactions
    }

    /// Every record with its body, as text: to look for what must not be there.
    pub fn text(&self) -> String {
        format!("{:?}", self.state().records)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let mut state = self.state();
        let now = self.clock.epoch_seconds();
        let mut next = state.clone();
        let mut results = Vec::new();
        for (index, op) in ops.into_iter().enumerate() {
            results.push(next.apply(now, op).map_err(|stop| match stop {
                Stop::Conflict(conflict) => TransactError::Conflict { index, conflict },
                Stop::Defect(why) => TransactError::Store(Error::internal(why)),
            })?);
        }
        next.transactions += 1;
        *state = next;
        Ok(results)
    }

    async fn get(&self, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        Ok(self.state().live(self.clock.epoch_seconds(), collection, id).cloned())
    }

    async fn list(&self, query: Query<'_>) -> Result<Vec<Record>, Error> {
        if !(1..=1000).contains(&query.limit) {
            return Err(Error::internal("a page has 1 to 1000 records"));
        }
        let filter = match query.filter {
            None => None,
            Some((name, value)) => match query.collection.indexes.iter().find(|index| index.name == name) {
                Some(index) => Some((index.pointer, value)),
                None => return Err(Error::internal(format!("no index {name}"))),
            },
        };
        let now = self.clock.epoch_seconds();
        let matches = |record: &Record| {
            filter.is_none_or(|(pointer, value)| record.body.pointer(pointer).and_then(Json::as_str) == Some(value))
        };
        let state = self.state();
        let follows = |id: &str, after: &str| if query.descending { id < after } else { id > after };
        let rows = state.records.iter().filter(|((collection, _), record)| {
            *collection == query.collection.name
                && is_live(now, record)
                && query.after.is_none_or(|after| follows(&record.id, after))
                && matches(record)
        });
        let rows = rows.map(|(_, record)| record.clone());
        Ok(match query.descending {
            true => rows.rev().take(query.limit).collect(),
            false => rows.take(query.limit).collect(),
        })
    }

    async fn key_state(&self, scope: &str, key: &str, digest: &str) -> Result<Option<Conflict>, Error> {
        let name = (scope.to_owned(), key.to_owned());
        Ok(self.state().key_state(self.clock.epoch_seconds(), &name, digest))
    }

    async fn open_intents(&self) -> Result<Vec<OpenIntent>, Error> {
        let state = self.state();
        let mut open: Vec<_> =
            state.intents.iter().filter(|intent| intent.outcome.is_none()).map(|intent| intent.open.clone()).collect();
        open.sort_by_key(|intent| intent.opened_at);
        Ok(open)
    }

    async fn release_abandoned(&self) -> Result<u64, Error> {
        let mut state = self.state();
        let with_intent: HashSet<_> = state.intents.iter().map(|intent| intent.open.call_id.clone()).collect();
        let before = state.keys.len();
        state.keys.retain(|_, key| key.result.is_some() || with_intent.contains(&key.call_id));
        Ok((before - state.keys.len()) as u64)
    }

    async fn void_after_restore(&self) -> Result<Voided, Error> {
        let mut state = self.state();
        let mut voided = Voided { locks: state.locks.len() as u64, ..Voided::default() };
        for intent in state.intents.iter_mut().filter(|intent| intent.outcome.is_none()) {
            intent.outcome = Some("unknown".to_owned());
            voided.intents += 1;
        }
        let open: Vec<String> =
            state.keys.values().filter(|key| key.result.is_none()).map(|key| key.call_id.clone()).collect();
        for call_id in open {
            let known = state.intents.iter().find(|i| i.open.call_id == call_id).map(|i| i.outcome.clone());
            voided.keys += u64::from(known.as_ref().is_none_or(|o| o.as_deref() == Some("unknown")));
            if known.is_none() {
                let open =
                    OpenIntent { call_id, body: Json::Null, handle: None, opened_at: self.clock.epoch_seconds() };
                state.intents.push(Intent { open, outcome: Some("unknown".to_owned()) });
            }
        }
        state.locks.clear();
        state.last_fence += 1 << 32;
        Ok(voided)
    }
}

fn is_live(now: i64, record: &Record) -> bool {
    record.expires_at.is_none_or(|expires_at| expires_at >= now)
}

impl State {
    pub(super) fn live(&self, now: i64, collection: Collection, id: &str) -> Option<&Record> {
        self.records.get(&(collection.name, id.to_owned())).filter(|record| is_live(now, record))
    }

    fn intent(&mut self, call_id: &str) -> Option<&mut Intent> {
        self.intents.iter_mut().find(|intent| intent.open.call_id == call_id)
    }

    fn checked(&self, now: i64, collection: Collection, id: &str, expect: Expect) -> Result<Option<u64>, Conflict> {
        let current = self.live(now, collection, id).map(|record| record.revision);
        match expect {
            Expect::Absent if current.is_some() => Err(Conflict::Revision { current }),
            Expect::Revision(wanted) if current != Some(wanted) => Err(Conflict::Revision { current }),
            _ => Ok(current),
        }
    }

    /// Says under which fence a lock is held.
    pub(super) fn set_fence(&mut self, name: &str, fence: u64) {
        if let Some(lock) = self.locks.get_mut(name) {
            lock.fence = fence;
        }
    }

    pub(super) fn apply(&mut self, now: i64, op: Op) -> Result<OpResult, Stop> {
        match op {
            Op::Put { collection, id, expect, body, expires_at } => {
                if id.is_empty() || id.chars().count() > 512 {
                    return Err(Stop::Defect("an id has 1 to 512 characters"));
                }
                let revision = self.checked(now, collection, &id, expect)?.unwrap_or(0) + 1;
                let record = Record { id: id.clone(), revision, body, expires_at };
                self.records.insert((collection.name, id), record);
                return Ok(OpResult::Revision(revision));
            }
            Op::Delete { collection, id, expect } => {
                self.checked(now, collection, &id, expect)?;
                self.records.remove(&(collection.name, id));
            }
            Op::ConsumeOnce { namespace, id, expires_at } => {
                if self.one_time.get(&(namespace, id.clone())).is_some_and(|until| *until >= now) {
                    return Err(Conflict::AlreadyUsed.into());
                }
                self.one_time.insert((namespace, id), expires_at);
            }
            Op::AddIfBelow { counter, amount, limit, window_ends_at } => {
                if amount == 0 {
                    return Err(Stop::Defect("the amount is at least 1"));
                }
                let current = self.counters.get(&(counter.clone(), window_ends_at)).copied().unwrap_or(0);
                let Some(value) = current.checked_add(amount).filter(|value| *value <= limit) else {
                    return Err(Conflict::LimitReached { current }.into());
                };
                self.counters.insert((counter, window_ends_at), value);
                return Ok(OpResult::Count(value));
            }
            Op::TakeLock { name, holder, lease_until } => {
                if let Some(lock) = self.locks.get(&name).filter(|lock| lock.lease_until > now) {
                    let (holder, lease_until) = (lock.holder.clone(), lock.lease_until);
                    return Err(Conflict::Locked { holder, lease_until }.into());
                }
                self.last_fence += 1;
                self.locks.insert(name, Lock { holder, fence: self.last_fence, lease_until });
                return Ok(OpResult::Fence(self.last_fence));
            }
            Op::KeepLock { name, fence, lease_until } => {
                let held = self.locks.get_mut(&name).filter(|lock| lock.fence == fence && lock.lease_until > now);
                held.ok_or(Conflict::LockLost)?.lease_until = lease_until;
            }
            Op::FreeLock { name, fence } => {
                if self.locks.get(&name).is_some_and(|lock| lock.fence == fence) {
                    self.locks.remove(&name);
                }
            }
            Op::ReserveKey { scope, key, digest, call_id, expires_at } => {
                self.reserve(now, (scope, key), Key { digest, call_id, result: None, expires_at })?;
            }
            Op::CompleteKey { scope, key, result } => match self.keys.get_mut(&(scope, key)) {
                None => return Err(Stop::Defect("the key is not reserved")),
                Some(Key { result: Some(result), .. }) => {
                    return Err(Conflict::KeyDone { result: result.clone() }.into());
                }
                Some(key) => key.result = Some(result),
            },
            Op::ReleaseKey { scope, key } => {
                let Some(known) = self.keys.get(&(scope.clone(), key.clone())).cloned() else {
                    return Ok(OpResult::Done);
                };
                let stands = self.intent(&known.call_id).is_some_and(|i| i.outcome.as_deref() != Some("not_started"));
                if known.result.is_none() && !stands {
                    self.keys.remove(&(scope, key));
                }
            }
            Op::OpenIntent { call_id, body } => {
                if self.intent(&call_id).is_some() {
                    return Err(Stop::Defect("the call has an intent already"));
                }
                let open = OpenIntent { call_id, body, handle: None, opened_at: now };
                self.intents.push(Intent { open, outcome: None });
            }
            Op::SetHandle { call_id, handle } => {
                let intent = self.intent(&call_id).filter(|intent| intent.outcome.is_none());
                intent.ok_or(Conflict::NoIntent)?.open.handle = Some(handle);
            }
            Op::CloseIntent { call_id, outcome } => {
                if !["success", "failure", "not_started", "unknown"].contains(&outcome.as_str()) {
                    return Err(Stop::Defect("no such outcome"));
                }
                let settles = outcome != "unknown";
                let intent = self.intent(&call_id).filter(|intent| match intent.outcome.as_deref() {
                    None => true,
                    Some("unknown") => settles,
                    Some(_) => false,
                });
                intent.ok_or(Conflict::NoIntent)?.outcome = Some(outcome);
            }
        }
        Ok(OpResult::Done)
    }

    /// What a key that is not free answers a call with `digest`.
    pub(super) fn key_state(&self, now: i64, name: &(String, String), digest: &str) -> Option<Conflict> {
        let known = self.keys.get(name).cloned()?;
        let expired = known.expires_at < now;
        let intent = self.intents.iter().find(|i| i.open.call_id == known.call_id).map(|i| i.outcome.clone());
        let free = match (&known.result, intent.as_ref().map(Option::as_deref)) {
            (None, Some(Some("not_started"))) => true,
            (None, Some(None | Some("unknown"))) => false,
            _ => expired,
        };
        if free {
            return None;
        }
        Some(match known {
            Key { digest: other, .. } if other != digest => Conflict::KeyMismatch,
            Key { result: Some(result), .. } => Conflict::KeyDone { result },
            Key { call_id, .. } if intent.is_some() => Conflict::KeyOutcomeUnknown { call_id },
            _ => Conflict::KeyInProgress,
        })
    }

    fn reserve(&mut self, now: i64, name: (String, String), new: Key) -> Result<(), Conflict> {
        if let Some(conflict) = self.key_state(now, &name, &new.digest) {
            return Err(conflict);
        }
        self.keys.insert(name, new);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemoryStore;

    #[tokio::test]
    async fn the_store_in_memory_keeps_the_contract() {
        crate::store::suite(|clock| Arc::new(MemoryStore::new(clock))).await;
    }
}
