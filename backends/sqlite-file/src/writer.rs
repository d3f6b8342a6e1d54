//! The writer thread and its group commit: jobs that queue while one transaction syncs share the next one. Each has a
//! savepoint, so that one job's refusal undoes that job alone; nobody hears anything before the shared commit is on
//! disk, refusals included, since a refusal may rest on a neighbour that a failed commit would undo.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::error::FileError;

/// Jobs that may wait; beyond it, callers wait before they queue.
const QUEUE: usize = 1024;
/// Jobs in one transaction.
const GROUP: usize = 256;

pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    /// Groups whose fate is known.
    groups: Arc<AtomicU64>,
}

enum Message {
    Job(Box<dyn Job>),
    Checkpoint(oneshot::Sender<Result<(), FileError>>),
}

/// A queued write, with the types of its answer erased.
trait Job: Send {
    /// Runs it and keeps the answer. True when its changes are to stay.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells the caller, once the fate of the whole group is known.
    fn answer(self: Box<Self>, group: Result<(), FileError>);
}

struct TypedJob<T, E, F> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for TypedJob<T, E, F>
where
    T: Send,
    E: From<FileError> + Send,
    F: FnOnce(&Connection) -> Result<T, E> + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = catch_unwind(AssertUnwindSafe(|| work(connection)))
            .unwrap_or_else(|_| Err(FileError::Defect("a write panicked".to_owned()).into()));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, group: Result<(), FileError>) {
        let answer = match (group, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(FileError::Defect("a write was not run".to_owned()).into()),
            (Err(failed), _) => Err(failed.into()),
        };
        // A caller that has gone away does not need to know.
        drop(self.caller.send(answer));
    }
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, FileError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let groups = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&groups);
        let thread = thread::Builder::new().name("sqlite-writer".to_owned());
        let thread = thread.spawn(move || work(connection, jobs, &counted))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), groups })
    }

    pub(crate) fn groups(&self) -> u64 {
        self.groups.load(Ordering::SeqCst)
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<FileError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = TypedJob { work: Some(work), outcome: None, caller };
        self.send(Message::Job(Box::new(job))).await?;
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    pub(crate) async fn checkpoint(&self) -> Result<(), FileError> {
        let (caller, answer) = oneshot::channel();
        self.send(Message::Checkpoint(caller)).await?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn send(&self, message: Message) -> Result<(), FileError> {
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(message).await.map_err(|_| closed())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        // A job may hold the last handle; its thread cannot wait for itself.
        let Some(thread) = self.thread.take().filter(|t| t.thread().id() != thread::current().id()) else { return };
        if thread.join().is_err() {
            tracing::error!("the SQLite writer thread panicked");
        }
    }
}

fn closed() -> FileError {
    FileError::Unavailable("the writer has stopped".to_owned())
}

/// Runs `job` in a transaction of its own.
pub(crate) fn alone<T, E: From<FileError>>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(FileError::from)?;
    let answer = job(&transaction)?;
    transaction.commit().map_err(FileError::from)?;
    Ok(answer)
}

fn work(connection: Connection, mut queue: mpsc::Receiver<Message>, groups: &AtomicU64) {
    let mut broken: Option<FileError> = None;
    let mut checkpoints = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        let mut jobs = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Checkpoint(caller) => checkpoints.push(caller),
            }
            next = if jobs.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        if !jobs.is_empty() {
            let fate = match &broken {
                Some(error) => Err(error.clone()),
                None => commit_group(&connection, &mut jobs),
            };
            match &fate {
                Err(error @ FileError::OutcomeUnknown(_)) if broken.is_none() => {
                    tracing::error!(%error, "a commit failed half way; this store takes no more writes until restart");
                    broken = Some(FileError::Unavailable(error.to_string()));
                }
                Err(error) => tracing::error!(%error, jobs = jobs.len(), "a group of writes failed"),
                Ok(()) => {}
            }
            // Before anybody is answered, and also where it cannot be told whether the group stands.
            groups.fetch_add(1, Ordering::SeqCst);
            for job in jobs {
                job.answer(fate.clone());
            }
        }
        for caller in checkpoints.drain(..) {
            let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            drop(caller.send(done.map_err(FileError::from)));
        }
    }
    // Closing the last connection folds the write-ahead log into the file.
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the store was not closed cleanly; the next start recovers it");
    }
}

fn commit_group(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), FileError> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let ran = run_group(connection, jobs);
    let committed = ran.and_then(|()| connection.execute_batch("COMMIT").map_err(after_commit));
    if committed.is_err() && !connection.is_autocommit() {
        // If even this fails, every later BEGIN fails too, and each of its callers is told.
        if let Err(error) = connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "a failed group of writes could not be rolled back");
        }
    }
    committed
}

fn run_group(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), FileError> {
    for job in jobs {
        connection.execute_batch("SAVEPOINT job")?;
        let keep = job.run(connection);
        // On a full disk or an I/O error SQLite may take the whole transaction back, and with it the neighbours.
        if connection.is_autocommit() {
            return Err(FileError::Unavailable("SQLite rolled the transaction back".to_owned()));
        }
        connection.execute_batch(if keep { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
    }
    Ok(())
}

/// A commit that failed on I/O may stand after a crash: its frames may be in the log. A full disk is different, for
/// then the frames were not written.
fn after_commit(error: rusqlite::Error) -> FileError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure) => FileError::OutcomeUnknown(error.to_string()),
        _ => error.into(),
    }
}
