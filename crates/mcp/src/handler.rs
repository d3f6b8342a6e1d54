//! What the endpoint asks of the gateway: a description, the caller's tools, and one answer per call.
//!
//! No type of rmcp appears here, so that the gateway and the tools never learn which library speaks the protocol.
//! Next: `reply` for how a [`CallReply`] looks on the wire.

use std::sync::Arc;

use async_trait::async_trait;
use platform::context::CallReferences;
use platform::{CallContext, Error, Json};
use serde_json::Map;

/// What a server says about itself in `initialize`, `server/discover` and `_meta`. Read once, when the endpoint is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerDescription {
    /// Programmatic name, for example `catalyst-center`.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// Version of the product.
    pub version: String,
    /// Guidance for the model, less than 1 kB: every client puts it into its prompt.
    pub instructions: Option<String>,
}

/// Hints about a tool's behaviour (MCP "Tool annotations"). Hints only: policy never reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolAnnotations {
    /// Changes nothing.
    pub read_only: bool,
    /// May destroy something; meaningful only when not read-only.
    pub destructive: bool,
    /// A repeat changes nothing more; meaningful only when not read-only.
    pub idempotent: bool,
    /// Reaches beyond the systems that this platform manages.
    pub open_world: bool,
}

/// One tool as a caller may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDescription {
    /// `[a-z0-9_]`, at most 64 characters.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// What the model reads.
    pub description: String,
    /// JSON Schema 2020-12 of the arguments, `type: object`: the very schema that is enforced, since several clients
    /// check it before they send. Without `x-mcp-header` annotations: the endpoint does not check `Mcp-Param-*`.
    pub input_schema: Arc<Map<String, Json>>,
    /// Schema of a success; the endpoint publishes it as [`crate::published_output_schema`].
    pub output_schema: Option<Arc<Map<String, Json>>>,
    /// Hints.
    pub annotations: ToolAnnotations,
}

/// One call as the caller sent it.
#[derive(Clone, PartialEq)]
pub struct ToolCall {
    /// The requested name; not yet known to exist.
    pub name: String,
    /// The arguments, unchecked; empty when the caller sent none. No key occurs twice at any depth.
    pub arguments: Map<String, Json>,
    /// `_meta["dev.interlock/call"]` (rule T12); the pipeline compares it with headers and the reserved argument.
    pub references: CallReferences,
}

impl std::fmt::Debug for ToolCall {
    /// Arguments may hold secrets, so they never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolCall")
            .field("name", &self.name)
            .field("arguments", &format_args!("<{} masked>", self.arguments.len()))
            .field("references", &self.references)
            .finish()
    }
}

/// How a call ended.
#[derive(Debug)]
pub enum CallReply {
    /// Success.
    Result {
        /// The result; an object that fits the tool's output schema.
        structured: Json,
        /// The text block; `None` = the result as compact JSON.
        text: Option<String>,
    },
    /// Refused or failed, also for invalid arguments: HTTP 200 with `isError` (rule T11).
    Refused(Error),
    /// No such tool for this caller: JSON-RPC -32602.
    UnknownTool(String),
    /// The message contradicts itself, for example `reference_conflict`: JSON-RPC -32602.
    BadRequest(Error),
}

/// What stands behind an endpoint. One per server instance, shared by all requests.
#[async_trait]
pub trait CallHandler: Send + Sync + 'static {
    /// Who this server is.
    fn server(&self) -> ServerDescription;

    /// The tools that this caller may see, in a deterministic order.
    async fn list_tools(&self, cx: &CallContext) -> Result<Arc<[ToolDescription]>, Error>;

    /// Runs one call. Dropped when a caller of revision 2026-07-28 hangs up; runs to its end for the older revisions.
    async fn call_tool(&self, cx: &CallContext, call: ToolCall) -> CallReply;
}
