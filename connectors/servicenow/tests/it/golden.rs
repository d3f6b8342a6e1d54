//! Snapshots: what is published about the tools and ports, and answers of the simulated instance.
#![cfg(test)]

use platform::Json;
use serde_json::json;

use crate::lab::Lab;

#[tokio::test]
async fn the_published_tools_are_as_written() {
    let lab = Lab::start().await;
    let catalogue = lab.rig.pipeline.visibility().catalogue();
    let server = catalogue.server(crate::lab::NAME).unwrap();
    let tools: Vec<Json> = server
        .tools()
        .map(|tool| {
            let spec = tool.tool.spec();
            json!({"name": spec.name, "title": spec.title, "description": spec.description, "risk": tool.risk,
                "input": spec.input, "output": spec.output})
        })
        .collect();
    insta::assert_json_snapshot!("tools", tools);
}

/// What differs from run to run: ids, numbers of calls and times.
fn settled(value: Json) -> Json {
    match value {
        Json::String(text) if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => "<id>".into(),
        Json::String(text) if text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' => "<time>".into(),
        Json::Array(items) => items.into_iter().map(settled).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, settled(value))).collect(),
        other => other,
    }
}

#[tokio::test]
async fn answers_are_as_written() {
    let lab = Lab::start().await;
    let first = |page: &Json, member: &str| page["items"][0][member].as_str().unwrap().to_owned();
    let incidents = lab.read("list_incidents", json!({"state": "resolved", "limit": 1})).await;
    let incident = first(&incidents, "number");
    let changes = lab.read("list_change_requests", json!({"state": "scheduled", "limit": 1})).await;
    let change = first(&changes, "number");
    for (tool, arguments) in [
        ("get_incident", json!({"incident": incident})),
        ("get_change_request", json!({"change_request": change})),
        ("list_users", json!({"user_name": "alice"})),
        ("list_configuration_items", json!({"class": "cmdb_ci_ip_router", "limit": 1})),
        ("list_change_templates", json!({"limit": 1})),
    ] {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_suffix(tool);
        let answer = settled(lab.read(tool, arguments).await);
        settings.bind(|| insta::assert_json_snapshot!("answer", answer));
    }
}
