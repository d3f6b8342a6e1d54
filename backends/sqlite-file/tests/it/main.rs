//! The file: who may open it, what a group of writes shares, and what happens when the disk is full.
#![cfg(test)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use interlock_sqlite_file::{FileError, Layout, SqliteFile};
use platform::Error;
use rusqlite::Connection;

const ONE: Layout = Layout {
    application_id: 77,
    migrations: &["CREATE TABLE word (text TEXT NOT NULL UNIQUE) STRICT;"],
    secure_delete: false,
    readers: 2,
};
const TWO: Layout = Layout {
    migrations: &[
        ONE.migrations[0],
        "ALTER TABLE word ADD COLUMN length INTEGER; UPDATE word SET length = length(text);",
    ],
    ..ONE
};

fn code(error: FileError) -> String {
    Error::from(error).code().to_owned()
}

fn add(text: &'static str) -> impl FnOnce(&Connection) -> Result<(), FileError> + Send + 'static {
    move |connection| {
        connection.execute("INSERT INTO word (text) VALUES (?1)", [text])?;
        Ok(())
    }
}

async fn words(file: &SqliteFile) -> Vec<String> {
    let query = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT text FROM word ORDER BY text")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok::<_, FileError>(rows.collect::<rusqlite::Result<_>>()?)
    };
    file.read(query).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn migrations_go_forward_and_a_newer_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    let file = SqliteFile::open(&path, ONE).unwrap();
    file.write(add("abc")).await.unwrap();
    drop(file);
    let file = SqliteFile::open(&path, TWO).unwrap();
    let query =
        |c: &Connection| Ok::<_, FileError>(c.query_row("SELECT length FROM word", [], |row| row.get::<_, i64>(0))?);
    assert_eq!(file.read(query).await.unwrap(), 3_i64);
    drop(file);
    assert_eq!(code(SqliteFile::open(&path, ONE).unwrap_err()), "store_too_new");
    SqliteFile::open(&path, TWO).unwrap();
}

#[test]
fn t24_a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    SqliteFile::open(&path, ONE).unwrap();
    const CHANGED: Layout = Layout { migrations: &["CREATE TABLE word (text TEXT) STRICT;"], ..ONE };
    assert_eq!(code(SqliteFile::open(&path, CHANGED).unwrap_err()), "store_migration_changed");
    SqliteFile::open(&path, TWO).unwrap();
    let forget = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    forget("DELETE FROM interlock_migration WHERE version = 1");
    assert_eq!(code(SqliteFile::open(&path, TWO).unwrap_err()), "store_migration_changed");
    // A file from before there were such notes gets them, and is checked from then on.
    forget("DROP TABLE interlock_migration");
    SqliteFile::open(&path, TWO).unwrap();
    const BOTH: Layout = Layout { migrations: &[CHANGED.migrations[0], TWO.migrations[1]], ..ONE };
    assert_eq!(code(SqliteFile::open(&path, BOTH).unwrap_err()), "store_migration_changed");
}

#[test]
fn a_migration_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    SqliteFile::open(&path, ONE).unwrap();
    const BROKEN: Layout =
        Layout { migrations: &[ONE.migrations[0], "CREATE TABLE half (a); SELECT nonsense;"], ..ONE };
    assert_eq!(code(SqliteFile::open(&path, BROKEN).unwrap_err()), "internal_error");
    SqliteFile::open(&path, TWO).unwrap();
}

#[test]
fn files_of_another_sort_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE somebody_elses (a)").unwrap();
    assert_eq!(code(SqliteFile::open(&path, ONE).unwrap_err()), "store_foreign");
    let other = folder.path().join("g.db");
    SqliteFile::open(&other, ONE).unwrap();
    assert_eq!(code(SqliteFile::open(&other, Layout { application_id: 78, ..ONE }).unwrap_err()), "store_foreign");
    let text = folder.path().join("h.db");
    std::fs::write(&text, "no database, but more than enough bytes to look at".repeat(100)).unwrap();
    assert_eq!(code(SqliteFile::open(&text, ONE).unwrap_err()), "store_corrupt");
    let nowhere = folder.path().join("nowhere").join("f.db");
    assert_eq!(code(SqliteFile::open(&nowhere, ONE).unwrap_err()), "store_unavailable");
}

#[tokio::test]
async fn commits_are_synced_in_full_and_the_files_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    let file = SqliteFile::open(&path, ONE).unwrap();
    file.write(add("a")).await.unwrap();
    let pragma = |name: &'static str| {
        file.write(move |c: &Connection| {
            Ok::<_, FileError>(
                c.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))?,
            )
        })
    };
    assert_eq!(pragma("journal_mode").await.unwrap(), "wal".to_owned().into());
    assert_eq!(pragma("synchronous").await.unwrap(), 2.into());
    assert_eq!(pragma("foreign_keys").await.unwrap(), 1.into());
    for name in ["f.db", "f.db-wal", "f.db-shm", "f.db.lock"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    drop(file);
    assert!(!folder.path().join("f.db-wal").exists(), "a clean end folds the log into the file");
}

#[tokio::test]
async fn a_refused_job_undoes_itself_and_not_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&folder.path().join("f.db"), ONE).unwrap();
    // The writer is held up, so that the jobs behind it are one group.
    let (go, wait) = mpsc::channel::<()>();
    let blocked = file.write(move |_: &Connection| {
        wait.recv().ok();
        Ok::<(), FileError>(())
    });
    let refused = file.write(|c: &Connection| {
        add("refused")(c)?;
        Err::<(), _>(FileError::Defect("refused".to_owned()))
    });
    let panics = file.write(|c: &Connection| -> Result<(), FileError> {
        add("panics")(c)?;
        panic!("a job may be wrong");
    });
    let release = async { go.send(()).unwrap() };
    let (a, b, c, d, e, ()) =
        tokio::join!(blocked, file.write(add("one")), refused, panics, file.write(add("two")), release);
    assert!(a.is_ok() && b.is_ok() && e.is_ok());
    assert_eq!(c, Err(FileError::Defect("refused".to_owned())));
    assert_eq!(d, Err(FileError::Defect("a write panicked".to_owned())));
    assert_eq!(words(&file).await, ["one", "two"]);
}

#[tokio::test]
async fn nobody_hears_before_the_group_is_committed_and_a_failed_commit_fails_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&folder.path().join("f.db"), ONE).unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let blocked = file.write(move |_: &Connection| {
        wait.recv().ok();
        Ok::<(), FileError>(())
    });
    // The second of these takes the whole transaction back, as SQLite does by itself on some failures of the disk.
    let takes_back = file.write(|c: &Connection| Ok::<_, FileError>(c.execute_batch("ROLLBACK")?));
    let refused = file.write(|_: &Connection| Err::<(), _>(FileError::Defect("rests on a neighbour".to_owned())));
    let release = async { go.send(()).unwrap() };
    let (_, lost, refused, by, ()) = tokio::join!(blocked, file.write(add("lost")), refused, takes_back, release);
    for answer in [lost, refused, by] {
        assert_eq!(code(answer.unwrap_err()), "store_unavailable");
    }
    assert!(words(&file).await.is_empty());
    file.write(add("next")).await.unwrap();
    assert_eq!(words(&file).await, ["next"]);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&folder.path().join("f.db"), ONE).unwrap();
    file.write(add("before")).await.unwrap();
    let room = |pages: i64| {
        file.write(move |c: &Connection| {
            Ok::<i64, FileError>(c.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))?)
        })
    };
    let big = |c: &Connection| {
        c.execute("INSERT INTO word (text) VALUES (hex(zeroblob(100000)))", [])?;
        Ok::<(), FileError>(())
    };
    room(1).await.unwrap();
    assert_eq!(code(file.write(big).await.unwrap_err()), "store_unavailable");
    assert_eq!(words(&file).await, ["before"]);
    room(100_000).await.unwrap();
    file.write(big).await.unwrap();
    assert_eq!(words(&file).await.len(), 2);
}

#[tokio::test]
async fn readers_cannot_write_and_a_read_that_panics_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteFile::open(&folder.path().join("f.db"), ONE).unwrap();
    assert!(file.read(add("sneaked in")).await.is_err());
    for _ in 0..5 {
        let failed = file.read(|_: &Connection| -> Result<(), FileError> { panic!("a read may be wrong") }).await;
        assert!(matches!(failed, Err(FileError::Defect(_))));
    }
    assert!(words(&file).await.is_empty());
}

#[tokio::test]
async fn t24_the_last_handle_finishes_what_was_queued_and_frees_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.db");
    let file = SqliteFile::open(&path, ONE).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let (go, wait) = mpsc::channel::<()>();
    let flag = Arc::clone(&ran);
    let write = {
        let file = file.clone();
        tokio::spawn(async move {
            file.write(move |c: &Connection| {
                wait.recv().ok();
                flag.store(true, Ordering::SeqCst);
                add("queued")(c)
            })
            .await
        })
    };
    tokio::task::yield_now().await;
    assert_eq!(code(SqliteFile::open(&path, ONE).unwrap_err()), "store_in_use");
    // The caller goes away; the job was queued and is done all the same.
    write.abort();
    assert!(write.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    drop(file);
    assert!(ran.load(Ordering::SeqCst));
    let file = SqliteFile::open(&path, ONE).unwrap();
    assert_eq!(words(&file).await, ["queued"]);
}
