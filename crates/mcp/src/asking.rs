//! What a caller declared it can do, and how a call asks it for something in the middle (MCP 2026-07-28 "Multi
//! Round-Trip Requests"): the answer is `input_required`, and the caller repeats the call with the answers.
//!
//! Only what was declared on *this* request may be asked for; the endpoint refuses anything else with -32021, and tells a
//! caller of an older revision in a tool error what it would need. Next: `handler` for where these are used.

use std::collections::BTreeMap;

use platform::Json;
use rmcp::model::ClientCapabilities;
use serde_json::Map;

/// Client capabilities of one request. Nothing is ever remembered from an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientAbilities {
    /// `elicitation.form`, or `elicitation` without a mode.
    pub elicit_form: bool,
    /// `elicitation.url`.
    pub elicit_url: bool,
    /// `sampling`.
    pub sampling: bool,
    /// `roots`.
    pub roots: bool,
    /// The extension `io.modelcontextprotocol/tasks`.
    pub tasks: bool,
}

impl ClientAbilities {
    /// What `_meta["io.modelcontextprotocol/clientCapabilities"]` says.
    pub(crate) fn of(capabilities: &ClientCapabilities) -> Self {
        let elicitation = capabilities.elicitation.as_ref();
        Self {
            // Without a mode it is the one that existed first.
            elicit_form: elicitation.is_some_and(|e| e.form.is_some() || e.url.is_none()),
            elicit_url: elicitation.is_some_and(|e| e.url.is_some()),
            sampling: capabilities.sampling.is_some(),
            roots: capabilities.roots.is_some(),
            tasks: capabilities.supports_tasks(),
        }
    }
}

/// One thing that a call asks of its caller.
#[derive(Debug, Clone, PartialEq)]
pub enum InputRequest {
    /// `elicitation/create`, mode `form`: a message and a flat schema. Never for a secret.
    Form {
        /// For the person.
        message: String,
        /// The restricted schema of MCP "Elicitation".
        schema: Map<String, Json>,
    },
    /// `elicitation/create`, mode `url`: the person goes there; what happens there never passes the client.
    Url {
        /// For the person.
        message: String,
        /// The address; holds neither a secret nor a signed-in link.
        url: String,
        /// Names this elicitation.
        id: String,
    },
    /// `sampling/createMessage`, parameters as they are.
    Sampling(Map<String, Json>),
    /// `roots/list`.
    Roots,
}

/// Everything that a call asks before it goes on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InputRequired {
    /// By a key of the call's choice.
    pub requests: BTreeMap<String, InputRequest>,
    /// Handed back unchanged on the repeat, and integrity-protected by the handler: a caller can send anything here.
    pub state: Option<String>,
}

/// What a repeated call brings back. Untrusted like any argument.
#[derive(Clone, PartialEq, Default)]
pub struct Answers {
    /// `inputResponses`, by key.
    pub responses: BTreeMap<String, Json>,
    /// `requestState`.
    pub state: Option<String>,
}

impl std::fmt::Debug for Answers {
    /// Answers may hold secrets, so they never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers")
            .field("responses", &format_args!("<{} masked>", self.responses.len()))
            .field("state", &self.state.is_some())
            .finish()
    }
}
