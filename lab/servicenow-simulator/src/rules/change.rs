//! The state model of change requests, what each state wants and causes, and change tasks.
//!
//! Normal: New, Assess, Authorize, Scheduled, Implement, Review, Closed. A standard change skips Assess and Authorize, an
//! emergency change Assess. From Authorize approvals move a change on, to Scheduled or back to New, and nobody else does.
//! Where next: [`super::approval`].

use super::{Fail, Input, act, approval, insert};
use crate::caller::Caller;
use crate::records::{Records, Row};

/// One way out of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transition {
    /// Where it leads.
    pub(crate) to: &'static str,
    /// Whether approvals take it, and nobody can ask for it.
    pub(crate) is_automatic: bool,
}

/// The ways out of a change's state, in the order of the model.
pub(crate) fn transitions(kind: &str, state: &str) -> Vec<Transition> {
    let by_hand = |to| Transition { to, is_automatic: false };
    let by_approval = |to| Transition { to, is_automatic: true };
    let mut ways = match (kind, state) {
        ("standard", "-5") => vec![by_hand("-2")],
        ("emergency", "-5") => vec![by_hand("-3")],
        (_, "-5") => vec![by_hand("-4")],
        (_, "-4") => vec![by_hand("-3")],
        (_, "-3") => vec![by_approval("-2"), by_approval("-5")],
        (_, "-2") => vec![by_hand("-1")],
        (_, "-1") => vec![by_hand("0")],
        (_, "0") => vec![by_hand("3")],
        _ => Vec::new(),
    };
    if matches!(state, "-5" | "-4" | "-3" | "-2" | "-1") {
        ways.push(by_hand("4"));
    }
    ways
}

pub(super) fn before(records: &Records, caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    if !matches!(row.get("type"), "normal" | "standard" | "emergency") {
        row.set("type", old.map_or("normal", |old| old.get("type")).to_owned());
    }
    let Some(old) = old else {
        // A change begins at the beginning, whatever is sent.
        row.set("state", "-5");
        if row.get("requested_by").is_empty() {
            row.set("requested_by", caller.user.as_str());
        }
        let kind = row.get("type").to_owned();
        let model = records.first("chg_model", "type", &kind).map(|model| model.id().to_owned());
        if row.get("chg_model").is_empty() {
            row.set("chg_model", model.unwrap_or_default());
        }
        return dates(row);
    };
    let (was, state) = (old.get("state"), row.get("state").to_owned());
    if matches!(was, "3" | "4") && !caller.is_admin() {
        return Err(Fail::acl());
    }
    if old.get("type") != row.get("type") && was != "-5" {
        return Err(stopped("The type can be changed in New only"));
    }
    dates(row)?;
    if state == was {
        return Ok(());
    }
    let way = transitions(row.get("type"), was).into_iter().find(|way| way.to == state);
    match way {
        None => return Err(stopped("The state cannot be reached from the current one")),
        Some(way) if way.is_automatic => return Err(stopped("Approvals move the change out of this state")),
        Some(_) if row.is_true("on_hold") && state != "4" => return Err(stopped("The change is on hold")),
        Some(_) => {}
    }
    entered(records, caller, row, &state);
    Ok(())
}

fn dates(row: &Row) -> Result<(), Fail> {
    let (start, end) = (row.get("start_date"), row.get("end_date"));
    if !start.is_empty() && !end.is_empty() && end <= start {
        return Err(Fail::rule("change_request", "Validate Planned Dates", "Planned end must be after planned start"));
    }
    Ok(())
}

fn stopped(why: &str) -> Fail {
    Fail::rule("change_request", "Change Model: Check State Transition", why)
}

/// What a state writes into the change itself.
fn entered(records: &Records, caller: &Caller, row: &mut Row, state: &str) {
    let now = records.now_text();
    match state {
        "-2" if row.get("type") == "standard" => row.set("approval", "approved"),
        "-1" if row.get("work_start").is_empty() => row.set("work_start", now),
        "0" if row.get("work_end").is_empty() => row.set("work_end", now),
        "3" | "4" => {
            row.set("active", "false");
            row.set("closed_at", now);
            row.set("closed_by", caller.user.as_str());
            row.set("phase_state", if state == "3" { "complete" } else { "canceled" });
        }
        _ => {}
    }
}

pub(super) fn after(records: &mut Records, caller: &Caller, old: Option<&Row>, row: &Row) -> Result<(), Fail> {
    let item = row.get("cmdb_ci");
    if !item.is_empty() && old.is_none_or(|old| old.get("cmdb_ci") != item) {
        affect(records, caller, row.id(), item)?;
    }
    let state = row.get("state");
    if old.is_none_or(|old| old.get("state") == state) {
        return Ok(());
    }
    match state {
        "-3" => approval::ask(records, row),
        "-2" if row.get("type") != "standard" => add_tasks(records, row),
        "-1" => each_task(records, row, "-5", "1"),
        "3" | "4" => {
            approval::withdraw(records, row)?;
            for open in ["-5", "1", "2"] {
                each_task(records, row, open, "4")?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Adds an affected item, once.
pub(crate) fn affect(records: &mut Records, caller: &Caller, change: &str, item: &str) -> Result<bool, Fail> {
    if records.all("task_ci", "task", change).any(|row| row.get("ci_item") == item) {
        return Ok(false);
    }
    // The caller's name stands in the row; the right to write was asked for at the change.
    let by = caller.with_all_rights();
    insert(records, &by, "task_ci", &Input::of([("task", change), ("ci_item", item)]))?;
    Ok(true)
}

/// The two tasks that the vendor's flow makes for a change that is to be carried out.
fn add_tasks(records: &mut Records, change: &Row) -> Result<(), Fail> {
    for (kind, line) in [("implementation", "Implement"), ("testing", "Post implementation testing")] {
        let input = Input::of([
            ("change_request", change.id()),
            ("parent", change.id()),
            ("short_description", line),
            ("change_task_type", kind),
            ("assignment_group", change.get("assignment_group")),
            ("state", "-5"),
            ("created_from", "workflow"),
            ("planned_start_date", change.get("start_date")),
            ("planned_end_date", change.get("end_date")),
        ]);
        insert(records, &Caller::system(), "change_task", &input)?;
    }
    Ok(())
}

fn each_task(records: &mut Records, change: &Row, from: &str, to: &str) -> Result<(), Fail> {
    let of_change = records.all("change_task", "change_request", change.id());
    let ids: Vec<String> =
        of_change.filter(|task| task.get("state") == from).map(|task| task.id().to_owned()).collect();
    for id in ids {
        act(records, &Caller::system(), "change_task", &id, &Input::of([("state", to)]))?;
    }
    Ok(())
}

pub(super) fn before_task(records: &Records, caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    if row.get("parent").is_empty() {
        let change = row.get("change_request").to_owned();
        row.set("parent", change);
    }
    let Some(old) = old else { return Ok(()) };
    let (was, state) = (old.get("state"), row.get("state").to_owned());
    if was == state {
        return Ok(());
    }
    let open = matches!((was, state.as_str()), ("-5", "1" | "2" | "4") | ("1", "2" | "3" | "4") | ("2", "3" | "4"));
    if !open {
        return Err(Fail::rule(
            "change_task",
            "Change Task State Validation",
            "The task cannot go there from its state",
        ));
    }
    if matches!(state.as_str(), "3" | "4") {
        row.set("active", "false");
        row.set("closed_at", records.now_text());
        row.set("closed_by", caller.user.as_str());
    }
    Ok(())
}
