//! What the platform answers about a change, as the tale tells it: a few lines, or an error when the change is not where the
//! tale has it. Next: `changes`, which tells them.

use platform::{Error, Json};

use super::chapters::{interrupted, short};
use crate::decide::Decided;

pub(super) fn is_over(state: &str) -> bool {
    ["done", "rejected", "undone", "undo_failed", "voided", "stale", "cancelled", "expired", "held", "parked"]
        .contains(&state)
}

pub(super) fn expect(view: &Json, state: &str) -> Result<(), Error> {
    if view["state"] == state {
        return Ok(());
    }
    let (trouble, id) = (short(&view["trouble"]), short(&view["change_id"]));
    Err(interrupted(format!("the change {id} is {} and not {state}: {trouble}", short(&view["state"]))))
}

/// What an approver saw, and what the page said.
pub(super) fn seen(decided: &Decided) -> Vec<String> {
    let mut lines = decided.warnings.clone();
    for group in &decided.groups {
        lines.push(group.devices.join(", "));
        lines.extend(group.difference.iter().map(|line| format!("  {line}")));
    }
    lines.push(decided.said.clone());
    lines
}

/// Where a change has been, in one line.
pub(super) fn history(view: &Json) -> Vec<String> {
    let steps = view["history"].as_array().into_iter().flatten();
    let mut states: Vec<&str> = steps.filter_map(|step| step["to"].as_str()).collect();
    states.dedup();
    vec![states.join(" → ")]
}

/// A line for each device: where it is, and which checks did not pass.
pub(super) fn devices(view: &Json) -> Vec<String> {
    let of_device = |device: &Json| {
        let checks = device["checks"].as_array().cloned().unwrap_or_default();
        let failed: Vec<&str> =
            checks.iter().filter(|c| c["result"] != "passed").filter_map(|c| c["name"].as_str()).collect();
        let passed = checks.len() - failed.len();
        let failed = if failed.is_empty() { String::new() } else { format!(", not passed: {}", failed.join(", ")) };
        let text = |name: &str| device[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {}; {passed} checks passed{failed}", text("hostname"), text("state"))
    };
    view["devices"].as_array().into_iter().flatten().map(of_device).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{devices, expect, history};

    #[test]
    fn a_change_reads_as_a_few_lines() {
        let view = json!({"state": "undone", "change_id": "chg-1", "trouble": {"code": "x"},
            "history": [{"to": "planning"}, {"to": "soaking"}, {"to": "soaking"}, {"to": "done"}],
            "devices": [{"hostname": "a", "state": "restored",
                "checks": [{"name": "one", "result": "passed"}, {"name": "two", "result": "failed"}]}]});
        assert_eq!(history(&view), ["planning → soaking → done"]);
        assert_eq!(devices(&view), ["a: restored; 1 checks passed, not passed: two"]);
        let told = expect(&view, "done").unwrap_err();
        assert!(told.message().contains("undone") && told.message().contains("chg-1"), "{told}");
    }
}
