//! `cargo xtask flood`: bad input of every kind at every door for a minute, with good traffic in between, and the page
//! `docs/hostile-input.md` written from what the platform answered. What is sent and what must hold is in
//! `e2e/tests/it/flood.rs`.

use anyhow::Result;

use crate::{machine, terminal, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Seconds of flood.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    terminal::say("building the platform and the flood");
    workspace::build_debug_binary()?;
    let mut cargo = machine::cargo();
    cargo.current_dir(workspace::root()).env("INTERLOCK_FLOOD_SECONDS", arguments.seconds.to_string());
    cargo.args(["test", "--package", "interlock-e2e", "--test", "it", "--"]);
    cargo.args(["--ignored", "--exact", "--nocapture", "flood::a_minute_of_bad_input_harms_nobody"]);
    machine::run(&mut cargo)
}
