//! T1, T10: the pipeline itself knows what an endpoint reaches, and ports are reached by the platform alone.

use std::sync::Arc;

use platform::CallContext;
use platform::audit::Outcome;
use platform::resource::Resource;
use serde_json::json;

use crate::fixture::{Lab, SERVER, code, cx, request};

fn at(resource: Resource) -> CallContext {
    CallContext { resource, ..cx() }
}

#[tokio::test]
async fn t1_an_endpoint_that_narrows_a_server_refuses_the_rest_of_it_in_the_pipeline() {
    let lab = Lab::new().await;
    let reads = || at(Resource::McpReadonly(SERVER.into()));
    assert!(lab.call_as(reads(), "read_thing", json!({})).await.is_ok());
    // A probe touches devices, so it is more than reading.
    for tool in ["add_note", "show_device", "approve_change"] {
        assert_eq!(code(lab.call_as(reads(), tool, json!({})).await), "tool_unknown", "{tool}");
        assert_eq!(lab.last_record().outcome, Outcome::Refused);
    }
    let set = at(Resource::McpToolset { server: SERVER.into(), toolset: "nonesuch".into() });
    assert_eq!(code(lab.call_as(set, "read_thing", json!({})).await), "tool_unknown");
    let other = at(Resource::McpServer("lab-2".into()));
    assert_eq!(code(lab.call_as(other, "read_thing", json!({})).await), "tool_unknown");
    for everywhere in [Resource::Mcp, Resource::Rest] {
        assert!(lab.call_as(at(everywhere), "read_thing", json!({})).await.is_ok());
    }
    assert_eq!(lab.runs(), 3);
}

#[tokio::test]
async fn t13_a_port_is_unknown_to_callers_and_takes_the_same_road_for_the_platform() {
    let lab = Lab::new().await;
    assert_eq!(lab.refused("port", json!({})).await, "tool_unknown");
    let answer = lab.road.call_port(Arc::new(cx()), request("port", json!({"text": "a"}))).await.unwrap();
    assert_eq!(answer.structured, json!({"said": {"text": "a"}}));
    let record = lab.last_record();
    assert_eq!((record.tool.unwrap().tool.as_str(), record.outcome), ("port", Outcome::Success));
    let wrong = lab.road.call_port(Arc::new(cx()), request("port", json!({"text": 7}))).await;
    assert_eq!(code(wrong), "invalid_arguments");
    let listed = lab.road.visibility().tools(&crate::fixture::alice(), SERVER).await.unwrap();
    assert!(!listed.iter().any(|t| t.name() == "port"));
}
