//! Time, as one value that can be handed on: every reader of the time of day goes through [`Clock`], so that a test or
//! the lab moves the whole platform at once.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Reads the time of day.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// Whole seconds since the Unix epoch, as JWT claims and Rego compare them.
    fn epoch_seconds(&self) -> i64 {
        self.now().as_second()
    }
}

/// A clock that can be cloned and handed on.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        machine_now()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_now() -> Timestamp {
    Timestamp::now()
}

/// The machine's clock plus an offset that only ever grows: the lab's `POST /clock` and tests move it.
#[derive(Debug, Default)]
pub struct AdjustableClock {
    offset_s: AtomicI64,
}

impl AdjustableClock {
    /// A clock that is `offset_s` seconds ahead of the machine.
    pub fn ahead_by(offset_s: i64) -> Self {
        Self { offset_s: AtomicI64::new(offset_s.max(0)) }
    }

    /// Moves the clock forward and returns the new offset in seconds. Negative steps are ignored: time never runs back.
    pub fn advance(&self, seconds: i64) -> i64 {
        let step = seconds.max(0);
        self.offset_s.fetch_add(step, Ordering::SeqCst) + step
    }

    /// The offset in seconds.
    pub fn offset_s(&self) -> i64 {
        self.offset_s.load(Ordering::SeqCst)
    }
}

impl Clock for AdjustableClock {
    fn now(&self) -> Timestamp {
        let now = machine_now();
        now.checked_add(SignedDuration::from_secs(self.offset_s())).unwrap_or(now)
    }
}

/// The machine's clock plus an offset that stands in a file, eight bytes little-endian: the lab's processes share it, so
/// that `POST /clock` moves all of them at the same moment, and a restart does not move time back.
#[derive(Debug)]
pub struct SharedFileClock {
    file: File,
}

impl SharedFileClock {
    /// Opens the file, and creates it with offset 0 where it is missing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() < 8 {
            file.write_all_at(&0_i64.to_le_bytes(), 0)?;
        }
        Ok(Self { file })
    }

    /// The offset in seconds.
    pub fn offset_s(&self) -> i64 {
        let mut bytes = [0; 8];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => i64::from_le_bytes(bytes).max(0),
            Err(_) => 0,
        }
    }

    /// Moves time forward for every process that shares the file and returns the new offset in seconds. Negative steps
    /// are ignored.
    pub fn advance(&self, seconds: i64) -> io::Result<i64> {
        let offset = self.offset_s().saturating_add(seconds.max(0));
        self.file.write_all_at(&offset.to_le_bytes(), 0)?;
        self.file.sync_data()?;
        Ok(offset)
    }
}

impl Clock for SharedFileClock {
    fn now(&self) -> Timestamp {
        let now = machine_now();
        now.checked_add(SignedDuration::from_secs(self.offset_s())).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::{AdjustableClock, Clock, SharedFileClock};

    #[test]
    fn two_clocks_on_one_file_move_together_and_never_back() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("clock");
        let (one, other) = (SharedFileClock::open(&path)?, SharedFileClock::open(&path)?);
        assert_eq!(one.advance(3600)?, 3600);
        assert_eq!(other.offset_s(), 3600);
        assert_eq!(other.advance(-50)?, 3600);
        assert!(other.epoch_seconds() - AdjustableClock::default().epoch_seconds() >= 3599);
        Ok(())
    }
}
