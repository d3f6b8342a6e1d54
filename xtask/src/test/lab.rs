//! A lab for one client: the shipped program on a free port with an empty state folder, stopped when it is dropped.
//! Next: [`crate::clients`], which gets its facts.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::clients::LabFacts;

/// A cold start takes two seconds on a quiet machine; a machine that also compiles takes longer.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(15);

pub(super) struct Lab {
    child: Child,
    state: tempfile::TempDir,
    ready_file: PathBuf,
    binary: PathBuf,
}

impl Lab {
    /// Starts it, with `more` arguments, and waits for the line that says it is ready.
    pub(super) fn start(binary: &Path, more: &[String]) -> Result<Self> {
        let state = tempfile::tempdir().context("cannot make a state folder")?;
        let log = std::fs::File::create(state.path().join("lab.log"))?;
        let mut command = Command::new(binary);
        // Clients play the first tale, in which a second factor opens a write; what a change needs is proven end to end.
        command.args(["lab", "--json", "--profile", "lab-open", "--listen", "127.0.0.1:0", "--state"]);
        command.arg(state.path().join("state"));
        command.args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut child = command.spawn().with_context(|| format!("{} does not start", binary.display()))?;
        let out = child.stdout.take();
        let ready_file = state.path().join("ready.json");
        let lab = Self { child, state, ready_file, binary: binary.to_owned() };
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let line = out.and_then(|o| BufReader::new(o).lines().next());
            drop(send.send(line));
        });
        match receive.recv_timeout(READY_WITHIN) {
            Ok(Some(Ok(line))) if says_ready(&line) => {
                std::fs::write(&lab.ready_file, line)?;
                Ok(lab)
            }
            _ => {
                let said = std::fs::read_to_string(lab.state.path().join("lab.log")).unwrap_or_default();
                bail!("no ready line within {READY_WITHIN:?}; its log:\n{said}")
            }
        }
    }

    /// What a client needs to know.
    pub(super) fn facts(&self) -> LabFacts {
        LabFacts {
            binary: self.binary.clone(),
            state: self.state.path().join("state"),
            ready_file: self.ready_file.clone(),
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // A group that is gone already has done what the signal asks for.
        let signal = |s| group.is_some_and(|g| kill_process_group(g, s).is_ok());
        signal(Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < STOPPED_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        signal(Signal::KILL);
        drop(self.child.wait());
    }
}

fn says_ready(line: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(line).is_ok_and(|facts| facts["ready"] == true)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::Lab;

    fn program(folder: &tempfile::TempDir, text: &str) -> PathBuf {
        let path = folder.path().join("interlock");
        // Another process writes it: a descriptor open for writing here could leak into a sibling test's child, and
        // then the system refuses to run the file.
        let mut write = std::process::Command::new("sh");
        write.args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(&path).arg(text);
        assert!(write.status().unwrap().success());
        path
    }

    #[test]
    fn a_lab_is_asked_to_stop_with_its_whole_group_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let script = format!(
            "trap 'echo stopped >{}; exit 0' TERM; echo '{{\"ready\": true}}'; while :; do sleep 0.02; done",
            told.display()
        );
        let lab = Lab::start(&program(&folder, &script), &[]).unwrap();
        let facts = lab.facts();
        assert!(std::fs::read_to_string(&facts.ready_file).unwrap().contains("ready"));
        drop(lab);
        assert_eq!(std::fs::read_to_string(&told).unwrap(), "stopped\n");
        assert!(!facts.ready_file.exists());
    }

    #[test]
    fn a_lab_that_does_not_get_ready_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        for script in ["echo boom >&2; exit 1", "echo boom >&2; echo '{\"ready\":false}'"] {
            let error = Lab::start(&program(&folder, script), &[]).err().unwrap();
            assert!(format!("{error:#}").contains("boom"), "{error:#}");
        }
    }
}
