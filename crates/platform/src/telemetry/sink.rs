//! Where log lines go: standard error, a file, or any writer that is shared. Next: [`super::ecs`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::TelemetryError;

/// Where lines go. Never standard output.
#[derive(Clone, Default)]
pub enum Output {
    /// Standard error.
    #[default]
    Stderr,
    /// A file, created for its owner only and appended to; one write per line, so that tools that rotate by copying and
    /// truncating lose nothing.
    File(PathBuf),
    /// A writer somebody else also holds: tests, and the lab's tale.
    Shared(Arc<Mutex<dyn Write + Send>>),
}

#[derive(Clone)]
pub(super) enum Sink {
    Stderr,
    File(Arc<File>),
    Shared(Arc<Mutex<dyn Write + Send>>),
}

impl Sink {
    pub(super) fn open(output: &Output) -> Result<Self, TelemetryError> {
        Ok(match output {
            Output::Stderr => Self::Stderr,
            Output::Shared(writer) => Self::Shared(Arc::clone(writer)),
            Output::File(path) => {
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
                Self::File(Arc::new(file.map_err(|source| TelemetryError::File { path: path.clone(), source })?))
            }
        })
    }

    /// Writes one whole line. A full disk or a closed pipe must not stop a call, so the caller ignores the error; the
    /// audit log, which must not lose anything, is another file.
    pub(super) fn write_line(&self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().lock().write_all(line),
            Self::File(file) => (&**file).write_all(line),
            Self::Shared(writer) => writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(line),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_line(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
