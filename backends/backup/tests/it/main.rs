//! Archives and state folders against whoever changes them, and against a process that dies half way.
#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use backup::place::{Place, refuse_unfinished};
use backup::{Archive, LogEnd, Manifest, Part, stage, write};
use jiff::Timestamp;
use platform::Error;
use platform::secret::SecretKey;
use rusqlite::Connection;

fn master(byte: u8) -> SecretKey {
    SecretKey::new([byte; 32])
}

fn database(path: &Path, rows: i64) -> Connection {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA application_id = 77; PRAGMA user_version = 3; CREATE TABLE t (n INTEGER)")
        .unwrap();
    for n in 0..rows {
        connection.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
    }
    connection
}

fn rows(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

/// A state folder with two databases that are open, and files of all sorts.
fn a_state(folder: &Path) -> (Vec<Part>, Vec<Connection>) {
    let open = vec![database(&folder.join("store.db"), 3), database(&folder.join("audit/audit.db"), 5)];
    fs::write(folder.join("audit/audit.checkpoints"), "notes").unwrap();
    fs::write(folder.join("audit/audit.lock"), "1").unwrap();
    fs::create_dir_all(folder.join("audit/older")).unwrap();
    drop(database(&folder.join("audit/older/audit.db"), 7));
    let named = |name: &str| (name.to_owned(), folder.join(name));
    let (store, audit, missing) = (named("store.db"), named("audit"), named("artifacts"));
    let parts = vec![
        Part::Database { name: store.0, path: store.1 },
        Part::Folder { name: missing.0, path: missing.1 },
        Part::Folder { name: audit.0, path: audit.1 },
    ];
    (parts, open)
}

fn facts() -> (String, String, String) {
    ("1.0.0".to_owned(), "https://p.example/".to_owned(), "2026-11-30T00:00:00Z".to_owned())
}

fn an_archive(folder: &Path) -> (PathBuf, Manifest) {
    let (parts, _open) = a_state(&folder.join("state"));
    let out = folder.join("backup.tar.gz");
    let logs = vec![LogEnd { origin: "log".into(), records: 5, root: "r".into() }];
    let staged = stage(&parts, &out).unwrap();
    let manifest = write(&out, &master(1), facts(), logs, &staged).unwrap();
    (out, manifest)
}

fn code<T>(result: Result<T, Error>) -> String {
    result.map(drop).unwrap_err().code().to_owned()
}

#[test]
fn t24_a_running_databases_last_commit_is_in_the_archive_and_locks_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (out, manifest) = an_archive(folder.path());
    let names: Vec<&str> = manifest.members.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["store.db", "audit/audit.checkpoints", "audit/audit.db", "audit/older/audit.db"]);
    let archive = Archive::at(&out, &master(1)).unwrap();
    assert_eq!(archive.manifest().unwrap(), manifest);
    let into = folder.path().join("into");
    assert_eq!(archive.unpack(&into).unwrap(), manifest);
    assert_eq!((rows(&into.join("store.db")), rows(&into.join("audit/audit.db"))), (3, 5));
    assert_eq!(rows(&into.join("audit/older/audit.db")), 7);
    let copy = Connection::open(into.join("store.db")).unwrap();
    let kept: (i64, i64) = copy
        .query_row("SELECT * FROM pragma_application_id, pragma_user_version", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(kept, (77, 3));
    use std::os::unix::fs::PermissionsExt as _;
    for file in [&out, &into.join("store.db"), &into.join("audit/audit.checkpoints")] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".backup-")), "{left:?}");
    let (parts, _open) = (Vec::<Part>::new(), ());
    let again = write(&out, &master(1), facts(), Vec::new(), &stage(&parts, &out).unwrap());
    assert_eq!(code(again), "backup_unusable");
}

/// The tar inside, changed by `change`, compressed again.
fn repacked(archive: &Path, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()).read_to_end(&mut tar).unwrap();
    change(&mut tar);
    let changed = archive.with_extension("changed");
    let mut out = flate2::write::GzEncoder::new(fs::File::create(&changed).unwrap(), flate2::Compression::fast());
    out.write_all(&tar).unwrap();
    out.finish().unwrap();
    changed
}

/// Entries of a tar as they stand: from header to header.
fn entries(tar: &[u8]) -> Vec<Vec<u8>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while tar[at] != 0 {
        let size = std::str::from_utf8(&tar[at + 124..at + 135]).unwrap().trim_end_matches('\0');
        let size = usize::from_str_radix(size.trim(), 8).unwrap();
        let next = at + 512 + size.div_ceil(512) * 512;
        all.push(tar[at..next].to_vec());
        at = next;
    }
    all
}

fn of_entries(all: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = all.concat();
    tar.extend([0; 1024]);
    tar
}

#[test]
fn t24_an_archive_that_was_changed_in_any_way_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = an_archive(folder.path());
    type Change = fn(&mut Vec<u8>);
    type Rearrange = fn(&mut Vec<Vec<u8>>);
    let on_entries: [(&str, Rearrange); 6] = [
        ("a member is gone", |all| drop(all.remove(3))),
        ("the last member is gone", |all| drop(all.pop())),
        ("two members are exchanged", |all| all.swap(2, 4)),
        ("a member comes twice", |all| all.push(all[3].clone())),
        ("the manifest is gone", |all| drop(all.remove(0))),
        ("the MAC is gone", |all| drop(all.remove(1))),
    ];
    let on_bytes: [(&str, Change); 4] = [
        ("a byte of the manifest", |tar| tar[600] ^= 1),
        ("a byte of a database", |tar| {
            let at = tar.windows(15).position(|w| w == b"SQLite format 3").unwrap() + 40;
            tar[at] ^= 1;
        }),
        ("a byte of a plain file", |tar| {
            let at = tar.windows(5).rposition(|w| w == b"notes").unwrap();
            tar[at] ^= 1;
        }),
        ("the end", |tar| tar.truncate(tar.len() / 2)),
    ];
    let refused = |what: &str, changed: &Path| {
        let into = folder.path().join("into");
        drop(fs::remove_dir_all(&into));
        let result = Archive::at(changed, &master(1)).unwrap().unpack(&into);
        assert_eq!(result.map(drop).unwrap_err().code(), "backup_damaged", "{what}");
    };
    for (what, change) in on_entries {
        let changed = repacked(&out, |tar| {
            let mut all = entries(tar);
            change(&mut all);
            *tar = of_entries(&all);
        });
        refused(what, &changed);
    }
    for (what, change) in on_bytes {
        refused(what, &repacked(&out, change));
    }
    let raw = folder.path().join("raw");
    fs::write(&raw, "no archive").unwrap();
    refused("it is none", &raw);
    let whole = repacked(&out, |tar| *tar = of_entries(&entries(tar)));
    drop(fs::remove_dir_all(folder.path().join("into")));
    Archive::at(&whole, &master(1)).unwrap().unpack(&folder.path().join("into")).unwrap();
    assert_eq!(code(Archive::at(&out, &master(2)).unwrap().manifest()), "backup_other_key");
}

#[test]
fn t24_old_files_are_moved_aside_and_new_ones_in_under_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("live");
    let parts = vec![("store.db".to_owned(), state.join("s.db")), ("audit".to_owned(), state.join("audit"))];
    let place = Place::new(&state, parts);
    drop(place.claim(false).unwrap());

    drop(database(&state.join("s.db"), 1));
    fs::create_dir_all(state.join("audit")).unwrap();
    fs::write(state.join("audit/old"), "old").unwrap();
    assert_eq!(code(place.claim(false)), "restore_not_empty");
    let running = sqlite_file::claim(&state.join("s.db")).unwrap();
    assert_eq!(code(place.claim(true)), "restore_state_in_use");
    drop(running);

    let held = place.claim(true).unwrap();
    assert!(sqlite_file::claim(&state.join("s.db")).is_err());
    let now = Timestamp::UNIX_EPOCH;
    let staging = place.staging(now);
    drop(database(&staging.join("store.db"), 9));
    fs::create_dir_all(staging.join("audit")).unwrap();
    fs::write(staging.join("audit/new"), "new").unwrap();
    let aside = place.exchange(&held, &staging, now).unwrap().unwrap();
    assert_eq!((rows(&state.join("s.db")), rows(&aside.join("store.db"))), (9, 1));
    assert!(state.join("audit/new").exists() && !state.join("audit/old").exists() && aside.join("audit/old").exists());
    assert!(!staging.exists());
    refuse_unfinished(&state).unwrap();
}

#[test]
fn t24_nothing_starts_on_a_folder_in_which_a_restore_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("live");
    let place = Place::new(&state, vec![("store.db".to_owned(), state.join("s.db"))]);
    let held = place.claim(true).unwrap();
    let staging = place.staging(Timestamp::UNIX_EPOCH);
    drop(database(&staging.join("store.db"), 9));
    // The folder for old files cannot be made: a file stands in its way.
    fs::write(state.join("s.db"), "old").unwrap();
    fs::write(state.join("before-restore-0"), "in the way").unwrap();
    assert_eq!(code(place.exchange(&held, &staging, Timestamp::UNIX_EPOCH)), "backup_unusable");
    assert_eq!(code(refuse_unfinished(&state)), "restore_unfinished");
    fs::remove_file(state.join("before-restore-0")).unwrap();
    place.exchange(&held, &staging, Timestamp::UNIX_EPOCH).unwrap();
    refuse_unfinished(&state).unwrap();
    assert_eq!(rows(&state.join("s.db")), 9);
}
