//! A server of our own starts, keeps what was committed over a kill, asks for its password, and leaves nothing behind.
#![cfg(test)]

use interlock_engines::{EngineError, Postgres, Settings};

#[test]
fn a_database_is_fresh_and_goes_with_its_value() {
    let Some(server) = Postgres::for_tests() else { return };
    let (one, other) = (server.database().unwrap(), server.database().unwrap());
    one.psql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    assert_eq!(one.psql("SELECT n FROM t").unwrap(), "7");
    assert!(matches!(other.psql("SELECT n FROM t"), Err(EngineError::Program { .. })));
    let gone = one.name().to_owned();
    drop(one);
    assert_eq!(other.psql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{gone}'")).unwrap(), "0");
}

#[test]
fn what_was_committed_is_there_after_a_kill_and_a_restart() {
    let Some(server) = Postgres::own_for_tests(Settings { fsync: true, ..Settings::default() }) else { return };
    let database = server.database().unwrap();
    database.psql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    for _ in 0..2 {
        server.kill().unwrap();
        assert!(database.psql("SELECT 1").is_err(), "a killed server answers");
        server.restart().unwrap();
        assert_eq!(database.psql("SELECT n FROM t").unwrap(), "7");
    }
}

#[test]
fn a_server_with_a_password_asks_for_it_and_one_without_a_holder_is_gone() {
    let settings = Settings { password: Some("of this test".to_owned()), ..Settings::default() };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let database = server.database().unwrap();
    let stored = database.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'").unwrap();
    assert!(stored.starts_with("SCRAM-SHA-256$"), "{stored}");
    let address = server.url().rsplit_once('@').unwrap().1.to_owned();
    let asked = std::process::Command::new("psql")
        .args(["-X", "-w", "-c", "SELECT 1", &format!("{}/postgres", server.url())])
        .env_remove("PGPASSWORD")
        .output();
    if let Ok(asked) = asked {
        assert!(!asked.status.success(), "let in without a password");
    }
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop((database, server));
    assert!(std::net::TcpStream::connect(&address).is_err(), "the server outlives its holder");
}
