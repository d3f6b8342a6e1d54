//! A connection that stays out of the pool, for what lives exactly as long as it does: a session's advisory lock.

use deadpool_postgres::{ClientWrapper, Object};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::Database;
use crate::error::DatabaseError;
use crate::transaction::WORKING;

/// A connection of its own. It ends with the value.
pub struct Session {
    client: ClientWrapper,
}

impl Database {
    /// Makes one.
    pub async fn session(&self) -> Result<Session, DatabaseError> {
        Ok(Session { client: Object::take(self.connection().await?) })
    }
}

impl Session {
    /// Rows of a statement. An error means that the session, and what lived with it, may be gone.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DatabaseError> {
        match timeout(WORKING, self.client.query(sql, parameters)).await {
            Ok(answer) => answer.map_err(DatabaseError::before_commit),
            Err(_) => Err(DatabaseError::Unavailable(format!("no answer in {WORKING:?}"))),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}
