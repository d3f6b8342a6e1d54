//! Kill -9 of the server under load: what was acknowledged is there, nothing is there by half, and nobody has to do anything.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engines::{Postgres, Settings};
use interlock_store_postgres::{PostgresStore, Sharing};
use platform::clock::AdjustableClock;
use platform::store::{Collection, Conflict, Expect, Op, Store, TransactError};
use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::open;

const WRITERS: u64 = 8;
const KILLS: u64 = 5;
const WRITES: Collection = Collection { name: "writes", indexes: &[] };

/// What one writer was told about each of its transactions.
#[derive(Default)]
struct Told {
    acknowledged: BTreeSet<String>,
    unknown: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// A transaction that touches three things.
fn write(writer: u64, id: &str) -> Vec<Op> {
    vec![
        Op::Put { collection: WRITES, id: id.to_owned(), expect: Expect::Absent, body: json!(id), expires_at: None },
        Op::ConsumeOnce { namespace: "writes", id: id.to_owned(), expires_at: i64::MAX },
        add(writer, u64::from(u32::MAX)),
    ]
}

fn add(writer: u64, limit: u64) -> Op {
    Op::AddIfBelow { counter: format!("of-{writer}"), amount: 1, limit, window_ends_at: i64::MAX }
}

async fn writer(number: u64, store: PostgresStore, acknowledged: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Told {
    let mut told = Told::default();
    for n in 0_u64.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let id = format!("{number}-{n}");
        match store.transact(write(number, &id)).await {
            Ok(_) => {
                told.acknowledged.insert(id);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(TransactError::Store(error)) if error.code() == "store_outcome_unknown" => {
                told.unknown.insert(id);
            }
            Err(TransactError::Store(error)) if error.code() == "store_unavailable" => {
                told.refused.insert(id);
                sleep(Duration::from_millis(10)).await;
            }
            other => panic!("{id}: {other:?}"),
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t24_no_acknowledged_transaction_is_lost_to_a_kill_of_the_server() {
    let Some(server) = Postgres::own_for_tests(Settings { fsync: true, ..Settings::default() }) else { return };
    let mut random = RandomState::new().build_hasher().finish() | 1;
    println!("seed {random}");
    let fresh = server.database().unwrap();
    let store = open(&fresh, Sharing::Alone, Arc::new(AdjustableClock::default())).await.unwrap();
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(writer(number, store.clone(), acknowledged.clone(), stop.clone())))
        .collect();
    for _ in 0..KILLS {
        // xorshift64: the moment of death, counted in acknowledged transactions.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let until = acknowledged.load(Ordering::SeqCst) + 20 + random % 200;
        let reached = async {
            while acknowledged.load(Ordering::SeqCst) < until {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(120), reached).await.expect("the writers do not come back by themselves");
        let server = server.clone();
        spawn_blocking(move || {
            server.kill().unwrap();
            server.restart().unwrap();
        })
        .await
        .unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    let mut unknown = 0;
    for (number, writer) in (0..).zip(writers) {
        let told = writer.await.unwrap();
        unknown += told.unknown.len();
        let mut standing = told.acknowledged.len() as u64;
        for id in &told.acknowledged {
            assert!(store.get(WRITES, id).await.unwrap().is_some(), "{id} was acknowledged and is lost");
        }
        for id in &told.refused {
            assert!(store.get(WRITES, id).await.unwrap().is_none(), "{id} was refused and stands");
        }
        for id in &told.unknown {
            let stands = store.get(WRITES, id).await.unwrap().is_some();
            standing += u64::from(stands);
            let consume = Op::ConsumeOnce { namespace: "writes", id: id.clone(), expires_at: i64::MAX };
            let used = store.transact(vec![consume]).await.is_err();
            assert_eq!(used, stands, "{id} stands by half");
        }
        let counted = store.transact(vec![add(number, 0)]).await;
        let Err(TransactError::Conflict { conflict: Conflict::LimitReached { current }, .. }) = counted else {
            panic!("{counted:?}")
        };
        assert_eq!(current, standing, "what writer {number} counted is not what stands");
    }
    println!("{} acknowledged, {unknown} unknown", acknowledged.load(Ordering::SeqCst));
}
