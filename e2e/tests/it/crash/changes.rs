//! Kill -9 in the middle of changes (T20): a change of three devices dies in every gap between two durable steps, on the way
//! there and on the way back, and some deaths leave a step of which nobody can tell whether it happened.
//!
//! The platform is killed by its own failpoints (`--kill-at`), from outside while the controller holds a reply back, or at
//! any moment. The simulated network outlives it, and its own record of what was entered at each device is the witness:
//! nothing twice, what is done is there, what is undone is gone, and what nobody can know is parked until a person says so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use platform::Json;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serde_json::json;
use tempfile::TempDir;

use super::runs::{any_seed, asked};
use crate::caller::{Answer, OWN};
use crate::changes::desk::{Desk, ENDS, Pace, Wish, launch, told, trouble};
use crate::lab::Lab;

/// Changes that one lab makes before the next begins with an empty folder: its logs grow with each.
const CHANGES: u64 = 20;
/// Cases of a round: each gap both ways, one undecidable, and some at any moment.
const ROUND: u64 = 20;
/// An approved change waits this long for its window, so that the platform can be started again before.
const WINDOW_S: u64 = 120;
/// A moment that does not come at once is waited for, and after this time the clock is moved.
const SLOW: Duration = Duration::from_secs(3);
/// A moment that does not come within this time never does.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the controller holds a reply back: longer than it takes to kill.
const HELD_MS: u64 = 60_000;
/// Most of a run's time is the settle time of a step that nobody heard of: by the lab's clock, and not by anybody's.
const PACE: Pace = Pace { still: Duration::from_millis(500), step_s: 60 };
/// Failpoints that a start passes by itself at most.
const MOST_PASSED: u64 = 40;
/// What a deployment is sent to.
const DEPLOY: &str = "/v2/template-programmer/template/deploy";

/// The gaps of one device between two durable steps, by what stands before and after.
const GAPS: [Gap; 7] = [
    Gap { between: "attempt written, intent", at: At::Failpoint("run.attempt_reserved", 3) },
    Gap { between: "intent, sending", at: At::Failpoint("road.intent_open", 3) },
    Gap { between: "sent, reply", at: At::HeldReply },
    Gap { between: "reply, handle written", at: At::Failpoint("apply.replied", 3) },
    Gap { between: "polling", at: At::Failpoint("run.polling", 3) },
    Gap { between: "outcome known, journal", at: At::Failpoint("run.outcome_known", 3) },
    Gap { between: "journal, next step", at: At::Failpoint("journal.committed", 12) },
];

#[derive(Debug, Clone, Copy)]
struct Gap {
    between: &'static str,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// A failpoint, which every run passes at least so many times each way.
    Failpoint(&'static str, u64),
    /// While the controller holds back its reply.
    HeldReply,
    /// At any moment.
    Any,
}

/// One death.
#[derive(Debug, Clone)]
struct Case {
    gap: Gap,
    /// On the way back.
    back: bool,
    /// The controller hides the task of this device's step: nobody can tell what became of it.
    hidden: bool,
    /// Which step, from 1; after how many milliseconds, for any moment.
    nth: u64,
}

impl Case {
    fn of(run: u64, random: &mut ChaCha8Rng) -> Self {
        let (at, round) = (run % ROUND, run / ROUND);
        let gaps = GAPS.len() as u64;
        let gap = |n: u64| GAPS[usize::try_from(n).unwrap()];
        let (gap, back, hidden) = match at {
            _ if at < 2 * gaps => (gap(at / 2), at % 2 == 1, false),
            // A reply that nobody wrote down, of a task that nobody finds.
            _ if at == 2 * gaps => (gap(if (round / 2).is_multiple_of(2) { 3 } else { 2 }), round % 2 == 1, true),
            _ => (Gap { between: "any two", at: At::Any }, at % 2 == 1, false),
        };
        let nth = match gap.at {
            At::Failpoint(_, most) => 1 + below(random, most),
            At::HeldReply => 1 + below(random, 3),
            At::Any => below(random, 5_000),
        };
        Self { gap, back, hidden, nth }
    }
}

impl Case {
    /// In words, for the line of its run.
    fn told(&self) -> String {
        let way = if self.back { "back" } else { "there" };
        let hidden = if self.hidden { ", its task hidden" } else { "" };
        let nth = match self.gap.at {
            At::Any => format!("after {} ms", self.nth),
            At::Failpoint(..) | At::HeldReply => format!("time {}", self.nth),
        };
        format!("{way}, between {}, {nth}{hidden}", self.gap.between)
    }
}

fn below(random: &mut ChaCha8Rng, n: u64) -> u64 {
    random.next_u64() % n
}

/// What came of the runs, in numbers.
#[derive(Debug, Default)]
struct Sum {
    deaths: u64,
    ends: BTreeMap<String, u64>,
    /// By gap and direction.
    gaps: BTreeMap<(&'static str, bool), u64>,
    undecidable: u64,
    parked: u64,
    settled: BTreeMap<&'static str, u64>,
    steps: usize,
}

/// A change that is on its way, and the devices in the order in which they are written to.
struct Victim {
    id: String,
    wish: Wish,
    devices: Vec<String>,
}

/// Plans and approves a change of three devices. For the way back, the last one refuses a line inside a success, and the run stands
/// still there until somebody wants it undone.
async fn prepared(desk: &Desk, run: u64, case: &Case) -> Victim {
    let count = desk.switches.len();
    let first = usize::try_from(run).unwrap() * 3;
    let devices: Vec<String> = (first..first + 3).map(|at| desk.switches[at % count].clone()).collect();
    let on_stop = if case.back { "hold" } else { "undo" };
    let wish = desk.wish(&devices, 1_000 + u32::try_from(run).unwrap()).with("on_stop", json!(on_stop));
    // What the last change left behind of its faults and its time.
    desk.fault(json!({}), Json::Null, 0).await;
    let id = desk.approved(&wish, WINDOW_S).await;
    let plan = desk.own("alice", "get_change_plan", &json!({"change_id": id, "view": "plan"})).await;
    let order = plan.result()["plan"]["order"].as_array().unwrap().iter().flat_map(|batch| batch.as_array().unwrap());
    let devices: Vec<String> = order.map(|device| device.as_str().unwrap().to_owned()).collect();
    assert_eq!(devices.len(), 3, "{plan:?}");
    Victim { id, wish, devices }
}

impl Victim {
    /// The device of a step, from 1: there in order, back in reverse.
    fn device(&self, back: bool, nth: u64) -> &String {
        let at = usize::try_from((nth - 1).min(2)).unwrap();
        if back { &self.devices[2 - at] } else { &self.devices[at] }
    }
}

/// Kills the platform and starts it again, to die when it passes this failpoint for the n-th time, or to live. A start passes some by
/// itself: one that dies of that is a death more, and the next one dies later.
fn again(desk: &mut Desk, mut dies_at: Option<(&str, u64)>) {
    let lab = desk.lab();
    lab.kill();
    lab.wait();
    loop {
        lab.dies_at(dies_at.map(|(name, nth)| format!("{name}:{nth}")).as_deref());
        match (lab.try_start_again(), &mut dies_at) {
            (Ok(()), _) => return,
            (Err(_), Some((_, nth))) if *nth < MOST_PASSED => *nth += 4,
            (Err(why), _) => panic!("{why}"),
        }
    }
}

/// Brings the change to the death of its case; whether it died there.
async fn dies(desk: &mut Desk, victim: &Victim, case: &Case) -> Result<(), String> {
    if case.back {
        let matching = json!({"path": DEPLOY, "device": victim.devices[2]});
        desk.fault(matching, json!({"kind": "line_rejected", "line": 1}), 1).await;
        desk.caller.lab.advance(&desk.caller.http, i64::try_from(WINDOW_S).unwrap()).await;
        desk.reaches_by_the_clock(&victim.id, &["held"]).await;
    }
    let armed = match case.gap.at {
        // The wish for an undo is a write of its own, with an intent before the steps'.
        At::Failpoint(name @ "road.intent_open", _) if case.back => Some((name, case.nth + 1)),
        At::Failpoint(name, _) => Some((name, case.nth)),
        At::HeldReply | At::Any => None,
    };
    again(desk, armed);
    if case.hidden {
        let matching = json!({"path": DEPLOY, "device": victim.device(case.back, case.nth)});
        desk.fault(matching, json!("task_hidden"), 1).await;
    }
    let mut held = None;
    if matches!(case.gap.at, At::HeldReply) {
        let late = |ms: u64| json!({"kind": "latency", "ms": ms, "done": true});
        if case.nth > 1 {
            desk.fault(json!({"path": DEPLOY}), late(0), u32::try_from(case.nth - 1).unwrap()).await;
        }
        held = Some(desk.fault(json!({"path": DEPLOY}), late(HELD_MS), 1).await);
    }
    if case.back {
        let token = desk.caller.lab.token("alice").await;
        let arguments = json!({"change_id": victim.id, "reason": "It was half done"});
        let wish = desk.caller.rest_request(&token, OWN, "undo_change", &arguments);
        match Answer::received(wish).await {
            Ok(wished) if wished.status != 202 && wished.status != 200 => {
                return Err(format!("the wish for an undo: {wished:?}"));
            }
            // It may die before it has answered: whoever wished looks again later.
            Ok(_) | Err(_) => {}
        }
    } else {
        desk.caller.lab.advance(&desk.caller.http, i64::try_from(WINDOW_S).unwrap()).await;
    }
    let (began, mut moved) = (Instant::now(), Instant::now());
    loop {
        let due = match (case.gap.at, held) {
            (At::Failpoint(..), _) => desk.caller.lab.is_zombie(),
            (At::Any, _) => began.elapsed() >= Duration::from_millis(case.nth),
            // The lines are in the device, and nobody but the controller knows.
            (At::HeldReply, Some(held)) => desk.met(held).await == 1 && stands(desk, victim, case).await,
            (At::HeldReply, None) => false,
        };
        if due {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("the moment never came: {}", told(&desk.view(&victim.id).await)));
        }
        // Who looked at the time just before it was moved waits for as long as was left then.
        if !matches!(case.gap.at, At::Any) && moved.elapsed() > SLOW {
            desk.caller.lab.advance(&desk.caller.http, PACE.step_s).await;
            moved = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let lab = desk.lab();
    lab.kill();
    lab.wait();
    Ok(())
}

/// Whether the step of the case has reached its device.
async fn stands(desk: &Desk, victim: &Victim, case: &Case) -> bool {
    let (there, back) = desk.times(victim.device(case.back, case.nth), &victim.wish).await;
    if case.back { back == 1 } else { there == 1 }
}

/// Follows the change to its end, settling by the devices' own record what is parked; the last view, and how often it was
/// parked.
async fn followed(desk: &Desk, victim: &Victim, sum: &mut Sum) -> Result<(Json, u64), String> {
    let (mut parked, waits) = (0, [&ENDS[..], &["parked", "held"]].concat());
    loop {
        let view = desk.reaches_by_the_clock(&victim.id, &waits).await;
        match view["state"].as_str().unwrap() {
            "parked" => {
                parked += 1;
                if trouble(&view) != "outcome_unknown" {
                    return Err(format!("it is parked for something else: {}", told(&view)));
                }
                let outcome = truth(desk, victim, &view).await?;
                *sum.settled.entry(outcome).or_default() += 1;
                let settled = desk.settles("ada", &victim.id, outcome).await;
                if settled.code().is_some() {
                    return Err(format!("it cannot be settled: {settled:?}"));
                }
                moved_on(desk, victim, &view).await?;
            }
            // Whoever wanted it undone may have heard no answer; what cannot be read now is waited for.
            "held" => {
                let wished = json!({"change_id": victim.id, "reason": "It stands still"});
                if waits_for_a_person(&view) && desk.own("alice", "undo_change", &wished).await.code().is_some() {
                    return Err(format!("it is held and cannot be undone: {}", told(&view)));
                }
                moved_on(desk, victim, &view).await?;
            }
            _ => return Ok((view, parked)),
        }
    }
}

/// Whether a held change waits for a person's wish, and not for something to become readable.
fn waits_for_a_person(view: &Json) -> bool {
    view["goes_on_at"].is_null()
}

/// Waits until the change has moved since this view: a person's word is a revision of its own, and moves nothing yet.
async fn moved_on(desk: &Desk, victim: &Victim, seen: &Json) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let view = desk.view(&victim.id).await;
        if view["history"] != seen["history"] || waits_for_a_person(&view) != waits_for_a_person(seen) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("nothing happens any more: {}", told(seen)));
        }
        desk.caller.lab.advance(&desk.caller.http, 5).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What the device of the parked step says: the record of the simulated network, which a person would see at its console.
async fn truth(desk: &Desk, victim: &Victim, view: &Json) -> Result<&'static str, String> {
    // The attempt's name holds its device and its direction.
    let attempt = view.pointer("/trouble/detail/attempt").and_then(Json::as_str).unwrap_or_default();
    let [_, device, direction, _] = attempt.split('|').collect::<Vec<_>>()[..] else {
        return Err(format!("it does not say which step it is parked on: {}", told(view)));
    };
    let (there, back) = desk.times(device, &victim.wish).await;
    let happened = if direction == "undo" { back > 0 } else { there > 0 };
    Ok(if happened { "done" } else { "not_done" })
}

/// What the devices say of an ended change.
async fn verdict(desk: &Desk, victim: &Victim, case: &Case, view: &Json, parked: u64, sum: &mut Sum) -> Vec<String> {
    let mut findings = Vec::new();
    let state = view["state"].as_str().unwrap().to_owned();
    let expected = if case.back { "undone" } else { "done" };
    if state != expected {
        findings.push(format!("it should be {expected}: {}", told(view)));
    }
    if case.hidden && parked == 0 {
        findings.push(format!("nobody can know, and it was guessed: {}", told(view)));
    }
    for device in &victim.devices {
        let (there, back) = desk.times(device, &victim.wish).await;
        sum.steps += there + back;
        if there > 1 || back > 1 {
            findings.push(format!("{device} was written to {there} times and back {back} times: {}", told(view)));
        }
        let has = desk.has(device, &victim.wish).await;
        if has != (state == "done") {
            findings
                .push(format!("{device} {} the VLAN of a change that is {state}", if has { "has" } else { "lacks" }));
        }
    }
    *sum.ends.entry(state).or_default() += 1;
    findings
}

/// One change, one death, one verdict.
async fn one(desk: &mut Desk, run: u64, case: &Case, sum: &mut Sum) -> Result<(), String> {
    let began = Instant::now();
    let victim = prepared(desk, run, case).await;
    let approved = began.elapsed();
    dies(desk, &victim, case).await?;
    let dead = began.elapsed();
    desk.lab().dies_at(None);
    desk.lab().try_start_again().map_err(|why| format!("it does not come back: {why}"))?;
    let (view, parked) = followed(desk, &victim, sum).await?;
    let findings = verdict(desk, &victim, case, &view, parked, sum).await;
    println!(
        "crash: changes: run {run}, {}: {}; approved after {:.1} s, dead after {:.1}, ended after {:.1}",
        case.told(),
        view["state"],
        approved.as_secs_f64(),
        dead.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    sum.deaths += 1;
    *sum.gaps.entry((case.gap.between, case.back)).or_default() += 1;
    sum.undecidable += u64::from(case.hidden);
    sum.parked += u64::from(parked > 0);
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

/// Nothing is locked once all have ended: one more change goes over every device, and waits for nobody.
async fn nothing_is_locked(desk: &Desk) -> Result<(), String> {
    for (at, devices) in desk.switches.chunks(3).enumerate() {
        let wish = desk.wish(devices, 900 + u32::try_from(at).unwrap());
        let id = desk.approved(&wish, 0).await;
        let view = desk.ends(&id).await;
        if view["state"] != "done" {
            return Err(format!("somebody still holds its devices: {}", told(&view)));
        }
    }
    Ok(())
}

/// Makes so many changes die, and prints what came of it.
pub(super) async fn die(runs: u64, seed: u64) {
    println!("crash: {runs} deaths in a change of three devices, seed {seed}");
    let (began, mut sum) = (Instant::now(), Sum::default());
    let mut desk = None;
    for run in 0..runs {
        if run.is_multiple_of(CHANGES) {
            drop(desk.take());
            let lab = Lab::start_as(TempDir::new().unwrap(), launch("60"));
            desk = Some(Desk { pace: PACE, ..Desk::over(lab).await });
        }
        let desk = desk.as_mut().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(run);
        let case = Case::of(run, &mut random);
        let mut verdict = one(desk, run, &case, &mut sum).await;
        if verdict.is_ok() && (run + 1 == runs || (run + 1).is_multiple_of(CHANGES)) {
            verdict = nothing_is_locked(desk).await;
            let (passes, said) = desk.caller.lab.verify();
            verdict = verdict.and(if passes { Ok(()) } else { Err(format!("audit verify: {said}")) });
        }
        if let Err(why) = verdict {
            let place = desk.lab().keep().display().to_string();
            panic!("seed {seed}, run {run}, {case:?}; everything stands in {place}\n{why}");
        }
    }
    let took = began.elapsed().as_secs();
    println!(
        "crash: changes: {} deaths in {took} s; {} steps reached devices; ends {:?}",
        sum.deaths, sum.steps, sum.ends
    );
    for ((between, back), times) in &sum.gaps {
        println!("crash: changes: {times} between {between}, {}", if *back { "back" } else { "there" });
    }
    println!("crash: changes: {} undecidable, {} parked, settled {:?}", sum.undecidable, sum.parked, sum.settled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t20_twenty_kills_in_a_change_of_three_devices_do_nothing_twice_and_guess_nothing() {
    die(ROUND, any_seed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half an hour; `cargo xtask crash --part changes` runs it"]
async fn as_many_deaths_of_changes_as_asked() {
    let number = |name: &str, otherwise: u64| asked(name).map_or(otherwise, |text| text.parse().unwrap());
    die(number("INTERLOCK_CRASH_RUNS", 100), number("INTERLOCK_CRASH_SEED", any_seed())).await;
}
