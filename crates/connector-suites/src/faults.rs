//! The matrix: every call of a connector under every fault of its system. Each cell is run in a fresh lab and written down:
//! what the caller reads, how many requests reached the system, what became of the intent. The table stands in
//! `docs/faults.md`, and a test fails when it does not say what was measured.
//!
//! A connector adds its rows by implementing [`Bench`] in one file of its tests and calling [`matrix`] and [`compare`]; the
//! section of the page is found by its markers.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use platform::Json;
use world::{Fault, Faults, Match};

use crate::Rig;

/// One call of a connector, and the request in it that meets the fault.
#[derive(Clone)]
pub struct Call {
    /// Tool or port.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Json,
    /// Method of that request.
    pub method: &'static str,
    /// A part of its path.
    pub path: &'static str,
    /// Whether the call writes: then the request is sent once, whatever happens.
    pub writes: bool,
}

/// A fresh simulated system with a connector over it.
#[async_trait]
pub trait Bench: Send + Sync + Sized {
    /// Starts one whose client waits `attempt` for an answer and whose breaker never opens.
    async fn start(attempt: Duration) -> Self;

    /// The pipeline.
    fn rig(&self) -> &Rig;

    /// The faults of the system.
    fn faults(&self) -> &Faults;

    /// The name of the system, as faults know it.
    fn system(&self) -> &str;

    /// The calls, with arguments that succeed on this very bench.
    async fn calls(&self) -> Vec<Call>;

    /// What must appear nowhere.
    fn canaries(&self) -> Vec<String>;

    /// What the system's records say of the attempt of a write whose intent is open, where somebody can be asked; `-`
    /// elsewhere.
    async fn settled(&self, call: &Call) -> String;

    /// What became of a write that was answered; `-` where nobody looks.
    async fn followed(&self, call: &Call, answer: &Json) -> String {
        let _ = (call, answer);
        "-".to_owned()
    }

    /// What the system's records say of a write that was refused for good; `-` where nobody looks.
    async fn refused(&self, call: &Call) -> String {
        let _ = call;
        "-".to_owned()
    }
}

/// Every fault, in the form in which it is tried. A new one does not compile until it stands here.
pub fn every_fault() -> Vec<(&'static str, Fault)> {
    let all = [
        Fault::Latency { ms: 20, done: false },
        Fault::RateLimited { retry_after_s: None },
        Fault::RateLimited { retry_after_s: Some(3_600) },
        Fault::ServerError { status: 500 },
        Fault::ServerError { status: 503 },
        Fault::Hang { ms: 600_000 },
        Fault::Garbage,
        Fault::Hibernating,
        Fault::Truncation,
        Fault::ExpiredToken,
        Fault::ReplyLost,
        Fault::AcceptedNotApplied,
        Fault::HalfApplied,
        Fault::LineRejected { line: 1 },
        Fault::ManagementLost,
        Fault::StaleCopy,
        Fault::TaskHidden,
    ];
    all.into_iter().map(|fault| (name(fault), fault)).collect()
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Latency { .. } => "late answer",
        Fault::RateLimited { retry_after_s: None } => "429",
        Fault::RateLimited { retry_after_s: Some(_) } => "429, repeat in an hour",
        Fault::ServerError { status: 500 } => "500",
        Fault::ServerError { .. } => "503",
        Fault::Hang { .. } => "no answer",
        Fault::Garbage => "a page instead of JSON",
        Fault::Hibernating => "asleep",
        Fault::Truncation => "half an answer",
        Fault::ExpiredToken => "token expired",
        Fault::ReplyLost => "done, answer lost",
        Fault::AcceptedNotApplied => "accepted, not applied",
        Fault::HalfApplied => "half applied",
        Fault::LineRejected { .. } => "a line rejected",
        Fault::ManagementLost => "management lost",
        Fault::StaleCopy => "controller's copy old",
        Fault::TaskHidden => "task hidden",
    }
}

/// Longest time of a cell: beyond every timeout of a tool. A call that is still not answered then hangs.
const HANGS: Duration = Duration::from_secs(120);
/// How long the client waits for an answer.
const ATTEMPT: Duration = Duration::from_millis(400);
/// The fault is met as often as the call tries.
const ALWAYS: u32 = 1_000;

/// Runs every call under every fault, and returns the table.
///
/// # Panics
/// When a call hangs, a write is sent twice, a refusal has no code, or a secret appears.
pub async fn matrix<B: Bench>() -> String {
    let mut table =
        "| call | fault | the caller reads | requests | intent | afterwards |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let count = B::start(ATTEMPT).await.calls().await.len();
    for at in 0..count {
        for (name, fault) in every_fault() {
            let bench = B::start(ATTEMPT).await;
            let call = bench.calls().await.swap_remove(at);
            let cell = cell(&bench, &call, fault).await;
            let Cell { reads, requests, intent, records } = cell;
            writeln!(table, "| `{}` | {name} | {reads} | {requests} | {intent} | {records} |", call.tool).unwrap();
        }
    }
    table
}

struct Cell {
    reads: String,
    requests: u32,
    intent: &'static str,
    records: String,
}

async fn cell<B: Bench>(bench: &B, call: &Call, fault: Fault) -> Cell {
    let (rig, faults, system) = (bench.rig(), bench.faults(), bench.system());
    let meets = Match { method: Some(call.method.into()), path: Some(call.path.into()), ..Match::default() };
    let before = met_on_the_wire(faults, &meets);
    // One that is of the effect does not use up requests of the wire: a fault that does nothing counts those.
    faults.inject(system, meets.clone(), Some(fault), ALWAYS);
    if !fault.is_of_the_wire() {
        faults.inject(system, meets.clone(), Some(Fault::Latency { ms: 0, done: false }), ALWAYS);
    }
    let answer = tokio::time::timeout(HANGS, rig.call_port(call.tool, call.arguments.clone())).await;
    let answer = answer.unwrap_or_else(|_| panic!("{} hangs under {fault:?}", call.tool));
    let requests = met_on_the_wire(faults, &meets) - before;
    let most = if call.writes && fault != Fault::ExpiredToken { 1 } else { u32::MAX };
    assert!(requests <= most, "{} was sent {requests} times under {fault:?}", call.tool);
    // The system answers again. What was accepted is still carried out under the fault.
    let on_the_wire = if fault.is_of_the_wire() { fault } else { Fault::Latency { ms: 0, done: false } };
    faults.inject(system, meets, Some(on_the_wire), 0);
    let reads = match &answer {
        Ok(answer) => match answer.structured.get("status").and_then(Json::as_str) {
            Some(status) => format!("`{status}`"),
            None => "the result".to_owned(),
        },
        Err(error) => format!("`{}`", error.code()),
    };
    let seen = match &answer {
        Ok(answer) => answer.structured.to_string(),
        Err(error) => format!("{error:?} {:?} {:?}", error.refusal(), error.detail()),
    };
    for canary in bench.canaries() {
        assert!(!seen.contains(&canary), "{} shows a secret under {fault:?}", call.tool);
        assert!(!rig.kept().contains(&canary), "{} leaves a secret under {fault:?}", call.tool);
    }
    let intent = match (call.writes, rig.open_intents().await.is_empty()) {
        (false, _) => "-",
        (true, true) => "closed",
        (true, false) => "open",
    };
    let records = match (&answer, intent) {
        (_, "open") => bench.settled(call).await,
        (Ok(answer), "closed") => bench.followed(call, &answer.structured).await,
        (Err(_), "closed") => bench.refused(call).await,
        _ => "-".to_owned(),
    };
    Cell { reads, requests, intent, records }
}

/// How many requests that match have met a fault of the wire.
fn met_on_the_wire(faults: &Faults, meets: &Match) -> u32 {
    faults.list().iter().filter(|f| f.matching == *meets && f.fault.is_of_the_wire()).map(|f| f.used).sum()
}

/// Compares a section of `docs/faults.md` with what was measured. With `INTERLOCK_WRITE=1` it is written instead.
///
/// # Panics
/// When they differ.
pub fn compare(section: &str, measured: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (begin, end) = (format!("<!-- measured: {section} -->\n"), format!("<!-- end: {section} -->\n"));
    let missing = || panic!("docs/faults.md has no section between {begin} and {end}");
    let (head, rest) = text.split_once(&begin).unwrap_or_else(missing);
    let (committed, tail) = rest.split_once(&end).unwrap_or_else(missing);
    #[expect(clippy::disallowed_methods, reason = "a switch of tests, for the person who runs them")]
    let write = std::env::var("INTERLOCK_WRITE").is_ok_and(|value| value == "1");
    if write {
        std::fs::write(&page, format!("{head}{begin}\n{}\n{end}{tail}", measured.trim())).unwrap();
        return;
    }
    let lines = |text: &str| text.trim().lines().map(str::to_owned).collect::<Vec<_>>();
    let (committed, measured) = (lines(committed), lines(measured));
    let differing: Vec<String> = committed
        .iter()
        .filter(|line| !measured.contains(line))
        .map(|line| format!("- {line}"))
        .chain(measured.iter().filter(|line| !committed.contains(line)).map(|line| format!("+ {line}")))
        .collect();
    assert!(committed == measured, "docs/faults.md is old; INTERLOCK_WRITE=1 writes it:\n{}", differing.join("\n"));
}
