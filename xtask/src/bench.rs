//! `cargo xtask bench`: the measurements, in a release build, `--part targets` and `--part changes` too, and `--part records`
//! and `--part workflows` in one for development. What is measured and how lives in `bench/`.

use std::process::Command;

use anyhow::Result;

use crate::{machine, terminal, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Measure this instead.
    #[arg(long)]
    part: Option<Part>,
    /// Handed on to the benchmark; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Durable records of the audit log, in its file and in PostgreSQL, in a build for development: they wait for the disk;
    /// writes its table into docs/performance.md.
    Records,
    /// Lists, searches and the target directory over 10,000 devices; writes its table into docs/performance.md.
    Targets,
    /// Runs of workflows that wait and that have ended, in a build for development; writes its table into docs/performance.md.
    Workflows,
    /// Lists of 100,000 changes and a look at one; writes its table into docs/performance.md.
    Changes,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match arguments.part {
        Some(Part::Records) => for_development(arguments, "records"),
        Some(Part::Workflows) => for_development(arguments, "workflows"),
        Some(Part::Targets) => released(arguments, &["--part", "targets", "--into", "docs/performance.md"]),
        Some(Part::Changes) => released(arguments, &["--part", "changes", "--into", "docs/performance.md"]),
        None => released(arguments, &[]),
    }
}

fn for_development(arguments: &Arguments, part: &str) -> Result<()> {
    let root = workspace::root();
    machine::run(machine::cargo().current_dir(&root).args(["build", "--package", "interlock-bench"]))?;
    let mut bench = Command::new(workspace::metadata()?.target_directory.join("debug").join("interlock-bench"));
    bench.args(["--part", part, "--into", "docs/performance.md"]).args(&arguments.rest);
    machine::run(bench.current_dir(&root))
}

fn released(arguments: &Arguments, what: &[&str]) -> Result<()> {
    terminal::say("building interlock and its benchmark with optimisation (cold: about 15 minutes on two cores)");
    let root = workspace::root();
    // In one build: two would resolve features twice and compile libraries again.
    machine::run(machine::cargo().current_dir(&root).args([
        "build",
        "--release",
        "--package",
        "interlock-cli",
        "--package",
        "interlock-bench",
    ]))?;
    let released = workspace::metadata()?.target_directory.join("release");
    let mut bench = Command::new(released.join("interlock-bench"));
    machine::run(bench.current_dir(&root).args(what).args(&arguments.rest))
}
