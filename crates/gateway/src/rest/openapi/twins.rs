//! Changes under paths of their own: the same tools, arguments and results without an envelope. Next: [`super::super::changes`],
//! which answers them.

use std::sync::Arc;

use platform::Json;
use serde_json::{Map, json};
use tool_runtime::catalogue::RegisteredTool;

use super::super::changes::{ID, TWINS, Twin};
use super::super::describe;
use super::components::{self, component, header};
use super::operation::{Names, arguments, begun, by_query, goes_on, required};

/// Adds what this caller may use.
pub(super) fn add(paths: &mut Map<String, Json>, tools: &[Arc<RegisteredTool>]) {
    for twin in &TWINS {
        let Some(tool) = tools.iter().find(|tool| tool.name() == twin.tool) else { continue };
        let method = if twin.reads { "get" } else { "post" };
        let path = paths.entry(twin.path()).or_insert_with(|| json!({}));
        path[method] = operation(twin, tool);
    }
}

fn operation(twin: &Twin, tool: &RegisteredTool) -> Json {
    let names = Names::of(tool);
    let (mut schema, mut example) = (arguments(tool), describe::example(tool));
    without_id(&mut schema, &mut example);
    let mut operation = begun(tool, tool.name());
    operation.insert("x-interlock-route".to_owned(), twin.path().into());
    let mut parameters = Vec::new();
    if twin.of_one {
        parameters.push(json!({"name": ID, "in": "path", "required": true, "description": "Id of the change.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 64}}));
    }
    if twin.reads {
        parameters.extend(by_query(&schema, &example));
    } else {
        let needs = !required(&schema).is_empty();
        let body = components::embedded(&schema, &names.arguments);
        operation.insert(
            "requestBody".to_owned(),
            json!({"required": needs, "content": {"application/json": {"schema": body, "example": example}}}),
        );
    }
    if tool.risk.is_write() {
        parameters.extend(components::REFERENCES.map(|name| component("parameters", name)));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    operation.insert("responses".to_owned(), responses(twin, tool, &names));
    operation.into()
}

/// The id stands in the path.
fn without_id(schema: &mut Json, example: &mut Json) {
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.remove(ID);
    }
    if let Some(required) = schema.get_mut("required").and_then(Json::as_array_mut) {
        required.retain(|name| name != ID);
    }
    if let Some(members) = example.as_object_mut() {
        members.remove(ID);
    }
}

fn responses(twin: &Twin, tool: &RegisteredTool, names: &Names) -> Json {
    let result =
        json!({"anyOf": [component("schemas", &names.result), component("schemas", components::LARGE_RESULT)]});
    let content = json!({"application/json": {"schema": result}});
    let mut headers = Map::from_iter([header("X-Request-Id")]);
    if tool.risk.is_write() {
        headers.extend([header("Idempotency-Replayed")]);
    }
    let mut done = headers.clone();
    if twin.reads && !twin.of_one {
        done.extend([header("Link")]);
    }
    let mut responses = components::refusals();
    responses.insert("200".to_owned(), json!({"description": "Done.", "headers": done, "content": content}));
    if goes_on(tool) {
        headers.extend([header("Location"), header("Retry-After")]);
        let response =
            json!({"description": "It goes on; look at `Location`.", "headers": headers, "content": content});
        responses.insert("202".to_owned(), response);
    }
    responses.into()
}
