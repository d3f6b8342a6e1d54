//! Transactions, and the one question after a failure: does it stand?
//!
//! Until the commit is sent, no failure leaves anything behind: the server takes an unfinished transaction back, whether we
//! ask it or the connection ends. So everything before that may be repeated, and is, a few times: a collision with another
//! transaction, and a connection that a restart of the server has ended. After the commit is sent, only the server's
//! answer counts. Without one the outcome is unknown, and nothing is repeated.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deadpool_postgres::Object;
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::Database;
use crate::error::DatabaseError;

/// Attempts at one transaction.
const ATTEMPTS: u32 = 8;
/// For everything before the commit, beyond what the server allows a statement, so that a server which has stopped
/// without ending its connections holds nobody for ever.
pub(crate) const WORKING: Duration = Duration::from_secs(20);
/// For the answer to a commit.
const COMMITTING: Duration = Duration::from_secs(20);

/// What a transaction does, as a future that borrows it.
pub type Work<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A caller's error that may have a failure of the database in it, so that we know what may be repeated.
pub trait Failure: From<DatabaseError> {
    /// The failure of the database, if it is one.
    fn database(&self) -> Option<&DatabaseError>;
}

impl Failure for DatabaseError {
    fn database(&self) -> Option<&DatabaseError> {
        Some(self)
    }
}

/// A transaction that is under way.
pub struct Transaction<'a> {
    inner: deadpool_postgres::Transaction<'a>,
}

impl Transaction<'_> {
    /// Rows of a statement with its parameters `$1`, `$2`, …; prepared once per connection.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        let statement = self.inner.prepare_cached(sql).await.map_err(DatabaseError::before_commit)?;
        self.inner.query(&statement, parameters).await.map_err(DatabaseError::before_commit)
    }

    /// The row of a statement that answers one at most.
    pub async fn query_opt(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Row>, DatabaseError> {
        let statement = self.inner.prepare_cached(sql).await.map_err(DatabaseError::before_commit)?;
        self.inner.query_opt(&statement, parameters).await.map_err(DatabaseError::before_commit)
    }

    /// Number of rows that a statement has changed.
    pub async fn execute(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, DatabaseError> {
        let statement = self.inner.prepare_cached(sql).await.map_err(DatabaseError::before_commit)?;
        self.inner.execute(&statement, parameters).await.map_err(DatabaseError::before_commit)
    }

    /// Several statements without parameters.
    pub async fn batch(&self, sql: &str) -> Result<(), DatabaseError> {
        self.inner.batch_execute(sql).await.map_err(DatabaseError::before_commit)
    }
}

/// Whether one attempt may be followed by another.
enum Attempt<T, E> {
    Ended(Result<T, E>),
    Again(E),
}

impl Database {
    /// Runs `work` in a transaction (READ COMMITTED: each statement sees what was committed before it) and commits. `work`
    /// runs again when its transaction was certainly taken back; it must have no effect of its own outside.
    ///
    /// The error is that of `work`, after which nothing stands, or a [`DatabaseError`]: nothing stands either, except
    /// after [`DatabaseError::OutcomeUnknown`]. A future that is dropped before the commit is sent leaves nothing behind.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send,
        E: Failure + Send,
        F: for<'a> Fn(&'a Transaction<'a>) -> Work<'a, T, E> + Send + Sync,
    {
        let mut last = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(pause(attempt)).await;
            }
            match self.attempt(&work).await {
                Attempt::Ended(answer) => return answer,
                Attempt::Again(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| DatabaseError::Defect("no attempt was made".to_owned()).into()))
    }

    /// Runs statements outside a transaction of ours; each sees what was committed before it. Repeated as
    /// [`write`](Self::write) is.
    pub async fn read(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.read_once(sql, parameters).await {
                Err(DatabaseError::Lost(_) | DatabaseError::Collision(_)) if attempt < ATTEMPTS => {
                    sleep(pause(attempt)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn read_once(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        let connection = self.connection().await?;
        let rows = async {
            let statement = connection.prepare_cached(sql).await?;
            connection.query(&statement, parameters).await
        };
        let error = match timeout(WORKING, rows).await {
            Ok(Ok(rows)) => return Ok(rows),
            Ok(Err(error)) => DatabaseError::before_commit(error),
            Err(_) => DatabaseError::Unavailable(format!("no answer in {WORKING:?}")),
        };
        if matches!(error, DatabaseError::Lost(_) | DatabaseError::Unavailable(_)) {
            // Whatever it still answers is nobody's: the connection goes.
            drop(Object::take(connection));
        }
        Err(error)
    }

    async fn attempt<T, E, F>(&self, work: &F) -> Attempt<T, E>
    where
        T: Send,
        E: Failure + Send,
        F: for<'a> Fn(&'a Transaction<'a>) -> Work<'a, T, E> + Send + Sync,
    {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            // The pool has waited already; a server that is not there is not there in a moment either.
            Err(error) => return Attempt::Ended(Err(error.into())),
        };
        let outcome = run(&mut connection, work).await;
        let Err(error) = outcome else { return Attempt::Ended(outcome) };
        let (broken, again) = match error.database() {
            Some(DatabaseError::Collision(_)) => (false, true),
            Some(DatabaseError::Lost(_)) => (true, true),
            Some(DatabaseError::Unavailable(_) | DatabaseError::OutcomeUnknown(_)) => (true, false),
            _ => (false, false),
        };
        if broken {
            // An unfinished transaction ends with its connection.
            drop(Object::take(connection));
        }
        if again { Attempt::Again(error) } else { Attempt::Ended(Err(error)) }
    }
}

async fn run<T, E, F>(connection: &mut Object, work: &F) -> Result<T, E>
where
    T: Send,
    E: Failure + Send,
    F: for<'a> Fn(&'a Transaction<'a>) -> Work<'a, T, E> + Send + Sync,
{
    let slow = || DatabaseError::Unavailable(format!("a transaction took more than {WORKING:?}"));
    let begun = timeout(WORKING, connection.transaction()).await.map_err(|_| slow())?;
    let transaction = Transaction { inner: begun.map_err(DatabaseError::before_commit)? };
    let answer = match timeout(WORKING, work(&transaction)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(slow().into()),
    };
    match timeout(COMMITTING, transaction.inner.commit()).await {
        Ok(Ok(())) => Ok(answer),
        Ok(Err(error)) => Err(DatabaseError::in_commit(error).into()),
        Err(_) => Err(DatabaseError::OutcomeUnknown(format!("no answer to a commit in {COMMITTING:?}")).into()),
    }
}

/// Between two attempts: a few milliseconds, more each time, and not the same for all.
fn pause(attempt: u32) -> Duration {
    static SPREAD: AtomicU32 = AtomicU32::new(0);
    let spread = SPREAD.fetch_add(7, Ordering::Relaxed) % 10;
    Duration::from_millis(u64::from((1 << attempt.min(7)) + spread))
}
