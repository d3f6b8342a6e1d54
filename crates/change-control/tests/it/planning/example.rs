//! The plan in `docs/changes.md` is a plan that was made: this test makes it again.

use platform::Json;
use serde_json::json;

use super::{Lab, deployment};

const PAGE: &str = include_str!("../../../../../docs/changes.md");

#[tokio::test]
async fn the_example_of_the_documentation_is_a_plan_that_was_made() {
    let lab = Lab::start().await;
    lab.template("snmp", &["snmp-server community {{ community }} RO\nvlan {{ vlan }}\n"], &["community", "vlan"]);
    let inputs = json!({"template_id": "snmp", "params": {"vlan": 20}, "secret_params": {"community": "not-shown"}});
    let (change, plan) = lab.planned(deployment(&["d1"], inputs)).await;
    let mut shown = serde_json::to_value(&plan).unwrap();
    without_what_changes(&mut shown, change.id.as_str());
    let shown = serde_json::to_string_pretty(&shown).unwrap();
    let block = PAGE.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    assert_eq!(block.trim(), shown.trim(), "docs/changes.md has to show this:\n{shown}");
}

/// Ids, times and commitments are others in every plan.
fn without_what_changes(value: &mut Json, change: &str) {
    match value {
        Json::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "commitment" | "predicted" | "digest" | "before" => *member = json!("…"),
                    "read_at_ms" | "source_at_ms" => *member = json!(0),
                    _ => without_what_changes(member, change),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| without_what_changes(item, change)),
        Json::String(text) => *text = text.replace(change, "chg-…"),
        _ => {}
    }
}
