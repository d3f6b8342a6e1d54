//! The tools, and those that answer at once or tell something on the way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp::content::{Body, Content, ResourceContents};
use mcp::logging::{LogLevel, LogMessage};
use mcp::progress::ProgressReport;
use mcp::{CallReply, Change, ToolAnnotations, ToolCall, ToolDescription};
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};

use crate::{Fixture, said};

/// The tool whose argument is repeated in a header.
pub(crate) const HEADER_TOOL: &str = "test_header_parameter";

/// The pause between two messages of one call, as the scenarios ask for it.
const PAUSE: Duration = Duration::from_millis(50);

/// A red pixel: PNG, 1 × 1.
pub(crate) const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8,
    2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, b'I', b'D', b'A', b'T', 8, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0,
    3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Silence: WAV, no sample.
const SILENCE: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";

/// Name and description; tools without arguments of their own.
const PLAIN: [(&str, &str); 28] = [
    ("test_simple_text", "Answers with a text."),
    ("test_image_content", "Answers with an image."),
    ("test_audio_content", "Answers with a sound."),
    ("test_embedded_resource", "Answers with a resource."),
    ("test_multiple_content_types", "Answers with a text, an image and a resource."),
    ("test_error_handling", "Fails on purpose."),
    ("test_tool_with_progress", "Tells how far it is, three times."),
    ("test_tool_with_logging", "Logs three messages."),
    ("test_logging_tool", "Logs one message."),
    ("test_reconnection", "Answers with a text; this server keeps no stream to come back to."),
    ("test_trigger_tool_change", "Changes the list of tools."),
    ("test_trigger_prompt_change", "Changes the list of prompts."),
    ("test_missing_capability", "Needs a caller that declares sampling."),
    ("test_elicitation_sep1034_defaults", "Asks with a form that has defaults."),
    ("test_elicitation_sep1330_enums", "Asks with a form that has choices."),
    ("test_streaming_elicitation", "Asks for a name."),
    ("test_input_required_result_elicitation", "Asks for a name."),
    ("test_input_required_result_sampling", "Asks the caller's model."),
    ("test_input_required_result_list_roots", "Asks for the caller's roots."),
    ("test_input_required_result_request_state", "Asks, and hands out a state."),
    ("test_input_required_result_multiple_inputs", "Asks three things at once."),
    ("test_input_required_result_multi_round", "Asks twice."),
    ("test_input_required_result_tampered_state", "Asks, and hands out a state that nobody can change."),
    ("test_input_required_result_capabilities", "Asks only what the caller declared."),
    ("failing_job", "A task that ends with a failure of the tool."),
    ("protocol_error_job", "A task that ends with a failure of the protocol."),
    ("multi_input", "A task that asks two things."),
    ("test_tool_with_task", "Asks for a name, then goes on as a task."),
];

/// All tools, in a fixed order; the last one comes and goes.
pub(crate) fn list(with_extra: bool) -> Arc<[ToolDescription]> {
    let none = || object(json!({"type": "object", "additionalProperties": true}));
    let text = |names: &[&str]| {
        let properties: Map<String, Json> =
            names.iter().map(|n| ((*n).to_owned(), json!({"type": "string"}))).collect();
        object(json!({"type": "object", "properties": properties}))
    };
    let mut tools: Vec<_> = PLAIN.iter().map(|(name, what)| tool(name, what, none())).collect();
    tools.extend([
        tool("test_sampling", "Asks the caller's model to complete `prompt`.", text(&["prompt"])),
        tool("test_elicitation", "Asks the person with `message`.", text(&["message"])),
        tool("json_schema_2020_12_tool", "Has a schema with everything that 2020-12 brought.", schema_2020_12()),
        tool(HEADER_TOOL, "Has an argument that a header repeats.", header_schema()),
        tool("greet", "Greets `name` at once.", text(&["name"])),
        tool(
            "slow_compute",
            "A task that takes `seconds`.",
            object(
                json!({"type": "object", "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}}}),
            ),
        ),
        tool("confirm_delete", "A task that asks before it deletes nothing.", text(&["filename"])),
    ]);
    if with_extra {
        tools.push(tool("test_extra", "Comes and goes.", none()));
    }
    tools.into()
}

fn tool(name: &str, description: &str, input_schema: Arc<Map<String, Json>>) -> ToolDescription {
    ToolDescription {
        name: name.to_owned(),
        title: None,
        description: description.to_owned(),
        input_schema,
        output_schema: None,
        annotations: ToolAnnotations { read_only: true, destructive: false, idempotent: true, open_world: false },
    }
}

fn object(value: Json) -> Arc<Map<String, Json>> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

pub(crate) fn header_schema() -> Arc<Map<String, Json>> {
    object(json!({"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}))
}

/// The schema of the suite's scenario `json-schema-2020-12`, word for word: it checks that nothing of it is lost.
fn schema_2020_12() -> Arc<Map<String, Json>> {
    object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    }))
}

/// A part of a resource that is text.
pub(crate) fn text_part(uri: &str, mime_type: &str, text: &str) -> ResourceContents {
    ResourceContents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body: Body::Text(text.to_owned()) }
}

/// The red pixel as a block.
pub(crate) fn image() -> Content {
    Content::Image { data: PIXEL.to_vec(), mime_type: "image/png".to_owned() }
}

/// Answers the tools that ask nothing and are no task.
pub(crate) async fn call(fixture: &Fixture, call: ToolCall) -> CallReply {
    let blocks = |blocks| CallReply::Content { blocks, structured: None };
    match call.name.as_str() {
        "test_simple_text" => said("This is a simple text response for testing."),
        "test_image_content" => blocks(vec![image()]),
        "test_audio_content" => {
            blocks(vec![Content::Audio { data: SILENCE.to_vec(), mime_type: "audio/wav".to_owned() }])
        }
        "test_embedded_resource" => blocks(vec![Content::Resource(text_part(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content.",
        ))]),
        "test_multiple_content_types" => blocks(vec![
            Content::Text("Multiple content types test:".to_owned()),
            image(),
            Content::Resource(text_part(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#,
            )),
        ]),
        "test_error_handling" => CallReply::Refused(Error::new(
            ErrorKind::Upstream,
            "test_error",
            "This tool intentionally returns an error for testing",
        )),
        "test_tool_with_progress" => with_progress(&call).await,
        "test_tool_with_logging" => {
            for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(&call, text);
                tokio::time::sleep(PAUSE).await;
            }
            said("Logged three messages.")
        }
        "test_logging_tool" => {
            log(&call, "One message");
            said("Logged one message, if it was wanted.")
        }
        "test_reconnection" => said("There is no stream to come back to."),
        "test_trigger_tool_change" => {
            fixture.extra_tool.fetch_xor(true, Ordering::Relaxed);
            fixture.changes.tell(Change::Tools);
            said("The list of tools changed.")
        }
        "test_trigger_prompt_change" => {
            fixture.extra_prompt.fetch_xor(true, Ordering::Relaxed);
            fixture.changes.tell(Change::Prompts);
            said("The list of prompts changed.")
        }
        "test_extra" if fixture.extra_tool.load(Ordering::Relaxed) => said("There I am."),
        "json_schema_2020_12_tool" | HEADER_TOOL => said(Json::Object(call.arguments).to_string()),
        "greet" => {
            let name = call.arguments.get("name").and_then(Json::as_str).unwrap_or("nobody");
            said(format!("Hello, {name}!"))
        }
        _ => CallReply::UnknownTool(call.name),
    }
}

async fn with_progress(call: &ToolCall) -> CallReply {
    for progress in [0.0, 50.0, 100.0] {
        call.progress.report(ProgressReport { progress, total: Some(100.0), message: None });
        tokio::time::sleep(PAUSE).await;
    }
    said("Told how far it was.")
}

fn log(call: &ToolCall, text: &str) {
    call.log.say(LogMessage { level: LogLevel::Info, logger: Some("conformance".to_owned()), data: Json::from(text) });
}
