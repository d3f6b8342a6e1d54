//! The reader connections: opened when first needed, never more than the layout allows.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::FileError;
use crate::layout;

pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, most: usize) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), permits: Arc::new(Semaphore::new(most.max(1))) }
    }

    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit, FileError> {
        let permits = Arc::clone(&self.permits);
        permits.acquire_owned().await.map_err(|_| FileError::Unavailable("the file is closed".to_owned()))
    }

    /// Blocks. Call it with a permit in hand. A connection whose job panicked is not used again.
    pub(crate) fn run<T, E: From<FileError>>(&self, job: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => layout::open_reader(&self.path)?,
        };
        // One transaction, so that several statements of a job see the same moment.
        let answer = {
            let snapshot = connection.unchecked_transaction().map_err(FileError::from)?;
            job(&snapshot)
        };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        answer
    }
}
