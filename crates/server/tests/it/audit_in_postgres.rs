//! The audit log with its records, its registry and its countersignatures in one PostgreSQL, which is killed under load.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_log::offline::{VerifyOptions, verify};
use audit_log::registry::RegisteredState;
use audit_log::{AuditKeys, AuditLogFile, AuditOptions, Cosigner, Registry, Replica};
use audit_postgres::PostgresAudit;
use engines::{Postgres, Settings};
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditReplica, Outcome};
use platform::clock::SystemClock;
use platform::store::Store;
use platform::{Clock, Json, Secret};
use postgres_database::{Database, Options};
use store_postgres::{PostgresStore, Sharing};

const CALLERS: usize = 16;

struct Deployment {
    replica: Arc<PostgresAudit>,
    registry: Registry,
}

impl Deployment {
    async fn open(url: &str, countersign: &Secret) -> Self {
        let database = Database::open(&Options::new(url, None, None).unwrap()).await.unwrap();
        let clock = Arc::new(SystemClock);
        let store = PostgresStore::open(database.clone(), Sharing::Replicas, clock.clone()).await.unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let registry = Registry::new(store, Cosigner::new(countersign).unwrap(), clock);
        Self { replica: Arc::new(PostgresAudit::open(database).await.unwrap()), registry }
    }

    async fn log(&self, folder: &Path, keys: &AuditKeys) -> Arc<AuditLogFile> {
        let mut options = AuditOptions::new(folder);
        options.registry = Some(self.registry.clone());
        options.replica = Some(Replica::new(self.replica.clone()));
        let keys = keys.clone();
        let opened = tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, Arc::new(SystemClock)));
        Arc::new(opened.await.unwrap().unwrap().0)
    }

    /// Request and position of every record that stands in the database, and their lines.
    async fn there(&self, origin: &str) -> (BTreeMap<String, u64>, Vec<String>) {
        let (mut requests, mut lines, mut after) = (BTreeMap::new(), Vec::new(), 0);
        loop {
            let page = self.replica.read(origin, after, 1_000).await.unwrap();
            let Some(last) = page.last() else { return (requests, lines) };
            after = last.position;
            for record in page {
                let line: Json = serde_json::from_str(&record.line).unwrap();
                if let Some(request) = line["http"]["request"]["id"].as_str() {
                    assert_eq!(requests.insert(request.to_owned(), record.position), None, "{request} stands twice");
                }
                lines.push(record.line);
            }
        }
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_kill_9_of_postgres_under_load_refuses_loses_nothing_and_recovers_by_itself() {
    let settings = Settings { fsync: true, ..Settings::default() };
    let Some(server) = Postgres::own_for_tests(settings) else { return };
    let database = server.database().unwrap();
    let (keys, countersign) = (AuditKeys::generate().unwrap(), Cosigner::generate().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let deployment = Deployment::open(&database.url(), &countersign).await;
    let log = deployment.log(folder.path(), &keys).await;
    let origin = log.public_key().origin.unwrap();

    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let (refused, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (log, acknowledged, refused, stop) = (log.clone(), acknowledged.clone(), refused.clone(), stop.clone());
            tokio::spawn(async move {
                for call in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let request = format!("{caller}-{call}");
                    let mut entry = AuditEntry::event(SystemClock.now(), "tool.call", Outcome::Success);
                    entry.request_id = Some(request.clone());
                    match log.append(entry).await {
                        Ok(position) => acknowledged.lock().unwrap().push((request, position.0)),
                        Err(error) => {
                            assert_eq!((error.code(), error.http_status()), ("audit_unavailable", 503));
                            refused.fetch_add(1, Ordering::SeqCst);
                            // As a client does that was told to come again.
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let before = acknowledged.lock().unwrap().len();
        until(|| acknowledged.lock().unwrap().len() > before + 200).await;
        let refusals = refused.load(Ordering::SeqCst);
        server.kill().unwrap();
        until(|| refused.load(Ordering::SeqCst) > refusals + 10).await;
        let restarting = server.clone();
        tokio::task::spawn_blocking(move || restarting.restart().unwrap()).await.unwrap();
    }
    let before = acknowledged.lock().unwrap().len();
    until(|| acknowledged.lock().unwrap().len() > before + 200).await;
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    log.close().await.unwrap();

    let acknowledged = acknowledged.lock().unwrap().clone();
    let (there, lines) = deployment.there(&origin).await;
    let lost: Vec<_> = acknowledged.iter().filter(|(request, position)| there.get(request) != Some(position)).collect();
    assert!(lost.is_empty(), "of {} acknowledged: {lost:?}", acknowledged.len());
    let mut local = Vec::new();
    audit_log::offline::export(
        folder.path(),
        audit_log::offline::Format::JsonLines,
        &AuditFilter::default(),
        &mut local,
    )
    .unwrap();
    assert_eq!(String::from_utf8(local).unwrap(), lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let report = verify(folder.path(), &VerifyOptions::default()).unwrap();
    assert_eq!(report.findings, []);
    let registered = deployment.registry.log(&origin).await.unwrap().unwrap();
    assert_eq!((registered.state, registered.size), (RegisteredState::Closed, report.records));
    assert_eq!(registered.root, report.root);
    println!(
        "{} acknowledged, {} refused, {} records",
        acknowledged.len(),
        refused.load(Ordering::SeqCst),
        lines.len()
    );
}
