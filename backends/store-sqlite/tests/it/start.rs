//! What a start refuses, and what it finds again.

use std::sync::Arc;

use interlock_store_sqlite::SqliteStore;
use platform::Clock;
use platform::clock::AdjustableClock;
use platform::store::{Collection, Expect, Op, Store};
use serde_json::json;

const THINGS: Collection = Collection { name: "things", indexes: &[] };

#[tokio::test]
async fn t24_a_second_holder_of_the_file_is_refused_until_the_first_has_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let clock = Arc::new(AdjustableClock::default());
    let held = SqliteStore::open(&path, clock.clone()).unwrap();
    let link = folder.path().join("another-name.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for name in [&path, &link] {
        let refused = SqliteStore::open(name, clock.clone()).unwrap_err();
        assert_eq!(refused.code(), "store_in_use");
        assert!(refused.detail().unwrap().contains(&std::process::id().to_string()));
    }
    let body = json!({"kept": true});
    let put = Op::Put { collection: THINGS, id: "a".into(), expect: Expect::Any, body: body.clone(), expires_at: None };
    held.transact(vec![put]).await.unwrap();
    drop(held);
    let again = SqliteStore::open(&path, clock).unwrap();
    assert_eq!(again.get(THINGS, "a").await.unwrap().unwrap().body, body);
}

#[tokio::test]
async fn what_has_expired_is_removed_at_start_and_what_is_unknown_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let clock = Arc::new(AdjustableClock::default());
    let soon = clock.epoch_seconds() + 100;
    let store = SqliteStore::open(&path, clock.clone()).unwrap();
    let key = |key: &str| Op::ReserveKey {
        scope: "s".into(),
        key: key.into(),
        digest: "d".into(),
        call_id: key.into(),
        expires_at: soon,
    };
    let body = json!({});
    let ops = vec![
        Op::Put { collection: THINGS, id: "a".into(), expect: Expect::Any, body: body.clone(), expires_at: Some(soon) },
        Op::ConsumeOnce { namespace: "n", id: "i".into(), expires_at: soon },
        Op::AddIfBelow { counter: "c".into(), amount: 1, limit: 1, window_ends_at: soon },
        Op::TakeLock { name: "l".into(), holder: "h".into(), lease_until: soon },
        key("settled"),
        key("open"),
        Op::OpenIntent { call_id: "settled".into(), body: body.clone() },
        Op::OpenIntent { call_id: "open".into(), body },
        Op::CloseIntent { call_id: "settled".into(), outcome: "success".into() },
    ];
    store.transact(ops).await.unwrap();
    drop(store);
    clock.advance(30 * 86_400);
    drop(SqliteStore::open(&path, clock).unwrap());
    let file = rusqlite::Connection::open(&path).unwrap();
    let rows = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let left = ["record", "record_index", "one_time", "counter", "lock", "idempotency", "intent"].map(rows);
    assert_eq!(left, [0, 0, 0, 0, 0, 1, 1]);
}
