//! Free times: the next hours in which neither a blackout nor another change of the item stands against a change.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, patch};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{change, shape};
use crate::params::Params;
use crate::records::{Records, parse_time, time_text};
use crate::reply::{Answer, Fail, result};
use crate::rules::{self, Input};
use crate::simulator::{Request, Shared};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/change/{id}/schedule", get(of_change))
        .route("/change/{id}/schedule/first_available", patch(first))
        .route("/change/ci/{item}/schedule", get(of_item))
}

/// Times of a schedule that touch `from` to `to`. One that repeats weekly is looked at a year long.
pub(super) fn spans(
    records: &Records,
    schedule: &str,
    from: Timestamp,
    to: Timestamp,
) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let mut all = Vec::new();
    for row in records.all("cmn_schedule_span", "schedule", schedule) {
        let (Some(start), Some(end)) = (parse_time(row.get("start_date_time")), parse_time(row.get("end_date_time")))
        else {
            continue;
        };
        let times = if row.get("repeat_type") == "weekly" { 53 } else { 1 };
        for week in 0..times {
            let shift = SignedDuration::from_hours(7 * 24 * week);
            if let (Ok(start), Ok(end)) = (start.checked_add(shift), end.checked_add(shift)) {
                all.push((start, end));
            }
        }
    }
    all.into_iter().filter(move |(start, end)| *start < to && *end > from)
}

/// Up to five free times of that length for an item, from `after` on, at full hours.
fn free(records: &Records, item: &str, length: SignedDuration, after: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut taken: Vec<(Timestamp, Timestamp)> = Vec::new();
    for row in records.all("task_ci", "ci_item", item) {
        let change = records
            .find("change_request", row.get("task"))
            .filter(|row| matches!(row.get("state"), "-4" | "-3" | "-2" | "-1"));
        let times = change.and_then(|row| Some((parse_time(row.get("start_date"))?, parse_time(row.get("end_date"))?)));
        taken.extend(times);
    }
    let window =
        records.find("cmdb_ci", item).map(|row| row.get("maintenance_schedule").to_owned()).unwrap_or_default();
    let mut found = Vec::new();
    let hour = (after.as_second() / 3_600 + 1) * 3_600;
    for step in 0..24 * 90 {
        let times = Timestamp::from_second(hour + step * 3_600)
            .ok()
            .and_then(|start| Some((start, start.checked_add(length).ok()?)));
        let Some((start, end)) = times else { break };
        let black = records
            .all("cmn_schedule", "type", "blackout")
            .any(|plan| spans(records, plan.id(), start, end).next().is_some());
        let inside =
            window.is_empty() || spans(records, &window, start, end).any(|(from, to)| from <= start && end <= to);
        let meets = taken.iter().any(|(from, to)| *from < end && *to > start);
        if !black && inside && !meets {
            found.push((start, end));
        }
        if found.len() == 5 {
            break;
        }
    }
    found
}

fn shown(spans: &[(Timestamp, Timestamp)]) -> Value {
    let spans: Vec<Value> = spans
        .iter()
        .map(|(start, end)| {
            let both = |at: &Timestamp| json!({ "value": time_text(*at), "display_value": time_text(*at) });
            json!({ "start": both(start), "end": both(end) })
        })
        .collect();
    json!({ "spans": spans })
}

fn worker(simulator: &Shared, request: &Request, data: Value) -> Answer {
    let id = simulator.workers.start("SCHEDULE", Vec::new(), data);
    result(simulator.workers.look(&request.base, &id).unwrap_or_default())
}

/// Planned length of a change; an hour when it has none.
async fn of_change(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    let spans = simulator.read(|records| next(records, &request, &id))?;
    worker(&simulator, &request, shown(&spans))
}

fn next(records: &Records, request: &Request, id: &str) -> Result<Vec<(Timestamp, Timestamp)>, Fail> {
    let row = change(records, &request.caller, id)?;
    let item = row.get("cmdb_ci");
    let planned = parse_time(row.get("start_date")).zip(parse_time(row.get("end_date")));
    let Some((start, end)) = planned.filter(|_| !item.is_empty()) else {
        let detail = "The change request needs a configuration item, a planned start and a planned end date";
        return Err(Fail::bad("The schedule cannot be searched", Some(detail)));
    };
    Ok(free(records, item, start.duration_until(end), records.now().max(start)))
}

async fn of_item(
    State(simulator): State<Shared>,
    request: Request,
    Path(item): Path<String>,
    params: Params,
) -> Answer {
    let seconds = params.number("duration_in_seconds").and_then(|seconds| i64::try_from(seconds).ok()).unwrap_or(3_600);
    let spans = simulator.read(|records| {
        records.find("cmdb_ci", &item).ok_or_else(Fail::no_record)?;
        let after = params.get("planned_start_time").and_then(parse_time).unwrap_or_else(|| records.now());
        Ok::<_, Fail>(free(records, &item, SignedDuration::from_secs(seconds), after))
    })?;
    worker(&simulator, &request, shown(&spans))
}

/// Moves the change to the first free time.
async fn first(State(simulator): State<Shared>, request: Request, Path(id): Path<String>) -> Answer {
    simulator.write(|records| {
        let spans = next(records, &request, &id)?;
        let (start, end) = spans.first().ok_or_else(|| Fail::bad("No available time slot", None))?;
        let input = Input::of([("start_date", &time_text(*start)), ("end_date", &time_text(*end))]);
        rules::update(records, &request.caller, "change_request", &id, &input)?;
        result(shape::row(records, change(records, &request.caller, &id)?))
    })
}
