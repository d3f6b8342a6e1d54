//! One lab for all tests of this binary: started once, asked to stop when the last test lets go of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_interlock");

pub(crate) struct ALab {
    folder: tempfile::TempDir,
    child: Mutex<Child>,
    pub(crate) ready: Value,
}

static LAB: Mutex<Weak<ALab>> = Mutex::new(Weak::new());

pub(crate) fn lab() -> Arc<ALab> {
    let mut shared = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let lab = Arc::new(ALab::start());
        *shared = Arc::downgrade(&lab);
        lab
    })
}

impl ALab {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, ready) = start(folder.path());
        Self { folder, child: Mutex::new(child), ready }
    }

    pub(crate) fn state(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the binary with `--state` of this lab.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(arguments, Some(self.folder.path()))
    }

    /// Stops it as `SIGTERM` does, and returns its exit code.
    pub(crate) fn stop(&self) -> Option<i32> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        stop(&mut child)
    }

    /// Starts it again on the same folder.
    pub(crate) fn again(&self) -> Value {
        let (child, ready) = start(self.folder.path());
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
        ready
    }
}

impl Drop for ALab {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start(folder: &Path) -> (Child, Value) {
    let mut command = Command::new(BINARY);
    command
        .args(["lab", "--json", "--profile", "lab-open", "--listen", "127.0.0.1:0", "--devices", "40", "--state"])
        .arg(folder);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().expect("a ready line").unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

pub(crate) fn stop(child: &mut Child) -> Option<i32> {
    if let Ok(Some(status)) = child.try_wait() {
        return status.code();
    }
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

pub(crate) fn run(arguments: &[&str], state: Option<&Path>) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).env_remove("INTERLOCK_TOKEN").env_remove("INTERLOCK_URL").stdin(Stdio::null());
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    command.output().unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", out(output), String::from_utf8_lossy(&output.stderr)))
}
