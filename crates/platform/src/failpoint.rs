//! Named moments at which a test kills this process (rules T7, T20): between two durable steps, where nothing else can aim.
//!
//! Unarmed, a failpoint costs one load. Only the lab arms one (`interlock lab --kill-at NAME[:N]`); production has no way to.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::error::{Error, ErrorKind, Result};

struct Armed {
    name: String,
    left: AtomicU32,
}

static ARMED: OnceLock<Armed> = OnceLock::new();

/// Arms `NAME` or `NAME:N`: the process ends by SIGKILL when it reaches that failpoint for the Nth time. Once per process.
/// Error: `failpoint_unreadable`.
pub fn arm(text: &str) -> Result<()> {
    let unreadable = || {
        let message = format!("`{text}` names no moment: write NAME or NAME:N with N from 1.");
        Error::new(ErrorKind::InvalidInput, "failpoint_unreadable", message)
    };
    let (name, times) = text.rsplit_once(':').unwrap_or((text, "1"));
    let left = times.parse::<u32>().ok().filter(|n| *n > 0 && !name.is_empty()).ok_or_else(unreadable)?;
    ARMED.set(Armed { name: name.to_owned(), left: AtomicU32::new(left) }).map_err(|_| unreadable())
}

/// The moment `name` is here. Where it is armed for now, the process does not live to return.
pub fn reach(name: &str) {
    let Some(armed) = ARMED.get() else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        // SIGKILL, as `kill -9` sends it: nothing is flushed and nobody cleans up.
        if kill_process(getpid(), Signal::KILL).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{arm, reach};

    #[test]
    fn a_moment_is_a_name_with_a_count_and_others_pass() {
        for bad in ["", ":", "x:0", "x:-1", "x:many", ":3"] {
            assert!(arm(bad).is_err(), "{bad}");
        }
        arm("never.reached:2").expect("a name and a count");
        reach("something.else");
        assert!(arm("again").is_err(), "one per process");
    }
}
