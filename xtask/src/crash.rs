//! `cargo xtask crash`: the shipped program dies under load, by `kill -9` and by a power loss that the storage shim imitates,
//! as often as asked; after each death it must come back by itself with everything that it acknowledged. With `--part changes` it
//! dies in the middle of changes instead. What is done and judged is in `e2e/tests/it/crash`; what people see of each failure is
//! in `docs/crash.md`.

use anyhow::Result;
use clap::ValueEnum;

use crate::{machine, terminal, workspace};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What dies.
    #[arg(long, value_enum, default_value_t = Part::Load)]
    part: Part,
    /// Deaths: of each kind under load 200, of first starts a quarter as many; in changes 100.
    #[arg(long)]
    runs: Option<u64>,
    /// What chance decides; printed by each run that takes another one.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this kind of death under load.
    #[arg(long, value_enum)]
    mode: Option<Mode>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// The platform under the load of many clients.
    Load,
    /// The platform in the middle of a change of three devices, on the way there and on the way back.
    Changes,
}

impl Part {
    /// Its test, and how often it dies when nothing is said.
    const fn test(self) -> (&'static str, u64) {
        match self {
            Self::Load => ("crash::runs::as_many_deaths_as_asked", 200),
            Self::Changes => ("crash::changes::as_many_deaths_of_changes_as_asked", 100),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// What was not synced may be gone.
    Power,
    /// The process alone dies.
    Kill,
    /// The power goes while an empty folder is started for the first time.
    Start,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    terminal::say("building the platform and what kills it");
    workspace::build_debug_binary()?;
    let (test, runs) = arguments.part.test();
    let mut cargo = machine::cargo();
    cargo.current_dir(workspace::root()).env("INTERLOCK_CRASH_RUNS", arguments.runs.unwrap_or(runs).to_string());
    if let Some(seed) = arguments.seed {
        cargo.env("INTERLOCK_CRASH_SEED", seed.to_string());
    }
    if let Some(mode) = arguments.mode.and_then(|mode| mode.to_possible_value()) {
        cargo.env("INTERLOCK_CRASH_MODE", mode.get_name());
    }
    cargo.args(["test", "--package", "interlock-e2e", "--test", "it", "--"]);
    cargo.args(["--ignored", "--exact", "--nocapture", test]);
    machine::run(&mut cargo)
}
