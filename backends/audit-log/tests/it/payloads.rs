//! Sealed payloads: stored beside the record, bound to it, destroyed without breaking the chain (T26).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use audit_log::offline::{FindingKind, VerifyOptions, count_payloads, verify};
use audit_log::{AuditLogFile, Payloads};
use jiff::Timestamp;
use platform::audit::{AuditFilter, AuditLog, AuditPosition};
use platform::audit_payload::{PayloadKeys as _, StoredPayloadKeys};
use platform::clock::Clock;
use platform_suites::secrets::MemorySecrets;
use serde_json::json;

use crate::fixture::{Fixture, tool_call};

const CANARY: &str = "canary-5d0e-sealed";

#[derive(Clone)]
struct Month(Arc<Mutex<Timestamp>>);

impl Month {
    fn starting(at: &str) -> Self {
        Self(Arc::new(Mutex::new(at.parse().unwrap())))
    }
}

impl Clock for Month {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct Sealing {
    fixture: Fixture,
    keys: Arc<StoredPayloadKeys>,
}

impl Sealing {
    fn new() -> Self {
        Self {
            fixture: Fixture::new(),
            keys: Arc::new(StoredPayloadKeys::new(Arc::new(MemorySecrets::new(Arc::new(Month::starting(NOVEMBER)))))),
        }
    }

    async fn open(&self, month: &str) -> Arc<AuditLogFile> {
        let clock: platform::SharedClock = Arc::new(Month::starting(month));
        let payloads = Payloads::ready(self.keys.clone(), &clock).await.unwrap();
        self.fixture.open_with(|options| options.payloads = Some(payloads)).0
    }

    fn database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.fixture.path().join("audit.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        connection
    }

    fn report(&self) -> audit_log::offline::Report {
        let options =
            VerifyOptions { public_keys: vec![self.fixture.keys.public_key().unwrap()], ..Default::default() };
        verify(self.fixture.path(), &options).unwrap()
    }
}

fn entry(request: &str, at: &str) -> platform::audit::AuditEntry {
    let mut entry = tool_call("alice", request);
    entry.at = at.parse().unwrap();
    entry.payload = Some(json!({"arguments": {"password": CANARY}, "request": request}));
    entry
}

const NOVEMBER: &str = "2026-11-30T23:59:59Z";
const DECEMBER: &str = "2026-12-01T00:00:01Z";

#[tokio::test]
async fn t26_a_payload_is_sealed_beside_its_record_and_opens_only_there() {
    let sealing = Sealing::new();
    let log = sealing.open(NOVEMBER).await;
    let first = log.append(entry("r-1", NOVEMBER)).await.unwrap();
    let second = log.append(entry("r-2", NOVEMBER)).await.unwrap();
    log.append_detached(entry("r-3", NOVEMBER));
    let plain = log.append(tool_call("alice", "r-4")).await.unwrap();

    assert_eq!(log.payload(first).await.unwrap()["request"], json!("r-1"));
    assert_eq!(log.payload(AuditPosition(second.0 + 1)).await.unwrap()["request"], json!("r-3"));
    assert_eq!(log.payload(plain).await.unwrap_err().code(), "audit_payload_absent");
    assert_eq!(log.payload(AuditPosition(99)).await.unwrap_err().code(), "audit_record_unknown");

    let records = log.recent(AuditFilter::default(), 10).await.unwrap();
    let said = &records.iter().find(|r| r["http"]["request"]["id"] == "r-1").unwrap()["interlock"]["payload"];
    assert_eq!(said["key"], json!("2026-11"));
    assert!(said["bytes"].as_u64().unwrap() > CANARY.len() as u64);
    let sealed: Vec<u8> = sealing
        .database()
        .query_row("SELECT sealed FROM payload WHERE seq = ?", [first.0.cast_signed()], |row| row.get(0))
        .unwrap();
    assert_eq!(said["sha256"], json!(hex::encode(platform::canonical::sha256(&sealed))));
    log.close().await.unwrap();
    for file in std::fs::read_dir(sealing.fixture.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()));
    }
    let report = sealing.report();
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!((report.payloads.present, report.payloads.destroyed), (3, 0));
}

#[tokio::test]
async fn t26_a_new_month_has_a_key_of_its_own_while_the_log_runs() {
    let sealing = Sealing::new();
    let log = sealing.open(NOVEMBER).await;
    let before = log.append(entry("before", NOVEMBER)).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|i| {
            let log = log.clone();
            tokio::spawn(async move { log.append(entry(&format!("after-{i}"), DECEMBER)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    // A call that began before midnight and ends after it is sealed under the month that is written.
    let late = log.append(entry("late", NOVEMBER)).await.unwrap();
    assert_eq!(sealing.keys.months().await.unwrap(), ["2026-11", "2026-12"]);
    let key_of = |position: AuditPosition| -> String {
        let sql = "SELECT key_id FROM payload WHERE seq = ?";
        sealing.database().query_row(sql, [position.0.cast_signed()], |row| row.get(0)).unwrap()
    };
    assert_eq!((key_of(before).as_str(), key_of(late).as_str()), ("2026-11", "2026-12"));
    for position in [before, late] {
        log.payload(position).await.unwrap();
    }
}

#[tokio::test]
async fn t26_destroying_a_month_leaves_the_chain_and_the_other_months() {
    let sealing = Sealing::new();
    let log = sealing.open(NOVEMBER).await;
    let old = log.append(entry("old", NOVEMBER)).await.unwrap();
    let new = log.append(entry("new", DECEMBER)).await.unwrap();
    let kept = log.destroy_payloads(31, "2026-12-31T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(kept, audit_log::Destroyed::default(), "a payload of the last of November is 30 days old");

    let destroyed = log.destroy_payloads(31, "2027-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!((destroyed.months.as_slice(), destroyed.payloads), (&["2026-11".to_owned()][..], 1));
    assert_eq!(log.payload(old).await.unwrap_err().code(), "audit_payload_destroyed");
    assert_eq!(log.payload(new).await.unwrap()["request"], json!("new"));
    assert_eq!(sealing.keys.months().await.unwrap(), ["2026-12"]);
    let events = log.recent(AuditFilter::default(), 50).await.unwrap();
    let said = events.iter().find(|r| r["event"]["action"] == "audit.payloads_destroyed").unwrap();
    assert_eq!(said["interlock"]["months"], json!(["2026-11"]));

    let again = log.destroy_payloads(31, "2027-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(again, audit_log::Destroyed::default());
    log.close().await.unwrap();
    let report = sealing.report();
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!((report.payloads.present, report.payloads.destroyed), (1, 1));
}

#[tokio::test]
async fn t26_a_key_that_is_gone_is_counted_and_a_new_one_opens_nothing_old() {
    let sealing = Sealing::new();
    let log = sealing.open(NOVEMBER).await;
    let position = log.append(entry("r-1", NOVEMBER)).await.unwrap();
    sealing.keys.destroy("2026-11").await.unwrap();
    assert_eq!(log.payload(position).await.unwrap_err().code(), "audit_payload_destroyed");
    log.close().await.unwrap();

    // The month goes on under a second key.
    let log = sealing.open(NOVEMBER).await;
    let next = log.append(entry("r-2", NOVEMBER)).await.unwrap();
    assert_eq!(log.payload(next).await.unwrap()["request"], json!("r-2"));
    assert_eq!(log.payload(position).await.unwrap_err().code(), "audit_payload_destroyed");
    log.close().await.unwrap();
    assert!(sealing.report().ok, "{:?}", sealing.report().findings);
    let keys = BTreeSet::from(["2026-11.2".to_owned()]);
    let counts = count_payloads(sealing.fixture.path(), &keys).unwrap();
    assert_eq!((counts.present, counts.missing_key), (1, 1));
}

#[tokio::test]
async fn t26_a_changed_moved_or_planted_payload_is_named() {
    type Edit = fn(&rusqlite::Connection, i64);
    let edits: [(&str, Edit); 4] = [
        ("changed", |c, at| {
            c.execute("UPDATE payload SET sealed = zeroblob(40) WHERE seq = ?", [at]).unwrap();
        }),
        ("moved", |c, at| {
            let other = "UPDATE payload SET sealed = (SELECT sealed FROM payload WHERE seq = ?1 + 1) WHERE seq = ?1";
            c.execute(other, [at]).unwrap();
        }),
        ("other key", |c, at| {
            c.execute("UPDATE payload SET key_id = '2026-10' WHERE seq = ?", [at]).unwrap();
        }),
        ("planted", |c, at| {
            c.execute("INSERT INTO payload VALUES(1, '2026-11', zeroblob(40))", []).unwrap();
            c.execute("DELETE FROM payload WHERE seq = ?", [at]).unwrap();
        }),
    ];
    for (name, edit) in edits {
        let sealing = Sealing::new();
        let log = sealing.open(NOVEMBER).await;
        let position = log.append(entry("r-1", NOVEMBER)).await.unwrap();
        log.append(entry("r-2", NOVEMBER)).await.unwrap();
        log.close().await.unwrap();
        let connection = sealing.database();
        let trigger: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'payload_no_update'", [], |row| row.get(0))
            .unwrap();
        assert!(connection.execute("UPDATE payload SET sealed = zeroblob(40)", []).is_err(), "{name}: unprotected");
        connection.execute_batch("DROP TRIGGER payload_no_update").unwrap();
        edit(&connection, position.0.cast_signed());
        connection.execute_batch(&trigger).unwrap();
        drop(connection);

        let report = sealing.report();
        let found: Vec<_> = report.findings.iter().map(|f| (f.kind, f.position)).collect();
        let at = if name == "planted" { 1 } else { position.0 };
        assert_eq!(found, [(FindingKind::PayloadChanged, Some(at))], "{name}");
        assert_eq!((report.payloads.changed, report.first_bad), (1, Some(at)), "{name}");
        if name == "changed" || name == "moved" {
            let log = sealing.open(NOVEMBER).await;
            assert_eq!(log.payload(position).await.unwrap_err().code(), "audit_payload_changed", "{name}");
        }
    }
}
