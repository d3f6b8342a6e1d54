//! Processes that are measured: started, watched through `/proc` (Linux), and ended in order.
//! Sources: proc_pid_stat(5), proc_pid_status(5).

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;

/// Ticks per second in `/proc/<pid>/stat`: USER_HZ, 100 on every Linux that runs today.
const TICKS: f64 = 100.0;

/// A child process; killed if it is dropped without [`Process::stop`].
pub(crate) struct Process {
    child: Child,
    /// As a person would type it.
    pub(crate) command: String,
}

/// Memory of a process in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    /// Resident: all of it.
    pub(crate) rss_mib: f64,
    /// Resident and its own: heap and stacks.
    pub(crate) own_mib: f64,
    /// Resident and mapped from files: mostly the program's text.
    pub(crate) file_mib: f64,
}

impl Process {
    /// Starts a program whose output nobody needs.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let shown = shown(&command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Self { child: child.with_context(|| format!("`{shown}` does not start"))?, command: shown })
    }

    /// Starts a program that prints one line when it is ready, and waits for that line.
    pub(crate) fn start_and_read(mut command: Command) -> Result<(Self, String)> {
        let shown = shown(&command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut process = Self { child: child.with_context(|| format!("`{shown}` does not start"))?, command: shown };
        let mut line = String::new();
        if let Some(output) = process.child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        ensure!(!line.trim().is_empty(), "`{}` ended before it was ready", process.command);
        Ok((process, line.trim().to_owned()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM and waits for the exit.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).context("no process")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "`{}` ended with {status}", self.command);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("`{}` did not end in time", self.command)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill().and_then(|()| self.child.wait()));
        }
    }
}

/// Standard output of a program that must succeed; `input` is its standard input.
pub(crate) fn output(mut command: Command, input: &str) -> Result<String> {
    use std::io::Write as _;
    let shown = shown(&command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("`{shown}` does not start"))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes())?;
    }
    let done = child.wait_with_output()?;
    ensure!(done.status.success(), "`{shown}` ended with {}", done.status);
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// CPU time of a process so far, user and system, of all its threads.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let fields = stat(pid)?;
    let ticks = |nth: usize| -> Result<f64> { Ok(fields.get(nth).context("a short stat")?.parse()?) };
    // utime and stime: 14 and 15 of the manual's list, which counts from 1 and includes pid and name.
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Processes whose parent is `pid`.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        // A process that ends meanwhile is no child.
        if stat(child).is_ok_and(|fields| fields.get(1).is_some_and(|parent| *parent == pid.to_string())) {
            found.push(child);
        }
    }
    Ok(found)
}

/// The fields behind the name, which may hold spaces and brackets itself.
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("a stat without a name")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// Memory of a process now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| -> Result<f64> {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        let kib = line.and_then(|l| l.split_whitespace().next()).with_context(|| format!("no {name}"))?;
        Ok(kib.parse::<f64>()? / 1024.0)
    };
    Ok(Memory { rss_mib: mib("VmRSS")?, own_mib: mib("RssAnon")?, file_mib: mib("RssFile")? })
}

#[cfg(test)]
mod tests {
    use super::{children, cpu_seconds, memory};

    #[test]
    fn a_process_can_be_watched() {
        let me = std::process::id();
        assert!(memory(me).unwrap().rss_mib > 0.1);
        assert!(cpu_seconds(me).unwrap() >= 0.0);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let seen = children(me).unwrap();
        child.kill().and_then(|()| child.wait()).unwrap();
        assert!(seen.contains(&child.id()));
    }
}
