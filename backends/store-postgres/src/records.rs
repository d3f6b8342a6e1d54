//! Versioned records with declared indexes.

use platform::Json;
use platform::canonical::sha256;
use platform::store::{Collection, Conflict, Expect, OpResult, Query, Record};
use postgres_database::{Database, Row, Transaction};

use crate::apply::{Abort, Moment, column, signed, unsigned};
use crate::text::{from_column, to_column};

/// Longest id, in characters.
const ID_CHARS: usize = 512;
/// Largest page.
const PAGE: usize = 1000;

pub(crate) async fn get(
    database: &Database,
    now: Moment,
    collection: Collection,
    id: &str,
) -> Result<Option<Record>, Abort> {
    let rows = database
        .read(
            "SELECT id, revision, body, expires_at FROM store_record
             WHERE collection = $1 AND id = $2 AND (expires_at IS NULL OR expires_at >= $3)",
            &[&collection.name, &to_column(id), &now.0],
        )
        .await?;
    rows.first().map(record).transpose()
}

pub(crate) async fn list(database: &Database, now: Moment, query: &Query<'_>) -> Result<Vec<Record>, Abort> {
    let limit = i64::try_from(query.limit).ok().filter(|_| (1..=PAGE).contains(&query.limit));
    let Some(limit) = limit else {
        return Err(Abort::Defect(format!("a page of {} records was asked for, 1 to {PAGE} are had", query.limit)));
    };
    // Ids are not empty, so that everything comes after the empty text.
    let (collection, after) = (query.collection.name, to_column(query.after.unwrap_or_default()));
    let compared = if query.descending && query.after.is_some() { "<" } else { ">" };
    let order = if query.descending { "DESC" } else { "ASC" };
    let rows = match query.filter {
        None => {
            let sql = format!(
                "SELECT id, revision, body, expires_at FROM store_record
                 WHERE collection = $1 AND id {compared} $2 AND (expires_at IS NULL OR expires_at >= $3)
                 ORDER BY id {order} LIMIT $4"
            );
            database.read(&sql, &[&collection, &after, &now.0, &limit]).await?
        }
        Some((name, value)) => {
            if !query.collection.indexes.iter().any(|index| index.name == name) {
                return Err(Abort::Defect(format!("collection {collection} declares no index {name}")));
            }
            let sql = format!(
                "SELECT r.id, r.revision, r.body, r.expires_at
                 FROM store_record_index x JOIN store_record r ON r.collection = x.collection AND r.id = x.id
                 WHERE x.collection = $1 AND x.name = $2 AND x.value_digest = $3 AND x.id {compared} $4
                   AND (r.expires_at IS NULL OR r.expires_at >= $5)
                 ORDER BY x.id {order} LIMIT $6"
            );
            let digest = sha256(value.as_bytes());
            database.read(&sql, &[&collection, &name, &digest.as_slice(), &after, &now.0, &limit]).await?
        }
    };
    rows.iter().map(record).collect()
}

pub(crate) async fn put(
    transaction: &Transaction<'_>,
    now: Moment,
    collection: Collection,
    id: &str,
    expect: Expect,
    body: &Json,
    expires_at: Option<i64>,
) -> Result<OpResult, Abort> {
    if id.is_empty() || id.chars().count() > ID_CHARS {
        return Err(Abort::Defect(format!(
            "an id in {} is empty or longer than {ID_CHARS} characters",
            collection.name
        )));
    }
    let current = live_revision(transaction, now, collection, id).await?;
    check(current, expect)?;
    let (revision, id) = (current.map_or(1, |revision| revision + 1), to_column(id));
    transaction
        .execute(
            "INSERT INTO store_record (collection, id, revision, body, expires_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (collection, id) DO UPDATE SET
                 revision = excluded.revision, body = excluded.body, expires_at = excluded.expires_at",
            &[&collection.name, &id, &signed(revision, "revision")?, &serde_json::to_string(body)?, &expires_at],
        )
        .await?;
    if collection.indexes.is_empty() {
        return Ok(OpResult::Revision(revision));
    }
    let (mut names, mut digests) = (Vec::new(), Vec::new());
    for index in collection.indexes {
        if let Some(value) = body.pointer(index.pointer).and_then(Json::as_str) {
            names.push(index.name);
            digests.push(sha256(value.as_bytes()).to_vec());
        }
    }
    // Rows that stay as they are are left alone.
    transaction
        .execute(
            "WITH wanted AS (SELECT * FROM unnest($3::text[], $4::bytea[]) AS w (name, value_digest)),
                  gone AS (DELETE FROM store_record_index x WHERE x.collection = $1 AND x.id = $2 AND NOT EXISTS
                      (SELECT 1 FROM wanted w WHERE w.name = x.name AND w.value_digest = x.value_digest))
             INSERT INTO store_record_index (collection, name, value_digest, id)
             SELECT $1, name, value_digest, $2 FROM wanted ON CONFLICT DO NOTHING",
            &[&collection.name, &id, &names, &digests],
        )
        .await?;
    Ok(OpResult::Revision(revision))
}

pub(crate) async fn delete(
    transaction: &Transaction<'_>,
    now: Moment,
    collection: Collection,
    id: &str,
    expect: Expect,
) -> Result<OpResult, Abort> {
    check(live_revision(transaction, now, collection, id).await?, expect)?;
    transaction
        .execute("DELETE FROM store_record WHERE collection = $1 AND id = $2", &[&collection.name, &to_column(id)])
        .await?;
    Ok(OpResult::Done)
}

async fn live_revision(
    transaction: &Transaction<'_>,
    now: Moment,
    collection: Collection,
    id: &str,
) -> Result<Option<u64>, Abort> {
    let row = transaction
        .query_opt(
            "SELECT revision FROM store_record
             WHERE collection = $1 AND id = $2 AND (expires_at IS NULL OR expires_at >= $3)",
            &[&collection.name, &to_column(id), &now.0],
        )
        .await?;
    row.map(|row| unsigned(column(&row, 0)?, "revision")).transpose()
}

fn check(current: Option<u64>, expect: Expect) -> Result<(), Conflict> {
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => current.is_none(),
        Expect::Revision(revision) => current == Some(revision),
    };
    if holds { Ok(()) } else { Err(Conflict::Revision { current }) }
}

fn record(row: &Row) -> Result<Record, Abort> {
    let body: &str = column(row, 2)?;
    Ok(Record {
        id: from_column(column(row, 0)?),
        revision: unsigned(column(row, 1)?, "revision")?,
        body: serde_json::from_str(body)?,
        expires_at: column(row, 3)?,
    })
}
