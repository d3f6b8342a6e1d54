//! `cargo xtask fuzz`: libFuzzer over every parser at the doors, from the kept corpus in `fuzz/corpus`. Takes a nightly
//! compiler; `cargo-fuzz` is installed once, in its pinned version. What each target asserts is in `fuzz/src`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{machine, terminal, workspace};

const CARGO_FUZZ: &str = "0.13.2";
/// Longest input, bytes: what matters in these parsers is short, and short inputs are tried more often.
const LONGEST: &str = "-max_len=2048";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these targets; nothing means all of them.
    targets: Vec<String>,
    /// Minutes for each target.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Targets that run at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Run nothing: put what earlier runs found and the kept corpus does not cover into `fuzz/corpus`.
    #[arg(long)]
    minimise: bool,
}

/// What became of one target.
struct Row {
    name: String,
    executions: String,
    fine: bool,
}

/// Where things are.
struct Places {
    programs: PathBuf,
    work: PathBuf,
    kept: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root();
    let targets = wanted(&root, &arguments.targets)?;
    let build = root.join("target/fuzz");
    let places = Places {
        programs: build.join(host()?).join("release"),
        work: build.join("work"),
        kept: root.join("fuzz/corpus"),
    };
    terminal::say("building the targets with instrumentation (cold: about 10 minutes on two cores)");
    machine::run(
        cargo_fuzz(&tool()?)
            .current_dir(root.join("fuzz/libfuzzer"))
            // No sanitizer: what is ours has no unsafe code, and runs twice as often without one.
            .args(["fuzz", "build", "--fuzz-dir", ".", "--sanitizer", "none", "--target-dir"])
            .arg(&build),
    )?;
    let left = Mutex::new(targets.into_iter());
    let rows = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = left.lock().map(|mut left| left.next());
                    let Ok(Some(name)) = next else { break };
                    let row = if arguments.minimise {
                        minimise(&places, &name)
                    } else {
                        fuzz(&places, &name, arguments.minutes)
                    };
                    let row = row.unwrap_or_else(|error| {
                        terminal::say(format_args!("{name}: {error:#}"));
                        Row { name, executions: "-".to_owned(), fine: false }
                    });
                    terminal::say(format_args!("{:<20} {:>14}  {}", row.name, row.executions, verdict(&row)));
                    if let Ok(mut rows) = rows.lock() {
                        rows.push(row);
                    }
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap_or_default();
    let found = rows.iter().filter(|row| !row.fine).count();
    if found > 0 {
        bail!("{found} of {} targets have a finding; its input is under target/fuzz/work/<target>/found", rows.len());
    }
    terminal::say(format_args!("{} targets without a finding", rows.len()));
    Ok(())
}

fn verdict(row: &Row) -> &'static str {
    if row.fine { "no finding" } else { "FOUND SOMETHING" }
}

/// The targets' names, as the programs are called.
fn wanted(root: &Path, named: &[String]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root.join("fuzz/libfuzzer/fuzz_targets"))? {
        let path = entry?.path();
        all.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
    }
    all.sort();
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}; there are {}", all.join(", "));
    }
    Ok(if named.is_empty() { all } else { named.to_vec() })
}

/// The triple that the nightly compiler builds for.
fn host() -> Result<String> {
    let said = machine::output(Command::new("rustc").args(["+nightly", "--version", "--verbose"]))
        .context("fuzzing takes a nightly compiler: `rustup toolchain install nightly --profile minimal`")?;
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc names no host")?.to_owned())
}

/// The folder of cargo-fuzz, which is installed where it is missing.
fn tool() -> Result<PathBuf> {
    let folder = machine::cache_folder()?.join(format!("tools/cargo-fuzz-{CARGO_FUZZ}"));
    if !folder.join("bin/cargo-fuzz").is_file() {
        let mut install = machine::cargo();
        install.args(["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--quiet", "--root"]).arg(&folder);
        machine::run(&mut install)?;
    }
    Ok(folder.join("bin"))
}

/// Cargo of the nightly toolchain, with cargo-fuzz among its commands.
fn cargo_fuzz(tool: &Path) -> Command {
    let mut path = tool.as_os_str().to_owned();
    path.push(":");
    path.push(machine::search_path());
    // The name, and not the program that runs this task: only the former knows `+nightly`.
    let mut cargo = Command::new("cargo");
    cargo.arg("+nightly").env("PATH", path).env("CARGO_INCREMENTAL", "0").env_remove("CARGO").env_remove("RUSTC");
    cargo
}

fn program(places: &Places, name: &str) -> Result<(Command, PathBuf, PathBuf)> {
    let (inputs, found) = (places.work.join(name).join("inputs"), places.work.join(name).join("found"));
    std::fs::create_dir_all(&inputs).with_context(|| format!("cannot make {}", inputs.display()))?;
    std::fs::create_dir_all(&found)?;
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(places.programs.join(name)).stdin(Stdio::null());
    // By the wall clock, at the lowest priority: a unit that takes a minute there takes seconds.
    command.args([LONGEST, "-timeout=60", "-report_slow_units=60", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", found.display()));
    Ok((command, inputs, found))
}

fn fuzz(places: &Places, name: &str, minutes: u64) -> Result<Row> {
    let (mut command, inputs, _) = program(places, name)?;
    command.arg(format!("-max_total_time={}", minutes * 60)).arg(&inputs).arg(places.kept.join(name));
    let began = Instant::now();
    let done = command.output().with_context(|| format!("{name} does not start"))?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    std::fs::write(places.work.join(name).join("log"), &said)?;
    let executions = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let executions = executions.map_or_else(|| "-".to_owned(), |n| n.trim().to_owned());
    // A run that ended early without a finding did not fuzz for as long as it was told to.
    let whole = began.elapsed() + Duration::from_secs(5) >= Duration::from_secs(minutes * 60);
    if !done.status.success() {
        let last: Vec<&str> = said.lines().rev().take(12).collect();
        terminal::say(last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    Ok(Row { name: name.to_owned(), executions, fine: done.status.success() && whole })
}

fn minimise(places: &Places, name: &str) -> Result<Row> {
    let (mut command, inputs, _) = program(places, name)?;
    let done = command.args(["-merge=1", "-max_len=512"]).arg(places.kept.join(name)).arg(&inputs).output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let added = said.lines().rev().find_map(|line| Some(line.split_once("MERGE-OUTER: ")?.1.to_owned()));
    Ok(Row { name: name.to_owned(), executions: added.unwrap_or_default(), fine: done.status.success() })
}
