//! `cargo xtask bench`: the measurements, in a release build. What is measured and how lives in `bench/`.

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
    let mut build = machine::cargo();
    machine::run(build.current_dir(&root).args([
        "build",
        "--release",
        "--bin",
        "interlock",
        "--package",
        "interlock-cli",
    ]))?;
    let mut bench = machine::cargo();
    bench.current_dir(&root).args(["run", "--release", "--package", "interlock-bench", "--"]).args(&arguments.rest);
    machine::run(&mut bench)
}
