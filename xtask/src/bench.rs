//! `cargo xtask bench`: the measurements, in a release build. What is measured and how lives in `bench/`.

use std::process::Command;

use anyhow::Result;

use crate::{machine, terminal, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed on to the benchmark; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
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
    machine::run(bench.current_dir(&root).args(&arguments.rest))
}
