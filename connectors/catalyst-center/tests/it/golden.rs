//! What is published and answered, as snapshots: a change of a name, a schema or a shape is seen in a review.
#![cfg(test)]

use platform::Json;
use serde_json::json;

use crate::lab::Lab;

/// Times move with the clock, and what Catalyst Center prints of them.
fn settled(mut value: Json) -> Json {
    fn settle(value: &mut Json) {
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    if matches!(name.as_str(), "updated_ms" | "up_time" | "measured_at" | "last_seen_ms")
                        || matches!(member, Json::Number(_) if name == "occurrences")
                    {
                        *member = "[volatile]".into();
                    } else {
                        settle(member);
                    }
                }
            }
            Json::Array(items) => items.iter_mut().for_each(settle),
            _ => {}
        }
    }
    settle(&mut value);
    value
}

#[tokio::test]
async fn the_published_tools() {
    let lab = Lab::start().await;
    let described: Vec<Json> = lab
        .connector
        .tools()
        .iter()
        .map(|tool| {
            let spec = tool.spec();
            json!({
                "name": spec.name, "title": spec.title, "description": spec.description, "input": spec.input,
                "output": spec.output, "effect": format!("{:?}", spec.effect), "timeout_s": spec.timeout.as_secs(),
                "targets": spec.targets.iter().map(|t| t.argument).collect::<Vec<_>>(), "example": spec.example,
            })
        })
        .collect();
    assert_eq!(described.len(), 19);
    insta::assert_json_snapshot!("tools", described);
}

#[tokio::test]
async fn answers_on_the_seeded_world() {
    let lab = Lab::start().await;
    let device = lab.world.devices().iter().find(|d| d.has_configuration()).unwrap().id.to_string();
    for (name, tool, arguments) in [
        ("list_devices", "list_devices", json!({"limit": 2})),
        ("get_device", "get_device", json!({"device_id": device})),
        ("list_interfaces", "list_interfaces", json!({"device_id": device, "limit": 2})),
        ("list_sites", "list_sites", json!({"limit": 4})),
        ("list_issues", "list_issues", json!({"limit": 1})),
        ("get_network_health", "get_network_health", json!({})),
        ("get_compliance", "get_compliance", json!({"device_id": device})),
        ("run_show_commands", "run_show_commands", json!({"device_ids": [device], "commands": ["show inventory"]})),
        ("get_all_templates", "get_all_templates", json!({"project": "Campus Access"})),
        ("get_template", "get_template", json!({"template_id": lab.template("access-vlan").await})),
    ] {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_suffix(name);
        let answer = settled(lab.read(tool, arguments).await);
        settings.bind(|| insta::assert_json_snapshot!("answer", answer));
    }
}
