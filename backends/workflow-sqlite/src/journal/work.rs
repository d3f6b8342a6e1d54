//! What the driver reads and the attempts write: the inbox, the journal's pages, timers, and the rows of activities.

use rusqlite::{Connection, OptionalExtension, Row, params};
use workflow_api::{ActivityError, ActivityOptions, Json, WorkflowError};

use super::{Journal, Result, RunKey, unreadable};
use crate::body::Origin;
use crate::context::{Happened, Past};

/// Rows of the inbox that one look takes.
const INBOX: i64 = 256;
/// Events that a replay reads at a time.
const PAGE: i64 = 512;
/// Timers that one transaction fires.
const TIMERS: i64 = 256;

/// A row of the inbox.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) id: i64,
    pub(crate) run: RunKey,
    pub(crate) kind: String,
    pub(crate) cmd: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) data: Option<String>,
}

/// A row of the journal.
pub(crate) struct Written {
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) cmd: Option<i64>,
    pub(crate) name: Option<String>,
    pub(crate) data: Option<String>,
}

/// An activity whose end is not in the journal.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) run: RunKey,
    pub(crate) run_id: String,
    pub(crate) seed: String,
    pub(crate) cmd: i64,
    pub(crate) name: String,
    pub(crate) input: Json,
    pub(crate) options: ActivityOptions,
    pub(crate) shielded: bool,
    /// Attempts that were begun.
    pub(crate) attempt: u32,
    /// When the next one may begin, in milliseconds since the epoch.
    pub(crate) next_at: i64,
    /// What the last one had announced.
    pub(crate) intent: Option<String>,
    /// How the last one failed.
    pub(crate) last_error: Option<ActivityError>,
    /// Why the run was cancelled.
    pub(crate) cancelled: Option<String>,
}

/// Whether an attempt may begin.
pub(crate) enum Started {
    /// It stands in the journal.
    Begun,
    /// The run was cancelled first, with the reason.
    Cancelled(String),
    /// The run has ended.
    Gone,
}

/// What happened, from its columns. Error: why nobody can read it.
pub(crate) fn happened(
    kind: &str,
    cmd: Option<i64>,
    name: Option<&str>,
    data: Option<&str>,
) -> std::result::Result<Happened, String> {
    let number = || cmd.ok_or_else(|| format!("an event `{kind}` names no command"));
    Ok(match kind {
        "start" => Happened::Start,
        "done" => {
            let result = serde_json::from_str(data.unwrap_or_default());
            Happened::Done {
                cmd: number()?,
                result: result.map_err(|error| format!("an activity's result is unreadable: {error}"))?,
            }
        }
        "fired" => Happened::Fired { cmd: number()? },
        // A signal only says that it is worth looking: one that cannot be read says so too.
        "signal" => Happened::Signal {
            name: name.unwrap_or_default().to_owned(),
            data: data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or(Json::Null),
        },
        "cancel" => Happened::Cancel { reason: data.unwrap_or_default().to_owned() },
        other => return Err(format!("the journal has an event `{other}` that this program does not know")),
    })
}

impl Written {
    /// A command, where it is one.
    pub(crate) fn asked(&self) -> Option<Past> {
        let command = matches!(self.kind.as_str(), "activity" | "timer" | "patch");
        let cmd = self.cmd.filter(|_| command)?;
        Some(Past { cmd, kind: self.kind.clone(), name: self.name.clone() })
    }
}

impl Journal {
    /// What waits in the inbox of runs that are not parked, the oldest first, and when the next timer fires.
    pub(crate) async fn look(&self) -> Result<(Vec<Arrived>, Option<i64>)> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, run, kind, cmd, name, data FROM inbox WHERE held = 0 ORDER BY id LIMIT ?1",
            )?;
            let rows = statement.query_map([INBOX], |row| {
                Ok(Arrived {
                    id: row.get(0)?,
                    run: row.get(1)?,
                    kind: row.get(2)?,
                    cmd: row.get(3)?,
                    name: row.get(4)?,
                    data: row.get(5)?,
                })
            })?;
            let arrived = rows.collect::<rusqlite::Result<_>>()?;
            let mut statement = connection.prepare_cached("SELECT min(fire_at) FROM timer")?;
            Ok((arrived, statement.query_row([], |row| row.get(0))?))
        })
        .await
    }

    pub(crate) async fn origin(&self, run: RunKey) -> Result<Option<Origin>> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, workflow, input, seed FROM run WHERE key = ?1")?;
            let row = statement.query_row([run], |row| {
                Ok(Origin { id: row.get(0)?, workflow: row.get(1)?, input: row.get(2)?, seed: row.get(3)? })
            });
            Ok(row.optional()?)
        })
        .await
    }

    /// A page of a run's journal, from event number `from`.
    pub(crate) async fn page(&self, run: RunKey, from: i64) -> Result<Vec<Written>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, at, kind, cmd, name, data FROM event WHERE run = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
            )?;
            let rows = statement.query_map(params![run, from, PAGE], |row| {
                Ok(Written {
                    seq: row.get(0)?,
                    at: row.get(1)?,
                    kind: row.get(2)?,
                    cmd: row.get(3)?,
                    name: row.get(4)?,
                    data: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Fires what is due: each leaves its row and enters the inbox in one transaction. Whether there was any.
    pub(crate) async fn fire(&self, now: i64) -> Result<bool> {
        self.write(move |connection| {
            let due = "SELECT run, cmd FROM timer WHERE fire_at <= ?1 ORDER BY fire_at, run, cmd LIMIT ?2";
            let mut statement = connection.prepare_cached(due)?;
            let due = statement.query_map(params![now, TIMERS], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let due = due.collect::<rusqlite::Result<Vec<(RunKey, i64)>>>()?;
            for (run, cmd) in &due {
                connection
                    .prepare_cached("DELETE FROM timer WHERE run = ?1 AND cmd = ?2")?
                    .execute(params![run, cmd])?;
                post(connection, *run, "fired", Some(*cmd), None, None)?;
            }
            Ok(!due.is_empty())
        })
        .await
    }

    /// Activities that have not ended, of runs that are not parked; for one that cannot be read, its run and why.
    pub(crate) async fn unfinished(&self) -> Result<Vec<std::result::Result<Ticket, (RunKey, String)>>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.run, r.id, r.seed, a.cmd, a.name, a.input, a.options, a.shielded, a.attempt, a.next_at, a.intent,
                        a.last_error, a.cancelled
                 FROM activity a JOIN run r ON r.key = a.run WHERE r.state = 'running' ORDER BY a.run, a.cmd",
            )?;
            let rows = statement.query_map([], |row| {
                let run = row.get(0)?;
                Ok(read_ticket(row).map_err(|error| (run, error.to_string())))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Writes down that an attempt begins, before it does anything.
    pub(crate) async fn begin_attempt(&self, run: RunKey, cmd: i64, attempt: u32) -> Result<Started> {
        self.write(move |connection| {
            let cancelled: Option<Option<String>> = connection
                .prepare_cached("SELECT cancelled FROM activity WHERE run = ?1 AND cmd = ?2")?
                .query_row(params![run, cmd], |row| row.get(0))
                .optional()?;
            match cancelled {
                None => return Ok(Started::Gone),
                Some(Some(reason)) => return Ok(Started::Cancelled(reason)),
                Some(None) => {}
            }
            connection
                .prepare_cached("UPDATE activity SET attempt = ?3, intent = NULL WHERE run = ?1 AND cmd = ?2")?
                .execute(params![run, cmd, attempt])?;
            Ok(Started::Begun)
        })
        .await
    }

    /// Writes down what an attempt is about to do. False when it is not the attempt that runs.
    pub(crate) async fn announce(&self, run: RunKey, cmd: i64, attempt: u32, intent: String) -> Result<bool> {
        self.write(move |connection| {
            let changed = connection
                .prepare_cached("UPDATE activity SET intent = ?4 WHERE run = ?1 AND cmd = ?2 AND attempt = ?3")?
                .execute(params![run, cmd, attempt, intent])?;
            Ok(changed == 1)
        })
        .await
    }

    /// Keeps how an attempt failed, and when the next one may begin.
    pub(crate) async fn put_off(&self, run: RunKey, cmd: i64, next_at: i64, error: String) -> Result<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("UPDATE activity SET next_at = ?3, last_error = ?4 WHERE run = ?1 AND cmd = ?2")?
                .execute(params![run, cmd, next_at, error])?;
            Ok(())
        })
        .await
    }

    /// An activity's end: its row goes and its result enters the inbox, in one transaction. Nothing where the run has ended.
    pub(crate) async fn finish(&self, run: RunKey, cmd: i64, result: String) -> Result<()> {
        self.write(move |connection| {
            let gone = connection
                .prepare_cached("DELETE FROM activity WHERE run = ?1 AND cmd = ?2")?
                .execute(params![run, cmd])?;
            if gone == 1 {
                post(connection, run, "done", Some(cmd), None, Some(result))?;
            }
            Ok(())
        })
        .await
    }
}

/// Puts something into a run's inbox; into a parked one it goes unread.
pub(super) fn post(
    connection: &Connection,
    run: RunKey,
    kind: &str,
    cmd: Option<i64>,
    name: Option<&str>,
    data: Option<String>,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO inbox (run, kind, cmd, name, data, held)
             SELECT key, ?2, ?3, ?4, ?5, state = 'parked' FROM run WHERE key = ?1",
        )?
        .execute(params![run, kind, cmd, name, data])?;
    Ok(())
}

/// A run that has ended waits for nothing.
pub(super) fn forget(connection: &Connection, run: RunKey) -> Result<()> {
    for table in ["timer", "activity", "inbox"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?.execute([run])?;
    }
    Ok(())
}

fn read_ticket(row: &Row<'_>) -> Result<Ticket> {
    let input: String = row.get(5)?;
    let options: String = row.get(6)?;
    let last_error: Option<String> = row.get(11)?;
    Ok(Ticket {
        run: row.get(0)?,
        run_id: row.get(1)?,
        seed: row.get(2)?,
        cmd: row.get(3)?,
        name: row.get(4)?,
        input: serde_json::from_str(&input).map_err(|error| unreadable("an activity's input", error))?,
        options: serde_json::from_str(&options).map_err(|error| unreadable("an activity's options", error))?,
        shielded: row.get(7)?,
        attempt: row.get(8)?,
        next_at: row.get(9)?,
        intent: row.get(10)?,
        last_error: last_error.and_then(|text| serde_json::from_str(&text).ok()),
        cancelled: row.get(12)?,
    })
}

/// The result of an activity, as the inbox keeps it.
pub(crate) fn result_text(result: &std::result::Result<Json, WorkflowError>) -> Result<String> {
    serde_json::to_string(result).map_err(|error| unreadable("an activity's result", error))
}
