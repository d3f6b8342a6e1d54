//! `cargo xtask engines`: the real servers that tests talk to, started by hand.
//!
//! The servers are in `engines/`; [`crate::test`] starts one for a whole run of the suite.

use std::time::Instant;

use anyhow::Result;
use engines::{Installation, Postgres};
use tokio::signal::unix::{SignalKind, signal};

use crate::terminal;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Say what is found on this machine, and where the missing ones come from; start nothing.
    #[arg(long)]
    list: bool,
    /// Make every commit wait for the disk, as a crash test needs it.
    #[arg(long)]
    fsync: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        list();
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // Asked for before there is anything to stop.
    let mut stop = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
    let began = Instant::now();
    let server = Postgres::start(arguments.fsync)?;
    terminal::say(format_args!(
        "PostgreSQL {} after {}; Ctrl-C stops it and takes its folder away\n\nINTERLOCK_TEST_POSTGRES={}",
        server.installation().version,
        terminal::took(began.elapsed()),
        server.url()
    ));
    let [interrupt, terminate] = &mut stop;
    runtime.block_on(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    });
    Ok(())
}

fn list() {
    let mut found = Installation::all();
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    for one in &found {
        terminal::say(format_args!("PostgreSQL {:10} {}", one.version, one.folder.display()));
    }
    if found.is_empty() {
        terminal::say(format_args!("PostgreSQL is missing; {}", engines::POSTGRES_INSTALL));
    }
}
