//! The secret store against its contract, and against somebody who holds the file but not the key.
#![cfg(test)]

mod purposes;
mod rekey;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use interlock_secrets_local::LocalSecrets;
use platform::clock::AdjustableClock;
use platform::secret::{Secret, SecretKey};
use platform::secrets::SecretStore;
use platform::{Error, SharedClock};

const CANARY: &str = "canary-5f1d7b1e-in-clear";

fn clock() -> SharedClock {
    Arc::new(AdjustableClock::default())
}

fn master(byte: u8) -> SecretKey {
    SecretKey::new([byte; 32])
}

fn open(path: &Path) -> Result<LocalSecrets, Error> {
    LocalSecrets::open(path, &master(1), clock())
}

fn data(value: &str) -> BTreeMap<String, Secret> {
    [("field-name-canary".to_owned(), Secret::new(value))].into()
}

#[tokio::test]
async fn the_local_secrets_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = AtomicU32::new(0);
    platform_suites::secrets::suite(|clock| {
        let path = folder.path().join(format!("{}.db", number.fetch_add(1, Ordering::Relaxed)));
        Arc::new(LocalSecrets::open(&path, &master(1), clock).unwrap())
    })
    .await;
}

#[tokio::test]
async fn t28_another_master_key_opens_nothing_and_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    open(&path).unwrap().put("api/a", data(CANARY), None).await.unwrap();
    let refused = LocalSecrets::open(&path, &master(2), clock()).unwrap_err();
    assert_eq!(refused.code(), "master_key_wrong");
    let again = open(&path).unwrap();
    assert_eq!(again.get("api/a", None).await.unwrap().data["field-name-canary"].expose(), CANARY);
}

#[tokio::test]
async fn t24_a_second_holder_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let held = open(&path).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), "store_in_use");
    drop(held);
    open(&path).unwrap();
}

#[tokio::test]
async fn no_file_of_the_folder_holds_a_value_or_a_field_name_and_debug_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = open(&folder.path().join("secrets.db")).unwrap();
    for path in ["api/a", "api/b"] {
        secrets.put(path, data(CANARY), None).await.unwrap();
    }
    let found = secrets.get("api/a", None).await.unwrap();
    assert!(!format!("{secrets:?} {found:?}").contains(CANARY));
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut bytes_seen = 0;
    for file in files().collect::<Vec<_>>() {
        let bytes = std::fs::read(&file).unwrap();
        bytes_seen += bytes.len();
        for needle in [CANARY, "field-name-canary"] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()), "{}", file.display());
        }
    }
    assert!(bytes_seen > 4096 && files().any(|file| file.extension().is_some_and(|e| e == "db-wal")));
}

#[tokio::test]
async fn sealed_bytes_moved_to_another_path_or_version_do_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path).unwrap();
    secrets.put("api/a", data("a1"), None).await.unwrap();
    secrets.put("api/a", data("a2"), None).await.unwrap();
    secrets.put("api/b", data("b1"), None).await.unwrap();
    drop(secrets);
    let file = rusqlite::Connection::open(&path).unwrap();
    let moved = file
        .execute_batch(
            "UPDATE version SET (nonce, sealed) = (SELECT nonce, sealed FROM version WHERE path = 'api/a' AND version = 1)
             WHERE path = 'api/b' OR version = 2",
        )
        .and_then(|()| file.query_row("SELECT count(DISTINCT sealed) FROM version", [], |row| row.get::<_, i64>(0)));
    assert_eq!(moved.unwrap(), 1);
    drop(file);
    let secrets = open(&path).unwrap();
    assert_eq!(secrets.get("api/b", None).await.unwrap_err().code(), "secret_damaged");
    assert_eq!(secrets.get("api/a", Some(2)).await.unwrap_err().code(), "secret_damaged");
    assert_eq!(secrets.get("api/a", Some(1)).await.unwrap().data["field-name-canary"].expose(), "a1");
}

#[tokio::test]
async fn destroyed_bytes_are_in_no_file_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path).unwrap();
    secrets.put("api/a", data(CANARY), None).await.unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    let sealed: Vec<u8> = reader.query_row("SELECT sealed FROM version", [], |row| row.get(0)).unwrap();
    drop(reader);
    let holds = || {
        let files =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(sealed.len()).any(|window| window == sealed)).count()
    };
    assert!(holds() > 0);
    secrets.destroy("api/a", 1).await.unwrap();
    assert_eq!(holds(), 0);
}

#[tokio::test]
async fn a_file_without_its_header_is_not_started_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    open(&path).unwrap().put("api/a", data("x"), None).await.unwrap();
    rusqlite::Connection::open(&path).unwrap().execute("DELETE FROM header", []).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), "secret_damaged");
}

#[tokio::test]
async fn removed_secrets_leave_no_bytes_in_any_file_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let secrets = open(&path).unwrap();
    secrets.put("api/removed-path", data(CANARY), None).await.unwrap();
    let holds = |needle: &[u8]| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(needle.len()).any(|window| window == needle)).count()
    };
    assert!(holds(b"api/removed-path") > 0);
    secrets.delete_all("api/removed-path").await.unwrap();
    assert_eq!(holds(b"api/removed-path"), 0);
}

/// The first schema, as a release wrote it.
const FIRST: &str = include_str!("first_schema.sql");

#[tokio::test]
async fn t24_a_file_of_the_first_schema_keeps_its_secrets_when_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("secrets.db"), folder.path().join("old.db"));
    let secrets = open(&path).unwrap();
    for value in ["one", "two", "three"] {
        secrets.put("api/a", data(value), None).await.unwrap();
    }
    secrets.delete("api/a", 2).await.unwrap();
    secrets.destroy("api/a", 1).await.unwrap();
    drop(secrets);
    // The same rows under the old tables.
    let file = rusqlite::Connection::open(&old).unwrap();
    file.execute_batch(FIRST).unwrap();
    file.execute("ATTACH ?1 AS new", [path.to_str().unwrap()]).unwrap();
    file.execute_batch(
        "INSERT INTO header SELECT one, salt, check_nonce, check_value FROM new.header;
         INSERT INTO keyring SELECT * FROM new.keyring;
         INSERT INTO secret SELECT path, current_version, cas_required, max_versions FROM new.secret;
         INSERT INTO version SELECT * FROM new.version;
         PRAGMA application_id = 0x494C5345;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(file);
    let secrets = open(&old).unwrap();
    assert_eq!(secrets.get("api/a", None).await.unwrap().data["field-name-canary"].expose(), "three");
    let versions = secrets.metadata("api/a").await.unwrap().versions;
    assert_eq!(
        versions.iter().map(|v| (v.version, v.destroyed)).collect::<Vec<_>>(),
        [(1, true), (2, false), (3, false)]
    );
    secrets.undelete("api/a", 2).await.unwrap();
    assert_eq!(secrets.put("api/a", data("four"), Some(3)).await.unwrap(), 4);
    // What refers to a secret still goes with it.
    secrets.delete_all("api/a").await.unwrap();
    assert!(secrets.list("").await.unwrap().is_empty());
    assert_eq!(secrets.put("api/a", data("new"), Some(0)).await.unwrap(), 1);
}

#[tokio::test]
async fn t29_a_secret_that_was_read_before_is_what_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = open(&folder.path().join("secrets.db")).unwrap();
    let shown = async || match secrets.get("api/a", None).await {
        Ok(found) => found.data["field-name-canary"].expose().to_owned(),
        Err(error) => error.code().to_owned(),
    };
    // Each is asked for twice: the second answer may come from what the first one left.
    let twice = async || (shown().await, shown().await);
    let both = |text: &str| (text.to_owned(), text.to_owned());
    secrets.put("api/a", data("a1"), None).await.unwrap();
    assert_eq!(twice().await, both("a1"));
    secrets.put("api/a", data("a2"), None).await.unwrap();
    assert_eq!(twice().await, both("a2"));
    secrets.delete_versions("api/a", &[2]).await.unwrap();
    assert_eq!(twice().await, both("secret_not_found"));
    secrets.undelete_versions("api/a", &[2]).await.unwrap();
    assert_eq!(twice().await, both("a2"));
    secrets.rotate_data_key().await.unwrap();
    assert_eq!(twice().await, both("a2"));
    // Whoever asked for this write goes away at once, mostly before it is done; the next write stands after it.
    let put = secrets.put("api/a", data("a3"), None);
    drop(tokio::time::timeout(std::time::Duration::ZERO, put).await);
    secrets.put("api/b", data("b1"), None).await.unwrap();
    assert_eq!(twice().await, both("a3"));
    secrets.destroy_versions("api/a", &[3]).await.unwrap();
    assert_eq!(twice().await, both("secret_not_found"));
}
