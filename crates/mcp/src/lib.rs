//! The MCP server endpoint: Model Context Protocol over Streamable HTTP, two eras on one path, and nothing else.
//!
//! A request of revision 2026-07-28 is whole in itself (version and capabilities in `_meta`, headers equal to the body);
//! a request of 2025-11-25, 2025-06-18 or 2025-03-26 belongs to the `initialize` life, served without sessions. Replies
//! are JSON. The room knows nothing of authentication, policy or tools: the gateway's edge authenticates first and puts
//! a [`platform::CallContext`] into the request's extensions; a [`CallHandler`] answers. This is the only crate that
//! names rmcp.
//!
//! The way of a request: [`endpoint`] (HTTP) → `screen` (bytes become a message, or our own refusal) → `fast_call` for a
//! plain `tools/call`, `bridge` (rmcp) for everything else → `reply` (what a tool's answer looks like on the wire).
//! Where to go next: [`handler`] for what the gateway implements, [`error`] for the one mapping to JSON-RPC, [`refusal`]
//! for the shape of refusals (rule T11).

pub mod asking;
mod bridge;
pub mod changes;
pub mod content;
mod endpoint;
pub mod error;
mod fast_call;
#[doc(hidden)]
pub mod fuzzing;
pub mod handler;
pub mod logging;
pub mod offers;
pub mod progress;
pub mod refusal;
mod reply;
mod revision;
mod screen;
pub mod task;

pub use changes::{Change, Changes};
pub use endpoint::{Endpoint, EndpointOptions, LOG_DIRECTIVE, endpoint};
pub use handler::{
    CallHandler, CallReply, Extras, Offers, PromptCall, PromptReply, ServerDescription, ToolAnnotations, ToolCall,
    ToolDescription,
};
pub use refusal::{published_output_schema, refusal_schema};
pub use revision::Revision;
pub use screen::{Malformed, parse_message};
