//! Migrations: forward only, each component's in an order of its own, and what was applied is checked at every start.
//!
//! Several backends share a database. Each begins its tables' names with its own name, and numbers its own migrations.

use platform::Error;
use platform::canonical::sha256;

use crate::Database;
use crate::error::DatabaseError;
use crate::transaction::Transaction;

/// One backend's tables.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// Its name, for example `store`; its tables begin with it.
    pub name: &'static str,
    /// SQL of each migration, in order; several statements each. Number n brings the tables from schema n to n + 1. Only
    /// ever append: a changed text is refused at start.
    pub migrations: &'static [&'static str],
}

/// One at a time over all processes and components.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4919131752989213764)"; // "DBMIGRAT"

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS interlock_migration (
    component  text NOT NULL,
    version    integer NOT NULL CHECK (version >= 1),
    digest     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, version)
)";

impl Database {
    /// Brings a component's tables to the newest schema, all or nothing, and checks what was applied before.
    ///
    /// Errors: `store_too_new`, `store_migration_changed`, `store_denied` without the right to create tables,
    /// `store_unavailable`.
    pub async fn migrate(&self, component: Component) -> Result<(), Error> {
        self.write(move |transaction| Box::pin(migrate(transaction, component))).await.map_err(Error::from)
    }
}

async fn migrate(transaction: &Transaction<'_>, component: Component) -> Result<(), DatabaseError> {
    transaction.batch(LOCK).await?;
    // Asked first, so that a role without the right to create tables can run on tables that are there.
    let known = transaction.query("SELECT to_regclass('interlock_migration') IS NOT NULL", &[]).await?;
    if !known.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        transaction.batch(TABLE).await?;
    }
    let rows = transaction
        .query(
            "SELECT version, digest FROM interlock_migration WHERE component = $1 ORDER BY version",
            &[&component.name],
        )
        .await?;
    let newest = i32::try_from(component.migrations.len()).unwrap_or(i32::MAX);
    let mut applied = 0;
    for row in rows {
        let read = |error| DatabaseError::Defect(format!("a row of interlock_migration cannot be read: {error}"));
        let (version, digest): (i32, String) = (row.try_get(0).map_err(read)?, row.try_get(1).map_err(read)?);
        let text = usize::try_from(version - 1).ok().and_then(|at| component.migrations.get(at));
        match text {
            None => return Err(DatabaseError::TooNew { component: component.name, found: version, known: newest }),
            Some(text) if digest_of(text) != digest || version != applied + 1 => {
                return Err(DatabaseError::Changed { component: component.name, version });
            }
            Some(_) => applied = version,
        }
    }
    for (version, text) in (1_i32..).zip(component.migrations).filter(|(version, _)| *version > applied) {
        transaction.batch(text).await?;
        transaction
            .execute(
                "INSERT INTO interlock_migration (component, version, digest) VALUES ($1, $2, $3)",
                &[&component.name, &version, &digest_of(text)],
            )
            .await?;
        tracing::info!(component = component.name, version, "migrated the database");
    }
    Ok(())
}

fn digest_of(sql: &str) -> String {
    hex::encode(sha256(sql.as_bytes()))
}
