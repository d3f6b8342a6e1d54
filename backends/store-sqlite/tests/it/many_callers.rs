//! Many callers at once: whatever the order, the invariants hold, and what one caller was told the next one sees.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use interlock_store_sqlite::SqliteStore;
use platform::Clock;
use platform::clock::AdjustableClock;
use platform::store::{Collection, Conflict, Expect, Op, OpResult, Store, TransactError};
use serde_json::json;

const TASKS: u64 = 8;
const ROUNDS: u64 = 40;
const LIMIT: u64 = 100;
const LOG: Collection = Collection { name: "log", indexes: &[] };

fn conflict(answer: Result<Vec<OpResult>, TransactError>) -> Result<OpResult, Conflict> {
    match answer {
        Ok(results) => Ok(results.last().unwrap().clone()),
        Err(TransactError::Conflict { conflict, .. }) => Err(conflict),
        Err(TransactError::Store(error)) => panic!("{error:?}"),
    }
}

/// What the callers saw, kept outside the store.
#[derive(Default)]
struct Witness {
    granted: AtomicU64,
    used: Mutex<BTreeMap<String, u64>>,
    inside: AtomicU64,
    last_fence: AtomicU64,
    executed: Mutex<BTreeMap<String, u64>>,
}

/// Five operations per round: a counter, a one-time id, a lock taken and freed, and a key.
async fn caller(task: u64, store: SqliteStore, seen: Arc<Witness>, now: i64) {
    let hour = now + 3600;
    for round in 0..ROUNDS {
        let add = Op::AddIfBelow { counter: "sum".into(), amount: 1, limit: LIMIT, window_ends_at: hour };
        match conflict(store.transact(vec![add]).await) {
            Ok(OpResult::Count(count)) => {
                assert!(count <= LIMIT);
                seen.granted.fetch_add(1, Ordering::SeqCst);
            }
            Err(Conflict::LimitReached { current }) => assert_eq!(current, LIMIT),
            other => panic!("{other:?}"),
        }
        let id = format!("{round}");
        let consume = Op::ConsumeOnce { namespace: "round", id: id.clone(), expires_at: hour };
        match conflict(store.transact(vec![consume]).await) {
            Ok(_) => *seen.used.lock().unwrap().entry(id.clone()).or_default() += 1,
            Err(conflict) => assert_eq!(conflict, Conflict::AlreadyUsed),
        }
        let take = Op::TakeLock { name: "device".into(), holder: format!("{task}"), lease_until: hour };
        if let Ok(OpResult::Fence(fence)) = conflict(store.transact(vec![take]).await) {
            assert_eq!(seen.inside.fetch_add(1, Ordering::SeqCst), 0, "two holders at a time");
            assert!(seen.last_fence.swap(fence, Ordering::SeqCst) < fence, "a fence that does not rise");
            // A write of ours that was acknowledged is there for the very next reader.
            let body = json!(fence);
            let put = Op::Put { collection: LOG, id: "last".into(), expect: Expect::Any, body, expires_at: None };
            conflict(store.transact(vec![put]).await).unwrap();
            assert_eq!(store.get(LOG, "last").await.unwrap().unwrap().body, json!(fence));
            seen.inside.fetch_sub(1, Ordering::SeqCst);
            conflict(store.transact(vec![Op::FreeLock { name: "device".into(), fence }]).await).unwrap();
        }
        let (scope, key) = ("s".to_owned(), id.clone());
        let reserve = Op::ReserveKey {
            scope: scope.clone(),
            key: key.clone(),
            digest: "d".into(),
            call_id: format!("{task}-{round}"),
            expires_at: hour,
        };
        match conflict(store.transact(vec![reserve]).await) {
            Ok(_) => {
                *seen.executed.lock().unwrap().entry(id).or_default() += 1;
                let complete = Op::CompleteKey { scope, key, result: task.to_be_bytes().to_vec() };
                conflict(store.transact(vec![complete]).await).unwrap();
            }
            Err(conflict) => assert!(matches!(conflict, Conflict::KeyInProgress | Conflict::KeyDone { .. })),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t24_eight_callers_never_break_a_limit_a_lock_or_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AdjustableClock::default());
    let store = SqliteStore::open(&folder.path().join("store.db"), clock.clone()).unwrap();
    let seen = Arc::new(Witness::default());
    let tasks: Vec<_> =
        (0..TASKS).map(|task| tokio::spawn(caller(task, store.clone(), seen.clone(), clock.epoch_seconds()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(seen.granted.load(Ordering::SeqCst), LIMIT);
    for counted in [&seen.used, &seen.executed] {
        let counted = counted.lock().unwrap();
        assert_eq!(counted.len() as u64, ROUNDS);
        assert!(counted.values().all(|count| *count == 1), "{counted:?}");
    }
    assert!(seen.last_fence.load(Ordering::SeqCst) > 0);
}

/// Not a test of anything: `cargo test -p interlock-store-sqlite -- --ignored --nocapture durable` prints the rate.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a measurement"]
async fn durable_transactions_per_second() {
    for callers in [1_u64, 64] {
        let folder = tempfile::tempdir_in(".").unwrap();
        let clock = Arc::new(AdjustableClock::default());
        let store = SqliteStore::open(&folder.path().join("store.db"), clock).unwrap();
        let each = 4000 / callers.max(8);
        let begun = Instant::now();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    for n in 0..each {
                        let (id, body) = (format!("{caller}-{n}"), json!({"n": n}));
                        let put = Op::Put { collection: LOG, id, expect: Expect::Absent, body, expires_at: None };
                        store.transact(vec![put]).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = (callers * each) as f64 / begun.elapsed().as_secs_f64();
        println!("{callers} callers: {rate:.0} durable transactions/s");
    }
}
