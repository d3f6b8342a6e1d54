//! Why a server could not be had, or did not do what it was told.

use std::path::PathBuf;

/// A failure of a server for tests.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Its programs are not on this machine.
    #[error("{engine} is not installed; {install}")]
    Missing {
        /// What was looked for.
        engine: &'static str,
        /// The line that gets it.
        install: &'static str,
    },
    /// A program of it does not start, or fails.
    #[error("{program}: {why}")]
    Program {
        /// The program.
        program: String,
        /// Its exit status and what it said.
        why: String,
    },
    /// It was started and did not become ready.
    #[error("the server did not become ready: {log}")]
    NotReady {
        /// The end of its log.
        log: String,
    },
    /// It was asked of a server that others use as well.
    #[error("the server named by {0} is shared; only one that was started here can be killed")]
    Shared(&'static str),
    /// A folder or file of it.
    #[error("{path}: {error}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}
