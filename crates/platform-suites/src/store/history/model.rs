//! The store without concurrency: whether a call could have had its answer at this moment, and what is afterwards.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use platform::store::{Op, OpResult};

use super::clients::{SCOPE, THINGS};
use super::{Answer, Call, Event, START};
use crate::store::memory::{State, Stop};

/// A fence that no client was ever told.
const UNTOLD: u64 = 0;

/// Everything that decides an answer.
#[derive(Debug, Clone)]
pub(super) struct Model {
    now: i64,
    state: State,
    /// The last fence of each lock. Only this must rise; how numbers are spread over locks is the store's own business.
    fences: BTreeMap<String, u64>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self { now: START, state: State::default(), fences: BTreeMap::new() }
    }

    /// What is after the event, if it could have happened now.
    pub(super) fn after(&self, event: &Event) -> Option<Self> {
        match (&event.call, &event.answer) {
            (Call::Transact(ops), Answer::Results(results)) => self.transacted(ops, Some(results)),
            (Call::Transact(ops), Answer::Unknown) => self.transacted(ops, None),
            (Call::Transact(ops), refusal) => (self.refusal(ops).as_ref() == Some(refusal)).then(|| self.clone()),
            (Call::Get(id), Answer::Record(seen)) => {
                (self.state.live(self.now, THINGS, id) == seen.as_ref()).then(|| self.clone())
            }
            (Call::KeyState(key, digest), Answer::Key(seen)) => {
                let name = (SCOPE.to_owned(), key.clone());
                (self.state.key_state(self.now, &name, digest) == *seen).then(|| self.clone())
            }
            (Call::Advance(seconds), Answer::Moved) => Some(Self { now: self.now + seconds, ..self.clone() }),
            _ => None,
        }
    }

    /// Two models with the same fingerprint are the same, but for 1 in 2^128.
    pub(super) fn fingerprint(&self, done: &[u64]) -> u128 {
        let text = format!("{self:?}");
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, done, &text).hash(&mut hasher);
            hasher.finish()
        };
        (u128::from(half(0)) << 64) | u128::from(half(1))
    }

    fn transacted(&self, ops: &[Op], told: Option<&Vec<OpResult>>) -> Option<Self> {
        let mut next = self.clone();
        for (at, op) in ops.iter().enumerate() {
            let result = next.state.apply(next.now, op.clone()).ok()?;
            let told = told.map(|results| results.get(at));
            match (op, result, told) {
                (Op::TakeLock { name, .. }, OpResult::Fence(_), Some(Some(OpResult::Fence(fence)))) => {
                    let last = next.fences.insert(name.clone(), *fence).unwrap_or(UNTOLD);
                    if *fence <= last {
                        return None;
                    }
                    next.state.set_fence(name, *fence);
                }
                (Op::TakeLock { name, .. }, _, None) => next.state.set_fence(name, UNTOLD),
                (_, _, None) => {}
                (_, result, Some(told)) if told == Some(&result) => {}
                _ => return None,
            }
        }
        Some(next)
    }

    fn refusal(&self, ops: &[Op]) -> Option<Answer> {
        let mut next = self.clone();
        for (at, op) in ops.iter().enumerate() {
            match next.state.apply(next.now, op.clone()) {
                Ok(_) => {}
                Err(Stop::Conflict(conflict)) => return Some(Answer::Conflict(at, conflict)),
                Err(Stop::Defect(_)) => return Some(Answer::Defect),
            }
        }
        None
    }
}
