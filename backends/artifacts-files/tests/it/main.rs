//! Artifacts in files against their contract, and what only files can go through: crashes, other processes, other hands.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use interlock_artifacts_files::ArtifactFiles;
use platform::artifacts::{
    ArtifactId, ArtifactKind, ArtifactOrigin, ArtifactStore, Artifacts, NewArtifact, Readers, Swept,
};
use platform::clock::AdjustableClock;
use platform::{ErrorKind, Json};
use platform_suites::sealed_artifacts;
use serde_json::json;
use tempfile::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_in_files_keep_the_contract() {
    let folders = Mutex::new(Vec::new());
    platform_suites::artifacts::suite(|| async {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactFiles::open(&folder.path().join("artifacts")).unwrap();
        folders.lock().unwrap().push(folder);
        Arc::new(store) as Arc<dyn ArtifactStore>
    })
    .await;
}

fn over(folder: &Path) -> Arc<Artifacts> {
    sealed_artifacts(Arc::new(ArtifactFiles::open(folder).unwrap()), Arc::new(AdjustableClock::default()))
}

fn new<'a>(bytes: &'a [u8], call: &'a str, context: &'a Json) -> NewArtifact<'a, Json> {
    NewArtifact {
        kind: ArtifactKind::Configuration,
        media_type: "text/plain",
        bytes,
        origin: ArtifactOrigin { server: "dnac".into(), tool: "show".into(), call_id: "id".into() },
        readers: Readers::Origin,
        call,
        context,
        keep_until: None,
    }
}

async fn put(artifacts: &Artifacts, bytes: &[u8], call: &str) -> ArtifactId {
    let context = json!({"arguments": {"device": "canary-device"}});
    artifacts.put(new(bytes, call, &context)).await.unwrap().0
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn content_file(folder: &Path, id: &ArtifactId) -> PathBuf {
    folder.join(&id.as_str()[..2]).join(&id.as_str()[2..])
}

fn fresh() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state/artifacts");
    (place, folder)
}

#[tokio::test]
async fn t27_everything_is_the_owners_alone_and_nothing_is_readable_in_it() {
    let (_place, folder) = fresh();
    let id = put(&over(&folder), b"canary-bytes of a configuration", "1").await;
    let all = files(&folder);
    assert_eq!(all.len(), 3, "the lock, a content and a reference: {all:?}");
    assert!(all.contains(&content_file(&folder, &id)));
    for path in &all {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!String::from_utf8_lossy(&fs::read(path).unwrap()).contains("canary"), "{path:?}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_what_was_half_written_is_gone() {
    let (_place, folder) = fresh();
    let artifacts = over(&folder);
    let id = put(&artifacts, b"kept", "1").await;
    drop(artifacts);
    let shard = content_file(&folder, &id).parent().unwrap().to_owned();
    fs::write(shard.join(".new-7"), b"half").unwrap();
    // A crash between the two renames: a content, and no reference to it.
    let orphan = shard.join("0".repeat(62));
    fs::write(&orphan, b"sealed").unwrap();
    let artifacts = over(&folder);
    assert!(!shard.join(".new-7").exists());
    assert_eq!(artifacts.open(&id).await.unwrap(), b"kept");
    let audit = platform_suites::MemoryAudit::default();
    assert_eq!(artifacts.sweep(&audit).await.unwrap(), Swept { references: 0, contents: 1, more: false });
    assert!(!orphan.exists() && artifacts.open(&id).await.is_ok());
}

#[tokio::test]
async fn t24_a_second_process_does_not_get_the_folder() {
    let (_place, folder) = fresh();
    let artifacts = over(&folder);
    let refused = ArtifactFiles::open(&folder).map(drop).unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Unavailable, "artifacts_in_use"));
    drop(artifacts);
    ArtifactFiles::open(&folder).unwrap();
}

#[tokio::test]
async fn files_that_were_swapped_cut_or_rewritten_are_damaged_and_a_reference_that_is_no_json_opens_nothing() {
    let (_place, folder) = fresh();
    let artifacts = over(&folder);
    let (one, two) = (put(&artifacts, b"one", "1").await, put(&artifacts, b"two", "1").await);
    let (first, second) = (content_file(&folder, &one), content_file(&folder, &two));
    fs::copy(&second, &first).unwrap();
    assert_eq!(artifacts.open(&one).await.unwrap_err().code(), "artifact_damaged");
    fs::write(&second, b"").unwrap();
    assert_eq!(artifacts.open(&two).await.unwrap_err().code(), "artifact_damaged");
    assert_eq!(put(&artifacts, b"one", "1").await, one);
    assert_eq!(artifacts.open(&one).await.unwrap(), b"one");
    let reference = files(&folder).into_iter().find(|p| {
        let name = p.file_name().unwrap().to_string_lossy();
        name.ends_with(".ref") && name.starts_with(&one.as_str()[2..])
    });
    fs::write(reference.unwrap(), b"{}").unwrap();
    assert_eq!(artifacts.find::<Json>(&one).await.unwrap_err().code(), "artifact_not_found");
    put(&artifacts, b"one", "1").await;
    assert_eq!(artifacts.find::<Json>(&one).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_says_so_and_keeps_what_it_has() {
    let (_place, folder) = fresh();
    let artifacts = over(&folder);
    let id = put(&artifacts, b"kept", "1").await;
    // A file stands where a folder has to be: that stops every user, whatever their rights.
    for number in 0..256 {
        let shard = folder.join(format!("{number:02x}"));
        if !shard.exists() {
            fs::write(shard, b"").unwrap();
        }
    }
    let mut refused = BTreeSet::new();
    for n in 0..8 {
        let bytes = format!("other {n}");
        refused.extend(artifacts.put(new(bytes.as_bytes(), "1", &json!({}))).await.err().map(|e| e.code().to_owned()));
    }
    assert_eq!(refused, BTreeSet::from(["artifacts_unavailable".to_owned()]));
    assert_eq!(artifacts.open(&id).await.unwrap(), b"kept");
}
