//! Random transactions, one after the other, on a store and on the one in memory: both must say the same, always.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::clock::AdjustableClock;
use platform::store::{Collection, Expect, Index, Op, OpResult, Query, Store, TransactError};
use platform::{Clock, SharedClock};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::MemoryStore;

const THINGS: Collection = Collection { name: "things", indexes: &[Index { name: "colour", pointer: "/colour" }] };

#[derive(Debug, Clone)]
enum Step {
    Transact(Vec<OpAt>),
    Wait(i64),
    ReleaseAbandoned,
}

/// An operation whose times count from the moment at which it is done. Times and waits never meet: time itself goes on
/// while the test runs, and a second must not decide.
type OpAt = (Op, i64);

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn op() -> impl Strategy<Value = Op> {
    let expect = prop_oneof![Just(Expect::Any), Just(Expect::Absent), (1..4_u64).prop_map(Expect::Revision)];
    let outcome = prop::sample::select(vec!["success", "failure", "not_started", "unknown"]).prop_map(str::to_owned);
    let expires = prop_oneof![Just(None), Just(Some(0))];
    prop_oneof![
        3 => (name(), expect.clone(), name(), expires).prop_map(|(id, expect, colour, expires_at)| Op::Put {
            collection: THINGS, id, expect, body: json!({ "colour": colour }), expires_at,
        }),
        1 => (name(), expect).prop_map(|(id, expect)| Op::Delete { collection: THINGS, id, expect }),
        1 => name().prop_map(|id| Op::ConsumeOnce { namespace: "n", id, expires_at: 0 }),
        1 => (name(), 1..4_u64).prop_map(|(counter, amount)| Op::AddIfBelow {
            counter, amount, limit: 7, window_ends_at: i64::MAX,
        }),
        1 => (name(), name()).prop_map(|(name, holder)| Op::TakeLock { name, holder, lease_until: 0 }),
        1 => (name(), 1..6_u64).prop_map(|(name, fence)| Op::KeepLock { name, fence, lease_until: 0 }),
        1 => (name(), 1..6_u64).prop_map(|(name, fence)| Op::FreeLock { name, fence }),
        3 => (name(), name(), name()).prop_map(|(key, digest, call_id)| Op::ReserveKey {
            scope: "s".to_owned(), key, digest, call_id, expires_at: 0,
        }),
        1 => name().prop_map(|key| Op::CompleteKey { scope: "s".to_owned(), key, result: vec![1] }),
        1 => name().prop_map(|key| Op::ReleaseKey { scope: "s".to_owned(), key }),
        2 => name().prop_map(|call_id| Op::OpenIntent { call_id, body: json!({}) }),
        1 => name().prop_map(|call_id| Op::SetHandle { call_id, handle: json!(1) }),
        2 => (name(), outcome).prop_map(|(call_id, outcome)| Op::CloseIntent { call_id, outcome }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((op(), (0..5_i64).prop_map(|n| 100 * n + 50)), 1..4).prop_map(Step::Transact),
        1 => (1..5_i64).prop_map(|n| Step::Wait(100 * n)),
        1 => Just(Step::ReleaseAbandoned),
    ]
}

fn at(now: i64, (mut op, after): OpAt) -> Op {
    match &mut op {
        Op::Put { expires_at: Some(time), .. }
        | Op::ConsumeOnce { expires_at: time, .. }
        | Op::TakeLock { lease_until: time, .. }
        | Op::KeepLock { lease_until: time, .. }
        | Op::ReserveKey { expires_at: time, .. } => *time = now + after,
        _ => {}
    }
    op
}

/// Everything there is to see of a store, with the seconds between two steps rounded away.
async fn seen(store: &dyn Store) -> String {
    let page = |filter, descending| Query { collection: THINGS, filter, after: None, limit: 100, descending };
    let all = store.list(page(None, false)).await.unwrap();
    let of_a = store.list(page(Some(("colour", "a")), true)).await.unwrap();
    let intents = store.open_intents().await.unwrap();
    let intents: Vec<_> = intents.into_iter().map(|intent| (intent.call_id, intent.handle)).collect();
    format!("{all:?} {of_a:?} {intents:?}")
}

/// Runs random steps on fresh stores that `open` makes; what it returns beside the store is kept as long as that. Panics,
/// with the shortest steps that show it, where a store says something else than the one in memory.
pub fn same_as_in_memory<Kept>(open: impl AsyncFn(SharedClock) -> (Arc<dyn Store>, Kept)) {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let steps = prop::collection::vec(step(), 1..40);
    let ran = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let clock = Arc::new(AdjustableClock::default());
            let (real, _kept) = open(clock.clone()).await;
            let model = MemoryStore::new(clock.clone());
            let mut fences = Fences::default();
            for step in steps {
                compare(real.as_ref(), &model, &clock, &mut fences, step).await?;
            }
            Ok(())
        })
    });
    if let Err(failed) = ran {
        panic!("{failed}");
    }
}

/// A number that no lock has.
const NO_FENCE: u64 = 1 << 40;

/// Fencing numbers only rise; which ones a store leaves out is its own business. Numbers of the model, with those of the
/// store.
#[derive(Default)]
struct Fences(BTreeMap<u64, u64>);

impl Fences {
    /// The operation for the store, and for the model. A number that was not given out before is none of either's, also
    /// where an operation before it in the same transaction would give it out.
    fn translated(&self, op: &Op) -> (Op, Op) {
        let (mut real, mut model) = (op.clone(), op.clone());
        if let (Op::KeepLock { fence: theirs, .. }, Op::KeepLock { fence: ours, .. })
        | (Op::FreeLock { fence: theirs, .. }, Op::FreeLock { fence: ours, .. }) = (&mut real, &mut model)
        {
            match self.0.get(ours) {
                Some(known) => *theirs = *known,
                None => (*theirs, *ours) = (NO_FENCE, NO_FENCE),
            }
        }
        (real, model)
    }

    /// Puts the model's numbers in the place of the store's.
    fn learn(&mut self, real: &mut Result<Vec<OpResult>, TransactError>, model: &Result<Vec<OpResult>, TransactError>) {
        let (Ok(real), Ok(model)) = (real, model) else { return };
        for (real, model) in real.iter_mut().zip(model) {
            if let (OpResult::Fence(theirs), OpResult::Fence(ours)) = (real, model) {
                assert!(self.0.values().all(|known| known < theirs), "fence {theirs} does not rise");
                self.0.insert(*ours, *theirs);
                *theirs = *ours;
            }
        }
    }
}

async fn compare(
    real: &dyn Store,
    model: &MemoryStore,
    clock: &AdjustableClock,
    fences: &mut Fences,
    step: Step,
) -> Result<(), TestCaseError> {
    match step {
        Step::Wait(seconds) => {
            clock.advance(seconds);
        }
        Step::ReleaseAbandoned => {
            prop_assert_eq!(real.release_abandoned().await.unwrap(), model.release_abandoned().await.unwrap());
        }
        Step::Transact(ops) => {
            let now = clock.epoch_seconds();
            let ops: Vec<_> = ops.into_iter().map(|op| at(now, op)).collect();
            let (for_real, for_model) = ops.iter().map(|op| fences.translated(op)).unzip();
            let (mut one, other) = (real.transact(for_real).await, model.transact(for_model).await);
            fences.learn(&mut one, &other);
            // What an operator reads about a defect is each store's own.
            let told = |answer: String| answer.split("detail").next().map(str::to_owned);
            prop_assert_eq!(told(format!("{one:?}")), told(format!("{other:?}")), "{:?}", ops);
        }
    }
    prop_assert_eq!(seen(real).await, seen(model).await);
    Ok(())
}
