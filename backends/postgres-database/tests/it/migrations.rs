//! Migrations forward, and what a start refuses.

use engines::Postgres;
use interlock_postgres_database::Component;

use crate::open;

const ONE: &str = "CREATE TABLE one_thing (n int NOT NULL); INSERT INTO one_thing VALUES (1)";
const MORE: &str = "ALTER TABLE one_thing ADD COLUMN more text";
const FIRST: Component = Component { name: "one", migrations: &[ONE] };
const SECOND: Component = Component { name: "one", migrations: &[ONE, MORE] };
const CHANGED: Component = Component { name: "one", migrations: &["CREATE TABLE one_thing (n bigint NOT NULL)", MORE] };
const OTHER: Component = Component { name: "other", migrations: &["CREATE TABLE other_thing (n int NOT NULL)"] };

#[tokio::test(flavor = "multi_thread")]
async fn t24_each_component_moves_forward_by_itself_and_never_twice() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let database = open(&fresh).await;
    // Many processes start at a time.
    let starts = (0..6).map(|_| {
        let database = database.clone();
        tokio::spawn(async move { database.migrate(FIRST).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
    assert_eq!(fresh.psql("SELECT n FROM one_thing").unwrap(), "1");
    database.migrate(OTHER).await.unwrap();
    database.migrate(SECOND).await.unwrap();
    let applied = "SELECT component, version FROM interlock_migration ORDER BY 1, 2";
    assert_eq!(fresh.psql(applied).unwrap(), "one|1\none|2\nother|1");
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_newer_store_and_a_changed_migration_are_refused() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let database = open(&fresh).await;
    database.migrate(SECOND).await.unwrap();
    let newer = database.migrate(FIRST).await.unwrap_err();
    assert_eq!(newer.code(), "store_too_new");
    assert_eq!(newer.detail().unwrap(), "one has schema 2, this program knows up to 1");
    assert_eq!(database.migrate(CHANGED).await.unwrap_err().code(), "store_migration_changed");
    fresh.psql("DELETE FROM interlock_migration WHERE version = 1").unwrap();
    assert_eq!(database.migrate(SECOND).await.unwrap_err().code(), "store_migration_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn t24_a_migration_that_fails_leaves_nothing_behind() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    let broken = Component { name: "broken", migrations: &["CREATE TABLE broken_thing (n int)", "CREATE TABEL x"] };
    assert_eq!(open(&fresh).await.migrate(broken).await.unwrap_err().code(), "internal_error");
    assert_eq!(fresh.psql("SELECT to_regclass('broken_thing'), to_regclass('interlock_migration')").unwrap(), "|");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_runs_on_tables_that_are_there_and_makes_none() {
    let Some(server) = Postgres::for_tests() else { return };
    let fresh = server.database().unwrap();
    open(&fresh).await.migrate(FIRST).await.unwrap();
    let role = format!("role_{}", fresh.name());
    let rights = format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON interlock_migration TO {role}");
    fresh.psql(&rights).unwrap();
    let url = fresh.url().replace("postgres@", &format!("{role}@"));
    let options = interlock_postgres_database::Options::new(&url, None, None).unwrap();
    let small = interlock_postgres_database::Database::open(&options).await.unwrap();
    let answers = (small.migrate(FIRST).await, small.migrate(OTHER).await);
    fresh.psql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
    answers.0.unwrap();
    assert_eq!(answers.1.unwrap_err().code(), "store_denied");
}
