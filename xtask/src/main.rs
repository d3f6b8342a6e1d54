//! The workspace's own tasks: `cargo xtask lab`, `test`, `conformance`, `device-config`, `tidy`, `docs`, `bench`, `fuzz`, `flood`,
//! `crash`, `engines`.
//!
//! Where to go next: [`lab`] for what a newcomer meets first, [`test`] for the parts of the suite, [`tidy`] for the rules
//! of the house.

mod bench;
mod clients;
mod crash;
mod device_config;
mod docs;
mod engines;
mod flood;
mod fuzz;
mod lab;
mod machine;
mod terminal;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the Interlock workspace", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and start the lab: the platform with simulated systems, nothing external.
    Lab(lab::Arguments),
    /// Run the whole test suite, part by part.
    Test(test::Arguments),
    /// Run the official MCP conformance suite against a lab, and print its results.
    Conformance,
    /// Print how well device configurations are understood: tests, tables, share without an undo, speed, and an oracle.
    DeviceConfig,
    /// Check the rules of the house: arrows, sizes, names, comments, features, pages.
    Tidy,
    /// Write the generated pages again.
    Docs(docs::Arguments),
    /// Measure the hot path in a release build.
    Bench(bench::Arguments),
    /// Fuzz every parser at the doors.
    Fuzz(fuzz::Arguments),
    /// Start the real servers that tests talk to, and run them until Ctrl-C.
    Engines(engines::Arguments),
    /// Send bad input to every door for a minute, and write down what it answered.
    Flood(flood::Arguments),
    /// Kill the platform under load, and cut its power, again and again; check that nothing acknowledged is lost.
    Crash(crash::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Lab(arguments) => lab::run(&arguments),
        Task::Test(arguments) => test::run(&arguments),
        Task::Conformance => test::run_conformance(),
        Task::DeviceConfig => device_config::run(),
        Task::Tidy => tidy::run(),
        Task::Docs(arguments) => docs::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Engines(arguments) => engines::run(&arguments),
        Task::Flood(arguments) => flood::run(&arguments),
        Task::Crash(arguments) => crash::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::say(format_args!("\nerror: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
