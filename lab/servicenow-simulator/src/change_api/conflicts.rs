//! What stands against a change in its planned time: other changes of the same items, blackouts, and maintenance windows of
//! its items that it is outside of. Found conflicts are rows of `conflict`.
//!
//! A check that was started is in progress at the first look and done at the next.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::{change, schedule, shape};
use crate::caller::Caller;
use crate::records::{Records, parse_time};
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::simulator::{Request, Shared};

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/change/{id}/conflict", post(start).get(look).delete(cancel))
}

/// Starts a check.
async fn start(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.read(|records| {
        let row = change(records, &request.caller, &id)?;
        let planned = ["cmdb_ci", "start_date", "end_date"].iter().all(|field| !row.get(field).is_empty());
        if !planned {
            let detail = "The change request needs a configuration item, a planned start and a planned end date";
            return Err(Fail::bad("Conflict detection cannot run", Some(detail)));
        }
        Ok(())
    })?;
    simulator.checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(id.clone(), 0);
    shown(&simulator, &request, &id)
}

async fn look(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.read(|records| change(records, &request.caller, &id).map(drop))?;
    let looks = {
        let mut checks = simulator.checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        checks.get_mut(&id).map(|looks| {
            *looks += 1;
            *looks
        })
    };
    if looks == Some(2) {
        simulator.checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id);
        simulator.write(|records| check(records, &request.caller, &id))?;
    }
    shown(&simulator, &request, &id)
}

/// Status and conflicts. `job_status`: 0 waits, 1 runs, 2 is over.
fn shown(simulator: &Shared, request: &Request, id: &str) -> Answer {
    let looks = simulator.checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(id).copied();
    simulator.read(|records| {
        let row = change(records, &request.caller, id)?;
        let job = match looks {
            Some(0) => "0",
            Some(_) => "1",
            None => "2",
        };
        let found: Vec<Value> = match looks {
            Some(_) => Vec::new(),
            None => records.all("conflict", "change", id).map(|row| shape::row(records, row)).collect(),
        };
        result(json!({
            "status": row.get("conflict_status"),
            "last_run": row.get("conflict_last_run"),
            "record_count": if job == "2" { items(records, id).len().to_string() } else { "0".to_owned() },
            "job_status": job,
            "conflicts": found,
        }))
    })
}

async fn cancel(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Result<Response, Fail> {
    simulator.read(|records| change(records, &request.caller, &id).map(drop))?;
    match simulator.checks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id) {
        Some(_) => Ok(StatusCode::NO_CONTENT.into_response()),
        None => Err(Fail::bad("Conflict for change request could not be cancelled", None)),
    }
}

/// The affected items of a change.
pub(super) fn items(records: &Records, change: &str) -> BTreeSet<String> {
    records.all("task_ci", "task", change).map(|row| row.get("ci_item").to_owned()).collect()
}

/// Replaces the conflict rows of a change by what is found now.
fn check(records: &mut Records, caller: &Caller, id: &str) -> Result<(), Fail> {
    let caller = caller.with_all_rights();
    let old: Vec<String> = records.all("conflict", "change", id).map(|row| row.id().to_owned()).collect();
    for row in old {
        records.remove("conflict", &row)?;
    }
    let found = find(records, id);
    let now = records.now_text();
    for (kind, item, other, plan) in &found {
        let input = Input::of([
            ("change", id),
            ("type", kind),
            ("configuration_item", item),
            ("conflicting_change", other),
            ("schedule", plan),
            ("last_checked", now.as_str()),
        ]);
        rules::insert(records, &caller, "conflict", &input)?;
    }
    let status = if found.is_empty() { "No Conflict" } else { "Conflict" };
    let outside = found.iter().any(|(kind, ..)| *kind == "not_in_maintenance_window");
    let input = Input::of([
        ("conflict_status", status),
        ("conflict_last_run", now.as_str()),
        ("outside_maintenance_schedule", if outside { "true" } else { "false" }),
    ]);
    rules::act(records, &caller, "change_request", id, &input)
}

/// Kind, item, other change, schedule.
fn find(records: &Records, id: &str) -> Vec<(&'static str, String, String, String)> {
    let Some(row) = records.find("change_request", id) else { return Vec::new() };
    let (Some(start), Some(end)) = (parse_time(row.get("start_date")), parse_time(row.get("end_date"))) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mine = items(records, id);
    for item in &mine {
        for other in records.all("task_ci", "ci_item", item).filter(|other| other.get("task") != id) {
            let Some(change) = records.find("change_request", other.get("task")) else { continue };
            let planned = matches!(change.get("state"), "-4" | "-3" | "-2" | "-1");
            let meets = parse_time(change.get("start_date")).is_some_and(|from| from < end)
                && parse_time(change.get("end_date")).is_some_and(|to| to > start);
            if planned && meets {
                found.push(("ci_already_scheduled", item.clone(), change.id().to_owned(), String::new()));
            }
        }
        let window = records.find("cmdb_ci", item).map(|row| row.get("maintenance_schedule")).unwrap_or_default();
        if !window.is_empty()
            && !schedule::spans(records, window, start, end).any(|(from, to)| from <= start && end <= to)
        {
            found.push(("not_in_maintenance_window", item.clone(), String::new(), window.to_owned()));
        }
    }
    let first = mine.first().cloned().unwrap_or_default();
    for plan in records.all("cmn_schedule", "type", "blackout") {
        if schedule::spans(records, plan.id(), start, end).next().is_some() {
            found.push(("blackout", first.clone(), String::new(), plan.id().to_owned()));
        }
    }
    found
}
