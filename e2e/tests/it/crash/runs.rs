//! Kill -9 and power loss under load, as often as asked: one platform dies again and again over one folder, and is judged
//! after each death. A seed says everything that chance decides; the machine's own speed does the rest.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde_json::json;
use tempfile::TempDir;

use super::load::{Ground, Journal, Load};
use super::shim::{SKIP, Shim};
use super::undo::{Loss, Lost};
use super::verdict::{Anchor, Known};
use crate::caller::{CENTER, Caller, http};
use crate::lab::{Lab, Launch};

/// Deaths of one platform before the next begins with an empty folder: its log grows with each.
const DEATHS: u64 = 20;
/// Devices per controller; the world's size is no part of this.
const DEVICES: &str = "60";
/// A moment that never comes ends here.
const PATIENCE: Duration = Duration::from_secs(6);

/// What kills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The process alone: the system keeps what was written.
    Kill,
    /// The machine: what was not synced may be gone.
    Power,
}

/// When it dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    After(Duration),
    Answers(usize),
    Change(u64, u64),
    Sync(u64, u64),
}

fn below(random: &mut ChaCha8Rng, n: u64) -> u64 {
    random.next_u64() % n
}

impl Moment {
    fn of(mode: Mode, random: &mut ChaCha8Rng) -> Self {
        match (mode, below(random, 4)) {
            (Mode::Kill, 0) => Self::Answers(1 + usize::try_from(below(random, 600)).unwrap()),
            (Mode::Kill, _) | (_, 0) => Self::After(Duration::from_millis(below(random, 1_500))),
            (Mode::Power, 1) => Self::Change(1 + below(random, 2_500), below(random, 3)),
            _ => Self::Sync(1 + below(random, 600), below(random, 3)),
        }
    }
}

/// One platform that dies and comes back.
struct Victim {
    mode: Mode,
    lab: Option<Lab>,
    shim: Option<Arc<Shim>>,
    ground: Arc<Ground>,
    known: Known,
    anchor: Anchor,
}

/// What the runs were, in numbers.
#[derive(Debug, Default)]
struct Sum {
    deaths: u64,
    in_a_start: u64,
    acknowledged: usize,
    writes: usize,
    answered: usize,
    sign_ins: usize,
    secrets: usize,
    lost: Lost,
}

/// An empty folder and how a lab is started over it.
pub(crate) fn prepare(mode: Mode, folder: TempDir) -> (TempDir, Launch) {
    std::fs::create_dir_all(folder.path().join("state")).unwrap();
    let mut launch = Launch::under("lab-open");
    // The same address at every start, so that tokens stay what they are.
    launch.listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    launch.more = vec!["--devices".to_owned(), DEVICES.to_owned()];
    if mode == Mode::Power {
        launch.shim = Some(Arc::new(Shim::new(&folder.path().join("state"), &folder.path().join("shim"), SKIP)));
    }
    (folder, launch)
}

/// What is gone after a death.
fn lose(shim: &Shim, random: &mut ChaCha8Rng) -> Lost {
    shim.kill_never();
    shim.lose_power(match below(random, 4) {
        0 => Loss::All,
        1 => Loss::Nothing,
        _ => Loss::Some(random.next_u64()),
    })
}

impl Victim {
    async fn new(mode: Mode) -> Self {
        let (folder, launch) = prepare(mode, TempDir::new().unwrap());
        let (outside, shim) = (folder.path().to_owned(), launch.shim.clone());
        let lab = Lab::start_as(folder, launch);
        let anchor = Anchor::beside(&lab, &outside);
        let caller = Caller::new(Arc::new(lab));
        let ground = Arc::new(Ground::lay(&caller).await);
        let lab = Arc::into_inner(caller.lab);
        Self { mode, lab, shim, ground, known: Known::default(), anchor }
    }

    /// One load, one death, one verdict.
    async fn run(&mut self, random: &mut ChaCha8Rng, sum: &mut Sum) -> Result<(), String> {
        let moment = Moment::of(self.mode, random);
        let caller = Arc::new(Caller::new(Arc::new(self.lab.take().unwrap())));
        let load = Load::start(&caller, &self.ground, &[]);
        let journal = self.dies(&caller, load, moment).await;
        let mut caller = Arc::into_inner(caller).unwrap();
        let mut lab = Arc::into_inner(caller.lab).unwrap();
        lab.wait();
        let lost = self.shim.as_ref().map(|shim| lose(shim, random)).unwrap_or_default();
        caller = Caller { lab: Arc::new(lab), http: http() };
        let dead = self.known.dead(&caller, &self.anchor, &journal).await;
        lab = Arc::into_inner(caller.lab).unwrap();
        let started = self.comes_back(&mut lab, random, sum);
        caller = Caller { lab: Arc::new(lab), http: http() };
        let mut findings = dead.0;
        match started {
            Ok(()) => findings.extend(self.known.alive(&caller, &self.anchor, &self.ground, &journal).await.0),
            Err(why) => findings.push(format!("it does not come back: {why}")),
        }
        sum.deaths += 1;
        sum.acknowledged += journal.acknowledged.len();
        sum.writes += journal.writes.len();
        sum.answered += journal.answered();
        sum.sign_ins += journal.tokens.len();
        sum.secrets += usize::from(journal.secret.is_some());
        sum.lost.add(&lost);
        let mut lab = Arc::into_inner(caller.lab).unwrap();
        let verdict = if findings.is_empty() {
            Ok(())
        } else {
            let shown: Vec<&str> = findings.iter().take(12).map(String::as_str).collect();
            Err(format!(
                "{moment:?}, {lost:?}: {} findings; everything stands in {}\n{}",
                findings.len(),
                lab.keep().display(),
                shown.join("\n")
            ))
        };
        self.lab = Some(lab);
        verdict
    }

    /// Lets the load run until the moment, and a little longer for the clients to notice.
    async fn dies(&self, caller: &Caller, load: Load, moment: Moment) -> Journal {
        match (moment, &self.shim) {
            (Moment::Change(n, place), Some(shim)) => shim.kill_at_change(n, place),
            (Moment::Sync(n, place), Some(shim)) => shim.kill_at_sync(n, place),
            _ => {}
        }
        let began = Instant::now();
        loop {
            self.anchor.take();
            let due = match moment {
                Moment::After(time) => began.elapsed() >= time,
                Moment::Answers(n) => load.answers() >= n,
                // The shim kills; nothing does when the load makes too few changes.
                Moment::Change(..) | Moment::Sync(..) => caller.lab.is_zombie(),
            };
            if due || began.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        caller.lab.kill();
        load.ended().await
    }

    /// Starts it again; now and then it dies once more while it starts.
    fn comes_back(&self, lab: &mut Lab, random: &mut ChaCha8Rng, sum: &mut Sum) -> Result<(), String> {
        if let Some(shim) = &self.shim
            && below(random, 4) == 0
        {
            match below(random, 2) {
                0 => shim.kill_at_change(1 + below(random, 60), below(random, 3)),
                _ => shim.kill_at_sync(1 + below(random, 12), below(random, 3)),
            }
            if lab.try_start_again().is_err() {
                sum.in_a_start += 1;
                lose(shim, random);
            } else {
                shim.kill_never();
                return Ok(());
            }
        }
        lab.try_start_again()
    }
}

/// The very first start of a folder dies at a moment of the seed's choice; the next one must find its way.
async fn die_at_birth(seed: u64, run: u64) -> Result<bool, String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(run);
    let (folder, launch) = prepare(Mode::Power, TempDir::new().unwrap());
    let shim = launch.shim.clone().unwrap();
    let (n, place) = (below(&mut random, 100), below(&mut random, 3));
    match below(&mut random, 2) {
        0 => shim.kill_at_change(1 + n * 3, place),
        _ => shim.kill_at_sync(1 + n / 2, place),
    }
    let (lab, died) = match Lab::try_start_as(folder, launch) {
        Ok(mut lab) => {
            // It was ready before the moment came.
            lab.kill();
            lab.wait();
            let lost = lose(&shim, &mut random);
            let again = lab.try_start_again();
            (again.map(|()| lab).map_err(|why| format!("{lost:?}: {why}")), false)
        }
        Err(dead) => {
            let lost = lose(&shim, &mut random);
            let again = Lab::try_start_as(dead.folder, dead.launch).map_err(|mut unstarted| {
                unstarted.folder.disable_cleanup(true);
                format!("{lost:?}: {}: {}", unstarted.folder.path().display(), unstarted.why)
            });
            (again, true)
        }
    };
    let caller = Caller::new(Arc::new(lab?));
    let token = caller.lab.token("alice").await;
    let read = caller.rest(&token, CENTER, "list_devices", &json!({"limit": 1})).await;
    let (passes, said) = caller.lab.verify();
    if read.status == 200 && passes { Ok(died) } else { Err(format!("{read:?}\n{said}")) }
}

async fn births(times: u64, seed: u64) {
    println!("crash: {times} deaths in a first start, seed {seed}");
    let (began, mut died) = (Instant::now(), 0);
    for run in 0..times {
        let verdict = die_at_birth(seed, run).await;
        died += u64::from(*verdict.as_ref().unwrap_or_else(|why| panic!("seed {seed}, first start {run}: {why}")));
    }
    println!("crash: {died} of {times} first starts died before they were ready, in {} s", began.elapsed().as_secs());
}

/// Dies `deaths` times and prints what came of it.
async fn die(mode: Mode, deaths: u64, seed: u64) {
    println!("crash: {deaths} deaths by {mode:?}, seed {seed}");
    let (began, mut sum) = (Instant::now(), Sum::default());
    let mut victim = None;
    for run in 0..deaths {
        if run.is_multiple_of(DEATHS) {
            drop(victim.take());
            victim = Some(Victim::new(mode).await);
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(run);
        let verdict = victim.as_mut().unwrap().run(&mut random, &mut sum).await;
        assert!(verdict.is_ok(), "seed {seed}, run {run}: {}", verdict.unwrap_err());
    }
    assert!(sum.acknowledged > 0 && sum.answered > 0, "a load that does nothing proves nothing: {sum:?}");
    println!(
        "crash: {mode:?}: {} deaths ({} more in a start) in {} s; {} answers, {} writes sent, {} answered, {} sign-ins, {} secrets; {:?}",
        sum.deaths,
        sum.in_a_start,
        began.elapsed().as_secs(),
        sum.acknowledged,
        sum.writes,
        sum.answered,
        sum.sign_ins,
        sum.secrets,
        sum.lost
    );
}

/// A number of the environment, from `cargo xtask crash`.
#[expect(clippy::disallowed_methods, reason = "how a task hands its numbers to a test")]
pub(super) fn asked(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Another one at every run; it is printed.
pub(super) fn any_seed() -> u64 {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) >> 16
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_ten_power_losses_under_load_lose_nothing_that_was_acknowledged() {
    die(Mode::Power, 10, any_seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t25_ten_kills_under_load_lose_nothing_that_was_acknowledged() {
    die(Mode::Kill, 10, any_seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_a_first_start_that_the_power_ends_can_be_made_again() {
    births(6, any_seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes; `cargo xtask crash` runs it"]
async fn as_many_deaths_as_asked() {
    let number = |name: &str, otherwise: u64| asked(name).map_or(otherwise, |text| text.parse().unwrap());
    let (deaths, seed) = (number("INTERLOCK_CRASH_RUNS", 200), number("INTERLOCK_CRASH_SEED", any_seed()));
    let mode = asked("INTERLOCK_CRASH_MODE");
    for (name, mode_of) in [("power", Mode::Power), ("kill", Mode::Kill)] {
        if mode.as_deref().is_none_or(|wanted| wanted == name) {
            die(mode_of, deaths, seed).await;
        }
    }
    if mode.as_deref().is_none_or(|wanted| wanted == "start") {
        births(deaths / 4, seed).await;
    }
}
