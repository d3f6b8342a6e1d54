//! `interlock`: the one shipped binary. It parses, calls `server` or the platform's REST, prints, and exits with a number
//! that scripts can rely on ([`exit`]).
//!
//! Output for people by default, one JSON document with `--json`; progress and complaints go to standard error. A refusal
//! is printed with its sentence, its code and the next step.
//!
//! Where to go next: [`command`] for the commands and their order, one module per command, [`rest`] for how the platform is
//! called, [`sign_in`] and [`tokens`] for as whom, [`failure`] and [`exit`] for how anything goes wrong.

mod admin;
mod audit;
mod backup;
mod bridge;
mod change;
mod check;
mod command;
mod connect;
mod device_config;
mod doctor;
mod exit;
mod failure;
#[cfg(feature = "lab")]
mod lab;
mod login;
mod logout;
mod policy;
mod rest;
mod secret;
mod serve;
mod sign_in;
mod table;
mod terminal;
mod tokens;
mod tools;
mod web;

use std::process::ExitCode;

use clap::Parser as _;

use crate::command::Cli;

/// A page of a list is thousands of small texts that come and go on several threads. With the C library's allocator four tenths of
/// the time of such a call were its own (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
use crate::terminal::Terminal;

fn main() -> ExitCode {
    // Before any thread is there, and before anything is read: a key in the environment leaves it (T28).
    let cleared = platform::keys::environment::take();
    let cli = Cli::parse();
    let terminal = Terminal { json: cli.json };
    if let Err(error) = cleared {
        return terminal.fail(&error.into());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return terminal.fail(&failure::Failure::internal(&error)),
    };
    match runtime.block_on(Box::pin(cli.command.run(&terminal))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => terminal.fail(&failure),
    }
}
