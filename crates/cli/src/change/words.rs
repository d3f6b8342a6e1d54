//! A change on a terminal. What devices, people and tickets say may hold anything; a terminal is never told to do things.

use std::io::IsTerminal as _;

use platform::Json;

use super::text;
use crate::table::table;

const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const END: &str = "\u{1b}[0m";

/// Whether standard output is a terminal that wants colours (<https://no-color.org>).
pub(super) fn terminal_has_colours() -> bool {
    let unwanted = platform::config::environment().iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
    std::io::stdout().is_terminal() && !unwanted
}

/// A text without what commands a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time without its fraction of a second.
pub(super) fn moment(rfc_3339: &str) -> String {
    match rfc_3339.split_once('.') {
        Some((whole, _)) => format!("{}Z", plain(whole)),
        None => plain(rfc_3339),
    }
}

fn cell(value: &Json) -> String {
    plain(&text(value))
}

fn list(value: &Json) -> impl Iterator<Item = &Json> {
    value.as_array().into_iter().flatten()
}

/// A change for people.
pub(super) fn change(change: &Json) -> String {
    let mut lines = vec![format!("{}  {}", cell(&change["change_id"]), cell(&change["title"]))];
    let mut line = |label: &str, value: String| lines.push(format!("  {label:<10} {value}"));
    line("state", format!("{}. {}", cell(&change["state"]), cell(&change["message"])));
    line("server", format!("{} ({})", cell(&change["server"]), cell(&change["change_type"])));
    line("asked by", format!("{}: {}", cell(&change["requested_by"]), cell(&change["reason"])));
    if change["risk"].is_string() {
        line("risk", cell(&change["risk"]));
    }
    if change["plan_hash"].is_string() {
        line("plan", cell(&change["plan_hash"]));
    }
    if change["undoes"].is_string() {
        line("undoes", cell(&change["undoes"]));
    }
    let submission = &change["submission"];
    if submission.is_object() {
        let window = [&submission["not_before"], &submission["not_after"]].map(|at| moment(&text(at)));
        line("window", window.join(" to "));
        if submission["ticket"].is_string() {
            line("ticket", cell(&submission["ticket"]));
        }
    }
    for approval in list(&change["approvals"]) {
        let (by, verdict) = (cell(&approval["by"]), cell(&approval["verdict"]));
        line(
            "decision",
            format!("{verdict} by {by} at {}: {}", moment(&text(&approval["at"])), cell(&approval["reason"])),
        );
    }
    if change["cancel"].is_object() {
        let cancel = &change["cancel"];
        line("stop", format!("{} by {}: {}", cell(&cancel["mode"]), cell(&cancel["by"]), cell(&cancel["reason"])));
    }
    if change["trouble"].is_object() {
        line("trouble", cell(&change["trouble"]["code"]));
    }
    line("page", cell(&change["url"]));
    let rows: Vec<Vec<String>> = list(&change["devices"]).map(device).collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(table(&["device", "batch", "state", "lines", "undo", "last write"], &rows));
    }
    lines.extend(list(&change["devices"]).flat_map(details));
    if let Some(next) = change["next"].as_object() {
        let (tool, arguments) = (next.get("tool").map(cell).unwrap_or_default(), next.get("arguments"));
        lines.push(String::new());
        lines.push(format!("next: {}", command(&tool, &text(&change["change_id"]), arguments)));
    }
    lines.join("\n")
}

fn device(device: &Json) -> Vec<String> {
    let name = if device["hostname"].is_string() { &device["hostname"] } else { &device["device_id"] };
    let number = |value: &Json| value.as_u64().map_or("-".to_owned(), |n| n.to_string());
    vec![
        cell(name),
        number(&device["batch"]),
        cell(&device["state"]),
        number(&device["changed_lines"]),
        cell(&device["undo"]),
        moment(&text(&device["last_write_at"])),
    ]
}

/// What a device said, what failed there, and what has to be done by hand.
fn details(device: &Json) -> Vec<String> {
    let name = cell(if device["hostname"].is_string() { &device["hostname"] } else { &device["device_id"] });
    let failed = list(&device["checks"]).filter(|check| check["result"] != "passed").map(|check| {
        format!(
            "  {name}: check {} {}: {}",
            cell(&check["name"]),
            cell(&check["result"]),
            plain(&check["detail"].to_string())
        )
    });
    let said = list(&device["device_errors"]).map(|line| format!("  {name} says: {}", cell(line)));
    let by_hand = list(&device["by_hand"]).map(|line| format!("  {name} by hand: {}", cell(line)));
    failed.chain(said).chain(by_hand).collect()
}

/// The command that makes the next call; of `plan_change` only an agent knows the rest.
fn command(tool: &str, id: &str, arguments: Option<&Json>) -> String {
    let id = plain(id);
    match tool {
        "submit_change" => format!("interlock change diff {id}, then interlock change submit {id}"),
        "undo_change" => format!("interlock change undo {id} --reason TEXT"),
        "settle_change" => format!("interlock change settle {id} --outcome done|not-done --reason TEXT"),
        "get_change" => format!("interlock change show {id} --wait"),
        "get_evidence" => format!("interlock change evidence get {id}"),
        "plan_change" => "interlock change plan, once more".to_owned(),
        _ => format!("{tool} {}", arguments.map(ToString::to_string).map(|text| plain(&text)).unwrap_or_default()),
    }
}

/// A plan's difference for people, in colour where `colour` says so.
pub(super) fn difference(plan: &Json, colour: bool) -> String {
    let paint = |line: &str| {
        let line = plain(line);
        let with = match line.chars().next() {
            Some('@') => BOLD,
            Some('+') => GREEN,
            Some('-') => RED,
            Some('!') => YELLOW,
            _ => return line,
        };
        if colour { format!("{with}{line}{END}") } else { line }
    };
    let mut lines: Vec<String> = text(&plan["diff"]).lines().map(paint).collect();
    let order: Vec<String> =
        list(&plan["order"]).map(|batch| list(batch).map(cell).collect::<Vec<_>>().join(", ")).collect();
    lines.push(String::new());
    lines.push(format!("order      {}", order.join("; then ")));
    lines.push(format!(
        "stops      {} when more than {} % fail; a device that is not as planned: {}",
        cell(&plan["on_stop"]),
        plan["max_fail_percentage"],
        cell(&plan["on_stale"])
    ));
    let estimates = &plan["estimates"];
    lines.push(format!(
        "takes      {} s, undo {} s; checks go on for {} s; startup configuration saved: {}",
        estimates["apply_s"],
        estimates["undo_s"],
        plan["soak_s"],
        cell(&plan["save_startup"])
    ));
    lines.push(format!("plan hash  {}", cell(&plan["plan_hash"])));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use platform::Json;
    use serde_json::json;

    use super::{change, difference};

    fn sample() -> Json {
        json!({"change_id": "chg-1", "title": "Guests \u{1b}[2J on two switches", "state": "held", "status": "waiting",
            "message": "It stands still with its devices locked, and waits for a person.", "server": "catalyst-center",
            "change_type": "template_deployment", "requested_by": "alice", "reason": "CHG0030001", "risk": "change",
            "plan_hash": "ab12", "undoes": null, "url": "https://h/changes/chg-1", "cancel": null,
            "trouble": {"code": "device_failed", "message": "m", "detail": null},
            "submission": {"digest": "d", "ticket": null, "not_before": "2026-08-01T10:00:00.25Z", "not_after": "2026-08-08T10:00:00Z"},
            "approvals": [{"by": "bob", "verdict": "approve", "reason": "reviewed", "at": "2026-08-01T10:05:00Z"}],
            "devices": [
                {"device_id": "1", "hostname": "sw-1", "batch": 1, "state": "verified", "changed_lines": 3, "undo": "generated",
                    "last_write_at": "2026-08-01T10:06:00Z", "checks": [], "device_errors": [], "by_hand": []},
                {"device_id": "2", "hostname": null, "batch": 2, "state": "failed", "changed_lines": 3, "undo": "generated",
                    "last_write_at": null, "checks": [{"name": "neighbors", "result": "failed", "detail": {"lost": 1}}],
                    "device_errors": ["% Invalid input"], "by_hand": ["no vlan 20"]}],
            "next": {"tool": "undo_change", "arguments": {"change_id": "chg-1"}}})
    }

    #[test]
    fn a_change_reads_from_its_state_to_the_next_command_and_cannot_command_the_terminal() {
        insta::assert_snapshot!(change(&sample()));
    }

    #[test]
    fn a_difference_is_coloured_by_its_signs_and_only_where_it_may_be() {
        let plan = json!({"diff": "@@ sw-1 (1 device, risk change) @@\n interface Vlan1\n+ shutdown\n- no shutdown\n! danger (vty): x\u{1b}[2J",
            "order": [["sw-1", "sw-2"], ["sw-3"]], "on_stop": "undo", "on_stale": "stop", "max_fail_percentage": 0, "soak_s": 60,
            "save_startup": "after_soak", "estimates": {"apply_s": 90, "undo_s": 80}, "plan_hash": "ab12"});
        let bare = difference(&plan, false);
        assert!(!bare.contains('\u{1b}'));
        insta::assert_snapshot!(bare);
        let coloured = difference(&plan, true);
        assert!(
            coloured.contains("\u{1b}[32m+ shutdown\u{1b}[0m") && coloured.contains("\u{1b}[31m- no shutdown\u{1b}[0m")
        );
        assert!(!coloured.contains("[2J") || coloured.contains("\u{fffd}[2J"));
    }
}
