//! Kill -9 of the process that drives: its effects, which outlive it in files of their own, tell what was done twice. The
//! clock of the child is the machine's, and the activities write a line before they act and one after.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use interlock_workflow_sqlite::{Definitions, WorkflowEngine};
use platform::clock::SystemClock;
use platform::failpoint;
use serde_json::json;
use workflow_api::{
    Activities, ActivityError, ActivityOptions, Json, RunState, WorkflowClient, WorkflowContext, WorkflowDefinition,
    WorkflowError,
};

use crate::bench::KEEP;

const FOLDER: &str = "INTERLOCK_TEST_WORKFLOW_FOLDER";
const FAILPOINT: &str = "INTERLOCK_TEST_WORKFLOW_FAILPOINT";
const RUNS: usize = 8;
const STEPS: i64 = 4;

/// Steps of both classes: what is repeated, and what is only ever begun once.
struct Chain;

impl WorkflowDefinition for Chain {
    const NAME: &'static str = "chain";

    async fn run<C: WorkflowContext>(context: C, _input: Json) -> Result<Json, WorkflowError> {
        let limit = Duration::from_secs(60);
        let mut interrupted = Vec::new();
        for step in 0..STEPS {
            let (run, id) = (context.run_id(), context.uuid());
            let line = |class: &str| json!(format!("{class} {run} {step} {id}"));
            context.activity("write", line("idempotent"), ActivityOptions::idempotent(0, limit)).await?;
            context.sleep(Duration::from_millis(1)).await?;
            match context.activity("write", line("once"), ActivityOptions::once(limit)).await {
                Ok(_) => {}
                Err(WorkflowError::Interrupted { .. }) => interrupted.push(json!(step)),
                Err(error) => return Err(error),
            }
        }
        Ok(Json::Array(interrupted))
    }
}

fn activities(folder: PathBuf) -> Activities {
    Activities::default().with("write", move |_, input| {
        let folder = folder.clone();
        async move {
            let line = input.as_str().unwrap_or_default().to_owned();
            append(&folder, "began", &line);
            tokio::task::yield_now().await;
            append(&folder, "ended", &line);
            Ok::<_, ActivityError>(Json::Null)
        }
    })
}

/// One write of one line is whole or absent, whoever is killed.
fn append(folder: &Path, file: &str, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join(file)).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn lines(folder: &Path, file: &str) -> Vec<String> {
    fs::read_to_string(folder.join(file)).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The one who dies: drives what is there until all has ended. Does nothing unless it was started by a test below.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the tests below"]
#[expect(clippy::disallowed_methods, reason = "a child process of the test harness takes no arguments of ours")]
async fn drives_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    if let Ok(name) = std::env::var(FAILPOINT) {
        failpoint::arm(&name).unwrap();
    }
    let engine = WorkflowEngine::open(&folder.join("workflows.db"), Arc::new(SystemClock)).unwrap();
    for run in 0..RUNS {
        engine.start(&format!("run-{run}"), Chain::NAME, Json::Null).await.unwrap();
    }
    let mut turns = engine.turns();
    let driver = engine.drive(Definitions::default().with::<Chain>(), activities(folder.clone()), KEEP).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\ndriving").unwrap();
    loop {
        turns.mark_unchanged();
        let done = engine.list(Some(RunState::Completed), None, 500).await.unwrap();
        // Straight to the descriptor: the harness would keep what `println` says.
        writeln!(out, "\ndone {}", done.runs.len()).unwrap();
        out.flush().unwrap();
        if done.runs.len() == RUNS {
            break;
        }
        turns.changed().await.unwrap();
    }
    driver.stop(Duration::from_secs(10)).await;
}

fn child(folder: &Path, failpoint: Option<String>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "death::drives_until_killed", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(failpoint) = failpoint {
        command.env(FAILPOINT, failpoint);
    }
    command.spawn().unwrap()
}

/// What the files and the journal must say when everything has ended.
async fn verdict(folder: &Path, seed: u64) {
    let engine = WorkflowEngine::open(&folder.join("workflows.db"), Arc::new(SystemClock)).unwrap();
    let (began, ended) = (lines(folder, "began"), lines(folder, "ended"));
    for run in 0..RUNS {
        let id = format!("run-{run}");
        let summary = engine.describe(&id).await.unwrap().unwrap();
        let Some(Ok(Json::Array(interrupted))) = summary.result else { panic!("seed {seed}: {summary:?}") };
        for step in 0..STEPS {
            let of = |all: &[String], class: &str| -> Vec<String> {
                let start = format!("{class} {id} {step} ");
                all.iter().filter(|line| line.starts_with(&start)).cloned().collect()
            };
            let mut repeated = of(&ended, "idempotent");
            assert!(!repeated.is_empty(), "seed {seed}: {id} step {step} is lost");
            repeated.dedup();
            assert_eq!(repeated.len(), 1, "seed {seed}: {id} step {step} drew another identifier in a replay");
            let once = of(&began, "once");
            assert!(once.len() <= 1, "seed {seed}: {id} step {step} was begun twice: {once:?}");
            if !interrupted.contains(&json!(step)) {
                assert_eq!(of(&ended, "once").len(), 1, "seed {seed}: {id} step {step} is told done and was not");
            }
        }
    }
    drop(engine);
    let file = rusqlite::Connection::open(folder.join("workflows.db")).unwrap();
    let check: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok", "seed {seed}");
    for table in ["inbox", "activity", "timer"] {
        let rows: i64 = file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "seed {seed}: {table} holds rows of runs that have ended");
    }
}

/// Drives to the end without a kill.
async fn finish(folder: &Path, seed: u64) {
    let mut last = child(folder, None);
    let said = BufReader::new(last.stdout.take().unwrap()).lines().map(Result::unwrap);
    let done = said.filter(|line| line.starts_with("done ")).last();
    assert!(last.wait().unwrap().success(), "seed {seed}: the last one failed");
    assert_eq!(done, Some(format!("done {RUNS}")), "seed {seed}");
    verdict(folder, seed).await;
}

#[tokio::test]
async fn t20_nothing_that_is_not_idempotent_is_begun_twice_however_often_the_driver_is_killed() {
    let seed = RandomState::new().build_hasher().finish();
    println!("seed {seed}");
    let mut random = seed | 1;
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..8 {
        // xorshift64: the moment of death, in turns of the driver.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut driving = child(folder.path(), None);
        let said = BufReader::new(driving.stdout.take().unwrap()).lines().map(Result::unwrap);
        let turns = 1 + (random % 12) as usize;
        let seen = said.filter(|line| line.starts_with("done ")).take(turns).count();
        assert!(seen > 0, "seed {seed}: the driver said nothing");
        driving.kill().unwrap();
        driving.wait().unwrap();
    }
    finish(folder.path(), seed).await;
}

#[tokio::test]
async fn t20_a_kill_between_two_durable_steps_leaves_nothing_undone_and_nothing_done_twice() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["journal.committed", "journal.result_known"] {
        for times in [1, 2, 5, 9] {
            let mut driving = child(folder.path(), Some(format!("{name}:{times}")));
            let said = BufReader::new(driving.stdout.take().unwrap()).lines().map(Result::unwrap);
            let ended = said.filter(|line| *line == format!("done {RUNS}")).count();
            let status = driving.wait().unwrap();
            assert!(!status.success() || ended > 0, "{name}:{times} was not reached");
        }
    }
    finish(folder.path(), 0).await;
    assert!(lines(folder.path(), "began").len() >= RUNS * 2);
}
