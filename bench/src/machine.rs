//! What the numbers depend on: the machine and the versions.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;

use crate::process;

/// What this program, and the libraries in it, were built as.
pub(crate) const PROFILE: &str =
    if cfg!(debug_assertions) { "dev (libraries at opt-level 1, SQLite and cryptography at 3)" } else { "release" };

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    /// Average number of runnable tasks in the minute before: well below `cores` on a quiet machine.
    load_before: f64,
}

/// Versions of what is measured.
#[derive(Debug, Serialize)]
pub(crate) struct Versions {
    interlock: String,
    rustc: String,
    axum: String,
    hyper: String,
    rmcp: String,
    tokio: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|l| l.starts_with(name));
            line.and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned()).unwrap_or_default()
        };
        let kib = value(&text("/proc/meminfo"), "MemTotal");
        let kib: u64 = kib.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default();
        Self {
            cpu: value(&text("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kib >> 20,
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: text("/proc/loadavg").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default(),
        }
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let Self { cpu, cores, memory_gib, kernel, load_before } = self;
        format!("{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}; load before: {load_before}")
    }
}

impl Versions {
    pub(crate) fn read(program: &Path) -> Result<Self> {
        let ask = |program: &Path| {
            let mut command = Command::new(program);
            command.arg("--version");
            process::output(command, "")
        };
        Ok(Self {
            interlock: ask(program)?,
            rustc: ask(Path::new("rustc")).unwrap_or_default(),
            axum: locked("axum"),
            hyper: locked("hyper"),
            rmcp: locked("rmcp"),
            tokio: locked("tokio"),
        })
    }
}

/// The version of a library in the lock file that this program was built with.
fn locked(name: &str) -> String {
    let lock = include_str!("../../Cargo.lock");
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = lock.split_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Machine, locked};

    #[test]
    fn versions_come_from_the_lock_file() {
        assert!(locked("rmcp").starts_with('3'));
        assert_eq!(locked("no-such-library"), "unknown");
    }

    #[test]
    fn a_machine_has_cores() {
        assert!(Machine::read().cores > 0);
    }
}
