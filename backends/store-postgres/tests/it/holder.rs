//! One process at a time uses a store that is not shared (T24).

use std::sync::Arc;

use engines::{Postgres, Settings};
use interlock_store_postgres::Sharing;
use platform::clock::AdjustableClock;
use platform::store::{Op, Store, TransactError};

use crate::open;

fn consume(id: &str) -> Vec<Op> {
    vec![Op::ConsumeOnce { namespace: "n", id: id.to_owned(), expires_at: i64::MAX }]
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_second_process_is_refused_until_the_first_has_gone() {
    let Some(server) = Postgres::for_tests() else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let first = open(&fresh, Sharing::Alone, clock.clone()).await.unwrap();
    let refused = open(&fresh, Sharing::Alone, clock.clone()).await.unwrap_err();
    assert_eq!(refused.code(), "store_in_use");
    assert!(refused.detail().unwrap().starts_with("held over 127.0.0.1"), "{:?}", refused.detail());
    first.transact(consume("a")).await.unwrap();
    drop(first);
    let second = open(&fresh, Sharing::Alone, clock).await.unwrap();
    assert!(second.transact(consume("a")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_one_whose_place_was_taken_writes_nothing_more_whatever_it_believes() {
    let Some(server) = Postgres::own_for_tests(Settings::default()) else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let first = open(&fresh, Sharing::Alone, clock.clone()).await.unwrap();
    first.transact(consume("a")).await.unwrap();
    // Its session is ended behind its back, and another process is quicker than it.
    let sessions = "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                    WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    assert_eq!(fresh.psql(sessions).unwrap(), "1");
    let second = open(&fresh, Sharing::Alone, clock).await.unwrap();
    match first.transact(consume("b")).await {
        Err(TransactError::Store(error)) => assert_eq!(error.code(), "store_in_use"),
        other => panic!("{other:?}"),
    }
    second.transact(consume("b")).await.unwrap();
    assert_eq!(fresh.psql("SELECT string_agg(id, ',' ORDER BY id) FROM store_one_time").unwrap(), "a,b");
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_the_one_process_keeps_its_place_over_a_restart_of_the_server() {
    let Some(server) = Postgres::own_for_tests(Settings::default()) else { return };
    let (fresh, clock) = (server.database().unwrap(), Arc::new(AdjustableClock::default()));
    let first = open(&fresh, Sharing::Alone, clock.clone()).await.unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    first.transact(consume("a")).await.unwrap();
    // It takes its session's lock again by itself.
    let locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    while fresh.psql(locks).unwrap() != "1" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(open(&fresh, Sharing::Alone, clock).await.unwrap_err().code(), "store_in_use");
    first.transact(consume("b")).await.unwrap();
}
