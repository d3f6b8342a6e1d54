//! What stands in the tables: what has expired goes, texts of any length and with any character stay as they are.

use std::sync::Arc;

use engines::Postgres;
use interlock_store_postgres::Sharing;
use platform::Clock;
use platform::clock::AdjustableClock;
use platform::store::{Collection, Conflict, Expect, Index, Op, OpResult, Query, Store};
use serde_json::json;

use crate::open;

const THINGS: Collection = Collection { name: "things", indexes: &[Index { name: "colour", pointer: "/colour" }] };

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_removed_and_what_is_unknown_is_not() {
    let Some(server) = Postgres::for_tests() else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let soon = clock.epoch_seconds() + 100;
    let store = open(&fresh, Sharing::Alone, clock.clone()).await.unwrap();
    let key = |key: &str| Op::ReserveKey {
        scope: "s".into(),
        key: key.into(),
        digest: "d".into(),
        call_id: key.into(),
        expires_at: soon,
    };
    let body = json!({"colour": "red"});
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
    let tables = ["record", "record_index", "one_time", "counter", "lock", "idempotency", "intent"];
    let left = || tables.map(|table| fresh.psql(&format!("SELECT count(*) FROM store_{table}")).unwrap());
    drop(store);
    drop(open(&fresh, Sharing::Alone, clock.clone()).await.unwrap());
    assert_eq!(left(), ["1", "1", "1", "1", "1", "2", "2"], "nothing goes before its time");
    clock.advance(30 * 86_400);
    drop(open(&fresh, Sharing::Alone, clock).await.unwrap());
    assert_eq!(left(), ["0", "0", "0", "0", "0", "1", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_any_length_and_character_come_back_as_they_were() {
    let Some(server) = Postgres::for_tests() else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let store = open(&fresh, Sharing::Replicas, clock).await.unwrap();
    let long = "ü".repeat(10_000);
    let odd = "a\0b\u{1}c'\"\\";
    let body = json!({"colour": long, "more": odd});
    for id in [odd.to_owned(), "\u{10FFFF}".repeat(512)] {
        let put = Op::Put {
            collection: THINGS,
            id: id.clone(),
            expect: Expect::Absent,
            body: body.clone(),
            expires_at: None,
        };
        store.transact(vec![put]).await.unwrap();
        assert_eq!(store.get(THINGS, &id).await.unwrap().unwrap().body, body);
    }
    let query =
        Query { collection: THINGS, filter: Some(("colour", &long)), after: None, limit: 10, descending: false };
    let found: Vec<_> = store.list(query).await.unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(found, [odd.to_owned(), "\u{10FFFF}".repeat(512)]);
    for name in [&long, &odd.to_owned()] {
        let ops = vec![
            Op::ConsumeOnce { namespace: "n", id: name.clone(), expires_at: i64::MAX },
            Op::AddIfBelow { counter: name.clone(), amount: 1, limit: 5, window_ends_at: i64::MAX },
            Op::TakeLock { name: name.clone(), holder: name.clone(), lease_until: i64::MAX },
            Op::ReserveKey {
                scope: name.clone(),
                key: name.clone(),
                digest: name.clone(),
                call_id: name.clone(),
                expires_at: i64::MAX,
            },
            Op::OpenIntent { call_id: name.clone(), body: json!(odd) },
        ];
        store.transact(ops).await.unwrap();
        let state = store.key_state(name, name, name).await.unwrap();
        assert_eq!(state, Some(Conflict::KeyOutcomeUnknown { call_id: name.clone() }));
        let take = Op::TakeLock { name: name.clone(), holder: "other".into(), lease_until: i64::MAX };
        let refused = store.transact(vec![take]).await.unwrap_err();
        assert!(format!("{refused:?}").contains("Locked"), "{refused:?}");
    }
    let calls: Vec<_> = store.open_intents().await.unwrap().into_iter().map(|intent| intent.call_id).collect();
    assert_eq!(calls, [long, odd.to_owned()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_over_very_many_things_is_one_like_any_other() {
    let Some(server) = Postgres::for_tests() else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let store = open(&fresh, Sharing::Replicas, clock).await.unwrap();
    let consume = |n: u32| Op::ConsumeOnce { namespace: "n", id: n.to_string(), expires_at: i64::MAX };
    let results = store.transact((0..1000).map(consume).collect()).await.unwrap();
    assert!(results.len() == 1000 && results.iter().all(|result| *result == OpResult::Done));
    assert!(store.transact(vec![consume(7)]).await.is_err());
}
