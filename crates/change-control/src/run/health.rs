//! Whether what a check sees is worse than before the change. The configuration was compared before, line by line: what the
//! change itself took out of service, or took away, is no failure here.

use platform::Json;
use serde_json::json;

/// What is worse, one entry each, as people may see it.
pub(super) fn worse(check: &str, before: &Json, now: &Json) -> Vec<Json> {
    match check {
        "reachability" => unreachable(before, now),
        "interfaces" => went_down(before, now),
        "neighbors" => lost(before, now),
        "issues" => added(before, now),
        _ if before == now => Vec::new(),
        _ => vec![json!({"before": before, "now": now})],
    }
}

/// It answered and does not.
fn unreachable(before: &Json, now: &Json) -> Vec<Json> {
    let answers = |seen: &Json| seen.get("answers").and_then(Json::as_bool);
    if answers(before) == Some(false) || answers(now) == Some(true) { Vec::new() } else { vec![json!({"now": now})] }
}

/// Interfaces that were up, are not, and are meant to be.
fn went_down(before: &Json, now: &Json) -> Vec<Json> {
    let is = |row: &Json, member: &str, value: &str| {
        row.get(member).and_then(Json::as_str).is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let mut worse = Vec::new();
    for (name, was) in before.as_object().into_iter().flatten() {
        let Some(row) = now.get(name) else { continue };
        if is(was, "status", "up") && is(row, "admin", "up") && !is(row, "status", "up") {
            worse.push(json!({"interface": name, "before": was, "now": row}));
        }
    }
    worse
}

/// Neighbours that were seen on a port, and are not or are others.
fn lost(before: &Json, now: &Json) -> Vec<Json> {
    let mut worse = Vec::new();
    for (port, was) in before.as_object().into_iter().flatten() {
        let same = |row: &Json| row.get("device") == was.get("device") && row.get("device_id") == was.get("device_id");
        if !now.get(port).is_some_and(same) {
            worse.push(json!({"port": port, "before": was, "now": now.get(port)}));
        }
    }
    worse
}

/// Issues that were not there.
fn added(before: &Json, now: &Json) -> Vec<Json> {
    let mut known: Vec<&Json> = before.as_array().into_iter().flatten().collect();
    let mut worse = Vec::new();
    for issue in now.as_array().into_iter().flatten() {
        match known.iter().position(|old| *old == issue) {
            Some(at) => drop(known.swap_remove(at)),
            None => worse.push(issue.clone()),
        }
    }
    worse
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::worse;

    #[test]
    fn an_interface_is_worse_when_it_was_up_is_meant_to_be_and_is_not() {
        let up = json!({"admin": "UP", "status": "up"});
        let before = json!({"Gi1": up, "Gi2": up, "Gi3": up, "Gi4": {"admin": "UP", "status": "down"}});
        let now = json!({
            "Gi1": {"admin": "UP", "status": "down"}, "Gi2": {"admin": "DOWN", "status": "down"},
            "Gi4": {"admin": "UP", "status": "down"},
        });
        let found = worse("interfaces", &before, &now);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["interface"], "Gi1");
    }

    #[test]
    fn a_neighbour_is_worse_when_it_is_gone_or_another() {
        let before = json!({"Gi1": {"device": "a", "port": "1"}, "Gi2": {"device": "b"}, "Gi3": {"device": "c"}});
        let now = json!({"Gi1": {"device": "a", "port": "2"}, "Gi2": {"device": "x"}, "Gi9": {"device": "z"}});
        assert_eq!(worse("neighbors", &before, &now).len(), 2);
    }

    #[test]
    fn reachability_issues_and_the_rest() {
        assert!(worse("reachability", &json!({"answers": true}), &json!({"answers": true})).is_empty());
        assert_eq!(worse("reachability", &json!({"answers": true}), &json!({"answers": false})).len(), 1);
        assert!(worse("reachability", &json!({"answers": false}), &json!({"answers": false})).is_empty());
        let (one, two) = (json!({"name": "a"}), json!({"name": "b"}));
        assert_eq!(worse("issues", &json!([one]), &json!([one, two, one])).len(), 2);
        assert_eq!(worse("compliance", &json!({"status": "ok"}), &json!({"status": "bad"})).len(), 1);
        assert!(worse("compliance", &json!({"status": "ok"}), &json!({"status": "ok"})).is_empty());
    }
}
