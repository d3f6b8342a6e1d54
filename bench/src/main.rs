//! `interlock-bench`: measures the released binary from outside. It starts `interlock` as anybody would, talks HTTP to
//! it, and reads its CPU time and memory from `/proc`; beside it, in the same run, two yardsticks.
//!
//! Where to go next: [`case`] for what is sent, [`load`] and [`http`] for how, [`process`] and [`stages`] for what is
//! read, [`bare`] for the yardsticks, [`lab`] and [`serve`] for what is started, [`report`] for what comes out; [`records`]
//! for the audit log by itself, [`targets`] for 10,000 devices, [`workflows`] for runs that wait
//! and runs that have ended, [`changes`] for the changes behind them. What the numbers mean: `docs/performance.md`.

mod bare;
mod case;
mod changes;
mod ended;
mod http;
mod lab;
mod load;
mod machine;
mod process;
mod records;
mod report;
mod serve;
mod stages;
mod targets;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::json;

use crate::bare::Bare;
use crate::case::{Allowance, Case, Door, Server};
use crate::lab::Lab;
use crate::machine::{Machine, Versions};
use crate::process::Process;
use crate::report::{Report, progress, say};

/// Measure `interlock`: start, memory, and the cost of a call, beside bare axum and bare rmcp.
#[derive(Parser)]
#[command(name = "interlock-bench")]
struct Arguments {
    /// Calls per case, over all rounds.
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// Rounds; the middle one by CPU time is told.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The released binary; the one beside this program when left out.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the JSON goes, besides the table on standard output; `bench.json` beside this program when left out.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure this instead.
    #[arg(long)]
    part: Option<Part>,
    /// With `--part`: the document whose table is written anew.
    #[arg(long)]
    into: Option<PathBuf>,
    /// With `--part targets`: only the rows whose names contain this; a part of the table is for no document.
    #[arg(long, conflicts_with = "into")]
    only: Option<String>,
    /// Be a yardstick instead; the benchmark starts itself with this.
    #[arg(long, hide = true)]
    bare: Option<Bare>,
}

/// What is measured by itself.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Durable records of the audit log, in its file and in PostgreSQL.
    Records,
    /// 10,000 devices: lists, searches, the target directory.
    Targets,
    /// Runs of workflows: 1,000 that wait, 100,000 that have ended.
    Workflows,
    /// 100,000 changes in the store: lists of them, and a look at one.
    Changes,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Part::Records) = arguments.part {
        // Beside this program, on a real disk: a temporary folder may be in memory.
        let myself = std::env::current_exe()?;
        let here = myself.parent().context("this program is in no folder")?;
        return records::measure(here, arguments.calls, arguments.into.as_ref());
    }
    if let Some(Part::Workflows) = arguments.part {
        let myself = std::env::current_exe()?;
        let here = myself.parent().context("this program is in no folder")?;
        return workflows::measure(here, arguments.into.as_ref());
    }
    if let Some(Part::Changes) = arguments.part {
        let myself = std::env::current_exe()?;
        let here = myself.parent().context("this program is in no folder")?;
        return changes::measure(here, arguments.into.as_ref());
    }
    if let Some(bare) = arguments.bare {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(bare::serve(bare));
    }
    // One thread: the load must not take the server's processors.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.part {
        Some(Part::Targets) => {
            let (binary, out) = places(&arguments)?;
            let here = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let calls = arguments.calls.min(20_000);
            let (only, into) = (arguments.only.as_deref(), arguments.into.as_ref());
            runtime.block_on(targets::measure(&binary, here, calls, only, into))
        }
        _ => runtime.block_on(measure(&arguments)),
    }
}

/// The program that is measured, and where the JSON goes.
fn places(arguments: &Arguments) -> Result<(PathBuf, PathBuf)> {
    let myself = std::env::current_exe()?;
    let beside = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| myself.with_file_name(name));
    let (binary, out) = (beside(&arguments.binary, "interlock"), beside(&arguments.out, "bench.json"));
    let binary = binary.canonicalize().with_context(|| {
        format!("{} is not there; build it with `cargo build --release --bin interlock`", binary.display())
    })?;
    Ok((binary, out))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let Arguments { calls, rounds, .. } = arguments;
    let (binary, out) = places(arguments)?;
    ensure!(*rounds > 0 && calls / rounds > 0, "at least one call in each round is needed");
    let (machine, versions) = (Machine::read(), Versions::read(&binary)?);
    let here = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(here)?;
    // Beside the output, on a real disk: a temporary folder may be in memory, where a durable log costs nothing.
    let folder = tempfile::Builder::new().prefix("bench-state-").tempdir_in(here)?;
    let folder = folder.path().canonicalize()?;

    progress("start and memory of `interlock serve`");
    let serve = serve::measure(&binary, &folder).await?;
    progress("start and memory of `interlock lab`");
    let lab = Lab::start(&binary, folder.join("lab"))?;
    let (axum, rmcp) = (yardstick(Bare::Axum)?, yardstick(Bare::Rmcp)?);
    let servers =
        vec![serve.command.clone(), lab.start.command.clone(), axum.1.command.clone(), rmcp.1.command.clone()];

    let mut cases = cases(&lab, &axum.0, &rmcp.0).await?;
    let mut allowance = Allowance::default();
    for round in 1..=*rounds {
        for case in &mut cases {
            let Case { tool, door, connections, .. } = case;
            progress(format_args!("round {round} of {rounds}: {tool}, {door}, {connections} connections"));
            case.round(calls / rounds, &mut allowance).await?;
        }
    }
    let mut bare = std::collections::BTreeMap::new();
    let mut numbers = Vec::new();
    for case in cases {
        // The yardstick stands first in the list.
        let measured = case.numbers(None);
        let of_bare = *bare.entry(measured.connections).or_insert(measured.cpu_us);
        numbers.push(case::Numbers { times_bare: measured.cpu_us / of_bare, ..measured });
    }
    let report = Report {
        at: now(),
        command: format!("cargo xtask bench --calls {calls} --rounds {rounds}"),
        machine,
        versions,
        servers,
        serve,
        lab: lab.start.clone(),
        cases: numbers,
    };
    lab.stop()?;
    std::fs::write(&out, serde_json::to_string_pretty(&report)?)?;
    say(&report)?;
    say(format_args!("the same as JSON, with a command for each case: {}", out.display()))?;
    Ok(())
}

async fn cases(lab: &Lab, axum: &Server, rmcp: &Server) -> Result<Vec<Case>> {
    let tokens = lab.tokens()?;
    let device = lab.device(tokens.first().context("no token")?).await?;
    let server = Server { pid: lab.platform.pid(), address: lab.address, target: Some(lab.world) };
    let (said, device) = (json!({"message": "hello"}), json!({ "device_id": device }));
    let mut cases = Vec::new();
    for connections in [1, 64] {
        cases.push(Case::bare(axum, Door::BareAxum, &said, connections));
        cases.push(Case::bare(rmcp, Door::BareRmcp, &said, connections));
        for door in [Door::Mcp, Door::Rest] {
            cases.push(Case::platform(&server, door, ("interlock", "echo"), &said, &tokens, connections));
            cases.push(Case::platform(&server, door, ("catalyst-center", "get_device"), &device, &tokens, connections));
        }
    }
    Ok(cases)
}

/// Starts this program as a yardstick.
fn yardstick(bare: Bare) -> Result<(Server, Process)> {
    use clap::ValueEnum as _;
    let name = bare.to_possible_value().context("a yardstick without a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--bare", name.get_name()]);
    let (process, url) = Process::start_and_read(command)?;
    Ok((Server { pid: process.pid(), address: http::address(&url)?, target: None }, process))
}

#[expect(clippy::disallowed_methods, reason = "a report says when it was made; nothing is decided by it")]
fn now() -> String {
    jiff::Timestamp::now().to_string()
}
