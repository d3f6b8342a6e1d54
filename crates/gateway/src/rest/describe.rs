//! A tool as REST shows it, with an example that can be pasted into a shell. Next: [`super::openapi`], which writes the
//! same into its document.

use api::Tool;
use platform::Json;
use platform::resource::BaseUrl;
use serde_json::{Map, json};
use tool_runtime::catalogue::{REFERENCES_ARGUMENT, RegisteredTool};

use super::query;

/// What a connector writes where only the lab, or the reader, knows the value.
const ANY: &str = "…";

pub(super) fn tool(base: &BaseUrl, tool: &RegisteredTool) -> Tool {
    let spec = tool.tool.spec();
    let example = example(tool);
    Tool {
        name: spec.name.to_owned(),
        title: spec.title.to_owned(),
        description: spec.description.to_owned(),
        risk: tool.risk.as_str().to_owned(),
        input_schema: tool.published_input.as_ref().clone(),
        output_schema: tool.published_output.as_ref().clone(),
        curl: post(base, tool, &example),
        example,
    }
}

/// The connector's example, with a placeholder, `<name>`, for every argument that is needed and has no value there.
pub(super) fn example(tool: &RegisteredTool) -> Json {
    let given = tool.tool.spec().example.as_ref().and_then(Json::as_object).cloned().unwrap_or_default();
    let mut example: Map<String, Json> =
        given.into_iter().map(|(name, value)| (name.clone(), filled(&name, value))).collect();
    let required = tool.published_input.get("required").and_then(Json::as_array);
    for name in required.into_iter().flatten().filter_map(Json::as_str) {
        example.entry(name).or_insert_with(|| placeholder(name));
    }
    Json::Object(example)
}

/// The placeholder of the argument in place of what only the reader knows, also in a list.
fn filled(name: &str, value: Json) -> Json {
    match value {
        Json::String(text) if text == ANY => placeholder(name),
        Json::Array(items) => items.into_iter().map(|item| filled(name, item)).collect(),
        value => value,
    }
}

fn placeholder(name: &str) -> Json {
    Json::from(format!("<{name}>"))
}

/// The call by POST, as a command. A write names its key, because a repeat of it should be one.
pub(super) fn post(base: &BaseUrl, tool: &RegisteredTool, example: &Json) -> String {
    let mut command = begin(base, tool, "");
    command.push_str(" \\\n  -H 'Content-Type: application/json'");
    if tool.published_input.pointer(&format!("/properties/{REFERENCES_ARGUMENT}")).is_some() {
        command.push_str(" \\\n  -H 'Idempotency-Key: one-of-your-own-per-call'");
    }
    command.push_str(&format!(" \\\n  -d {}", quoted(&json!({ "arguments": example }).to_string())));
    command
}

/// The call by GET, as a command, with those arguments of the example that a query can carry.
pub(super) fn get(base: &BaseUrl, tool: &RegisteredTool, example: &Json) -> String {
    let mut command = begin(base, tool, "-G ");
    let carried = |name: &str| query::carries(&tool.published_input["properties"][name]);
    for (name, value) in example.as_object().into_iter().flatten().filter(|(name, _)| carried(name)) {
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            command.push_str(&format!(" \\\n  --data-urlencode {}", quoted(&format!("{name}={text}"))));
        }
    }
    command
}

fn begin(base: &BaseUrl, tool: &RegisteredTool, options: &str) -> String {
    let url = quoted(&format!("{base}/api/v1/mcp/{}/tools/{}", tool.server.name, tool.name()));
    format!("curl -sS --fail-with-body {options}{url} \\\n  -H \"Authorization: Bearer $INTERLOCK_TOKEN\"")
}

/// One word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quote_in_an_example_does_not_end_its_word() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
