//! Logs are opened and closed in the store, and their checkpoints countersigned there.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use audit_log::checkpoint::{SignatureState, SignedCheckpoint};
use audit_log::cosign::CosignatureState;
use audit_log::offline::{VerifyOptions, verify};
use audit_log::registry::{AUDIT_CHECKPOINTS, LogRecord, RegisteredState, SessionEnd, log_in};
use audit_log::{
    AuditFault, AuditKeys, AuditLogFile, AuditOptions, Cosigner, CosignerKey, KeptKeys, Opened, PreviousEnd, Registry,
    record_fork,
};
use platform::audit::{AuditFilter, AuditLog};
use platform::clock::AdjustableClock;
use platform::error::{Error, ErrorKind};
use platform::store::{Collection, Op, OpResult, Query, Record, Store, TransactError};
use platform::{Clock, Secret};
use platform_suites::MemorySecrets;
use platform_suites::store::{InterceptedStore, Interceptor, MemoryStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::crash::until;
use crate::failing::Elsewhere;
use crate::fixture::{Fixture, copy_files, intent, outcome, tool_call};

/// Lets a store be made to fail.
#[derive(Default)]
pub(crate) struct Flaky {
    down: AtomicBool,
}

impl Flaky {
    fn up(&self) -> Result<(), Error> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "store_unavailable", "The store is down."));
        }
        Ok(())
    }
}

#[async_trait]
impl Interceptor for Flaky {
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        self.up().map_err(TransactError::Store)?;
        inner.transact(ops).await
    }

    async fn get(&self, inner: &MemoryStore, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.up()?;
        inner.get(collection, id).await
    }

    async fn list(&self, inner: &MemoryStore, query: Query<'_>) -> Result<Vec<Record>, Error> {
        self.up()?;
        inner.list(query).await
    }
}

/// A deployment: one store, one countersigner, and the keys of its logs.
pub(crate) struct Deployment {
    pub(crate) folder: TempDir,
    pub(crate) keys: AuditKeys,
    pub(crate) store: Arc<InterceptedStore<Flaky>>,
    clock: Arc<AdjustableClock>,
    countersign: Secret,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let store = InterceptedStore::new(Arc::new(MemoryStore::new(clock.clone())), Flaky::default());
        Self {
            folder: tempfile::tempdir().unwrap(),
            keys: AuditKeys::generate().unwrap(),
            store: Arc::new(store),
            clock,
            countersign: Cosigner::generate().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn registry(&self) -> Registry {
        Registry::new(self.store.clone(), Cosigner::new(&self.countersign).unwrap(), self.clock.clone())
    }

    fn cosigner(&self) -> CosignerKey {
        Cosigner::new(&self.countersign).unwrap().key().clone()
    }

    pub(crate) async fn open(&self) -> (Arc<AuditLogFile>, Opened) {
        self.open_with(self.path(), |_| {}).await.unwrap()
    }

    async fn refused(&self, folder: &Path) -> Error {
        self.open_with(folder, |_| {}).await.err().unwrap().into()
    }

    pub(crate) async fn open_with(
        &self,
        folder: &Path,
        change: impl FnOnce(&mut AuditOptions),
    ) -> Result<(Arc<AuditLogFile>, Opened), AuditFault> {
        let mut options = AuditOptions::new(folder);
        options.registry = Some(self.registry());
        change(&mut options);
        let (keys, clock) = (self.keys.clone(), self.clock.clone());
        let opened = tokio::task::spawn_blocking(move || AuditLogFile::open(options, &keys, clock));
        opened.await.unwrap().map(|(log, opened)| (Arc::new(log), opened))
    }

    pub(crate) async fn logs(&self) -> Vec<LogRecord> {
        self.registry().logs().await.unwrap()
    }

    async fn the_log(&self) -> LogRecord {
        let mut logs = self.logs().await;
        assert_eq!(logs.len(), 1);
        logs.remove(0)
    }

    /// Waits until the store has a countersigned checkpoint over `size` records of the only log.
    async fn countersigned(&self, log: &AuditLogFile, size: u64) {
        until(|| log.stats().countersigned >= size).await;
    }
}

async fn first_record(log: &AuditLogFile) -> Value {
    let opened = log.recent(AuditFilter::default(), 10_000).await.unwrap();
    opened[0]["interlock"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_log_is_opened_and_closed_in_the_store_and_its_last_checkpoint_stands_there() {
    let deployment = Deployment::new();
    let anchor = Elsewhere::default();
    let sink = anchor.clone();
    let (log, _) = deployment
        .open_with(deployment.path(), |options| {
            options.checkpoint_every = 1;
            options.sinks.push(Box::new(sink));
        })
        .await
        .unwrap();
    let running = deployment.the_log().await;
    assert_eq!(running.state, RegisteredState::Open);
    assert_eq!(running.running().unwrap().opened_size, 0);
    for i in 0..5 {
        log.append(tool_call("alice", &format!("call-{i}"))).await.unwrap();
    }
    log.close().await.unwrap();

    let closed = deployment.the_log().await;
    assert_eq!((closed.state, closed.size), (RegisteredState::Closed, 7));
    let session = &closed.sessions[0];
    assert_eq!((session.end, session.closed_size), (Some(SessionEnd::Closed), Some(7)));
    let report = verify(deployment.path(), &VerifyOptions::default()).unwrap();
    assert_eq!((report.root, report.origin), (closed.root.clone(), closed.origin.clone()));
    assert_eq!(closed.verifier_key, report.verifier_key);
    assert_eq!(closed.countersigner, deployment.cosigner().to_string());

    let notes = anchor.notes.lock().unwrap().clone();
    let mut last = 0;
    for note in &notes {
        let signed = SignedCheckpoint::parse(note).unwrap();
        assert_eq!(signed.judge(&log.public_key()), SignatureState::Good);
        assert!(matches!(signed.countersigned_by(&deployment.cosigner()), CosignatureState::Good(_)));
        assert!(signed.checkpoint.size > last, "they rise");
        last = signed.checkpoint.size;
    }
    assert_eq!((last, notes.last().unwrap()), (7, &closed.note));
    let page = Query {
        collection: AUDIT_CHECKPOINTS,
        filter: Some(("origin", &closed.origin)),
        after: None,
        limit: 9,
        descending: false,
    };
    let kept = deployment.store.list(page).await.unwrap();
    assert_eq!((kept.len(), &kept[0].body["note"]), (1, &json!(closed.note)));
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_what_a_crashed_process_left_open_is_closed_by_the_next_with_the_recovered_size() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.append(intent("half-done")).await.unwrap();
    deployment.countersigned(&log, 1).await;
    // The process dies: its files stay, nothing of it runs. Here it only loses its lock.
    let kept = tempfile::tempdir().unwrap();
    copy_files(deployment.path(), kept.path());
    drop(log);
    for name in ["audit.db", "audit.db-wal", "audit.checkpoints"] {
        let (from, to) = (kept.path().join(name), deployment.path().join(name));
        if from.exists() {
            // In place: it is the same file, not a copy.
            std::fs::write(&to, std::fs::read(from).unwrap()).unwrap();
        }
    }
    let (log, opened) = deployment.open().await;
    assert_eq!((opened.previous(), opened.unknown_outcomes().len()), (PreviousEnd::Crashed, 1));
    let record = deployment.the_log().await;
    let first = &record.sessions[0];
    assert_eq!((first.end, first.closed_size), (Some(SessionEnd::Crashed), Some(2)));
    assert_eq!((record.sessions[1].end, record.sessions[1].opened_size), (None, 2));
    log.close().await.unwrap();
    assert_eq!(deployment.the_log().await.state, RegisteredState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_an_old_copy_that_was_put_back_and_a_folder_that_was_emptied_are_rolled_back() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
    let old = tempfile::tempdir().unwrap();
    copy_files(deployment.path(), old.path());
    let (log, _) = deployment.open().await;
    log.append(tool_call("alice", "later")).await.unwrap();
    log.close().await.unwrap();

    copy_files(old.path(), deployment.path());
    let refused = deployment.refused(deployment.path()).await;
    assert_eq!((refused.code(), refused.http_status()), ("audit_rolled_back", 503));
    for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.checkpoints"] {
        drop(std::fs::remove_file(deployment.path().join(name)));
    }
    assert_eq!(deployment.refused(deployment.path()).await.code(), "audit_rolled_back");
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_another_history_under_the_right_key_is_refused_at_opening() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
    let forged = Fixture { folder: tempfile::tempdir().unwrap(), keys: deployment.keys.clone() };
    copy_files(deployment.path(), forged.path());
    let (log, _) = deployment.open().await;
    log.append(tool_call("alice", "as-it-was")).await.unwrap();
    log.close().await.unwrap();
    let (log, _) = forged.open();
    for i in 0..5 {
        log.append(tool_call("alice", &format!("as-they-want-it-{i}"))).await.unwrap();
    }
    log.close().await.unwrap();
    assert!(verify(forged.path(), &VerifyOptions::default()).unwrap().ok, "by itself it is a good log");
    copy_files(forged.path(), deployment.path());
    let refused = deployment.refused(deployment.path()).await;
    assert_eq!(refused.code(), "audit_forked");
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_copy_of_a_log_that_is_open_does_not_start_elsewhere() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.append(tool_call("alice", "before")).await.unwrap();
    deployment.countersigned(&log, 1).await;
    let copy = tempfile::tempdir().unwrap();
    copy_files(deployment.path(), copy.path());
    let refused = deployment.refused(copy.path()).await;
    assert_eq!((refused.code(), refused.http_status()), ("audit_log_elsewhere", 409));
    log.append(tool_call("alice", "goes-on")).await.unwrap();
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_when_two_copies_run_the_store_admits_one_and_the_other_refuses_every_call() {
    let deployment = Deployment::new();
    let (first, _) = deployment.open_with(deployment.path(), |options| options.checkpoint_every = 1).await.unwrap();
    first.append(tool_call("alice", "both")).await.unwrap();
    deployment.countersigned(&first, 2).await;
    let copy = tempfile::tempdir().unwrap();
    copy_files(deployment.path(), copy.path());
    // As if the first had been silent for longer than a process that lives ever is.
    deployment.clock.advance(120);
    let (second, _) = deployment.open_with(copy.path(), |options| options.checkpoint_every = 1).await.unwrap();
    second.append(tool_call("bob", "here")).await.unwrap();
    deployment.countersigned(&second, 4).await;

    // Acknowledged before anybody could know; its checkpoint is what shows the fork.
    first.append(tool_call("alice", "there")).await.unwrap();
    until(|| first.stats().forked.is_some()).await;
    let refused = first.append(tool_call("alice", "no-more")).await.unwrap_err();
    assert_eq!((refused.code(), refused.http_status()), ("audit_forked", 503));
    let last = first.recent(AuditFilter::default(), 1).await.unwrap().remove(0);
    assert_eq!(last["event"]["action"], "audit.forked");
    second.append(tool_call("bob", "goes-on")).await.unwrap();
    second.close().await.unwrap();
    first.close().await.unwrap();
    let record = deployment.the_log().await;
    assert_eq!((record.state, record.size), (RegisteredState::Closed, second.stats().records));
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_while_the_store_is_down_records_go_on_and_checkpoints_wait() {
    let deployment = Deployment::new();
    let anchor = Elsewhere::default();
    let sink = anchor.clone();
    let (log, _) = deployment
        .open_with(deployment.path(), |options| {
            options.checkpoint_every = 1;
            options.sinks.push(Box::new(sink));
        })
        .await
        .unwrap();
    deployment.countersigned(&log, 1).await;
    deployment.store.down.store(true, Ordering::SeqCst);
    for i in 0..20 {
        log.append(tool_call("alice", &format!("call-{i}"))).await.unwrap();
    }
    until(|| log.stats().countersign_waiting_s >= 1).await;
    assert_eq!(log.stats().countersigned, 1);
    assert_eq!(anchor.notes.lock().unwrap().len(), 1, "nothing counts that is not countersigned");
    deployment.store.down.store(false, Ordering::SeqCst);
    deployment.countersigned(&log, 21).await;
    until(|| log.stats().countersign_waiting_s == 0).await;
    log.close().await.unwrap();
    let sizes: Vec<_> =
        anchor.notes.lock().unwrap().iter().map(|note| note.lines().nth(1).unwrap().to_owned()).collect();
    assert_eq!(sizes, ["1", "21", "22"], "the next one covers all that waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_close_that_the_store_did_not_hear_is_made_up_for_at_the_next_start() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    deployment.countersigned(&log, 1).await;
    deployment.store.down.store(true, Ordering::SeqCst);
    log.close().await.unwrap();
    deployment.store.down.store(false, Ordering::SeqCst);
    assert_eq!(deployment.the_log().await.state, RegisteredState::Open);
    let (log, opened) = deployment.open().await;
    assert_eq!(opened.previous(), PreviousEnd::Closed);
    assert_eq!(deployment.the_log().await.sessions[0].end, Some(SessionEnd::Closed));
    log.close().await.unwrap();
    assert_eq!(deployment.the_log().await.size, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_after_a_recorded_fork_a_new_log_begins_that_names_the_old_one() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.append(intent("open-in-the-backup")).await.unwrap();
    log.close().await.unwrap();
    let old = deployment.the_log().await;
    assert_eq!(log_in(deployment.path()).unwrap(), Some((old.origin.clone(), old.size)));
    assert_eq!(log_in(&deployment.path().join("nowhere")).unwrap(), None);
    let why = "restored from the backup of Sunday";
    record_fork(deployment.store.as_ref(), deployment.clock.now(), &old.origin, old.size, why).await.unwrap();

    let (log, opened) = deployment.open().await;
    assert_eq!(opened.unknown_outcomes().len(), 1, "what the backup left open has no known outcome");
    let first = first_record(&log).await;
    let named = json!({
        "log": old.origin, "size": old.size, "root": old.root, "chain": old.chain, "reason": format!("fork: {why}"),
    });
    assert_eq!(first["predecessor"], named);
    assert_ne!(first["log"], json!(old.origin));
    log.close().await.unwrap();

    let logs = deployment.logs().await;
    let (old_now, new): (Vec<_>, Vec<_>) = logs.iter().partition(|log| log.origin == old.origin);
    assert_eq!((old_now[0].state, old_now[0].size), (RegisteredState::Forked, old.size));
    assert_eq!(old_now[0].successor.as_ref(), Some(&new[0].origin));
    assert_eq!(new[0].state, RegisteredState::Closed);
    let aside = deployment.path().join(old.origin.strip_prefix("interlock.audit/").unwrap());
    assert_eq!(verify(&aside, &VerifyOptions::default()).unwrap().origin, old.origin);
    // The next start has nothing to do with it any more.
    let (log, opened) = deployment.open().await;
    assert_eq!((opened.previous(), log.public_key().origin), (PreviousEnd::Closed, Some(new[0].origin.clone())));
}

#[tokio::test(flavor = "multi_thread")]
async fn t25_a_lost_folder_is_accepted_only_after_the_fork_was_recorded() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
    let old = deployment.the_log().await;
    for name in ["audit.db", "audit.db-wal", "audit.db-shm", "audit.checkpoints"] {
        drop(std::fs::remove_file(deployment.path().join(name)));
    }
    assert_eq!(deployment.refused(deployment.path()).await.code(), "audit_rolled_back");
    record_fork(deployment.store.as_ref(), deployment.clock.now(), &old.origin, 0, "the disk is lost").await.unwrap();
    let (log, _) = deployment.open().await;
    assert_eq!(first_record(&log).await["predecessor"]["log"], json!(old.origin));
    log.close().await.unwrap();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_another_countersigning_key_goes_on_where_the_last_one_stopped() {
    let mut deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
    let before = deployment.the_log().await;
    deployment.countersign = Cosigner::generate().unwrap();
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();
    let after = deployment.the_log().await;
    assert_ne!(before.countersigner, after.countersigner);
    assert_eq!(after.countersigner, deployment.cosigner().to_string());
    assert_eq!(after.size, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_keys_do_not_rotate_while_the_store_is_down_and_the_log_goes_on() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    let before = log.public_key();
    deployment.store.down.store(true, Ordering::SeqCst);
    let refused = log.rotate(&AuditKeys::generate().unwrap()).await.unwrap_err();
    assert_eq!(refused.code(), "store_unavailable");
    log.append(tool_call("alice", "goes-on")).await.unwrap();
    assert_eq!(log.public_key(), before);
    deployment.store.down.store(false, Ordering::SeqCst);
    log.close().await.unwrap();
    let report = verify(deployment.path(), &given(&before)).unwrap();
    assert_eq!((report.findings, report.records), (vec![], 3));
}

struct Sizes(Arc<Mutex<Vec<u64>>>);

impl audit_log::CheckpointSink for Sizes {
    fn publish(&mut self, note: &str, _: &str) -> std::io::Result<()> {
        let size = SignedCheckpoint::parse(note).unwrap().checkpoint.size;
        self.0.lock().unwrap().push(size);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_keys_rotate_while_calls_go_on_and_both_logs_verify() {
    let deployment = Deployment::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Sizes(seen.clone());
    let (log, _) = deployment.open_with(deployment.path(), |options| options.sinks.push(Box::new(sink))).await.unwrap();
    let old = log.public_key();
    log.append(intent("across")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (log, stop) = (log.clone(), stop.clone());
            tokio::spawn(async move {
                let mut done = 0_u64;
                while !stop.load(Ordering::SeqCst) {
                    log.append(tool_call("alice", &format!("{writer}-{done}"))).await.unwrap();
                    done += 1;
                }
                done
            })
        })
        .collect();
    let keys = AuditKeys::generate().unwrap();
    let new = log.rotate(&keys).await.unwrap();
    assert_ne!(new.origin, old.origin);
    assert_eq!(log.public_key(), new);
    log.append(outcome("across")).await.unwrap();
    stop.store(true, Ordering::SeqCst);
    let mut appended = 0;
    for writer in writers {
        appended += writer.await.unwrap();
    }
    let carried = AuditFilter { request_id: Some("across".to_owned()), ..Default::default() };
    let records = log.recent(carried, 9).await.unwrap();
    let phases: Vec<_> = records.iter().map(|record| record["interlock"]["phase"].clone()).collect();
    assert_eq!(phases, [json!("intent"), json!("outcome")]);
    assert_eq!(records[0]["interlock"]["carried_from"]["log"], json!(old.origin));
    assert_eq!(log.recent(AuditFilter::default(), 1).await.unwrap().len(), 1);
    log.close().await.unwrap();

    let digits = old.origin.as_deref().unwrap().strip_prefix("interlock.audit/").unwrap().to_owned();
    let first = verify(&deployment.path().join(digits), &given(&old)).unwrap();
    let second = verify(deployment.path(), &given(&new)).unwrap();
    assert_eq!((&first.findings, &second.findings), (&vec![], &vec![]));
    // opened, the intent, closed; opened, the intent again, its outcome, closed.
    assert_eq!(first.records + second.records, appended + 7, "nothing was lost between the two");
    let logs = deployment.logs().await;
    let of = |origin: &Option<String>| logs.iter().find(|log| Some(&log.origin) == origin.as_ref()).unwrap();
    let (before, after) = (of(&old.origin), of(&new.origin));
    assert_eq!((before.state, before.size, &before.successor), (RegisteredState::Closed, first.records, &new.origin));
    let named = after.predecessor.as_ref().unwrap();
    assert_eq!((&named.log, named.size, &named.root), (&before.origin, before.size, &first.root));
    assert_eq!(named.reason, "keys_rotated");
    assert!(seen.lock().unwrap().contains(&second.records), "the anchor goes along");
}

fn given(key: &audit_log::PublicKey) -> VerifyOptions {
    VerifyOptions { public_keys: vec![key.clone()], ..VerifyOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_a_log_made_with_a_retired_key_is_followed_at_the_next_start() {
    let mut deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    let old = log.public_key();
    log.close().await.unwrap();
    let retired = std::mem::replace(&mut deployment.keys, AuditKeys::generate().unwrap());
    assert_eq!(deployment.refused(deployment.path()).await.code(), "audit_key_unusable");
    let (log, _) = deployment.open_with(deployment.path(), |options| options.retired.push(retired)).await.unwrap();
    assert_eq!(log.public_key().bytes, deployment.keys.public_key().unwrap().bytes);
    assert_eq!(first_record(&log).await["predecessor"]["log"], json!(old.origin));
    log.close().await.unwrap();
    assert_eq!(deployment.logs().await.iter().filter(|log| log.state == RegisteredState::Closed).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_a_change_of_logs_that_was_cut_short_is_finished_or_taken_back() {
    let deployment = Deployment::new();
    let (log, _) = deployment.open().await;
    log.append(intent("cut-short")).await.unwrap();
    let old = log.public_key().origin.unwrap();
    let before = tempfile::tempdir().unwrap();
    copy_files(deployment.path(), before.path());
    let keys = AuditKeys::generate().unwrap();
    let to = log.rotate(&keys).await.unwrap().origin.unwrap();
    drop(log);
    let digits = old.strip_prefix("interlock.audit/").unwrap();
    let aside = deployment.path().join(digits);
    let change = json!({"from": old, "to": to, "reason": "keys_rotated"}).to_string();

    // Each case on a copy of the folder, without the registry: as a process that died there left it.
    let case = |prepare: &dyn Fn(&Path), keys: &AuditKeys| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(digits)).unwrap();
        copy_files(&aside, &folder.path().join(digits));
        std::fs::write(folder.path().join("audit.rotating"), &change).unwrap();
        prepare(folder.path());
        let clock = Arc::new(platform::clock::SystemClock);
        let (log, opened) = AuditLogFile::open(AuditOptions::new(folder.path()), keys, clock).unwrap();
        assert!(!folder.path().join("audit.rotating").exists());
        let origin = log.public_key().origin.unwrap();
        drop(log);
        let report = verify(folder.path(), &VerifyOptions::default()).unwrap();
        assert_eq!(report.findings, []);
        (origin, opened.unknown_outcomes().len(), report.open_intents.len())
    };
    let moved_and_not_begun = case(&|_| {}, &keys);
    assert_eq!(moved_and_not_begun, (to.clone(), 1, 0), "the process that carried the intent is gone");
    let closed_and_not_moved = case(
        &|folder| {
            for name in ["audit.db", "audit.db-wal", "audit.checkpoints"] {
                drop(std::fs::rename(folder.join(digits).join(name), folder.join(name)));
            }
        },
        &keys,
    );
    assert_eq!(closed_and_not_moved, (to, 1, 0));
    let announced_only = case(&|folder| copy_files(before.path(), folder), &deployment.keys);
    assert_eq!(announced_only, (old.clone(), 1, 0), "the old log goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn t28_keys_are_made_once_and_a_new_version_leaves_the_old_one_to_close_its_log() {
    let mut deployment = Deployment::new();
    let secrets = MemorySecrets::new(deployment.clock.clone());
    let first = KeptKeys::open(&secrets).await.unwrap();
    let again = KeptKeys::open(&secrets).await.unwrap();
    assert_eq!(again.current.public_key().unwrap(), first.current.public_key().unwrap());
    assert_eq!(again.current.hmac.expose(), first.current.hmac.expose());
    assert!(again.retired.is_empty());
    deployment.keys = first.current;
    let (log, _) = deployment.open().await;
    log.close().await.unwrap();

    // The process that wrote the new version died before it changed the log.
    let made = KeptKeys::replace(&secrets).await.unwrap();
    let now = KeptKeys::open(&secrets).await.unwrap();
    assert_eq!(now.current.public_key().unwrap(), made.public_key().unwrap());
    deployment.keys = now.current;
    let retired = now.retired;
    let (log, _) = deployment.open_with(deployment.path(), |options| options.retired = retired).await.unwrap();
    assert_eq!(log.public_key().bytes, made.public_key().unwrap().bytes);
    log.close().await.unwrap();
    assert_eq!(deployment.logs().await.len(), 2);

    let registry = Registry::kept(deployment.store.clone(), &secrets, deployment.clock.clone()).await.unwrap();
    let before = registry.cosigner().key().clone();
    registry.replace_cosigner(&secrets).await.unwrap();
    assert_ne!(registry.cosigner().key(), &before);
    let next = Registry::kept(deployment.store.clone(), &secrets, deployment.clock.clone()).await.unwrap();
    assert_eq!(next.cosigner().key(), registry.cosigner().key());
}
