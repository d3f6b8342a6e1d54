//! The operations: a tool's POST and, where it only reads, its GET; the list of tools; the document itself.
//! Next: [`super::components`].

use platform::Json;
use platform::policy::Risk;
use platform::resource::BaseUrl;
use serde_json::{Map, json};
use tool_runtime::catalogue::{REFERENCES_ARGUMENT, RegisteredTool};
use tool_runtime::change_gate::started_schema;

use super::super::{describe, query};
use super::components::{self, component, header};

/// The article's route, which a tool's path fills in.
const ROUTE: &str = "/api/v1/mcp/{server}/tools/{tool}";

/// Under which names a tool stands in the document.
pub(super) struct Names {
    pub(super) path: String,
    pub(super) arguments: String,
    pub(super) result: String,
    /// `catalyst_center__list_devices`, as the tool is called wherever all servers' tools stand together. A server's name
    /// has no underscore, so that no two are alike.
    operation: String,
}

impl Names {
    pub(super) fn of(tool: &RegisteredTool) -> Self {
        let (server, name) = (&tool.server.name, tool.name());
        Self {
            path: format!("/api/v1/mcp/{server}/tools/{name}"),
            arguments: format!("{server}.{name}.arguments"),
            result: format!("{server}.{name}.result"),
            operation: format!("{}__{name}", server.replace('-', "_")),
        }
    }

    /// The operation by GET.
    pub(super) fn get(&self) -> String {
        format!("get_{}", self.operation)
    }
}

/// The arguments without the references, which are headers here.
pub(super) fn arguments(tool: &RegisteredTool) -> Json {
    let mut schema = tool.published_input.as_ref().clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        properties.remove(REFERENCES_ARGUMENT);
    }
    schema
}

pub(super) fn required(schema: &Json) -> Vec<&str> {
    schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
}

/// A tool's path.
pub(super) fn path_of(base: &BaseUrl, tool: &RegisteredTool, names: &Names) -> Json {
    let schema = arguments(tool);
    let mut path = Map::from_iter([("post".to_owned(), post(base, tool, names, &schema))]);
    if let Some(get) = get(base, tool, names, &schema) {
        path.insert("get".to_owned(), get);
    }
    path.into()
}

pub(super) fn begun(tool: &RegisteredTool, operation: &str) -> Map<String, Json> {
    let spec = tool.tool.spec();
    Map::from_iter([
        ("operationId".to_owned(), operation.into()),
        ("summary".to_owned(), spec.title.into()),
        ("description".to_owned(), spec.description.into()),
        ("tags".to_owned(), json!([tool.server.name])),
        ("x-interlock-route".to_owned(), ROUTE.into()),
        ("x-interlock-risk".to_owned(), tool.risk.as_str().into()),
    ])
}

fn sample(command: &str) -> Json {
    json!([{"lang": "Shell", "label": "curl", "source": command}])
}

fn post(base: &BaseUrl, tool: &RegisteredTool, names: &Names, schema: &Json) -> Json {
    let needs = !required(schema).is_empty();
    let example = describe::example(tool);
    let mut body = json!({
        "type": "object",
        "properties": {"arguments": component("schemas", &names.arguments)},
        "additionalProperties": false,
    });
    if needs {
        body["required"] = json!(["arguments"]);
    }
    let mut operation = begun(tool, &names.operation);
    let example = json!({ "arguments": example });
    operation.insert("x-codeSamples".to_owned(), sample(&describe::post(base, tool, &example["arguments"])));
    operation.insert(
        "requestBody".to_owned(),
        json!({"required": needs, "content": {"application/json": {"schema": body, "example": example}}}),
    );
    if tool.risk.is_write() {
        let references = components::REFERENCES.map(|name| component("parameters", name));
        operation.insert("parameters".to_owned(), json!(references));
    }
    operation.insert("responses".to_owned(), responses(tool, names, false));
    operation.into()
}

/// A read by GET, of a tool that can be called so.
fn get(base: &BaseUrl, tool: &RegisteredTool, names: &Names, schema: &Json) -> Option<Json> {
    if !query::reads(tool) {
        return None;
    }
    let example = describe::example(tool);
    let parameters = by_query(schema, &example);
    let mut operation = begun(tool, &names.get());
    operation.insert("x-codeSamples".to_owned(), sample(&describe::get(base, tool, &example)));
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    operation.insert("responses".to_owned(), responses(tool, names, true));
    Some(operation.into())
}

/// Arguments as parameters of a query.
pub(super) fn by_query(schema: &Json, example: &Json) -> Vec<Json> {
    let required = required(schema);
    let properties = schema.get("properties").and_then(Json::as_object);
    properties
        .into_iter()
        .flatten()
        .filter(|(_, property)| query::carries(property))
        .map(|(name, property)| {
            let mut schema = without_null(property);
            let description = schema.as_object_mut().and_then(|s| s.remove("description"));
            let mut parameter = json!({"name": name, "in": "query", "schema": schema});
            if let Some(description) = description {
                parameter["description"] = description;
            }
            if required.contains(&name.as_str()) {
                parameter["required"] = true.into();
            }
            if let Some(value) = example.get(name) {
                parameter["example"] = value.clone();
            }
            parameter
        })
        .collect()
}

/// An argument that may be null is left out of a query instead.
fn without_null(schema: &Json) -> Json {
    let mut schema = schema.clone();
    let Some(members) = schema.as_object_mut() else { return schema };
    if let Some(Json::Array(kinds)) = members.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Json::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(Json::Array(choices)) = members.get_mut(choice) {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        }
    }
    if members.get("default").is_some_and(Json::is_null) {
        members.remove("default");
    }
    schema
}

fn responses(tool: &RegisteredTool, names: &Names, by_query: bool) -> Json {
    let mut results = vec![component("schemas", &names.result), component("schemas", components::LARGE_RESULT)];
    if matches!(tool.risk, Risk::Change | Risk::Disruptive) {
        results.push(started_schema());
    }
    let result = |status: &str| {
        json!({
            "type": "object",
            "properties": {
                "status": {"const": status},
                "result": {"anyOf": results},
                "server": {"const": tool.server.name},
                "tool": {"const": tool.name()},
            },
            "required": ["status", "result", "server", "tool"],
            "additionalProperties": false,
        })
    };
    let output = &tool.published_output;
    let is_page = output.pointer("/properties/next_cursor").is_some();
    let mut headers = Map::from_iter([header("X-Request-Id")]);
    if tool.risk.is_write() {
        headers.extend([header("Idempotency-Replayed")]);
    }
    let mut done = headers.clone();
    if is_page {
        done.extend([header("X-Total-Count")]);
        done.extend(by_query.then(|| header("Link")));
    }
    let mut responses = components::refusals();
    responses.insert(
        "200".to_owned(),
        json!({"description": "Done.", "headers": done, "content": {"application/json": {"schema": result("success")}}}),
    );
    if tool.risk.is_write() || goes_on(tool) {
        headers.extend([header("Location"), header("Retry-After")]);
        responses.insert(
            "202".to_owned(),
            json!({"description": "It goes on; look at `Location`.", "headers": headers,
                "content": {"application/json": {"schema": result("accepted")}}}),
        );
    }
    responses.into()
}

/// Whether its result says that work goes on.
pub(super) fn goes_on(tool: &RegisteredTool) -> bool {
    let status = tool.published_output.pointer("/properties/status");
    status.is_some_and(|status| status.to_string().contains("\"in_progress\""))
}

fn server_parameter(servers: &[&str]) -> Json {
    let mut parameter = json!({"name": "server", "in": "path", "required": true, "description": "Server instance.",
        "schema": {"type": "string", "enum": servers}});
    if let Some(first) = servers.first() {
        parameter["example"] = (*first).into();
    }
    parameter
}

fn answered(schema: &Json, description: &str) -> Json {
    let mut responses = components::refusals();
    responses.insert(
        "200".to_owned(),
        json!({"description": description, "headers": Map::from_iter([header("X-Request-Id")]),
            "content": {"application/json": {"schema": schema}}}),
    );
    responses.into()
}

pub(super) fn this_document() -> Json {
    let schema = json!({"type": "object", "required": ["openapi", "info", "paths"]});
    json!({"get": {
        "operationId": "get_openapi",
        "summary": "This document",
        "description": "What you may use, as an OpenAPI 3.1 document. It changes with your groups, the policy and the tools.",
        "tags": ["about"],
        "responses": answered(&schema, "The document."),
    }})
}

pub(super) fn tool_list(servers: &[&str]) -> Json {
    json!({"get": {
        "operationId": "list_tools",
        "summary": "List the tools of a server",
        "description": "Every tool of the server that you may use, with its schemas and an example.",
        "tags": ["about"],
        "parameters": [server_parameter(servers)],
        "responses": answered(&component("schemas", components::TOOL_LIST), "The tools."),
    }})
}
