//! Random transactions on the store in SQLite and on the one in memory: both must say the same, always.

use std::sync::Arc;

use interlock_store_sqlite::SqliteStore;
use platform::Clock;
use platform::clock::AdjustableClock;
use platform::store::{Collection, Expect, Index, Op, Query, Store};
use platform_suites::MemoryStore;
use proptest::prelude::*;
use serde_json::json;

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
    let page = |filter| Query { collection: THINGS, filter, after: None, limit: 100 };
    let all = store.list(page(None)).await.unwrap();
    let of_a = store.list(page(Some(("colour", "a")))).await.unwrap();
    let intents = store.open_intents().await.unwrap();
    let intents: Vec<_> = intents.into_iter().map(|intent| (intent.call_id, intent.handle)).collect();
    format!("{all:?} {of_a:?} {intents:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_say_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let clock = Arc::new(AdjustableClock::default());
            let real = SqliteStore::open(&folder.path().join("store.db"), clock.clone()).unwrap();
            let model = MemoryStore::new(clock.clone());
            for step in steps {
                match step {
                    Step::Wait(seconds) => {
                        clock.advance(seconds);
                    }
                    Step::ReleaseAbandoned => {
                        assert_eq!(real.release_abandoned().await.unwrap(), model.release_abandoned().await.unwrap());
                    }
                    Step::Transact(ops) => {
                        let now = clock.epoch_seconds();
                        let ops: Vec<_> = ops.into_iter().map(|op| at(now, op)).collect();
                        let (one, other) = (real.transact(ops.clone()).await, model.transact(ops.clone()).await);
                        assert_eq!(format!("{one:?}").split("detail").next(), format!("{other:?}").split("detail").next(), "{ops:?}");
                    }
                }
                assert_eq!(seen(&real).await, seen(&model).await);
            }
        });
    }
}
