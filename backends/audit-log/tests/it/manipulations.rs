//! The table of manipulations (T25): a folder with two logs, the second following the first, and an anchor elsewhere. Each
//! row is what somebody with every right on the machine could do; verification against the anchor must name it. The second
//! log has 61 records (opened, 59 calls, closed) and checkpoints over 1, 21, 41 and 61; the first one was opened and closed
//! once more when the second began.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::checkpoint::Checkpoint;
use audit_log::offline::{FindingKind, Verification, VerifyOptions, verify_all};
use audit_log::tree::{Frontier, Hash, chain_hash, leaf_hash};
use audit_log::{AuditKeys, AuditLogFile, AuditOptions, CheckpointFile, Payloads};
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::audit::{AuditLog, Outcome};
use platform::audit_payload::StoredPayloadKeys;
use platform::clock::SystemClock;
use platform_suites::secrets::MemorySecrets;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{copy_files, tool_call};

struct Scene {
    top: TempDir,
    first_keys: AuditKeys,
    second_keys: AuditKeys,
    first: String,
    second: String,
}

async fn open(folder: &Path, keys: &AuditKeys, retired: &[AuditKeys], anchor: Option<PathBuf>) -> Arc<AuditLogFile> {
    let clock: platform::SharedClock = Arc::new(SystemClock);
    let secrets = Arc::new(MemorySecrets::new(clock.clone()));
    let payloads = Payloads::ready(Arc::new(StoredPayloadKeys::new(secrets)), &clock).await.unwrap();
    let mut options = AuditOptions::new(folder);
    options.checkpoint_every = 20;
    options.retired = retired.to_vec();
    options.payloads = Some(payloads);
    options.sinks.extend(anchor.map(|anchor| Box::new(CheckpointFile::new(anchor)) as Box<_>));
    let (log, _) = AuditLogFile::open(options, keys, clock).unwrap();
    Arc::new(log)
}

async fn call(log: &AuditLogFile, request: &str) {
    let mut entry = tool_call("alice", request);
    entry.outcome = Outcome::Refused;
    entry.payload = Some(serde_json::json!({"request": request}));
    log.append(entry).await.unwrap();
}

impl Scene {
    async fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let (first_keys, second_keys) = (AuditKeys::generate().unwrap(), AuditKeys::generate().unwrap());
        let (audit, anchor) = (top.path().join("audit"), top.path().join("anchor"));
        std::fs::create_dir(&audit).unwrap();
        let mut origins = Vec::new();
        for (number, keys) in [(1, &first_keys), (2, &second_keys)] {
            let log = open(&audit, keys, std::slice::from_ref(&first_keys), Some(anchor.clone())).await;
            origins.push(log.public_key().origin.clone().unwrap());
            for i in 0..59 {
                call(&log, &format!("{number}-{i}")).await;
                if i == 19 && number == 2 {
                    std::fs::create_dir(top.path().join("old")).unwrap();
                    copy_files(&audit, &top.path().join("old"));
                }
            }
            log.close().await.unwrap();
            drop(log);
            if number == 1 {
                std::fs::create_dir(top.path().join("before")).unwrap();
                copy_files(&audit, &top.path().join("before"));
            }
        }
        let second = origins.pop().unwrap();
        Self { top, first_keys, second_keys, first: origins.pop().unwrap(), second }
    }

    // A scene of its own for each row.
    fn copy(&self) -> Self {
        let top = tempfile::tempdir().unwrap();
        copy_tree(self.top.path(), top.path());
        Self {
            top,
            first_keys: self.first_keys.clone(),
            second_keys: self.second_keys.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
        }
    }

    fn audit(&self) -> PathBuf {
        self.top.path().join("audit")
    }

    // The folder of the first log, which was set aside.
    fn aside(&self) -> PathBuf {
        self.audit().join(self.first.rsplit('/').next().unwrap())
    }

    fn anchor(&self) -> PathBuf {
        self.top.path().join("anchor")
    }

    fn verify(&self) -> Verification {
        let options = VerifyOptions { anchors: vec![self.anchor()], ..VerifyOptions::default() };
        verify_all(&self.audit(), &options).unwrap()
    }

    fn tamper(&self, sql: &str) {
        tamper(&self.audit(), |connection| connection.execute_batch(sql).unwrap());
    }
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Changes a database as its owner can: triggers off, changes, triggers on again.
fn tamper(folder: &Path, change: impl FnOnce(&Connection)) {
    let connection = Connection::open(folder.join("audit.db")).unwrap();
    let triggers: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    triggers.iter().for_each(|(name, _)| connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    change(&connection);
    triggers.iter().for_each(|(_, sql)| connection.execute_batch(sql).unwrap());
}

fn lines(connection: &Connection) -> Vec<(i64, String)> {
    let mut statement = connection.prepare("SELECT seq, line FROM audit ORDER BY seq").unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Writes all hashes anew, as one does who knows the format and has no key.
fn rechain(connection: &Connection) {
    let mut chain = Hash::default();
    for (position, line) in lines(connection) {
        chain = chain_hash(&chain, &leaf_hash(line.as_bytes()));
        connection.execute("UPDATE audit SET hash = ? WHERE seq = ?", (chain, position)).unwrap();
    }
}

/// Signs all checkpoints anew with a key of the intruder's own, in the database and beside it.
fn resign(folder: &Path, connection: &Connection) {
    let keys = AuditKeys::generate().unwrap();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(keys.signing.expose()).unwrap()).unwrap();
    let key = keys.public_key().unwrap();
    let origin: String = connection.query_row("SELECT origin FROM log", [], |row| row.get(0)).unwrap();
    let (mut frontier, mut chain, mut beside) =
        (Frontier::default(), Hash::default(), format!("{}\n", key.named(&origin)));
    for (position, line) in lines(connection) {
        let leaf = leaf_hash(line.as_bytes());
        frontier.push(leaf);
        chain = chain_hash(&chain, &leaf);
        let size = u64::try_from(position).unwrap();
        let note = Checkpoint { origin: origin.clone(), size, root: frontier.root(), chain }.sign(&pair);
        let changed = connection
            .execute(
                "UPDATE checkpoint SET note = ?, frontier = ? WHERE size = ?",
                (&note, frontier.to_bytes(), position),
            )
            .unwrap();
        if changed > 0 {
            beside.push_str(&format!("\n{note}"));
        }
    }
    connection.execute("UPDATE log SET public_key = ?", [key.to_string()]).unwrap();
    std::fs::write(folder.join("audit.checkpoints"), beside).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let between = one.with_extension("between");
    std::fs::rename(one, &between).unwrap();
    std::fs::rename(other, one).unwrap();
    std::fs::rename(&between, other).unwrap();
}

const EDIT: &str =
    "UPDATE audit SET line = replace(line, '\"outcome\":\"refused\"', '\"outcome\":\"success\"') WHERE seq = 30";

/// What verification must name: the kind, in which log, at which position.
struct Named {
    kind: FindingKind,
    log: String,
    position: Option<u64>,
}

type Row<'a> = (&'static str, Box<dyn FnOnce(&Scene) -> Named + 'a>);

#[tokio::test(flavor = "multi_thread")]
async fn t25_every_manipulation_is_named_with_its_kind_and_place() {
    let scene = Scene::new().await;
    let whole = scene.verify();
    assert!(whole.ok, "{whole:#?}");
    assert_eq!((whole.logs.len(), whole.records), (2, 124));
    // Two logs that follow the first, and one that is good by itself: made with the keys, before the table runs.
    let rival = rival(&scene).await;
    let forged = forged().await;
    let forked = forked(&scene).await;

    use FindingKind as Kind;
    let first = scene.first.clone();
    let second = scene.second.clone();
    let named = |kind, log: &str, position| Named { kind, log: log.to_owned(), position };
    let in_second = |kind, position: u64| named(kind, &second, Some(position));
    let rows: Vec<Row<'_>> = vec![
        (
            "rewrite a field",
            Box::new(|s| {
                s.tamper(EDIT);
                in_second(Kind::RecordChanged, 30)
            }),
        ),
        (
            "rewrite a field and the chain",
            Box::new(|s| {
                tamper(&s.audit(), |c| {
                    c.execute_batch(EDIT).unwrap();
                    rechain(c);
                });
                in_second(Kind::HistoryRewritten, 22)
            }),
        ),
        (
            "rewrite, rechain, sign anew with another key",
            Box::new(|s| {
                tamper(&s.audit(), |c| {
                    c.execute_batch(EDIT).unwrap();
                    rechain(c);
                    resign(&s.audit(), c);
                });
                in_second(Kind::KeyMismatch, 1)
            }),
        ),
        (
            "delete the first record",
            Box::new(|s| {
                s.tamper("DELETE FROM audit WHERE seq = 1");
                in_second(Kind::RecordMissing, 1)
            }),
        ),
        (
            "delete a record in the middle",
            Box::new(|s| {
                s.tamper("DELETE FROM audit WHERE seq = 30");
                in_second(Kind::RecordMissing, 30)
            }),
        ),
        (
            "delete the last record",
            Box::new(|s| {
                s.tamper("DELETE FROM audit WHERE seq = 61");
                in_second(Kind::LogTruncated, 61)
            }),
        ),
        (
            "delete a record, renumber and rechain the rest",
            Box::new(|s| {
                tamper(&s.audit(), |c| {
                    c.execute_batch("DELETE FROM audit WHERE seq = 30; UPDATE audit SET seq = seq - 1 WHERE seq > 30")
                        .unwrap();
                    rechain(c);
                });
                in_second(Kind::RecordMoved, 30)
            }),
        ),
        (
            "exchange two records",
            Box::new(|s| {
                s.tamper(
                    "UPDATE audit SET seq = -1 WHERE seq = 30; UPDATE audit SET seq = 30 WHERE seq = 31;
                      UPDATE audit SET seq = 31 WHERE seq = -1",
                );
                in_second(Kind::RecordMoved, 30)
            }),
        ),
        (
            "insert a record",
            Box::new(|s| {
                s.tamper("UPDATE audit SET seq = -(seq + 1) WHERE seq >= 30; UPDATE audit SET seq = -seq WHERE seq < 0;
                      INSERT INTO audit(seq, line, hash) SELECT 30, replace(line, '2-27', '2-x'), hash FROM audit WHERE seq = 29");
                in_second(Kind::RecordChanged, 30)
            }),
        ),
        (
            "repeat a record at the end, with its chain",
            Box::new(|s| {
                tamper(&s.audit(), |c| {
                    c.execute_batch(
                        "INSERT INTO audit(seq, line, hash) SELECT 62, line, hash FROM audit WHERE seq = 30",
                    )
                    .unwrap();
                    rechain(c);
                });
                in_second(Kind::RecordMoved, 62)
            }),
        ),
        (
            "cut off the end",
            Box::new(|s| {
                s.tamper("DELETE FROM audit WHERE seq > 50");
                in_second(Kind::LogTruncated, 51)
            }),
        ),
        (
            "cut off the end with its checkpoints",
            Box::new(|s| {
                s.tamper("DELETE FROM audit WHERE seq > 41; DELETE FROM checkpoint WHERE size > 41");
                std::fs::remove_file(s.audit().join("audit.checkpoints")).unwrap();
                in_second(Kind::LogTruncated, 42)
            }),
        ),
        (
            "delete all checkpoints here",
            Box::new(|s| {
                s.tamper("DELETE FROM checkpoint");
                std::fs::remove_file(s.audit().join("audit.checkpoints")).unwrap();
                in_second(Kind::CheckpointMissing, 61)
            }),
        ),
        (
            "exchange the databases of two logs",
            Box::new(|s| {
                swap(&s.audit().join("audit.db"), &s.aside().join("audit.db"));
                in_second(Kind::OriginMismatch, 1)
            }),
        ),
        (
            "exchange all files of two logs",
            Box::new(|s| {
                for file in ["audit.db", "audit.checkpoints"] {
                    swap(&s.audit().join(file), &s.aside().join(file));
                }
                named(Kind::LogMisplaced, &second, None)
            }),
        ),
        (
            "exchange the names of two logs",
            Box::new(|s| {
                for (folder, name) in [(s.audit(), &s.first), (s.aside(), &s.second)] {
                    tamper(&folder, |c| {
                        c.execute("UPDATE log SET origin = ?", [name]).unwrap();
                    });
                }
                named(Kind::OriginMismatch, &first, Some(1))
            }),
        ),
        (
            "put an old copy back",
            Box::new(|s| {
                std::fs::remove_file(s.audit().join("audit.db")).unwrap();
                std::fs::remove_file(s.audit().join("audit.checkpoints")).unwrap();
                copy_files(&s.top.path().join("old"), &s.audit());
                in_second(Kind::LogTruncated, 22)
            }),
        ),
        (
            "delete a log that was set aside",
            Box::new(|s| {
                std::fs::remove_dir_all(s.aside()).unwrap();
                named(Kind::LogMissing, &first, None)
            }),
        ),
        (
            "delete the current log",
            Box::new(|s| {
                std::fs::remove_file(s.audit().join("audit.db")).unwrap();
                named(Kind::LogMissing, &second, None)
            }),
        ),
        (
            "go on from an old copy, with the log's own key",
            Box::new(|s| {
                std::fs::remove_file(s.audit().join("audit.db")).unwrap();
                std::fs::remove_file(s.audit().join("audit.checkpoints")).unwrap();
                copy_files(forked.path(), &s.audit());
                in_second(Kind::LogForked, 22)
            }),
        ),
        (
            "let a second log follow the same one",
            Box::new(|s| {
                place(rival.path(), &s.audit());
                named(Kind::LogForked, &first, None)
            }),
        ),
        (
            "add a log that is good by itself",
            Box::new(|s| {
                let origin = place(forged.path(), &s.audit());
                named(Kind::LogUnvouched, &origin, None)
            }),
        ),
        (
            "cut the end off a log that was set aside",
            Box::new(|s| {
                tamper(&s.aside(), |c| c.execute_batch("DELETE FROM audit WHERE seq = 63").unwrap());
                named(Kind::LogUnclosed, &first, None)
            }),
        ),
        (
            "exchange the anchor for another's",
            Box::new(|s| {
                std::fs::copy(forged.path().join("audit.checkpoints"), s.anchor()).unwrap();
                named(Kind::LogUnvouched, &second, None)
            }),
        ),
        (
            "change a signature in the anchor",
            Box::new(|s| {
                let text = std::fs::read_to_string(s.anchor()).unwrap();
                let at = text.trim_end().len();
                std::fs::write(s.anchor(), format!("{}AAAA{}", &text[..at - 8], &text[at - 4..])).unwrap();
                in_second(Kind::SignatureInvalid, 61)
            }),
        ),
        (
            "drop a trigger",
            Box::new(|s| {
                let connection = Connection::open(s.audit().join("audit.db")).unwrap();
                connection.execute_batch("DROP TRIGGER audit_no_update").unwrap();
                named(Kind::TableUnprotected, &second, None)
            }),
        ),
        (
            "change a sealed payload",
            Box::new(|s| {
                s.tamper("UPDATE payload SET sealed = zeroblob(length(sealed)) WHERE seq = 30");
                in_second(Kind::PayloadChanged, 30)
            }),
        ),
        (
            "remove old records as retention does, and say nothing",
            Box::new(|s| {
                tamper(&s.audit(), |c| {
                    let leaves: Vec<u8> =
                        lines(c).iter().take(21).flat_map(|(_, line)| leaf_hash(line.as_bytes())).collect();
                    c.execute("INSERT INTO removed VALUES(21, 1, ?)", [leaves]).unwrap();
                    c.execute_batch("DELETE FROM audit WHERE seq <= 21").unwrap();
                });
                in_second(Kind::RecordsRemoved, 1)
            }),
        ),
    ];
    let mut table =
        String::from("what was done                                           | what is named        | where\n");
    let mut missed = Vec::new();
    for (what, manipulate) in rows {
        let copy = scene.copy();
        let due = manipulate(&copy);
        let found = copy.verify();
        let in_logs = found.logs.iter().any(|log| {
            log.origin == due.log
                && log
                    .findings
                    .iter()
                    .any(|f| f.kind == due.kind && (due.position.is_none() || f.position == due.position))
        });
        let between = found.findings.iter().any(|f| f.kind == due.kind && f.log == due.log && due.position.is_none());
        let log = if due.log == first {
            "first"
        } else if due.log == second {
            "second"
        } else {
            "added"
        };
        let at = due.position.map(|position| format!(" at {position}")).unwrap_or_default();
        table.push_str(&format!("{what:<55} | {:<20} | {log}{at}\n", format!("{:?}", due.kind)));
        if found.ok || !(in_logs || between) {
            missed.push(format!("{what}: {:?} in {log}{at}, but {found:#?}", due.kind));
        }
    }
    println!("{table}");
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

// A folder's log put beside the others as one that was set aside. Returns its name.
fn place(from: &Path, audit: &Path) -> String {
    let origin = audit_log::offline::logs(from).unwrap().pop().unwrap().origin;
    let folder = audit.join(origin.rsplit('/').next().unwrap());
    std::fs::create_dir(&folder).unwrap();
    copy_files(from, &folder);
    origin
}

async fn rival(scene: &Scene) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_files(&scene.top.path().join("before"), folder.path());
    let keys = AuditKeys::generate().unwrap();
    let log = open(folder.path(), &keys, std::slice::from_ref(&scene.first_keys), None).await;
    log.close().await.unwrap();
    folder
}

async fn forged() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), &AuditKeys::generate().unwrap(), &[], None).await;
    call(&log, "forged").await;
    log.close().await.unwrap();
    folder
}

async fn forked(scene: &Scene) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_files(&scene.top.path().join("old"), folder.path());
    let log = open(folder.path(), &scene.second_keys, &[], None).await;
    for i in 0..50 {
        call(&log, &format!("other-{i}")).await;
    }
    log.close().await.unwrap();
    folder
}
