//! The storage shim as a test sees it: built, loaded into a process, told when to kill it and when the disk is full. Then
//! its own tests: a program that forgets a sync is caught, and one that does not is left alone.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use serde_json::json;
use tempfile::TempDir;

use super::undo::{Loss, Lost, apply};
use crate::caller::{Caller, OWN};
use crate::lab::{Lab, Launch};

/// Of a lab's state folder: the simulated network's own files and the lab's clock are not the platform's to lose, and
/// SQLite's shared memory is no file that outlives it.
pub(crate) const SKIP: &str = "world:world/*:clock:*-shm";

/// The shared page's fields, each eight bytes, in the order of `struct control`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Field {
    Changes,
    Syncs,
    /// Records in the log; the shim's own.
    _Seq,
    KillChange,
    KillSync,
    KillPlace,
    Room,
    Refused,
    Unseen,
    Calls,
    Own,
}

/// What the shim watches and where it writes; the folder beside must be on the same disk.
pub(crate) struct Shim {
    root: PathBuf,
    place: PathBuf,
    page: File,
    /// Patterns below the folder that are not the process's own to lose.
    skip: &'static str,
}

impl Shim {
    /// For a process that has not started yet; both folders exist.
    pub(crate) fn new(root: &Path, place: &Path, skip: &'static str) -> Self {
        fs::create_dir_all(place.join("trash")).unwrap();
        let page =
            File::options().read(true).write(true).create(true).truncate(true).open(place.join("control")).unwrap();
        page.write_all_at(&[0; 4096], 0).unwrap();
        let shim = Self { root: root.canonicalize().unwrap(), place: place.canonicalize().unwrap(), page, skip };
        shim.set_room(None);
        shim
    }

    /// Loads it into a program.
    pub(crate) fn load(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("STORAGE_SHIM_ROOT", &self.root);
        command.env("STORAGE_SHIM_PLACE", &self.place).env("STORAGE_SHIM_SKIP", self.skip);
    }

    pub(crate) fn get(&self, field: Field) -> u64 {
        let mut bytes = [0; 8];
        self.page.read_exact_at(&mut bytes, field as u64 * 8).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn set(&self, field: Field, value: u64) {
        self.page.write_all_at(&value.to_le_bytes(), field as u64 * 8).unwrap();
    }

    /// The process dies at its `in_so_many`th change from now: before it (0), half way (1), or after it (2).
    pub(crate) fn kill_at_change(&self, in_so_many: u64, place: u64) {
        self.set(Field::KillPlace, place);
        self.set(Field::KillChange, self.get(Field::Changes) + in_so_many);
    }

    /// The same at a sync: before it, after the disk did it, or when it stands in the undo log.
    pub(crate) fn kill_at_sync(&self, in_so_many: u64, place: u64) {
        self.set(Field::KillPlace, place);
        self.set(Field::KillSync, self.get(Field::Syncs) + in_so_many);
    }

    /// It lives.
    pub(crate) fn kill_never(&self) {
        self.set(Field::KillChange, 0);
        self.set(Field::KillSync, 0);
    }

    /// By how many bytes the files may still grow.
    pub(crate) fn set_room(&self, bytes: Option<u64>) {
        self.set(Field::Room, bytes.map_or(u64::MAX, |bytes| bytes.min(i64::MAX.cast_unsigned())));
    }

    /// Leaves the folder as a power loss at the kill could have left it. The process is dead.
    pub(crate) fn lose_power(&self, loss: Loss) -> Lost {
        assert_eq!(
            self.get(Field::Unseen),
            0,
            "the process did what the shim cannot take back; its standard error says what"
        );
        apply(&self.root, &self.place, loss)
    }
}

/// Builds one file of `e2e/crash`, once per run of the tests.
fn build(source: &str, target: &str, more: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    let (built, fresh) = (folder.join(target), folder.join(format!("{target}.{}", std::process::id())));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("crash").join(source);
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]).args(more).arg("-o").arg(&fresh).arg(source);
    let out = cc.output().expect("the C compiler that the platform itself is built with");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // Another run of the tests may have it loaded.
    fs::rename(&fresh, &built).unwrap();
    built
}

fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("storage_shim.c", "storage_shim.so", &["-shared", "-fPIC", "-ldl"]))
}

fn witness() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("storage_witness.c", "storage_witness", &[]))
}

/// A witness that did its case and waits for the kill, or was killed in the middle.
struct Case {
    folder: TempDir,
    shim: Shim,
    child: Child,
    said: String,
}

impl Case {
    /// Starts over a folder in which `record` holds `before`.
    fn run(case: &str, before: Option<&str>, prepare: impl FnOnce(&Shim)) -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().join("state");
        fs::create_dir(&root).unwrap();
        if let Some(before) = before {
            fs::write(root.join("record"), before).unwrap();
        }
        let shim = Shim::new(&root, &folder.path().join("shim"), "*-shm:apart/*");
        prepare(&shim);
        let mut command = Command::new(witness());
        command.arg(&root).arg(case).stdin(Stdio::null()).stdout(Stdio::piped());
        shim.load(&mut command);
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !said.ends_with("done\n") && out.read_line(&mut said).unwrap() > 0 {}
        if !said.ends_with("done\n") {
            out.read_to_string(&mut said).unwrap();
        }
        Self { folder, shim, child, said }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// Kills it, loses what `loss` says, and says what is left of a file.
    fn left(mut self, name: &str, loss: Loss) -> Option<String> {
        self.end(loss);
        self.text(name)
    }

    fn end(&mut self, loss: Loss) -> Lost {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.shim.lose_power(loss)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn left(case: &str, before: Option<&str>, name: &str) -> Option<String> {
    Case::run(case, before, |_| ()).left(name, Loss::All)
}

#[test]
fn a_program_that_forgets_to_sync_loses_what_it_acknowledged_and_one_that_syncs_does_not() {
    for (case, kept) in [
        ("append-forgetful", "old\n"),
        ("append-range", "old\n"),
        ("append-fsync", "old\nacknowledged\n"),
        ("append-fdatasync", "old\nacknowledged\n"),
        ("append-syncfs", "old\nacknowledged\n"),
        ("append-all", "old\nacknowledged\n"),
        ("append-then-more", "old\nacknowledged\n"),
        ("dsync", "old\nacknowledged\n"),
    ] {
        assert_eq!(left(case, Some("old\n"), "record").as_deref(), Some(kept), "{case}");
    }
    // The kill alone loses nothing: the system has it.
    let killed = Case::run("append-forgetful", Some("old\n"), |_| ()).left("record", Loss::Nothing);
    assert_eq!(killed.as_deref(), Some("old\nacknowledged\n"));
}

#[test]
fn a_name_is_there_after_a_power_loss_when_its_folder_was_synced_and_not_otherwise() {
    assert_eq!(left("create-unsynced", None, "new"), None);
    assert_eq!(left("create-synced", None, "new").as_deref(), Some("new\n"));
    assert_eq!(left("rename-unsynced", Some("first\n"), "record").as_deref(), Some("first\n"));
    assert_eq!(left("rename-synced", Some("first\n"), "record").as_deref(), Some("second\n"));
    assert_eq!(left("rename-unwritten", Some("first\n"), "record").as_deref(), Some(""), "the name without its bytes");
    assert_eq!(left("remove-unsynced", Some("first\n"), "record").as_deref(), Some("first\n"));
    assert_eq!(left("remove-synced", Some("first\n"), "record"), None);
    assert_eq!(left("folders", None, "below/file"), None, "its folder has no name");
    assert_eq!(Case::run("folders", None, |_| ()).left("below/file", Loss::Nothing).as_deref(), Some("deep\n"));
}

#[test]
fn every_way_to_change_a_file_is_taken_back() {
    for case in ["truncate", "forms", "large", "torn"] {
        assert_eq!(left(case, Some("0123456789"), "record").as_deref(), Some("0123456789"), "{case}");
        let as_it_was = Case::run(case, Some("0123456789"), |_| ());
        let before = fs::read(as_it_was.path("record")).unwrap();
        let mut as_it_was = as_it_was;
        let lost = as_it_was.end(Loss::Nothing);
        assert!(lost.unsynced_writes > 0 && lost.writes == 0, "{case}: {lost:?}");
        assert_eq!(fs::read(as_it_was.path("record")).unwrap(), before, "{case}: repeated as it was");
    }
}

#[test]
fn a_write_that_was_not_synced_may_be_torn_at_sectors() {
    let before = "o".repeat(4096);
    let mut torn = 0;
    for seed in 0..16 {
        let left = Case::run("torn", Some(&before), |_| ()).left("record", Loss::Some(seed));
        let left = left.unwrap();
        assert_eq!(left.len(), before.len());
        let sectors: Vec<&str> = (0..8).map(|n| &left[n * 512..][..1]).collect();
        assert!(left.as_bytes().chunks(512).all(|s| s.iter().all(|b| *b == s[0])), "whole sectors");
        torn += usize::from(sectors.contains(&"o") && sectors.contains(&"N"));
    }
    assert!(torn >= 2, "{torn} of 16");
}

#[test]
fn threads_keep_what_each_of_them_synced() {
    let mut case = Case::run("threads", None, |_| ());
    let lost = case.end(Loss::All);
    let expected: String = (0..40).map(|n| format!("{n:02}\n")).collect();
    for thread in 0..4 {
        assert_eq!(case.text(&format!("thread-{thread}")).as_deref(), Some(&*expected));
    }
    assert_eq!((lost.writes, lost.changes), (4 * 10, 4 * 51), "{lost:?}");
}

#[test]
fn the_process_dies_exactly_where_it_was_told_to() {
    for (place, kept) in [(0, "old\n"), (1, "old\nacknow"), (2, "old\nacknowledged\n")] {
        let case = Case::run("append-fsync", Some("old\n"), |shim| shim.kill_at_change(1, place));
        assert_eq!(case.said, "", "killed at {place}");
        assert_eq!(case.left("record", Loss::Nothing).as_deref(), Some(kept));
    }
    for (place, kept) in [(0, "old\n"), (1, "old\n"), (2, "old\nacknowledged\n")] {
        let case = Case::run("append-fsync", Some("old\n"), |shim| shim.kill_at_sync(1, place));
        assert_eq!(case.said, "", "killed at {place}");
        assert_eq!(case.left("record", Loss::All).as_deref(), Some(kept));
    }
}

#[test]
fn a_full_disk_takes_what_fits_and_refuses_the_rest_until_there_is_room() {
    let case = Case::run("full", None, |shim| shim.set_room(Some(1_500)));
    assert_eq!(case.said, "1000 500 ENOSPC 500 ENOSPC\ndone\n");
    // Two refusals, and the write of which the half fitted.
    assert_eq!(case.shim.get(Field::Refused), 3);
    let case = Case::run("full", None, |_| ());
    assert_eq!(case.said, "1000 1000 0 500 0\ndone\n");
}

#[tokio::test]
async fn the_shim_sees_every_write_of_the_platform() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("state");
    fs::create_dir(&root).unwrap();
    let shim = Arc::new(Shim::new(&root, &folder.path().join("shim"), SKIP));
    let launch = Launch { shim: Some(Arc::clone(&shim)), ..Launch::under("lab-open") };
    let caller = Caller::new(Arc::new(Lab::start_as(folder, launch)));
    let alice = caller.lab.token("alice").await;
    for _ in 0..20 {
        assert_eq!(caller.rest(&alice, OWN, "whoami", &json!({})).await.status, 200);
    }
    caller.lab.pause(true);
    let io = fs::read_to_string(format!("/proc/{}/io", caller.lab.id())).unwrap();
    let kernel: u64 = io.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse().unwrap();
    let (seen, changes) = (shim.get(Field::Calls) + shim.get(Field::Own), shim.get(Field::Changes));
    caller.lab.pause(false);
    assert!(changes > 200, "{changes} changes to files");
    // Each thread may stand between the one count and the other.
    assert!((seen.saturating_sub(16)..=seen).contains(&kernel), "the kernel counts {kernel} writes, the shim {seen}");
}
