//! What the endpoint asks of the gateway: a description, the caller's tools, and one answer per call.
//!
//! No type of rmcp appears here, so that the gateway and the tools never learn which library speaks the protocol.
//! Next: `reply` for how a [`CallReply`] looks on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::Map;

use crate::asking::{Answers, ClientAbilities, InputRequired};
use crate::changes::Changes;
use crate::content::Content;
use crate::logging::Log;
use crate::offers::{
    Completion, CompletionQuestion, Page, Prompt, PromptDescription, ResourceDescription, ResourceRead,
    ResourceTemplate,
};
use crate::progress::Progress;
use crate::task::Task;

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
    /// check it before they send. With `x-mcp-header` annotations only where [`CallHandler::header_schema`] names it.
    pub input_schema: Arc<Map<String, Json>>,
    /// Schema of a success; the endpoint publishes it as [`crate::published_output_schema`].
    pub output_schema: Option<Arc<Map<String, Json>>>,
    /// Hints.
    pub annotations: ToolAnnotations,
}

/// One call as the caller sent it.
#[derive(Clone)]
pub struct ToolCall {
    /// The requested name; not yet known to exist.
    pub name: String,
    /// The arguments, unchecked; empty when the caller sent none. No key occurs twice at any depth.
    pub arguments: Map<String, Json>,
    /// `_meta["dev.interlock/call"]` (rule T12); the pipeline compares it with headers and the reserved argument.
    pub references: CallReferences,
    /// What the caller declared on this request.
    pub abilities: ClientAbilities,
    /// What a repeat after [`CallReply::InputRequired`] brings; empty on a first call.
    pub answers: Answers,
    /// Where to tell how far the call is; goes nowhere when the caller did not ask.
    pub progress: Progress,
    /// Where to log for the caller; goes nowhere unless [`Extras::logging`] and the caller asked.
    pub log: Log,
}

impl ToolCall {
    /// A call of a caller that declared nothing, answers nothing and asks for no progress.
    pub fn plain(name: String, arguments: Map<String, Json>, references: CallReferences) -> Self {
        Self {
            name,
            arguments,
            references,
            abilities: ClientAbilities::default(),
            answers: Answers::default(),
            progress: Progress::default(),
            log: Log::default(),
        }
    }
}

impl std::fmt::Debug for ToolCall {
    /// Arguments may hold secrets, so they never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolCall")
            .field("name", &self.name)
            .field("arguments", &format_args!("<{} masked>", self.arguments.len()))
            .field("references", &self.references)
            .field("abilities", &self.abilities)
            .field("answers", &self.answers)
            .finish_non_exhaustive()
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
        /// How long the call waited for its turn at its target, milliseconds; `_meta["dev.interlock/queued_ms"]` says it to
        /// callers of revision 2026-07-28, where it is not 0.
        queued_ms: u64,
    },
    /// Success, in blocks of its own.
    Content {
        /// What the model reads.
        blocks: Vec<Content>,
        /// The result as JSON, where there is one.
        structured: Option<Json>,
    },
    /// The caller has to answer first; only for callers that declared what is asked.
    InputRequired(InputRequired),
    /// The work goes on; only for callers that declared tasks.
    Task(Box<Task>),
    /// Only a task could answer, and the caller did not declare tasks: JSON-RPC -32021.
    NeedsTasks,
    /// Refused or failed, also for invalid arguments: HTTP 200 with `isError` (rule T11).
    Refused(Error),
    /// No such tool for this caller: JSON-RPC -32602.
    UnknownTool(String),
    /// The message contradicts itself, for example `reference_conflict`: JSON-RPC -32602.
    BadRequest(Error),
}

/// What a server offers beside tools; what is not offered is an unknown method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// Resources and resource templates.
    pub resources: bool,
    /// Prompts.
    pub prompts: bool,
    /// Completion.
    pub completion: bool,
    /// Tasks, for callers that declare them.
    pub tasks: bool,
}

/// What a server offers for conformance only; nothing of the product does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extras {
    /// Log messages to callers. An older caller's level is taken and not remembered, since there is no session.
    pub logging: bool,
    /// Tells when a single resource changed ([`crate::Change::Resource`]).
    pub resource_updates: bool,
}

/// One `prompts/get`.
#[derive(Debug, Clone)]
pub struct PromptCall {
    /// The requested name; not yet known to exist.
    pub name: String,
    /// The arguments, unchecked.
    pub arguments: BTreeMap<String, String>,
    /// What the caller declared on this request.
    pub abilities: ClientAbilities,
    /// What a repeat after [`PromptReply::InputRequired`] brings.
    pub answers: Answers,
}

/// What a prompt answers.
#[derive(Debug)]
pub enum PromptReply {
    /// The prompt.
    Prompt(Prompt),
    /// The caller has to answer first.
    InputRequired(InputRequired),
}

/// What stands behind an endpoint. One per server instance, shared by all requests. Everything beside tools has a default
/// that offers nothing.
#[async_trait]
pub trait CallHandler: Send + Sync + 'static {
    /// Who this server is.
    fn server(&self) -> ServerDescription;

    /// What it offers beside tools. Read once, when the endpoint is built.
    fn offers(&self) -> Offers {
        Offers::default()
    }

    /// What it offers for conformance. Read once, when the endpoint is built.
    fn extras(&self) -> Extras {
        Extras::default()
    }

    /// Where it tells that a list changed; a server that has it lets callers listen. Read once.
    fn changes(&self) -> Option<Changes> {
        None
    }

    /// The input schema of a tool with `x-mcp-header` annotations: its callers of revision 2026-07-28 repeat those
    /// arguments in `Mcp-Param-*`, and the endpoint refuses a difference with -32020. Never for a secret.
    fn header_schema(&self, _tool: &str) -> Option<Arc<Map<String, Json>>> {
        None
    }

    /// The tools that this caller may see, in a deterministic order.
    async fn list_tools(&self, cx: &CallContext) -> Result<Arc<[ToolDescription]>, Error>;

    /// Runs one call. Dropped when a caller of revision 2026-07-28 hangs up; runs to its end for the older revisions.
    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply;

    /// Resources that this caller may see.
    async fn list_resources(
        &self,
        _cx: &Arc<CallContext>,
        _cursor: Option<String>,
    ) -> Result<Page<ResourceDescription>, Error> {
        Ok(Page::whole(Vec::new()))
    }

    /// Resource templates that this caller may use.
    async fn list_resource_templates(&self, _cx: &Arc<CallContext>) -> Result<Page<ResourceTemplate>, Error> {
        Ok(Page::whole(Vec::new()))
    }

    /// Reads a resource. An unknown one and a hidden one are the same error ([`ErrorKind::NotFound`]).
    async fn read_resource(&self, _cx: &Arc<CallContext>, _uri: String) -> Result<ResourceRead, Error> {
        Err(not_offered("mcp_resource_unknown", "There is no such resource."))
    }

    /// Prompts that this caller may use.
    async fn list_prompts(&self, _cx: &Arc<CallContext>) -> Result<Page<PromptDescription>, Error> {
        Ok(Page::whole(Vec::new()))
    }

    /// A prompt with its arguments filled in. Unknown: [`ErrorKind::NotFound`]; wrong arguments:
    /// [`ErrorKind::InvalidInput`].
    async fn get_prompt(
        &self,
        _cx: &Arc<CallContext>,
        _name: String,
        _arguments: BTreeMap<String, String>,
    ) -> Result<Prompt, Error> {
        Err(not_offered("prompt_unknown", "There is no such prompt."))
    }

    /// A prompt that may ask its caller first; what does not ask is [`CallHandler::get_prompt`].
    async fn fill_prompt(&self, cx: &Arc<CallContext>, call: PromptCall) -> Result<PromptReply, Error> {
        self.get_prompt(cx, call.name, call.arguments).await.map(PromptReply::Prompt)
    }

    /// Proposes values for an argument.
    async fn complete(&self, _cx: &Arc<CallContext>, _question: CompletionQuestion) -> Result<Completion, Error> {
        Ok(Completion::default())
    }

    /// One of this caller's tasks. Unknown, expired and another's are the same error ([`ErrorKind::NotFound`]).
    async fn task(&self, _cx: &Arc<CallContext>, _id: String) -> Result<Task, Error> {
        Err(not_offered("task_unknown", "There is no such task."))
    }

    /// Brings a waiting task its answers.
    async fn update_task(&self, _cx: &Arc<CallContext>, _id: String, _answers: Answers) -> Result<(), Error> {
        Err(not_offered("task_unknown", "There is no such task."))
    }

    /// Asks a task to stop; one that has ended already stays as it is.
    async fn cancel_task(&self, _cx: &Arc<CallContext>, _id: String) -> Result<(), Error> {
        Err(not_offered("task_unknown", "There is no such task."))
    }
}

fn not_offered(code: &'static str, sentence: &'static str) -> Error {
    Error::new(ErrorKind::NotFound, code, sentence)
}
