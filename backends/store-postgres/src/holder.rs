//! The rule that one process alone uses a store that is not shared (T24), as the lease on a SQLite file is for that.
//!
//! Two things make it. An advisory lock of a session says that somebody is there: a second process that starts is refused.
//! A number in the database, one more for each process that starts, says who came last: every transaction checks it, so
//! that a process whose session was lost (the server restarted, the network broke) and whose place another one has taken
//! writes nothing more, whatever it believes.

use std::sync::Arc;
use std::time::Duration;

use postgres_database::{Database, DatabaseError, Session, Transaction};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::apply::{Abort, column};
use crate::locks;

/// Whether a store is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// One process uses it, and a second one is refused.
    Alone,
    /// Several replicas use it at a time.
    Replicas,
}

impl Sharing {
    /// By `cluster.replicas`.
    pub fn among(replicas: u32) -> Self {
        if replicas > 1 { Self::Replicas } else { Self::Alone }
    }
}

/// Held by the session of the process that has the store.
const PRESENT: i64 = 0x494C_5354_0000_0002; // "ILST"
/// A process that has just died lets go a moment later: so often, and so long apart, a new one asks.
const ASKED: u32 = 30;
const APART: Duration = Duration::from_millis(100);
/// Between two looks whether the session is still there.
const LOOK: Duration = Duration::from_secs(2);

/// That this process has the store.
#[derive(Debug)]
pub(crate) struct Holder {
    epoch: i64,
    keeper: JoinHandle<()>,
}

impl Holder {
    /// Takes the store. `InUse` when another process has it.
    pub(crate) async fn take(database: &Database) -> Result<Self, Abort> {
        let session = database.session().await?;
        let mut had = false;
        for _ in 0..ASKED {
            had = try_lock(&session).await?;
            if had {
                break;
            }
            sleep(APART).await;
        }
        if !had {
            return Err(Abort::InUse(who(&session).await));
        }
        let epoch: i64 = database
            .write(|transaction| {
                Box::pin(async move {
                    // After whatever the last holder has under way.
                    locks::everything(transaction).await?;
                    let row =
                        transaction.query_opt("UPDATE store_holder SET epoch = epoch + 1 RETURNING epoch", &[]).await?;
                    let row = row.ok_or_else(|| Abort::Defect("store_holder has no row".to_owned()))?;
                    column(&row, 0)
                })
            })
            .await?;
        let keeper = tokio::spawn(keep(database.clone(), Arc::new(session)));
        Ok(Self { epoch, keeper })
    }

    /// In a transaction that has its locks: whether nobody has come after us.
    pub(crate) async fn confirm(&self, transaction: &Transaction<'_>) -> Result<(), Abort> {
        let row = transaction.query_opt("SELECT epoch FROM store_holder", &[]).await?;
        let epoch: i64 = row.map(|row| column(&row, 0)).transpose()?.unwrap_or(0);
        if epoch == self.epoch {
            return Ok(());
        }
        Err(Abort::InUse(format!("holder {epoch} has come after us, who are {}", self.epoch)))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Keeps the session's lock, and takes it again after the server has ended the session.
async fn keep(database: Database, mut session: Arc<Session>) {
    loop {
        sleep(LOOK).await;
        if session.query("SELECT 1", &[]).await.is_ok() {
            continue;
        }
        let again = async {
            let fresh = database.session().await?;
            Ok::<_, DatabaseError>(try_lock(&fresh).await?.then_some(fresh))
        };
        match again.await {
            Ok(Some(fresh)) => {
                tracing::info!("the store's session was lost and is there again");
                session = Arc::new(fresh);
            }
            Ok(None) => tracing::error!("the store's session was lost, and another process has taken its place"),
            Err(error) => tracing::warn!(%error, "the store's session was lost and cannot be had again so far"),
        }
    }
}

async fn try_lock(session: &Session) -> Result<bool, DatabaseError> {
    let rows = session.query("SELECT pg_try_advisory_lock($1)", &[&PRESENT]).await?;
    rows.first().map_or(Ok(false), |row| row.try_get(0).map_err(|error| DatabaseError::Defect(error.to_string())))
}

/// Who has it, as far as the server tells us.
async fn who(session: &Session) -> String {
    let sql = "SELECT a.pid, coalesce(a.client_addr::text, 'a socket'), a.backend_start::text
               FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                 AND (l.classid::bigint << 32) + l.objid::bigint = $1";
    let row = session.query(sql, &[&PRESENT]).await.ok().and_then(|rows| rows.into_iter().next());
    let told = row.and_then(|row| {
        let (backend, from, since): (i32, String, String) =
            (row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?);
        Some(format!("held over {from} since {since}, backend {backend}"))
    });
    told.unwrap_or_else(|| "held by a process that cannot be seen".to_owned())
}
