//! The replica on a real server keeps the contract, lets two processes go on with one log in one order only, and is
//! append-only for everybody who does not own its tables.
#![cfg(test)]

use std::sync::Arc;

use audit_postgres::PostgresAudit;
use engines::Postgres;
use platform::audit::AuditReplica;
use platform_suites::audit_replica::{records, suite};
use postgres_database::{Database, Options};

async fn open(fresh: &engines::Database) -> PostgresAudit {
    let database = Database::open(&Options::new(&fresh.url(), None, None).unwrap()).await.unwrap();
    PostgresAudit::open(database).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_the_contract_suite_holds() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    suite(&open(&fresh).await).await;
    // Opened again, by another process, it is the same.
    let again = open(&fresh).await;
    assert_eq!(again.origins().await.unwrap(), ["suite/a", "suite/b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_of_two_processes_that_continue_one_log_only_one_history_stands() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let (one, other) = (Arc::new(open(&fresh).await), Arc::new(open(&fresh).await));
    one.append("two", records(1, 10, "common")).await.unwrap();
    let writer = |replica: Arc<PostgresAudit>, kind: &'static str| {
        tokio::spawn(async move {
            let mut stand = 0;
            for batch in 0..20 {
                match replica.append("two", records(11 + batch * 5, 5, kind)).await {
                    Ok(()) => stand += 1,
                    // As the log does: whoever is told of a fork writes nothing more.
                    Err(error) => {
                        assert_eq!(error.code(), "audit_forked");
                        break;
                    }
                }
            }
            stand
        })
    };
    let (left, right) = (writer(one.clone(), "left"), writer(other, "right"));
    let stand = (left.await.unwrap(), right.await.unwrap());
    assert!(matches!(stand, (20, 0) | (0, 20)), "{stand:?}");
    let kind = if stand.0 == 20 { "left" } else { "right" };
    let mut due = records(1, 10, "common");
    due.extend(records(11, 100, kind));
    assert_eq!(one.read("two", 0, 1_000).await.unwrap(), due);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_an_ordinary_statement_changes_nothing() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let replica = open(&fresh).await;
    replica.append("kept", records(1, 4, "kept")).await.unwrap();
    for sql in [
        "UPDATE audit_record SET line = replace(line, 'kept', 'gone')",
        "UPDATE audit_record SET position = position + 10",
        "UPDATE audit_record SET hash = hash || '' , payload = '\\x01'",
        "DELETE FROM audit_record WHERE position = 4",
        "TRUNCATE audit_record",
    ] {
        let refused = fresh.psql(sql).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(replica.read("kept", 0, 10).await.unwrap(), records(1, 4, "kept"));
    // A payload may be destroyed; the record stands (T26).
    fresh.psql("UPDATE audit_record SET payload = NULL").unwrap();
    let left = replica.read("kept", 0, 10).await.unwrap();
    assert!(left.iter().all(|record| record.payload.is_none()));
    assert_eq!(left.len(), 4);
}
