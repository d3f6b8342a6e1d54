//! The wire types of REST: what a script, the command line and the console read and write. No logic, no I/O.
//!
//! - `GET /api/v1/openapi.json` → the document that describes all of it (OpenAPI 3.1), for this caller
//! - `GET /api/v1/mcp/{server}/tools` → [`ToolList`]
//! - `POST /api/v1/mcp/{server}/tools/{tool}` with [`ToolCall`] → [`ToolResult`], or a [`Problem`]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A call's body. No body at all means no arguments.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// Arguments, as the tool's input schema has them.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// How a call that was let through stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// It is done. HTTP 200.
    Success,
    /// It goes on; `Location` says where to look. HTTP 202.
    Accepted,
}

/// A successful call, in the article's shape. Refusals are problem documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolResult {
    /// How it stands.
    pub status: CallStatus,
    /// The tool's result, as its output schema has it.
    pub result: Value,
    /// Server instance.
    pub server: String,
    /// Tool.
    pub tool: String,
}

/// The tools of a server that the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolList {
    /// Server instance.
    pub server: String,
    /// Number of tools.
    pub count: usize,
    /// By name.
    pub tools: Vec<Tool>,
}

/// A tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Name.
    pub name: String,
    /// A few words.
    pub title: String,
    /// What it does.
    pub description: String,
    /// The operator's risk class: `read`, `probe`, `record`, `change`, `disruptive`, `control`.
    pub risk: String,
    /// JSON Schema 2020-12 of the arguments.
    pub input_schema: Value,
    /// JSON Schema 2020-12 of the result.
    pub output_schema: Value,
    /// Example arguments; what stands in angle brackets comes from the answer of another tool.
    pub example: Value,
    /// The example as a command for a shell, with the token in `INTERLOCK_TOKEN`.
    pub curl: String,
}

/// A refusal or failure (RFC 9457), with the members of the platform's refusals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Page that explains the code, relative to the platform's URL.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the HTTP status.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened, in a sentence.
    pub detail: String,
    /// Stable code.
    pub code: String,
    /// The same sentence as `detail`.
    pub message: String,
    /// Obligations that are unmet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Obligation>,
    /// The call that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextCall>,
    /// Where a person goes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The change that this refusal belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_id: Option<String>,
    /// Seconds after which a repeat makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// Facts about the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// An unmet obligation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obligation {
    /// `step_up`, `change`, …
    pub obligation: String,
    /// What it takes.
    pub message: String,
}

/// A call to make next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextCall {
    /// Tool.
    pub tool: String,
    /// Arguments, as far as they are known.
    pub arguments: Value,
    /// The server that has it, where that is not the one that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}
