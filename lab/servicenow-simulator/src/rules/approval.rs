//! Approvals: rows that a change gets when it enters Authorize, one per member of the board. The first approval moves the
//! change to Scheduled, the first rejection back to New. A row is changed by its own approver; an administrator can change
//! it too, and then stands in `sys_updated_by`.

use super::{Fail, Input, act, insert, update};
use crate::caller::Caller;
use crate::records::{Records, Row};

/// Which group decides.
fn board(change: &Row) -> &'static str {
    if change.get("type") == "emergency" { "eCAB Approval" } else { "CAB Approval" }
}

/// Asks the board about a change.
pub(super) fn ask(records: &mut Records, change: &Row) -> Result<(), Fail> {
    let system = Caller::system();
    let Some(group) = records.first("sys_user_group", "name", board(change)).map(|group| group.id().to_owned()) else {
        return Ok(());
    };
    let of_group = Input::of([
        ("parent", change.id()),
        ("assignment_group", group.as_str()),
        ("approval", "requested"),
        ("short_description", "Board's approval"),
    ]);
    let ask = insert(records, &system, "sysapproval_group", &of_group)?;
    let members = records.all("sys_user_grmember", "group", &group).map(|member| member.get("user").to_owned());
    for member in members.collect::<Vec<_>>() {
        let row = Input::of([
            ("approver", member.as_str()),
            ("sysapproval", change.id()),
            ("document_id", change.id()),
            ("source_table", "change_request"),
            ("group", ask.as_str()),
            ("state", "requested"),
            ("wait_for", "first"),
        ]);
        insert(records, &system, "sysapproval_approver", &row)?;
    }
    act(records, &system, "change_request", change.id(), &Input::of([("approval", "requested")]))
}

/// Takes back what is still asked.
pub(super) fn withdraw(records: &mut Records, change: &Row) -> Result<(), Fail> {
    settle(records, change.id(), "cancelled", "cancelled")
}

/// Only the approver decides, once, about a row that was asked for.
pub(super) fn before(caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    let Some(old) = old else { return Ok(()) };
    if old.get("state") == row.get("state") {
        return Ok(());
    }
    if !caller.is_admin() && old.get("approver") != caller.user {
        return Err(Fail::acl());
    }
    let decides = matches!(row.get("state"), "approved" | "rejected" | "cancelled" | "not_required" | "requested");
    if !decides || (old.get("state") != "requested" && !caller.is_admin()) {
        return Err(Fail::rule("sysapproval_approver", "Approval State Validation", "The approval is not open"));
    }
    for field in ["approver", "sysapproval", "group"] {
        let was = old.get(field).to_owned();
        row.set(field, was);
    }
    Ok(())
}

pub(super) fn after(records: &mut Records, caller: &Caller, old: Option<&Row>, row: &Row) -> Result<(), Fail> {
    if old.is_none_or(|old| old.get("state") == row.get("state")) {
        return Ok(());
    }
    let change = row.get("sysapproval").to_owned();
    let waits = records.find("change_request", &change).is_some_and(|change| change.get("state") == "-3");
    if !waits || !matches!(row.get("state"), "approved" | "rejected") {
        return Ok(());
    }
    decide(records, caller, &change, row.get("state"))
}

/// Moves a change by its board's decision.
fn decide(records: &mut Records, caller: &Caller, change: &str, decision: &str) -> Result<(), Fail> {
    settle(records, change, "not_required", decision)?;
    let state = if decision == "approved" { "-2" } else { "-5" };
    let by = caller.with_all_rights();
    act(records, &by, "change_request", change, &Input::of([("approval", decision), ("state", state)]))
}

/// Closes open rows of a change, and its group's row.
fn settle(records: &mut Records, change: &str, open_become: &str, group_becomes: &str) -> Result<(), Fail> {
    let system = Caller::system();
    let open = |row: &&Row| row.get("state") == "requested";
    let rows: Vec<String> = records
        .all("sysapproval_approver", "sysapproval", change)
        .filter(open)
        .map(|row| row.id().to_owned())
        .collect();
    for id in rows {
        act(records, &system, "sysapproval_approver", &id, &Input::of([("state", open_become)]))?;
    }
    let asked = |row: &&Row| row.get("approval") == "requested";
    let groups: Vec<String> =
        records.all("sysapproval_group", "parent", change).filter(asked).map(|row| row.id().to_owned()).collect();
    for id in groups {
        act(records, &system, "sysapproval_group", &id, &Input::of([("approval", group_becomes)]))?;
    }
    Ok(())
}

/// Finishes what a killed process left between a decision and the change that it moves.
pub(crate) fn finish_interrupted(records: &mut Records) -> Result<(), Fail> {
    let waiting = records.all("change_request", "state", "-3").map(|change| change.id().to_owned());
    for change in waiting.collect::<Vec<_>>() {
        let decided = decision_of_open_round(records, &change);
        if let Some(decision) = decided {
            decide(records, &Caller::system(), &change, &decision)?;
        }
    }
    Ok(())
}

/// What was decided in the round that is still open, if anything was.
fn decision_of_open_round(records: &Records, change: &str) -> Option<String> {
    let mut groups = records.all("sysapproval_group", "parent", change);
    let round = groups.find(|row| row.get("approval") == "requested")?.id();
    let mut rows = records.all("sysapproval_approver", "group", round);
    let decided = rows.find(|row| matches!(row.get("state"), "approved" | "rejected"))?;
    Some(decided.get("state").to_owned())
}

/// Decides as a person, for the lab's admin door: the row is changed by its approver, as if on the vendor's own page.
pub(crate) fn decide_as(records: &mut Records, change: &str, user_name: &str, state: &str) -> Result<(), Fail> {
    let caller = Caller::of(records, user_name).ok_or_else(Fail::no_record)?;
    let found = records.first("change_request", "number", change).or_else(|| records.find("change_request", change));
    let change = found.map(|row| row.id().to_owned()).ok_or_else(Fail::no_record)?;
    let id = open_row(records, &change, &caller.user).ok_or_else(Fail::no_record)?;
    update(records, &caller, "sysapproval_approver", &id, &Input::of([("state", state)]))
}

fn open_row(records: &Records, change: &str, approver: &str) -> Option<String> {
    let mut rows = records.all("sysapproval_approver", "sysapproval", change);
    let row = rows.find(|row| row.get("approver") == approver && row.get("state") == "requested")?;
    Some(row.id().to_owned())
}
