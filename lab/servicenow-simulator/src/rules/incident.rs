//! Incidents and problems: priority out of impact and urgency, and where they may go from where.

use super::Fail;
use crate::caller::Caller;
use crate::records::{Records, Row};

/// The priority that impact and urgency (1 high to 3 low) make.
pub(crate) fn priority(impact: i64, urgency: i64) -> i64 {
    (impact.clamp(1, 3) + urgency.clamp(1, 3) - 1).clamp(1, 5)
}

pub(super) fn before(records: &Records, caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    let level = |field: &str| row.number(field).unwrap_or(3);
    let priority = priority(level("impact"), level("urgency"));
    row.set("priority", priority.to_string());
    // Two columns hold the state; the one that was written counts.
    let was = old.map_or("1", |old| old.get("state")).to_owned();
    if row.get("state") == was && row.get("incident_state") != was {
        let state = row.get("incident_state").to_owned();
        row.set("state", state);
    }
    let state = row.get("state").to_owned();
    row.set("incident_state", state.as_str());
    if matches!(was.as_str(), "7" | "8") && !caller.is_admin() {
        return Err(Fail::acl());
    }
    if state == was && old.is_some() {
        return Ok(());
    }
    if !matches!(state.as_str(), "1" | "2" | "3" | "6" | "7" | "8") {
        return Err(Fail::rule("incident", "Incident State Validation", "The state does not exist"));
    }
    if state == "7" && was != "6" && !caller.is_admin() {
        return Err(Fail::rule(
            "incident",
            "Incident Closed Only After Resolved",
            "Resolve the incident before it is closed",
        ));
    }
    let now = records.now_text();
    if state != "3" {
        row.set("hold_reason", "");
    }
    match state.as_str() {
        "6" => {
            row.set("resolved_at", now);
            row.set("resolved_by", caller.user.as_str());
        }
        "7" => {
            row.set("closed_at", now);
            row.set("closed_by", caller.user.as_str());
        }
        _ if was == "6" => {
            let count = row.number("reopen_count").unwrap_or(0) + 1;
            row.set("reopen_count", count.to_string());
            row.set("reopened_by", caller.user.as_str());
            row.set("reopened_time", now);
            for field in ["resolved_at", "resolved_by", "close_code", "close_notes"] {
                row.set(field, "");
            }
        }
        _ => {}
    }
    row.set("active", if matches!(state.as_str(), "7" | "8") { "false" } else { "true" });
    Ok(())
}

pub(super) fn before_problem(records: &Records, caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    let was = old.map_or("101", |old| old.get("state")).to_owned();
    if row.get("state") == was && row.get("problem_state") != was {
        let state = row.get("problem_state").to_owned();
        row.set("state", state);
    }
    let state = row.get("state").to_owned();
    row.set("problem_state", state.as_str());
    let forward = |from: &str| {
        matches!(
            (from, state.as_str()),
            (_, "107") | ("101", "102") | ("102", "103") | ("103", "104" | "106") | ("104", "106")
        )
    };
    if state != was && !forward(&was) && !(was == "106" && state == "103") {
        return Err(Fail::rule("problem", "Problem State Validation", "The problem cannot go there from its state"));
    }
    match state.as_str() {
        "106" if state != was => {
            row.set("resolved_at", records.now_text());
            row.set("resolved_by", caller.user.as_str());
        }
        "107" if state != was => {
            row.set("active", "false");
            row.set("closed_at", records.now_text());
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn priority_is_the_vendors_matrix() {
        for (impact, urgency, expected) in
            [(1, 1, 1), (1, 2, 2), (2, 1, 2), (1, 3, 3), (2, 2, 3), (3, 1, 3), (2, 3, 4), (3, 2, 4), (3, 3, 5)]
        {
            assert_eq!(super::priority(impact, urgency), expected);
        }
    }
}
