//! `cargo xtask lab`: checks the machine, builds the platform, starts the lab in this terminal.
//!
//! What the lab is stands in `crates/server` and `lab/`; this file only gets a newcomer there.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::{machine, terminal, workspace};

/// What a cold debug build of the workspace takes on disk, with room for the lab's own state.
const COLD_BUILD_BYTES: u64 = 6 << 30;
/// What a build on top of an earlier one takes.
const WARM_BUILD_BYTES: u64 = 1 << 30;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Handed on to `interlock lab`, for example `--devices 1000`; `story`, `otp` and `token` work too.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let metadata = workspace::metadata()?;
    let binary = workspace::debug_binary(&metadata);
    let cold = !binary.exists();
    check_machine(cold, metadata.target_directory.as_std_path())?;
    if cold {
        terminal::say("building interlock; the first time takes about 10 minutes on two cores, later ones seconds");
    }
    let began = Instant::now();
    workspace::build_debug_binary()?;
    terminal::say(format_args!("built in {}", terminal::took(began.elapsed())));

    let mut lab = Command::new(&binary);
    lab.current_dir(workspace::root()).arg("lab").args(with_defaults(&arguments.rest, free_port()));
    // Replaces this process, so that signals and the exit code are the lab's own.
    Err(lab.exec()).with_context(|| format!("{} does not start", binary.display()))
}

fn check_machine(cold: bool, target: &std::path::Path) -> Result<()> {
    let mut missing = Vec::new();
    if !machine::compiler_works()? {
        let line = machine::install_line("build-essential", "gcc glibc-devel", "xcode-select --install");
        missing.push(format!("a C compiler that links (cryptography and SQLite are built from C):\n    {line}"));
    }
    let wanted = if cold { COLD_BUILD_BYTES } else { WARM_BUILD_BYTES };
    let free = machine::free_bytes(target)?;
    if free < wanted {
        missing.push(format!(
            "{} GiB of free disk at {}, where {} are left; `cargo clean` frees old builds, or set CARGO_TARGET_DIR to another disk",
            wanted >> 30,
            target.display(),
            gib(free)
        ));
    }
    let have = machine::output(Command::new("rustc").arg("--version").current_dir(workspace::root()));
    match have {
        Ok(version) if new_enough(&version, env!("CARGO_PKG_RUST_VERSION")) => {}
        Ok(version) => missing.push(format!(
            "Rust {} or newer; `rustc --version` says {}:\n    rustup toolchain install",
            env!("CARGO_PKG_RUST_VERSION"),
            version.trim()
        )),
        Err(error) => missing.push(format!("a working rustc: {error:#}")),
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!("this machine lacks:\n  - {}", missing.join("\n  - "));
}

fn gib(bytes: u64) -> String {
    format!("{}.{} GiB", bytes >> 30, ((bytes % (1 << 30)) * 10) >> 30)
}

/// Whether `rustc 1.95.0 (hash date)` is at least `wanted`, compared by major and minor.
fn new_enough(version: &str, wanted: &str) -> bool {
    let parse = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let have = version.split_whitespace().nth(1).and_then(parse);
    have.zip(parse(wanted)).is_some_and(|(have, wanted)| have >= wanted)
}

/// 8080 when nobody listens there, else a port that was free a moment ago.
fn free_port() -> u16 {
    if TcpListener::bind(("127.0.0.1", 8080)).is_ok() {
        return 8080;
    }
    terminal::say("127.0.0.1:8080 is taken; using a free port instead");
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map_or(0, |a| a.port())
}

/// Adds the newcomer's defaults where the person said nothing. A subcommand (`story`, `token`) has its own.
fn with_defaults(given: &[String], port: u16) -> Vec<String> {
    let mut all = given.to_vec();
    let has = |flag: &str| given.iter().any(|a| a == flag || a.starts_with(&format!("{flag}=")));
    if !has("--state") {
        all.extend(["--state".to_owned(), ".lab".to_owned()]);
    }
    let starts_the_lab = given.first().is_none_or(|first| first.starts_with('-'));
    if starts_the_lab && !has("--listen") && !has("--help") {
        all.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{gib, new_enough, with_defaults};

    fn defaults(given: &[&str]) -> String {
        with_defaults(&given.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), 8081).join(" ")
    }

    #[test]
    fn defaults_are_added_only_where_nothing_was_said() {
        assert_eq!(defaults(&[]), "--state .lab --listen 127.0.0.1:8081");
        assert_eq!(defaults(&["--listen=127.0.0.1:0"]), "--listen=127.0.0.1:0 --state .lab");
        assert_eq!(defaults(&["--state", "x", "--json"]), "--state x --json --listen 127.0.0.1:8081");
        assert_eq!(defaults(&["token", "--user", "a"]), "token --user a --state .lab");
    }

    #[test]
    fn an_old_compiler_is_named() {
        assert!(new_enough("rustc 1.95.0 (abc 2026-01-01)", "1.95"));
        assert!(new_enough("rustc 2.1.0", "1.95"));
        assert!(!new_enough("rustc 1.94.1 (abc)", "1.95") && !new_enough("nonsense", "1.95"));
    }

    #[test]
    fn sizes_are_shown_with_one_digit() {
        assert_eq!(gib((3 << 30) + (1 << 29)), "3.5 GiB");
    }
}
