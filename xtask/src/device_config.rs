//! `cargo xtask device-config`: everything that is known about how well configurations are understood, in one run. The
//! crate's own tests print the command table, the properties and the share of changes without an undo; its example prints
//! how long parsing takes; hier-config is asked about every pair, ntc-templates about every output of a `show` command.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::test::tally::{self, Tally};
use crate::{machine, terminal, test, workspace};

const PACKAGE: &str = "interlock-device-config";

pub(crate) fn run() -> Result<()> {
    let began = Instant::now();
    terminal::say("== the model's own tests");
    let mut tests = machine::cargo();
    tests.current_dir(workspace::root()).args(["test", "--package", PACKAGE, "--lib", "--tests", "--", "--nocapture"]);
    let mut sum = tally::run_and_count(&mut tests, Tally::one_failed())?;
    terminal::say("\n== speed");
    let mut speed = machine::cargo();
    speed.current_dir(workspace::root()).args(["run", "--quiet", "--package", PACKAGE, "--example", "parse_speed"]);
    machine::run(&mut speed)?;
    for oracle in ["hier-config", "ntc-templates"] {
        sum += test::run_one_client(oracle)?;
    }
    terminal::say(format_args!("\n{sum} in {}", terminal::took(began.elapsed())));
    if sum.failed > 0 {
        bail!("{} failed", sum.failed);
    }
    Ok(())
}
