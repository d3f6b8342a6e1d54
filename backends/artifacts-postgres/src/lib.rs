//! Artifacts (rule T27) in PostgreSQL, where replicas share them: a row per content, a row per reference, both in one
//! transaction.
//!
//! Whoever changes a content or one of its references locks the row of the content first, in the order of their ids. So a
//! sweep and a put of the same content follow one another, and a sweep never takes a content away from under a put. Next:
//! `backends/postgres-database` for what a failure means and what is repeated.

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use platform::artifacts::{
    ArtifactFacts, ArtifactId, ArtifactStore, SealedArtifact, StoredReference, Swept, unavailable,
};
use postgres_database::{Component, Database, DatabaseError, Row, Transaction};

const COMPONENT: Component = Component { name: "artifacts", migrations: &[FIRST] };

/// Sealed bytes do not compress: they are kept apart from their rows as they are.
const FIRST: &str = r#"
CREATE TABLE artifacts_content (
    id     text COLLATE "C" PRIMARY KEY,
    sealed bytea NOT NULL
);
ALTER TABLE artifacts_content ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE artifacts_reference (
    content    text COLLATE "C" NOT NULL REFERENCES artifacts_content (id),
    name       text COLLATE "C" NOT NULL,
    facts      text NOT NULL,
    keep_until bigint NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (content, name)
);
CREATE INDEX artifacts_reference_by_end ON artifacts_reference (keep_until);
"#;

/// Artifacts in a database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresArtifacts {
    database: Database,
}

impl PostgresArtifacts {
    /// Makes or migrates the tables. Errors: those of [`Database::migrate`].
    pub async fn open(database: Database) -> Result<Self, Error> {
        database.migrate(COMPONENT).await?;
        Ok(Self { database })
    }
}

#[async_trait]
impl ArtifactStore for PostgresArtifacts {
    async fn put(&self, artifact: SealedArtifact) -> Result<(), Error> {
        let facts = serde_json::to_string(&artifact.reference.facts).map_err(Error::internal)?;
        let artifact = Arc::new((artifact, facts));
        let put = self.database.write(move |transaction| {
            let artifact = Arc::clone(&artifact);
            Box::pin(async move { put(transaction, &artifact.0, &artifact.1).await })
        });
        put.await.map_err(failed)
    }

    async fn references(&self, id: &ArtifactId) -> Result<Vec<StoredReference>, Error> {
        let rows = self
            .database
            .read(
                "SELECT name, facts, sealed FROM artifacts_reference WHERE content = $1 ORDER BY name",
                &[&id.as_str()],
            )
            .await
            .map_err(failed)?;
        // One that cannot be read was changed by somebody else; the next put of its call writes it anew.
        Ok(rows.iter().filter_map(reference).collect())
    }

    async fn content(&self, id: &ArtifactId) -> Result<Option<Vec<u8>>, Error> {
        let rows = self
            .database
            .read("SELECT sealed FROM artifacts_content WHERE id = $1", &[&id.as_str()])
            .await
            .map_err(failed)?;
        rows.first().map(|row| row.try_get(0)).transpose().map_err(Error::internal)
    }

    async fn sweep(&self, now: i64, limit: usize) -> Result<Swept, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX - 1);
        let swept =
            self.database.write(move |transaction| Box::pin(async move { sweep(transaction, now, limit).await }));
        swept.await.map_err(failed)
    }
}

async fn put(transaction: &Transaction<'_>, artifact: &SealedArtifact, facts: &str) -> Result<(), DatabaseError> {
    let (id, reference) = (artifact.id.as_str(), &artifact.reference);
    // The update keeps the row locked, whether it changes anything or not.
    transaction
        .execute(
            "INSERT INTO artifacts_content AS there (id, sealed) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET sealed = CASE WHEN $3 THEN excluded.sealed ELSE there.sealed END",
            &[&id, &artifact.content, &artifact.replace_content],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO artifacts_reference AS there (content, name, facts, keep_until, sealed)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (content, name) DO UPDATE
             SET facts = excluded.facts, keep_until = excluded.keep_until, sealed = excluded.sealed
             WHERE $6 OR there.keep_until < excluded.keep_until",
            &[
                &id,
                &reference.name,
                &facts,
                &reference.facts.keep_until,
                &reference.sealed,
                &artifact.replace_reference,
            ],
        )
        .await?;
    Ok(())
}

async fn sweep(transaction: &Transaction<'_>, now: i64, limit: i64) -> Result<Swept, DatabaseError> {
    let due = transaction
        .query(
            "SELECT content, name FROM artifacts_reference WHERE keep_until <= $1 ORDER BY content, name LIMIT $2",
            &[&now, &limit.saturating_add(1)],
        )
        .await?;
    let more = i64::try_from(due.len()).is_ok_and(|found| found > limit);
    let read = |row: &Row, at: usize| {
        row.try_get::<_, String>(at).map_err(|e| DatabaseError::Defect(format!("a reference cannot be read: {e}")))
    };
    let (mut contents, mut names) = (Vec::new(), Vec::new());
    for row in due.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        contents.push(read(row, 0)?);
        names.push(read(row, 1)?);
    }
    if contents.is_empty() {
        return Ok(Swept { more, ..Swept::default() });
    }
    transaction
        .query("SELECT id FROM artifacts_content WHERE id = ANY($1) ORDER BY id FOR UPDATE", &[&contents])
        .await?;
    // What was kept longer in the meantime is not over any more.
    let references = transaction
        .execute(
            "DELETE FROM artifacts_reference WHERE keep_until <= $3
             AND (content, name) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
            &[&contents, &names, &now],
        )
        .await?;
    let contents = transaction
        .execute(
            "DELETE FROM artifacts_content WHERE id = ANY($1)
             AND NOT EXISTS (SELECT FROM artifacts_reference WHERE content = artifacts_content.id)",
            &[&contents],
        )
        .await?;
    Ok(Swept { references, contents, more })
}

fn reference(row: &Row) -> Option<StoredReference> {
    let facts: ArtifactFacts = serde_json::from_str(row.try_get(1).ok()?).ok()?;
    Some(StoredReference { name: row.try_get(0).ok()?, facts, sealed: row.try_get(2).ok()? })
}

fn failed(error: DatabaseError) -> Error {
    match error {
        DatabaseError::Defect(detail) => Error::internal(detail),
        error => unavailable(error),
    }
}
