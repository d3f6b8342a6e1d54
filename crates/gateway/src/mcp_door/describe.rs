//! Tools as they are published: the enforced schema, and hints from the operator's risk class (T6).

use std::sync::Arc;

use mcp::{ToolAnnotations, ToolDescription};
use platform::Json;
use platform::policy::Risk;
use serde_json::Map;
use tool_runtime::SideEffect;
use tool_runtime::artifacts::{large_result_schema, or_one_of};
use tool_runtime::catalogue::RegisteredTool;
use tool_runtime::change_gate::started_schema;

/// A tool under the name that it has at an endpoint.
pub(super) fn tool(tool: &RegisteredTool, name: String) -> ToolDescription {
    let spec = tool.tool.spec();
    ToolDescription {
        name,
        title: Some(spec.title.to_owned()),
        description: spec.description.to_owned(),
        input_schema: object(&tool.published_input),
        output_schema: Some(object(&or_one_of(&tool.published_output, beside(tool.risk)))),
        annotations: ToolAnnotations {
            // Derived from the operator's risk (T6), never from what a connector says of itself.
            read_only: !tool.risk.is_write(),
            destructive: matches!(tool.risk, Risk::Change | Risk::Disruptive | Risk::Control),
            idempotent: spec.effect == SideEffect::Idempotent,
            open_world: false,
        },
    }
}

/// What a tool of this class may answer beside its own result: a reference to a large one, or where the change is that the call
/// belongs to (T14).
fn beside(risk: Risk) -> Vec<Json> {
    let mut others = vec![large_result_schema()];
    if matches!(risk, Risk::Change | Risk::Disruptive) {
        others.push(started_schema());
    }
    others
}

/// A schema as the protocol carries it.
pub(super) fn object(schema: &Json) -> Arc<Map<String, Json>> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}
