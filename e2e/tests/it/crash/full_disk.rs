//! A full disk under load (T25): calls are refused with a code, health and `doctor` answer, nothing acknowledged is lost,
//! the process neither spins nor grows, and it goes on by itself when there is room. Once over the storage shim, once on a
//! real small file system where the tests may mount one.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::load::{Ground, Load};
use super::runs::{Mode, prepare};
use super::shim::{Field, Shim};
use super::verdict::{Anchor, Known};
use crate::caller::{Answer, Caller, OWN};
use crate::lab::{Lab, Launch};

/// What a caller may be told while there is no room.
const REFUSALS: [&str; 4] = ["audit_unavailable", "store_unavailable", "outcome_unknown", "idempotency_in_progress"];
/// Refusals of a full disk before it is judged.
const ENOUGH: usize = 300;
const PATIENCE: Duration = Duration::from_secs(60);
/// What may be added to the process's memory over that many refusals.
const GROWTH: u64 = 32 << 20;

/// A disk that can be filled.
trait Disk {
    fn fill(&self);
    fn free(&self);
    /// Attempts to write, since the start, that found no room; `None` where nobody counts.
    fn refused(&self) -> Option<u64>;
}

impl Disk for Arc<Shim> {
    fn fill(&self) {
        // A few pages still fit: the last write is cut short.
        self.set_room(Some(10_000));
    }

    fn free(&self) {
        self.set_room(None);
    }

    fn refused(&self) -> Option<u64> {
        Some(self.get(Field::Refused))
    }
}

/// A small file system of memory.
struct Mounted(TempDir);

impl Mounted {
    /// `None` where this user may not mount.
    fn new() -> Option<Self> {
        let place = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs"]).arg(place.path());
        mount.output().is_ok_and(|out| out.status.success()).then(|| Self(place))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }
}

impl Disk for Mounted {
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn refused(&self) -> Option<u64> {
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

/// Waits until `done`.
pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn full(disk: &impl Disk, folder: TempDir, with: impl FnOnce(&mut Launch)) {
    let (folder, mut launch) = prepare(Mode::Kill, folder);
    with(&mut launch);
    let outside = TempDir::new().unwrap();
    let lab = Lab::start_as(folder, launch);
    let anchor = Anchor::beside(&lab, outside.path());
    let caller = Arc::new(Caller::new(Arc::new(lab)));
    let ground = Arc::new(Ground::lay(&caller).await);
    let load = Load::start(&caller, &ground, &REFUSALS);
    until("a load", async || load.answers() > 100).await;

    disk.fill();
    until("refusals of a full disk", async || load.refusals() > ENOUGH / 3).await;
    let before = caller.lab.resident();
    until("more refusals", async || load.refusals() > ENOUGH).await;
    let grown = caller.lab.resident().saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more after {} refusals", load.refusals());
    let health = Answer::of(caller.http.get(format!("{}/healthz", caller.lab.url()))).await;
    assert_eq!(health.status, 200, "{health:?}");
    let doctor = caller.lab.run(&["doctor", "--json"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(serde_json::from_str::<platform::Json>(&said).is_ok(), "doctor answers: {said}");
    let whoami = caller.rest(&ground.sites[0].token, OWN, "whoami", &json!({})).await;
    assert_eq!((whoami.status, whoami.code()), (503, Some("audit_unavailable")), "{whoami:?}");

    disk.free();
    let answers = load.answers();
    until("calls again", async || load.answers() > answers + 100).await;
    let journal = load.stop().await;
    let mut known = Known::default();
    let mut findings = known.heard(&journal).0;
    anchor.take();
    // Before the restart: it recovered by itself, and closed what it had left open.
    findings.extend(known.alive(&caller, &anchor, &ground, &journal).await.0);
    assert!(journal.answered() > 0 && journal.refused.contains_key("audit_unavailable"), "{:?}", journal.refused);
    assert!(findings.is_empty(), "{:?}\n{}", journal.refused, findings.join("\n"));

    // Nobody calls, and the disk is full: it waits for room, it does not run for it.
    disk.fill();
    if let Some(before) = disk.refused() {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let attempts = disk.refused().unwrap() - before;
        assert!(attempts < 100, "{attempts} attempts of an idle process in two seconds");
    }
    disk.free();

    let mut lab = Arc::into_inner(Arc::into_inner(caller).unwrap().lab).unwrap();
    lab.kill();
    lab.start_again();
    let caller = Caller::new(Arc::new(lab));
    let findings = known.alive(&caller, &anchor, &ground, &journal).await.0;
    assert!(findings.is_empty(), "started again: {}", findings.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_a_full_disk_refuses_loses_nothing_and_is_left_behind_by_itself() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    let shim = Arc::new(Shim::new(&folder.path().join("state"), &folder.path().join("shim"), super::shim::SKIP));
    let loaded = Arc::clone(&shim);
    full(&shim, folder, |launch| launch.shim = Some(loaded)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_a_real_full_disk_does_the_same() {
    let Some(disk) = Mounted::new() else {
        println!("not run: this user may not mount a file system");
        return;
    };
    let folder = TempDir::new_in(disk.0.path()).unwrap();
    // The simulated network is another machine: its disk is not full.
    let world = TempDir::new().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::write(state.join("THIS_IS_A_LAB"), "").unwrap();
    symlink(world.path(), state.join("world")).unwrap();
    full(&disk, folder, |_| ()).await;
}
