//! A server process: started so that it ends with us, ended by its own id.
//!
//! It is started by a thread that lives as long as the server does, because the signal that the kernel sends at the death
//! of a parent (`PR_SET_PDEATHSIG`) goes by the parent's *thread*: a test that is killed leaves no server behind.

use std::fs;
use std::io;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to stop when it is asked to.
const STOPPING: Duration = Duration::from_secs(20);
/// How long the kernel may take to end a process that was killed.
const DYING: Duration = Duration::from_secs(20);

/// A process of ours that has not been waited for elsewhere.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    ended: Receiver<io::Result<ExitStatus>>,
}

impl Running {
    /// Starts `command`.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let (started, pid) = channel();
        let (at_end, ended) = channel();
        thread::Builder::new().name("engine".to_owned()).spawn(move || match command.spawn() {
            Ok(mut child) => {
                // Nobody listening means that nobody wants to know.
                drop(started.send(Ok(child.id())));
                drop(at_end.send(child.wait()));
            }
            Err(error) => drop(started.send(Err(error))),
        })?;
        let pid = pid.recv().map_err(io::Error::other)??;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| io::Error::other("no process id"))?;
        Ok(Self { pid, ended })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<String> {
        match self.ended.try_recv() {
            Ok(Ok(status)) => Some(status.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => None,
        }
    }

    /// Asks it to end with `signal`, and kills it when it does not.
    pub(crate) fn stop(self, signal: Signal) {
        send(self.pid, signal);
        if matches!(self.ended.recv_timeout(STOPPING), Err(RecvTimeoutError::Timeout)) {
            self.kill();
        }
    }

    /// Kills it and its children at once. Children are found by their parent, since a PostgreSQL child leaves the process
    /// group; the parent is held first, so that it starts no new ones.
    pub(crate) fn kill(self) {
        send(self.pid, Signal::STOP);
        let children = children_of(self.pid);
        send(self.pid, Signal::KILL);
        for child in &children {
            send(*child, Signal::KILL);
        }
        drop(self.ended.recv_timeout(DYING));
    }
}

/// Whether the process was still there.
fn send(pid: Pid, signal: Signal) -> bool {
    kill_process(pid, signal).is_ok()
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent.as_raw_nonzero().get())).filter_map(Pid::from_raw).collect()
}

/// The fourth field of `/proc/<pid>/stat` (proc(5)); the second one is a name that may hold anything, in parentheses.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
