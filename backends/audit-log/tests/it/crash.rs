//! Kill -9 at any moment: what was acknowledged is there afterwards, and verifies. The test program starts itself again
//! as the process that dies.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::{AuditKeys, AuditLogFile, AuditOptions, PreviousEnd};
use platform::Json;
use platform::audit::{AuditFilter, AuditLog};
use platform::clock::SystemClock;
use platform::secret::{Secret, SecretKey};
use uuid::Uuid;

use crate::fixture::{Fixture, intent, outcome};

const FOLDER: &str = "AUDIT_LOG_TEST_FOLDER";

pub(crate) fn program(test: &str, folder: &std::path::Path, keys: &AuditKeys) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env("AUDIT_LOG_TEST_KEY", keys.signing.expose());
    command
}

/// Folder and keys of a program that a test started; `None` when a person ran the ignored tests.
#[expect(clippy::disallowed_methods, reason = "how a test hands its folder to the process that it starts")]
pub(crate) fn started() -> Option<(std::path::PathBuf, AuditKeys)> {
    let keys =
        AuditKeys { signing: Secret::new(std::env::var("AUDIT_LOG_TEST_KEY").ok()?), hmac: SecretKey::new([7; 32]) };
    Some((std::env::var_os(FOLDER)?.into(), keys))
}

/// The power fails while the database is being made: part of a transaction stands in it, and the journal to take it back.
#[tokio::test]
async fn t24_a_log_that_was_being_made_when_the_power_failed_is_made_again() {
    let (fixture, elsewhere) = (Fixture::new(), tempfile::tempdir().unwrap());
    let half = elsewhere.path().join("audit.db");
    let connection = rusqlite::Connection::open(&half).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size=1; BEGIN; CREATE TABLE made(x);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO made SELECT randomblob(1000) FROM n;",
        )
        .unwrap();
    for name in ["audit.db", "audit.db-journal"] {
        std::fs::copy(elsewhere.path().join(name), fixture.path().join(name)).unwrap();
    }
    assert!(std::fs::metadata(fixture.path().join("audit.db")).unwrap().len() > 0, "nothing stood in the file");
    let (log, opened) = fixture.open();
    assert_eq!(opened.previous(), PreviousEnd::None);
    log.append(intent("first")).await.unwrap();
    log.close().await.unwrap();
    let report = verify(fixture.path(), &VerifyOptions::default()).unwrap();
    assert!(report.ok, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the kill test starts"]
async fn writes_until_it_is_killed() {
    let Some((folder, keys)) = started() else { return };
    let mut options = AuditOptions::new(folder);
    options.checkpoint_every = 50;
    let (log, _) = AuditLogFile::open(options, &keys, Arc::new(SystemClock)).unwrap();
    let log = Arc::new(log);
    for _ in 0..16 {
        let log = log.clone();
        tokio::spawn(async move {
            loop {
                let request = Uuid::new_v4().to_string();
                let position = log.append(intent(&request)).await.unwrap();
                // One write call a line: what the parent reads whole was acknowledged.
                println!("\nack {} {request} intent", position.0);
                let position = log.append(outcome(&request)).await.unwrap();
                println!("\nack {} {request} outcome", position.0);
            }
        });
    }
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_kill_9_loses_nothing_that_was_acknowledged() {
    let seed = Uuid::new_v4().as_u128();
    println!("seed {seed:#034x}");
    let fixture = Fixture::new();
    let mut acknowledged: Vec<(u64, String, String)> = Vec::new();
    let mut last = 0;
    for run in 0..10 {
        // After how many acknowledgements it dies: 1 to 256, from the seed's bytes.
        let enough = 1 + (seed >> (8 * run) & 0xff) as usize;
        let mut child = program("crash::writes_until_it_is_killed", fixture.path(), &fixture.keys)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (mut seen, mut line) = (0, String::new());
        while seen < enough {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "run {run}: the writer ended by itself");
            seen += usize::from(take(&line, &mut acknowledged));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        // Whatever else it said before it died counts too; a last line that is cut off does not.
        rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).for_each(|line| {
            take(line, &mut acknowledged);
        });

        let report = verify(fixture.path(), &VerifyOptions::default()).unwrap();
        assert_eq!(report.findings, [], "run {run}");
        assert!(report.records > last);
        last = report.records;
        let kept: BTreeSet<(u64, String, String)> =
            audit_log::offline::tail(fixture.path(), &AuditFilter::default(), usize::MAX)
                .unwrap()
                .iter()
                .map(|record| {
                    let text = |pointer| record.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
                    (record["event"]["sequence"].as_u64().unwrap(), text("/http/request/id"), text("/interlock/phase"))
                })
                .collect();
        let lost: Vec<_> = acknowledged.iter().filter(|record| !kept.contains(*record)).collect();
        assert!(lost.is_empty(), "run {run}: acknowledged and gone: {lost:?}");
    }
    let keys = AuditKeys { signing: fixture.keys.signing.clone(), hmac: SecretKey::new([7; 32]) };
    let (log, opened) = AuditLogFile::open(AuditOptions::new(fixture.path()), &keys, Arc::new(SystemClock)).unwrap();
    assert_eq!(opened.previous(), PreviousEnd::Crashed);
    log.close().await.unwrap();
    let report = verify(fixture.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(report.open_intents, [], "each intent of ten dead processes has an outcome");
    assert!(report.ok);
}

fn take(line: &str, acknowledged: &mut Vec<(u64, String, String)>) -> bool {
    let mut words = line.split_whitespace();
    if words.next() != Some("ack") {
        return false;
    }
    let mut word = || words.next().unwrap_or_default().to_owned();
    acknowledged.push((word().parse().unwrap(), word(), word()));
    true
}

/// Waits until `done`, for conditions that another thread brings about.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
