//! Versioned records with declared indexes.

use platform::Json;
use platform::error::Error;
use platform::store::{Collection, Conflict, Expect, OpResult, Query, Record};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::apply::{Abort, Moment, signed, unsigned};

/// Longest id, in characters.
const ID_CHARS: usize = 512;
/// Largest page.
const PAGE: usize = 1000;

/// A query with its own copies of the texts, checked.
pub(crate) struct Page {
    collection: Collection,
    filter: Option<(&'static str, String)>,
    after: String,
    limit: u32,
    /// How an id of this page compares with `after`, and the order of the page: part of the statement.
    compared: &'static str,
    order: &'static str,
}

impl Page {
    pub(crate) fn of(query: &Query<'_>) -> Result<Self, Error> {
        let limit = u32::try_from(query.limit).ok().filter(|_| (1..=PAGE).contains(&query.limit));
        let Some(limit) = limit else {
            return Err(Error::internal(format!(
                "a page of {} records was asked for, 1 to {PAGE} are had",
                query.limit
            )));
        };
        if let Some((name, _)) = query.filter
            && !query.collection.indexes.iter().any(|index| index.name == name)
        {
            return Err(Error::internal(format!("collection {} declares no index {name}", query.collection.name)));
        }
        let filter = query.filter.map(|(name, value)| (name, value.to_owned()));
        let compared = if query.descending && query.after.is_some() { "<" } else { ">" };
        let order = if query.descending { "DESC" } else { "ASC" };
        // Ids are not empty, so that everything comes after the empty text.
        let after = query.after.unwrap_or_default().to_owned();
        Ok(Self { collection: query.collection, filter, after, limit, compared, order })
    }
}

pub(crate) fn get(
    connection: &Connection,
    now: Moment,
    collection: Collection,
    id: &str,
) -> Result<Option<Record>, Abort> {
    let mut statement = connection.prepare_cached(
        "SELECT id, revision, body, expires_at FROM record
         WHERE collection = ?1 AND id = ?2 AND (expires_at IS NULL OR expires_at >= ?3)",
    )?;
    let found = statement.query_row(params![collection.name, id, now.0], raw).optional()?;
    found.map(record).transpose()
}

pub(crate) fn list(connection: &Connection, now: Moment, page: &Page) -> Result<Vec<Record>, Abort> {
    let Page { compared, order, .. } = page;
    let rows = match &page.filter {
        None => {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT id, revision, body, expires_at FROM record
                 WHERE collection = ?1 AND id {compared} ?2 AND (expires_at IS NULL OR expires_at >= ?3)
                 ORDER BY id {order} LIMIT ?4",
            ))?;
            let rows = statement.query_map(params![page.collection.name, page.after, now.0, page.limit], raw)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        }
        Some((name, value)) => {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT r.id, r.revision, r.body, r.expires_at
                 FROM record_index x JOIN record r ON r.collection = x.collection AND r.id = x.id
                 WHERE x.collection = ?1 AND x.name = ?2 AND x.value = ?3 AND x.id {compared} ?4
                   AND (r.expires_at IS NULL OR r.expires_at >= ?5)
                 ORDER BY x.id {order} LIMIT ?6",
            ))?;
            let values = params![page.collection.name, name, value, page.after, now.0, page.limit];
            let rows = statement.query_map(values, raw)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        }
    };
    rows.into_iter().map(record).collect()
}

pub(crate) fn put(
    connection: &Connection,
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
    let current = live_revision(connection, now, collection, id)?;
    check(current, expect)?;
    let revision = current.map_or(1, |revision| revision + 1);
    connection
        .prepare_cached(
            "INSERT INTO record (collection, id, revision, body, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (collection, id) DO UPDATE SET
                 revision = excluded.revision, body = excluded.body, expires_at = excluded.expires_at",
        )?
        .execute(params![
            collection.name,
            id,
            signed(revision, "revision")?,
            serde_json::to_string(body)?,
            expires_at
        ])?;
    connection
        .prepare_cached("DELETE FROM record_index WHERE collection = ?1 AND id = ?2")?
        .execute(params![collection.name, id])?;
    for index in collection.indexes {
        if let Some(value) = body.pointer(index.pointer).and_then(Json::as_str) {
            connection
                .prepare_cached("INSERT INTO record_index (collection, name, value, id) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![collection.name, index.name, value, id])?;
        }
    }
    Ok(OpResult::Revision(revision))
}

pub(crate) fn delete(
    connection: &Connection,
    now: Moment,
    collection: Collection,
    id: &str,
    expect: Expect,
) -> Result<OpResult, Abort> {
    check(live_revision(connection, now, collection, id)?, expect)?;
    connection
        .prepare_cached("DELETE FROM record WHERE collection = ?1 AND id = ?2")?
        .execute(params![collection.name, id])?;
    Ok(OpResult::Done)
}

fn live_revision(connection: &Connection, now: Moment, collection: Collection, id: &str) -> Result<Option<u64>, Abort> {
    let mut statement = connection.prepare_cached(
        "SELECT revision FROM record
         WHERE collection = ?1 AND id = ?2 AND (expires_at IS NULL OR expires_at >= ?3)",
    )?;
    let found: Option<i64> = statement.query_row(params![collection.name, id, now.0], |row| row.get(0)).optional()?;
    found.map(|revision| unsigned(revision, "revision")).transpose()
}

fn check(current: Option<u64>, expect: Expect) -> Result<(), Conflict> {
    let holds = match expect {
        Expect::Any => true,
        Expect::Absent => current.is_none(),
        Expect::Revision(revision) => current == Some(revision),
    };
    if holds { Ok(()) } else { Err(Conflict::Revision { current }) }
}

type Raw = (String, i64, String, Option<i64>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn record((id, revision, body, expires_at): Raw) -> Result<Record, Abort> {
    Ok(Record { id, revision: unsigned(revision, "revision")?, body: serde_json::from_str(&body)?, expires_at })
}
