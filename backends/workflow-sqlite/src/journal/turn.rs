//! What one event of a run commits, all of it or nothing: the event leaves the inbox, and stands in the journal with what
//! the body asked for, its activities and timers, its status, and its end where it ended.

use std::time::Duration;

use rusqlite::{Connection, params};
use workflow_api::{Json, WorkflowError};

use super::work::{self, Ticket};
use super::{Journal, Result, RunKey, unreadable};
use crate::body::Step;
use crate::context::Command;

/// One event, applied.
pub(crate) struct Turn {
    pub(crate) run: RunKey,
    pub(crate) run_id: String,
    pub(crate) seed: String,
    /// Row of the inbox that it answers.
    pub(crate) arrived: super::Arrived,
    /// Number of its first event.
    pub(crate) seq: i64,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) step: Step,
}

impl Turn {
    /// How many events it writes.
    pub(crate) fn events(&self) -> i64 {
        let end = i64::from(self.step.ended.is_some());
        i64::try_from(self.step.asked.len()).unwrap_or(i64::MAX - 2) + 1 + end
    }

    fn status(&self) -> Option<String> {
        self.step.status.as_ref().map(Json::to_string)
    }
}

impl Journal {
    /// Commits a turn and returns the activities that begin with it. `false` as its second part says that the event was not
    /// in the inbox any more: nothing was written.
    pub(crate) async fn commit(&self, turn: Turn) -> Result<(Vec<Ticket>, bool)> {
        self.write(move |connection| commit(connection, &turn)).await
    }
}

fn commit(connection: &Connection, turn: &Turn) -> Result<(Vec<Ticket>, bool)> {
    let taken = connection.prepare_cached("DELETE FROM inbox WHERE id = ?1")?.execute([turn.arrived.id])?;
    if taken != 1 {
        return Ok((Vec::new(), false));
    }
    write_events(connection, turn)?;
    if let Some(ended) = &turn.step.ended {
        end(connection, turn, ended)?;
        return Ok((Vec::new(), true));
    }
    if turn.arrived.kind == "cancel" {
        // Durable with the event: an activity that is recovered after a crash knows that it is cancelled.
        connection
            .prepare_cached("UPDATE activity SET cancelled = ?2 WHERE run = ?1 AND shielded = 0 AND cancelled IS NULL")?
            .execute(params![turn.run, turn.arrived.data.as_deref().unwrap_or_default()])?;
    }
    for (cmd, command) in &turn.step.asked {
        if let Command::Timer { wait } = command {
            connection
                .prepare_cached("INSERT INTO timer (run, cmd, fire_at) VALUES (?1, ?2, ?3)")?
                .execute(params![turn.run, cmd, turn.at.saturating_add(milliseconds(*wait))])?;
        }
    }
    // After the new ones: a wait may be over in the step that began it.
    for cmd in &turn.step.dropped {
        connection.prepare_cached("DELETE FROM timer WHERE run = ?1 AND cmd = ?2")?.execute(params![turn.run, cmd])?;
    }
    let begun: Vec<Ticket> = turn.step.asked.iter().filter_map(|(cmd, command)| ticket(turn, *cmd, command)).collect();
    for ticket in &begun {
        connection
            .prepare_cached(
                "INSERT INTO activity (run, cmd, name, input, options, shielded) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                ticket.run,
                ticket.cmd,
                ticket.name,
                ticket.input.to_string(),
                text(&ticket.options)?,
                ticket.shielded
            ])?;
    }
    connection
        .prepare_cached("UPDATE run SET status = coalesce(?2, status), updated_at = ?3 WHERE key = ?1")?
        .execute(params![turn.run, turn.status(), turn.at])?;
    Ok((begun, true))
}

/// What happened, what the body asked for, and its end.
fn write_events(connection: &Connection, turn: &Turn) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO event (run, seq, at, kind, cmd, name, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut seq = turn.seq;
    let mut put = |kind: &str, cmd: Option<i64>, name: Option<&str>, data: Option<&str>| -> Result<()> {
        statement.execute(params![turn.run, seq, turn.at, kind, cmd, name, data])?;
        seq += 1;
        Ok(())
    };
    let arrived = &turn.arrived;
    put(&arrived.kind, arrived.cmd, arrived.name.as_deref(), arrived.data.as_deref())?;
    for (cmd, command) in &turn.step.asked {
        // For whoever reads a journal: a replay compares kind and name.
        let data = match command {
            Command::Activity { options, shielded, .. } => {
                Some(serde_json::json!({ "effect": options.effect, "shielded": shielded }).to_string())
            }
            Command::Timer { wait } => Some(milliseconds(*wait).to_string()),
            Command::Patch { .. } => None,
        };
        put(command.kind(), Some(*cmd), command.name(), data.as_deref())?;
    }
    if turn.step.ended.is_some() {
        put("end", None, None, None)?;
    }
    Ok(())
}

fn milliseconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

fn end(connection: &Connection, turn: &Turn, ended: &std::result::Result<Json, WorkflowError>) -> Result<()> {
    let state = match ended {
        Ok(_) => "completed",
        Err(WorkflowError::Cancelled(_)) => "cancelled",
        Err(_) => "failed",
    };
    connection
        .prepare_cached(
            "UPDATE run SET state = ?2, result = ?3, status = coalesce(?4, status), updated_at = ?5 WHERE key = ?1",
        )?
        .execute(params![turn.run, state, text(ended)?, turn.status(), turn.at])?;
    work::forget(connection, turn.run)
}

fn ticket(turn: &Turn, cmd: i64, command: &Command) -> Option<Ticket> {
    let Command::Activity { name, input, options, shielded } = command else { return None };
    Some(Ticket {
        run: turn.run,
        run_id: turn.run_id.clone(),
        seed: turn.seed.clone(),
        cmd,
        name: (*name).to_owned(),
        input: input.clone(),
        options: options.clone(),
        shielded: *shielded,
        attempt: 0,
        next_at: 0,
        intent: None,
        last_error: None,
        cancelled: None,
    })
}

fn text(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| unreadable("a value cannot be written", error))
}
