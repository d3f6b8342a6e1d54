//! Every log's records in PostgreSQL: [`platform::audit::AuditReplica`] (rule T25). The process that owns a log appends its
//! records here before their replies; its own file is then a spool. Nothing here can be changed by an ordinary statement.
//!
//! Where next: [`PostgresAudit`]; `schema` for the tables and their triggers; `postgres-database` for what a failure means.

mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use platform::audit::{AuditReplica, ReplicatedRecord};
use platform::error::{Error, ErrorKind};
use postgres_database::{Database, DatabaseError, Failure, Row, Transaction};

/// Records of all logs in one database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresAudit {
    database: Database,
}

// Why nothing was appended.
#[derive(Debug)]
enum Abort {
    Database(DatabaseError),
    Forked(String),
}

impl From<DatabaseError> for Abort {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl Failure for Abort {
    fn database(&self) -> Option<&DatabaseError> {
        match self {
            Self::Database(error) => Some(error),
            Self::Forked(_) => None,
        }
    }
}

impl From<Abort> for Error {
    fn from(abort: Abort) -> Self {
        match abort {
            Abort::Database(error) => error.into(),
            Abort::Forked(reason) => Self::new(
                ErrorKind::Unavailable,
                "audit_forked",
                "The database holds another history under this log's name, so nothing is written and nothing is done; run `interlock audit verify`.",
            )
            .with_detail(reason),
        }
    }
}

impl PostgresAudit {
    /// Makes or migrates the tables. Errors: `store_too_new`, `store_migration_changed`, `store_denied`,
    /// `store_unavailable`.
    pub async fn open(database: Database) -> Result<Self, Error> {
        database.migrate(schema::COMPONENT).await?;
        Ok(Self { database })
    }

    async fn rows(
        &self,
        sql: &str,
        parameters: &[&(dyn postgres_database::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        Ok(self.database.read(sql, parameters).await?)
    }
}

#[async_trait]
impl AuditReplica for PostgresAudit {
    async fn append(&self, origin: &str, records: Vec<ReplicatedRecord>) -> Result<(), Error> {
        let (origin, records) = (Arc::<str>::from(origin), Arc::new(records));
        let appended = self.database.write(move |transaction| {
            let (origin, records) = (Arc::clone(&origin), Arc::clone(&records));
            Box::pin(async move { append(transaction, &origin, &records).await })
        });
        Ok(appended.await?)
    }

    async fn last(&self, origin: &str) -> Result<Option<(u64, [u8; 32])>, Error> {
        let sql = "SELECT position, hash FROM audit_record WHERE origin = $1 ORDER BY position DESC LIMIT 1";
        let rows = self.rows(sql, &[&origin]).await?;
        rows.first().map(end_of).transpose().map_err(Error::from)
    }

    async fn read(&self, origin: &str, after: u64, limit: usize) -> Result<Vec<ReplicatedRecord>, Error> {
        let sql = "SELECT position, hash, line, payload FROM audit_record WHERE origin = $1 AND position > $2
                   ORDER BY position LIMIT $3";
        let (after, limit) = (whole(after), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.rows(sql, &[&origin, &after, &limit]).await?;
        let read = |row: &Row| {
            let (position, hash) = end_of(row)?;
            let line = row.try_get(2).map_err(unreadable)?;
            let payload = row.try_get(3).map_err(unreadable)?;
            Ok(ReplicatedRecord { position, line, hash, payload })
        };
        Ok(rows.iter().map(read).collect::<Result<_, DatabaseError>>()?)
    }

    async fn origins(&self) -> Result<Vec<String>, Error> {
        // One step through the index for each log, not one for each record.
        let sql = "WITH RECURSIVE step AS (
                       (SELECT origin FROM audit_record ORDER BY origin LIMIT 1)
                       UNION ALL
                       SELECT (SELECT later.origin FROM audit_record later WHERE later.origin > step.origin
                               ORDER BY later.origin LIMIT 1)
                       FROM step WHERE step.origin IS NOT NULL
                   ) SELECT origin FROM step WHERE origin IS NOT NULL ORDER BY origin";
        let rows = self.rows(sql, &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0).map_err(unreadable)).collect::<Result<_, DatabaseError>>()?)
    }
}

async fn append(transaction: &Transaction<'_>, origin: &str, records: &[ReplicatedRecord]) -> Result<(), Abort> {
    // One at a time for each log: two processes with one log are told apart here and not by a broken index.
    transaction.query("SELECT pg_advisory_xact_lock(hashtextextended('audit ' || $1::text, 0))", &[&origin]).await?;
    let last = "SELECT position, hash FROM audit_record WHERE origin = $1 ORDER BY position DESC LIMIT 1";
    let last = transaction.query_opt(last, &[&origin]).await?;
    let end = last.as_ref().map(end_of).transpose()?.map_or(0, |(position, _)| position);

    let known: Vec<&ReplicatedRecord> = records.iter().filter(|record| record.position <= end).collect();
    if let (Some(first), Some(last)) = (known.first(), known.last()) {
        let sql = "SELECT position, hash FROM audit_record WHERE origin = $1 AND position BETWEEN $2 AND $3
                   ORDER BY position";
        let rows = transaction.query(sql, &[&origin, &whole(first.position), &whole(last.position)]).await?;
        let there = rows.iter().map(end_of).collect::<Result<Vec<_>, _>>()?;
        let differs = known.iter().find(|record| !there.contains(&(record.position, record.hash)));
        if let Some(record) = differs {
            return Err(Abort::Forked(format!("the record at {} is another one there", record.position)));
        }
    }
    let new: Vec<&ReplicatedRecord> = records.iter().filter(|record| record.position > end).collect();
    for (due, record) in (end + 1..).zip(&new) {
        if record.position != due {
            return Err(Abort::Forked(format!("record {due} is missing before {}", record.position)));
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let positions: Vec<i64> = new.iter().map(|record| whole(record.position)).collect();
    let lines: Vec<&str> = new.iter().map(|record| record.line.as_str()).collect();
    let hashes: Vec<&[u8]> = new.iter().map(|record| record.hash.as_slice()).collect();
    let payloads: Vec<Option<&[u8]>> = new.iter().map(|record| record.payload.as_deref()).collect();
    let sql = "INSERT INTO audit_record (origin, position, line, hash, payload)
               SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[])";
    transaction.execute(sql, &[&origin, &positions, &lines, &hashes, &payloads]).await?;
    Ok(())
}

// Position and chain value, the first two columns.
fn end_of(row: &Row) -> Result<(u64, [u8; 32]), DatabaseError> {
    let position: i64 = row.try_get(0).map_err(unreadable)?;
    let hash: &[u8] = row.try_get(1).map_err(unreadable)?;
    let hash = hash.try_into().map_err(unreadable)?;
    Ok((position.unsigned_abs(), hash))
}

fn unreadable(error: impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Corrupt(format!("a replicated audit record cannot be read: {error}"))
}

fn whole(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
