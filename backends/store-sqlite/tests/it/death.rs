//! Two processes, and kill -9 at any moment: what was acknowledged is there afterwards.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use interlock_store_sqlite::SqliteStore;
use platform::clock::AdjustableClock;
use platform::store::{Collection, Expect, Op, Store};
use serde_json::json;

const KILLS: u64 = 10;
const FOLDER: &str = "INTERLOCK_TEST_DEATH_FOLDER";
const ROUND: &str = "INTERLOCK_TEST_DEATH_ROUND";
const ACKNOWLEDGED: &str = "acknowledged ";
const WRITES: Collection = Collection { name: "writes", indexes: &[] };

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("store.db"), Arc::new(AdjustableClock::default())).unwrap()
}

/// The one who dies: writes in four lines at once and says what was acknowledged. Does nothing unless it was started by
/// the test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
#[expect(clippy::disallowed_methods, reason = "a child process of the test harness takes no arguments of ours")]
async fn writes_until_killed() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let store = open(Path::new(&folder));
    let tasks: Vec<_> = (0..4)
        .map(|line| {
            let (store, round) = (store.clone(), round.clone());
            tokio::spawn(async move {
                for n in 0_u64.. {
                    let id = format!("{round}-{line}-{n}");
                    let (expect, body) = (Expect::Absent, json!({ "n": n }));
                    let put = Op::Put { collection: WRITES, id: id.clone(), expect, body, expires_at: None };
                    let consume = Op::ConsumeOnce { namespace: "w", id: id.clone(), expires_at: i64::MAX };
                    store.transact(vec![put, consume]).await.unwrap();
                    // Straight to the descriptor: the harness would keep what `println` says.
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "{ACKNOWLEDGED}{id}").unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn t24_a_second_process_is_refused_and_no_acknowledged_write_is_lost_to_a_kill() {
    let seed = RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut random = seed | 1;
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        // xorshift64: the moment of death, counted in acknowledged writes.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let lines = 1 + (random % 80) as usize;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "death::writes_until_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let id_of = |line: String| line.split_once(ACKNOWLEDGED).map(|(_, id)| id.to_owned());
        let before = acknowledged.len();
        acknowledged.extend(said.by_ref().filter_map(id_of).take(lines));
        assert_eq!(acknowledged.len() - before, lines, "the child ended before it was killed");
        // While it lives, no second process gets in; the lease goes with it, and leaves nothing to clean up.
        let clock = Arc::new(AdjustableClock::default());
        let refused = SqliteStore::open(&folder.path().join("store.db"), clock).unwrap_err();
        assert_eq!(refused.code(), "store_in_use");
        assert!(refused.detail().unwrap().contains(&child.id().to_string()));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said between our decision and its death counts too.
        acknowledged.extend(said.filter_map(id_of));

        let store = open(folder.path());
        for id in &acknowledged {
            assert!(store.get(WRITES, id).await.unwrap().is_some(), "seed {seed}: {id} was acknowledged and is lost");
            let again = Op::ConsumeOnce { namespace: "w", id: id.clone(), expires_at: i64::MAX };
            if acknowledged.len() - before < 3 || id.ends_with("-0") {
                assert!(store.transact(vec![again]).await.is_err(), "seed {seed}: {id} could be used twice");
            }
        }
        drop(store);
        let file = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "seed {seed}");
        let torn = "SELECT count(*) FROM record r LEFT JOIN one_time o ON o.id = r.id WHERE o.id IS NULL";
        let torn: i64 = file.query_row(torn, [], |row| row.get(0)).unwrap();
        assert_eq!(torn, 0, "seed {seed}: half a transaction");
    }
}
