//! Another master key and another data key under a store with secrets in it (T28).

use std::path::Path;
use std::sync::Arc;

use interlock_secrets_local::LocalSecrets;
use platform::keys::Rotation;
use platform::keys::master::MasterKeySource;
use platform::secret::SecretKey;
use platform::secrets::SecretStore as _;

use crate::{clock, data};

fn key() -> SecretKey {
    platform::seal::random_key().unwrap()
}

fn open(path: &Path, key: &SecretKey) -> Result<LocalSecrets, platform::Error> {
    LocalSecrets::open(path, key, clock())
}

async fn value(secrets: &LocalSecrets, path: &str, version: Option<u64>) -> String {
    secrets.get(path, version).await.unwrap().data["field-name-canary"].expose().to_owned()
}

/// Writes a key as an operator does.
fn key_file(path: &Path, key: &SecretKey) -> MasterKeySource {
    platform::keys::master::replace_file(path, key).unwrap();
    MasterKeySource::File(path.to_owned())
}

#[tokio::test]
async fn t28_a_new_master_key_opens_everything_and_the_old_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let (old, new) = (key(), key());
    let secrets = open(&path, &old).unwrap();
    secrets.put("api/a", data("before"), None).await.unwrap();
    secrets.begin_rekey(&new).await.unwrap();
    secrets.put("api/a", data("between"), None).await.unwrap();
    secrets.finish_rekey(&new).await.unwrap();
    secrets.put("api/a", data("after"), None).await.unwrap();
    drop(secrets);
    assert_eq!(open(&path, &old).unwrap_err().code(), "master_key_wrong");
    let secrets = open(&path, &new).unwrap();
    for (version, expected) in [(1, "before"), (2, "between"), (3, "after")] {
        assert_eq!(value(&secrets, "api/a", Some(version)).await, expected);
    }
    assert_eq!(secrets.begin_rekey(&new).await.unwrap_err().code(), "master_key_unchanged");
}

#[tokio::test]
async fn t28_between_mark_and_end_either_key_opens_and_the_new_one_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let (old, new, other) = (key(), key(), key());
    let secrets = open(&path, &old).unwrap();
    secrets.put("api/a", data("x"), None).await.unwrap();
    secrets.begin_rekey(&new).await.unwrap();
    assert_eq!(secrets.finish_rekey(&other).await.unwrap_err().code(), "master_key_wrong");
    assert_eq!(secrets.rotate_data_key().await.unwrap_err().code(), "rekey_pending");
    // As after a kill: nothing more happens in this process.
    drop(secrets);
    assert_eq!(open(&path, &other).unwrap_err().code(), "master_key_wrong");
    // The source still has the old key.
    let secrets = open(&path, &old).unwrap();
    assert_eq!(value(&secrets, "api/a", None).await, "x");
    drop(secrets);
    // The source has the new one: this ends the change.
    let secrets = open(&path, &new).unwrap();
    assert_eq!(value(&secrets, "api/a", None).await, "x");
    drop(secrets);
    assert_eq!(open(&path, &old).unwrap_err().code(), "master_key_wrong");
    open(&path, &new).unwrap();
}

#[tokio::test]
async fn t28_a_change_that_was_marked_is_forgotten_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let (old, lost, new) = (key(), key(), key());
    let secrets = open(&path, &old).unwrap();
    secrets.begin_rekey(&lost).await.unwrap();
    secrets.begin_rekey(&new).await.unwrap();
    drop(secrets);
    assert_eq!(open(&path, &lost).unwrap_err().code(), "master_key_wrong");
    open(&path, &new).unwrap();
}

#[tokio::test]
async fn t28_a_new_data_key_seals_everything_again_and_the_old_one_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let master = key();
    let secrets = open(&path, &master).unwrap();
    for value in ["1", "2", "3"] {
        secrets.put("api/a", data(value), None).await.unwrap();
    }
    secrets.put("api/b", data("b"), None).await.unwrap();
    secrets.destroy("api/a", 1).await.unwrap();
    let sealed = |file: &rusqlite::Connection| -> Vec<(i64, Option<Vec<u8>>)> {
        let mut rows = file.prepare("SELECT key_id, sealed FROM version ORDER BY path, version").unwrap();
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let before = sealed(&rusqlite::Connection::open(&path).unwrap());
    let wrapped: Vec<u8> = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT wrapped FROM keyring", [], |row| row.get(0))
        .unwrap();
    assert_eq!(secrets.rotate_data_key().await.unwrap(), 3);
    let reader = rusqlite::Connection::open(&path).unwrap();
    let after = sealed(&reader);
    assert!(after.iter().all(|(key, _)| *key == 2), "{after:?}");
    assert!(before.iter().zip(&after).all(|(b, a)| b.1.is_none() || b.1 != a.1), "everything is sealed anew");
    assert_eq!(reader.query_row("SELECT count(*) FROM keyring", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    drop(reader);
    for file in std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(wrapped.len()).any(|w| w == wrapped), "the old data key is still in {}", file.display());
    }
    assert_eq!(value(&secrets, "api/a", Some(3)).await, "3");
    secrets.put("api/c", data("c"), None).await.unwrap();
    drop(secrets);
    let secrets = open(&path, &master).unwrap();
    assert_eq!((value(&secrets, "api/b", None).await, value(&secrets, "api/c", None).await), ("b".into(), "c".into()));
}

#[tokio::test]
async fn t28_writes_during_a_new_data_key_are_all_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let master = key();
    let secrets = open(&path, &master).unwrap();
    let writer = tokio::spawn({
        let secrets = secrets.clone();
        async move {
            for n in 0..50 {
                secrets.put(&format!("api/{n}"), data(&n.to_string()), None).await.unwrap();
            }
        }
    });
    for _ in 0..5 {
        secrets.rotate_data_key().await.unwrap();
    }
    writer.await.unwrap();
    drop(secrets);
    let secrets = open(&path, &master).unwrap();
    for n in 0..50 {
        assert_eq!(value(&secrets, &format!("api/{n}"), None).await, n.to_string());
    }
}

#[tokio::test]
async fn t28_a_rotation_of_the_master_key_replaces_it_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let (old, new) = (key(), key());
    let source = key_file(&folder.path().join("master.key"), &old);
    let next = folder.path().join("master.next");
    key_file(&next, &new);
    let secrets = open(&path, &old).unwrap();
    secrets.put("api/a", data("x"), None).await.unwrap();
    let keys = secrets.managed(&source);
    let master = Arc::clone(&keys[0]);
    assert_eq!(master.rotate(&Rotation::default()).await.unwrap_err().code(), "new_key_file_missing");
    let rotation = Rotation { new_key_file: Some(next), compromised: false };
    let rotated = master.rotate(&rotation).await.unwrap();
    assert_eq!((rotated.current.as_str(), rotated.retired), ("2", vec!["1".to_owned()]));
    assert_eq!(source.read().unwrap().key.expose(), new.expose());
    let report = master.report().await.unwrap();
    assert_eq!((report.versions.len(), report.versions[0].version.as_str()), (1, "2"));
    drop((secrets, keys, master));
    assert_eq!(value(&open(&path, &new).unwrap(), "api/a", None).await, "x");
}

#[tokio::test]
async fn t28_where_the_platform_cannot_change_the_source_the_next_start_ends_the_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.db");
    let (old, new) = (key(), key());
    let next = folder.path().join("master.next");
    key_file(&next, &new);
    let secrets = open(&path, &old).unwrap();
    let keys = secrets.managed(&MasterKeySource::Credential("master".to_owned()));
    let rotation = Rotation { new_key_file: Some(next), compromised: false };
    let rotated = keys[0].rotate(&rotation).await.unwrap();
    assert!(rotated.note.unwrap().contains("credential:master") && rotated.retired.is_empty());
    assert_eq!(keys[0].report().await.unwrap().versions.len(), 2, "the next one is shown");
    drop((secrets, keys));
    drop(open(&path, &old).unwrap());
    drop(open(&path, &new).unwrap());
    assert_eq!(open(&path, &old).unwrap_err().code(), "master_key_wrong");
}
