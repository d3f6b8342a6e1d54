//! What clients do: start, signal, cancel, describe, list. Every one of them is durable when it returns.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;
use workflow_api::{Json, RunPage, RunState, RunSummary, WorkflowError};

use super::{Journal, Result, RunKey, unreadable, work};
use crate::error::JournalError;

/// Largest page.
const PAGE: usize = 500;
/// Longest id and name, in bytes.
const NAME: usize = 512;
/// Largest input and signal, in bytes: references stand there, not contents. Temporal's limit is 2 MB.
const DATA: usize = 1024 * 1024;

const COLUMNS: &str = "key, id, workflow, state, status, result, parked_because, started_at, updated_at";

fn fits(name: &str, data: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME {
        return Err(JournalError::Unfit("a run's id, its kind or a signal's name is empty or longer than 512 bytes"));
    }
    if data.len() > DATA {
        return Err(JournalError::Unfit("an input or a signal is larger than 1 MiB"));
    }
    Ok(())
}

impl Journal {
    pub(crate) async fn start(&self, id: &str, workflow: &str, input: &Json) -> Result<()> {
        let (id, workflow, input) = (id.to_owned(), workflow.to_owned(), input.to_string());
        fits(&id, &input)?;
        fits(&workflow, "")?;
        let now = self.now_ms();
        self.write(move |connection| {
            let seed = Uuid::new_v4().to_string();
            let new = connection
                .prepare_cached(
                    "INSERT INTO run (id, workflow, state, input, seed, started_at, updated_at)
                     VALUES (?1, ?2, 'running', ?3, ?4, ?5, ?5) ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![id, workflow, input, seed, now])?;
            if new == 1 {
                work::post(connection, connection.last_insert_rowid(), "start", None, None, None)?;
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn signal(&self, id: &str, name: &str, data: &Json) -> Result<()> {
        let (id, name, data) = (id.to_owned(), name.to_owned(), data.to_string());
        fits(&name, &data)?;
        self.write(move |connection| {
            let Some(run) = open(connection, &id)? else { return Ok(()) };
            work::post(connection, run, "signal", None, Some(&name), Some(data))
        })
        .await
    }

    pub(crate) async fn cancel(&self, id: &str, reason: &str) -> Result<()> {
        let (id, reason) = (id.to_owned(), reason.to_owned());
        fits("cancel", &reason)?;
        let now = self.now_ms();
        self.write(move |connection| {
            let Some(run) = open(connection, &id)? else { return Ok(()) };
            if end_restored(connection, run, &reason, now)? {
                return Ok(());
            }
            work::post(connection, run, "cancel", None, None, Some(reason))
        })
        .await
    }

    pub(crate) async fn describe(&self, id: &str) -> Result<Option<RunSummary>> {
        let id = id.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE id = ?1"))?;
            let row = statement.query_row([id], |row| Ok(summary(row))).optional()?;
            row.transpose().map(|found| found.map(|(_, summary)| summary))
        })
        .await
    }

    pub(crate) async fn list(&self, state: Option<RunState>, after: Option<&str>, limit: usize) -> Result<RunPage> {
        if !(1..=PAGE).contains(&limit) {
            return Err(JournalError::Unfit("a page of runs has 1 to 500"));
        }
        let before = match after {
            None => i64::MAX,
            Some(after) => after.parse().map_err(|_| JournalError::Unfit("a page's place is not one of ours"))?,
        };
        self.read(move |connection| {
            let rows = i64::try_from(limit).unwrap_or(1) + 1;
            let found = match state {
                None => {
                    let sql = format!("SELECT {COLUMNS} FROM run WHERE key < ?1 ORDER BY key DESC LIMIT ?2");
                    let mut statement = connection.prepare_cached(&sql)?;
                    let found = statement.query_map(params![before, rows], |row| Ok(summary(row)))?;
                    found.map(|row| row?).collect::<Result<Vec<_>>>()?
                }
                Some(state) => {
                    let sql =
                        format!("SELECT {COLUMNS} FROM run WHERE state = ?3 AND key < ?1 ORDER BY key DESC LIMIT ?2");
                    let mut statement = connection.prepare_cached(&sql)?;
                    let values = params![before, rows, word(state)];
                    let found = statement.query_map(values, |row| Ok(summary(row)))?;
                    found.map(|row| row?).collect::<Result<Vec<_>>>()?
                }
            };
            let next = if found.len() > limit { found.get(limit - 1).map(|(key, _)| key.to_string()) } else { None };
            Ok(RunPage { runs: found.into_iter().take(limit).map(|(_, summary)| summary).collect(), next })
        })
        .await
    }
}

/// The key of a run that has not ended.
fn open(connection: &Connection, id: &str) -> Result<Option<RunKey>> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM run WHERE id = ?1 AND state IN ('running', 'parked')")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

/// Ends a run of a restored journal where it stands. Its body is not asked: it would act on what was true at the backup.
fn end_restored(connection: &Connection, run: RunKey, reason: &str, now: i64) -> Result<bool> {
    let result: std::result::Result<Json, _> = Err(WorkflowError::Cancelled(reason.to_owned()));
    let ended = connection
        .prepare_cached(
            "UPDATE run SET state = 'cancelled', result = ?2, updated_at = ?3 WHERE key = ?1 AND restored = 1",
        )?
        .execute(params![run, work::result_text(&result)?, now])?;
    if ended == 1 {
        work::forget(connection, run)?;
    }
    Ok(ended == 1)
}

const fn word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Parked => "parked",
        RunState::Completed => "completed",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
    }
}

fn summary(row: &Row<'_>) -> Result<(RunKey, RunSummary)> {
    let state: String = row.get(3)?;
    let state = [RunState::Running, RunState::Parked, RunState::Completed, RunState::Failed, RunState::Cancelled]
        .into_iter()
        .find(|known| word(*known) == state)
        .ok_or_else(|| unreadable("a run's state", state))?;
    let json = |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose();
    let result: Option<String> = row.get(5)?;
    let result = result.map(|text| serde_json::from_str(&text)).transpose();
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|error| unreadable("a run's time", error));
    let summary = RunSummary {
        id: row.get(1)?,
        workflow: row.get(2)?,
        state,
        status: json(row.get(4)?).map_err(|error| unreadable("a run's status", error))?,
        result: result.map_err(|error| unreadable("a run's result", error))?,
        parked_because: row.get(6)?,
        started_at: time(row.get(7)?)?,
        updated_at: time(row.get(8)?)?,
    };
    Ok((row.get(0)?, summary))
}
