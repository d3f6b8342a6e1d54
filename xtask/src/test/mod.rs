//! `cargo xtask test`: every part of the suite in order, with its time, and one table at the end.
//!
//! Next: [`rust`] for what cargo builds, [`crate::clients`] for the MCP clients people use, [`tally`] for how results
//! are counted.

mod lab;
mod rust;
pub(crate) mod tally;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::{clients, terminal, workspace};
use tally::Tally;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only this part; `--list` names them. `clients` means every client.
    #[arg(long)]
    part: Option<String>,
    /// Name the parts and stop.
    #[arg(long)]
    list: bool,
    /// A missing client, runtime or engine fails instead of being skipped. Also set by the variable CI.
    #[arg(long, env = "CI", value_parser = clap::builder::FalseyValueParser::new())]
    ci: bool,
}

/// One row of the table.
struct Row {
    name: String,
    took: Duration,
    tally: Tally,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let pinned = clients::Pinned::read(&workspace::root().join(clients::PINNED_FILE))?;
    let mut names: Vec<String> = ["unit", "doc", "e2e"].map(str::to_owned).to_vec();
    names.extend(pinned.clients.iter().map(|c| format!("client/{}", c.name)));
    if arguments.list {
        names.iter().for_each(terminal::say);
        return Ok(());
    }
    let wanted = |name: &str| match arguments.part.as_deref() {
        None => true,
        Some("clients") => name.starts_with("client/"),
        Some(part) => name == part || name.strip_prefix("client/") == Some(part),
    };
    names.retain(|n| wanted(n));
    if names.is_empty() && arguments.part.as_deref() != Some("clients") {
        bail!("no part has this name; `cargo xtask test --list` names them");
    }

    let began = Instant::now();
    let mut rows = Vec::new();
    let mut suite = rust::Suite::new()?;
    let built = Instant::now();
    terminal::say("== build");
    // The test programs bring the shipped one with them; built by itself it would want the libraries with fewer features,
    // and compile many of them a second time.
    let tests = if names.iter().any(|n| n == "unit" || n == "e2e") {
        suite.build()?
    } else {
        workspace::build_debug_binary()?;
        Vec::new()
    };
    rows.push(Row { name: "build".to_owned(), took: built.elapsed(), tally: Tally::default() });
    if !tests.is_empty() {
        suite.start_engines(arguments.ci)?;
    }
    for name in &names {
        terminal::say(format_args!("\n== {name}"));
        let at = Instant::now();
        let tally = match name.as_str() {
            "unit" => suite.run(tests.iter().filter(|t| !t.is_end_to_end()))?,
            "e2e" => suite.run(tests.iter().filter(|t| t.is_end_to_end()))?,
            "doc" => suite.run_doc()?,
            _ => run_client(&pinned, name.trim_start_matches("client/"), suite.binary(), arguments.ci)?,
        };
        terminal::say(format_args!("== {name}: {tally} in {}", terminal::took(at.elapsed())));
        rows.push(Row { name: name.clone(), took: at.elapsed(), tally });
    }
    report(&rows, began.elapsed())
}

/// `cargo xtask conformance`: the one part that the protocol's own suite is, on a fresh build.
pub(crate) fn run_conformance() -> Result<()> {
    let began = Instant::now();
    let tally = run_one_client(CONFORMANCE)?;
    terminal::say(format_args!("\n{tally} in {}", terminal::took(began.elapsed())));
    if tally.failed > 0 {
        bail!("{} failed", tally.failed);
    }
    Ok(())
}

/// One client on a fresh build; where it cannot be had, that is a failure.
pub(crate) fn run_one_client(name: &str) -> Result<Tally> {
    let pinned = clients::Pinned::read(&workspace::root().join(clients::PINNED_FILE))?;
    terminal::say("== build");
    workspace::build_debug_binary()?;
    let binary = workspace::debug_binary(&workspace::metadata()?);
    terminal::say(format_args!("\n== {name}"));
    run_client(&pinned, name, &binary, true)
}

/// The client that is the protocol's own suite.
const CONFORMANCE: &str = "conformance";

fn run_client(pinned: &clients::Pinned, name: &str, binary: &std::path::Path, ci: bool) -> Result<Tally> {
    let Some(client) = pinned.clients.iter().find(|c| c.name == name) else {
        bail!("no client {name} in {}", clients::PINNED_FILE);
    };
    let ready = match clients::prepare(pinned, client) {
        Ok(ready) => ready,
        Err(missing) if ci => {
            terminal::say(format_args!("test client {name} ... FAILED\n{missing:#}"));
            return Ok(Tally::one_failed());
        }
        Err(missing) => {
            terminal::say(format_args!("test client {name} ... ignored\n{missing:#}"));
            return Ok(Tally::one_skipped());
        }
    };
    // A lab of its own per client: a second factor is good for one use, and one client's writes are no other's business.
    let started = lab::Lab::start(binary, &client.lab);
    let met = started.context("the lab did not start").and_then(|lab| ready.run(&lab.facts()));
    let tally = met.unwrap_or_else(|error| {
        terminal::say(format_args!("{error:#}"));
        Tally::one_failed()
    });
    terminal::say(format_args!("test client {name} ... {}", if tally.failed == 0 { "ok" } else { "FAILED" }));
    Ok(tally)
}

fn report(rows: &[Row], took: Duration) -> Result<()> {
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(0).max(5);
    terminal::say(format_args!("\n{:width$} {:>12} {:>8} {:>8} {:>8}", "part", "time", "passed", "failed", "skipped"));
    let mut all = Tally::default();
    for row in rows {
        let time = terminal::took(row.took);
        let t = &row.tally;
        terminal::say(format_args!("{:width$} {time:>12} {:>8} {:>8} {:>8}", row.name, t.passed, t.failed, t.skipped));
        all += *t;
    }
    terminal::say(format_args!("{:width$} {:>12}\n\n{all}", "all", terminal::took(took)));
    if all.failed > 0 {
        bail!("{} failed", all.failed);
    }
    if all.passed == 0 {
        bail!("nothing ran, which proves nothing");
    }
    Ok(())
}
