//! `--part workflows`: what runs of workflows cost. A thousand that wait, in memory and processor time; one hundred thousand
//! that have ended, in the time that a list and a look at one take; and what one run costs on its way. The engine is used as the
//! platform uses it, over a file on a real disk, without the platform around it.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use platform::Json;
use platform::clock::SystemClock;
use workflow_api::{
    Activities, ActivityError, ActivityOptions, RunState, WorkflowClient, WorkflowContext, WorkflowDefinition,
    WorkflowError,
};
use workflow_sqlite::{Definitions, WorkflowEngine};

use crate::load::Asked;
use crate::machine::{Machine, PROFILE};
use crate::process::{Memory, cpu_seconds, memory};
use crate::report::{self, progress};

/// Runs that wait.
const WAITING: usize = 1_000;
/// Runs that have ended.
const FINISHED: usize = 100_000;
/// Runs that are started at a time.
const AT_A_TIME: usize = 1_000;
/// How long the waiting ones are watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Lists and looks that are timed, each.
const ASKED: usize = 2_000;
/// Most memory and processor of the waiting ones, and most milliseconds of a question.
const MOST_MIB: f64 = 100.0;
const MOST_CPU_PERCENT: f64 = 1.0;
const MOST_P99_MS: f64 = 50.0;
/// The text between these lines of a document is written anew.
const MARKS: [&str; 2] = ["<!-- workflows: begin -->", "<!-- workflows: end -->"];
const KEEP: Duration = Duration::from_secs(90 * 86_400);

/// Waits for a word, for days.
struct Waits;

impl WorkflowDefinition for Waits {
    const NAME: &'static str = "waits";

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        context.activity("say", input.clone(), ActivityOptions::idempotent(3, Duration::from_secs(10))).await?;
        context.set_status("waiting".into());
        context.signal("nudge", Some(Duration::from_secs(3 * 86_400))).await?;
        Ok(input)
    }
}

/// One activity, and the end.
struct Ends;

impl WorkflowDefinition for Ends {
    const NAME: &'static str = "ends";

    async fn run<C: WorkflowContext>(context: C, input: Json) -> Result<Json, WorkflowError> {
        context.activity("say", input, ActivityOptions::idempotent(3, Duration::from_secs(10))).await
    }
}

struct Report {
    machine: Machine,
    /// Before the engine was opened, and with all runs waiting.
    memory: [Memory; 2],
    cpu_percent: f64,
    runs_per_second: f64,
    cpu_us_per_run: f64,
    file_mib: f64,
    asked: Vec<Asked>,
}

/// Measures in a folder below `here`, and writes the table into the document `into`.
pub(crate) fn measure(here: &Path, into: Option<&PathBuf>) -> Result<()> {
    let machine = Machine::read();
    let folder = tempfile::Builder::new().prefix("bench-workflows-").tempdir_in(here)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(run(machine, folder.path()))?;
    report::publish(&report, into, MARKS)
}

async fn run(machine: Machine, folder: &Path) -> Result<Report> {
    let me = std::process::id();
    let before = memory(me)?;
    let file = folder.join("workflows.db");
    let engine = WorkflowEngine::open(&file, Arc::new(SystemClock))?;
    let say = |_, input: Json| async move { Ok::<_, ActivityError>(input) };
    let definitions = Definitions::default().with::<Waits>().with::<Ends>();
    let driver = engine.drive(definitions, Activities::default().with("say", say), KEEP)?;

    progress(format_args!("{WAITING} waiting runs, watched for {} s", WATCHED.as_secs()));
    start(&engine, Waits::NAME, 0, WAITING).await?;
    until(&engine, async || {
        // The last to be started is not the last to wait: all are looked at.
        let mut after = None;
        loop {
            let page = list(&engine, Some(RunState::Running), after.as_deref(), 500).await?;
            if page.runs.iter().any(|run| run.status.is_none()) {
                return Ok(false);
            }
            after = page.next;
            if after.is_none() {
                return Ok(true);
            }
        }
    })
    .await?;
    let (begun, used) = (Instant::now(), cpu_seconds(me)?);
    tokio::time::sleep(WATCHED).await;
    let cpu_percent = (cpu_seconds(me)? - used) / begun.elapsed().as_secs_f64() * 100.0;
    let waiting = memory(me)?;

    progress(format_args!("{FINISHED} runs to their end"));
    let (begun, used) = (Instant::now(), cpu_seconds(me)?);
    for first in (0..FINISHED).step_by(AT_A_TIME) {
        start(&engine, Ends::NAME, first, AT_A_TIME).await?;
        until(&engine, async || {
            let page = list(&engine, Some(RunState::Running), None, 1).await?;
            Ok(page.runs.iter().all(|run| run.workflow == Waits::NAME))
        })
        .await?;
    }
    let runs_per_second = FINISHED as f64 / begun.elapsed().as_secs_f64();
    let cpu_us_per_run = (cpu_seconds(me)? - used) * 1e6 / FINISHED as f64;

    progress("lists and looks");
    let middle = FINISHED / 2;
    let deep = list(&engine, None, None, 1).await?.next.context("one page only")?;
    let deep = (deep.parse::<usize>()? - middle).to_string();
    let mut asked = Vec::new();
    for what in ["describe", "list: first page of 100", "list: a page from the middle", "list: those that run"] {
        let mut took = Vec::with_capacity(ASKED);
        for n in 0..ASKED {
            let begun = Instant::now();
            match what {
                "describe" => {
                    let id = format!("{}-{}", Ends::NAME, n * (FINISHED / ASKED));
                    engine.describe(&id).await.map_err(|error| anyhow!(error))?.context("a run is missing")?;
                }
                "list: first page of 100" => drop(list(&engine, None, None, 100).await?),
                "list: a page from the middle" => {
                    drop(list(&engine, Some(RunState::Completed), Some(&deep), 100).await?);
                }
                _ => drop(list(&engine, Some(RunState::Running), None, 100).await?),
            }
            took.push(u64::try_from(begun.elapsed().as_nanos())?);
        }
        asked.push(Asked::of(what, took));
    }
    driver.stop(Duration::from_secs(10)).await;
    let file_mib = std::fs::metadata(&file)?.len() as f64 / f64::from(1 << 20);
    let memory = [before, waiting];
    Ok(Report { machine, memory, cpu_percent, runs_per_second, cpu_us_per_run, file_mib, asked })
}

async fn start(engine: &WorkflowEngine, kind: &'static str, first: usize, count: usize) -> Result<()> {
    let tasks: Vec<_> = (first..first + count)
        .map(|n| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let input = serde_json::json!({ "change": format!("chg-{n}") });
                engine.start(&format!("{kind}-{n}"), kind, input).await
            })
        })
        .collect();
    for task in tasks {
        task.await?.map_err(|error| anyhow!(error))?;
    }
    Ok(())
}

async fn list(
    engine: &WorkflowEngine,
    state: Option<RunState>,
    after: Option<&str>,
    limit: usize,
) -> Result<workflow_api::RunPage> {
    engine.list(state, after, limit).await.map_err(|error| anyhow!(error))
}

async fn until(engine: &WorkflowEngine, is: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let mut turns = engine.turns();
    loop {
        turns.mark_unchanged();
        if is().await? {
            return Ok(());
        }
        turns.changed().await?;
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, memory: [before, waiting], .. } = self;
        writeln!(f, "{}", machine.line())?;
        writeln!(f, "profile: {PROFILE}\n")?;
        let mut row = |what: &str, measured: f64, unit: &str, most: Option<f64>| {
            let most = most.map_or_else(String::new, |most| {
                let over = if measured > most { "  over" } else { "" };
                format!("{most:>8.0} {unit}{over}")
            });
            let line = format!("{what:<52} {measured:>9.2} {unit:<6} {most}");
            writeln!(f, "{}", line.trim_end())
        };
        row(&format!("{WAITING} waiting runs: resident, all of the process"), waiting.rss_mib, "MiB", Some(MOST_MIB))?;
        row("  of it before the engine was opened", before.rss_mib, "MiB", None)?;
        row(&format!("{WAITING} waiting runs: of one processor"), self.cpu_percent, "%", Some(MOST_CPU_PERCENT))?;
        row("runs of one activity to their end, a second", self.runs_per_second, "", None)?;
        row("processor of such a run, started and ended", self.cpu_us_per_run, "µs", None)?;
        row(&format!("file with {FINISHED} runs that have ended"), self.file_mib, "MiB", None)?;
        for Asked { what, p50_ms, p99_ms } in &self.asked {
            row(&format!("{what}, p50"), *p50_ms, "ms", None)?;
            row(&format!("{what}, p99"), *p99_ms, "ms", Some(MOST_P99_MS))?;
        }
        Ok(())
    }
}
