//! The server that the official MCP conformance suite asks for: its named tools, prompts, resources and tasks, behind
//! the whole edge with authentication on, in the lab alone and only where somebody asked for it.
//!
//! This is the one handler outside the pipeline (rule T13 names it as the exception): it reaches no system, holds no
//! credential and changes nothing. What each fixture answers is what the suite's scenario of that name describes.
//! Next: [`tools`] for plain tools, [`rounds`] for those that ask back, [`tasks`] for those that go on, [`offered`] for
//! prompts and resources.

mod offered;
mod rounds;
mod tasks;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use mcp::asking::Answers;
use mcp::content::Content;
use mcp::offers::{
    Completion, CompletionQuestion, Page, Prompt, PromptDescription, ResourceDescription, ResourceRead,
    ResourceTemplate,
};
use mcp::task::Task;
use mcp::{
    CallHandler, CallReply, Changes, Extras, Offers, PromptCall, PromptReply, ServerDescription, ToolCall,
    ToolDescription,
};
use platform::seal::{Sealer, random};
use platform::secret::SecretKey;
use platform::{CallContext, Json, Result, SharedClock};
use serde_json::Map;

use crate::rounds::States;
use crate::tasks::Tasks;

/// Name of the server, the last part of its address.
pub const NAME: &str = "conformance";

/// The handler.
pub struct Fixture {
    version: &'static str,
    changes: Changes,
    /// Whether the tool is listed that comes and goes.
    extra_tool: AtomicBool,
    /// Whether the prompt is listed that comes and goes.
    extra_prompt: AtomicBool,
    states: States,
    tasks: Tasks,
}

impl Fixture {
    /// A fixture with a key of its own: what a caller hands back after a restart is refused.
    pub fn new(version: &'static str, clock: SharedClock) -> Result<Self> {
        let sealer = Sealer::derive(&SecretKey::new(random()?), "conformance states")?;
        Ok(Self {
            version,
            changes: Changes::default(),
            extra_tool: AtomicBool::default(),
            extra_prompt: AtomicBool::default(),
            states: States(sealer),
            tasks: Tasks::new(clock),
        })
    }
}

/// A success of one block of text.
fn said(text: impl Into<String>) -> CallReply {
    CallReply::Content { blocks: vec![Content::Text(text.into())], structured: None }
}

#[async_trait]
impl CallHandler for Fixture {
    fn server(&self) -> ServerDescription {
        ServerDescription {
            name: NAME.to_owned(),
            title: Some("Conformance fixture".to_owned()),
            version: self.version.to_owned(),
            instructions: Some("What the protocol's own test suite asks for. It reaches no system.".to_owned()),
        }
    }

    fn offers(&self) -> Offers {
        Offers { resources: true, prompts: true, completion: true, tasks: true }
    }

    fn extras(&self) -> Extras {
        Extras { logging: true, resource_updates: true }
    }

    fn changes(&self) -> Option<Changes> {
        Some(self.changes.clone())
    }

    fn header_schema(&self, tool: &str) -> Option<Arc<Map<String, Json>>> {
        (tool == tools::HEADER_TOOL).then(tools::header_schema)
    }

    async fn list_tools(&self, _: &CallContext) -> Result<Arc<[ToolDescription]>> {
        Ok(tools::list(self.extra_tool.load(Ordering::Relaxed)))
    }

    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply {
        if let Some(reply) = rounds::call(&self.states, cx, &call) {
            return reply;
        }
        if let Some(reply) = tasks::call(&self.tasks, cx, &call).await {
            return reply;
        }
        tools::call(self, call).await
    }

    async fn list_resources(&self, _: &Arc<CallContext>, cursor: Option<String>) -> Result<Page<ResourceDescription>> {
        offered::resources(cursor)
    }

    async fn list_resource_templates(&self, _: &Arc<CallContext>) -> Result<Page<ResourceTemplate>> {
        Ok(offered::templates())
    }

    async fn read_resource(&self, _: &Arc<CallContext>, uri: String) -> Result<ResourceRead> {
        offered::read(uri)
    }

    async fn list_prompts(&self, _: &Arc<CallContext>) -> Result<Page<PromptDescription>> {
        Ok(offered::prompts(self.extra_prompt.load(Ordering::Relaxed)))
    }

    async fn get_prompt(
        &self,
        _: &Arc<CallContext>,
        name: String,
        arguments: BTreeMap<String, String>,
    ) -> Result<Prompt> {
        offered::prompt(&name, &arguments)
    }

    async fn fill_prompt(&self, cx: &Arc<CallContext>, call: PromptCall) -> Result<PromptReply> {
        match rounds::prompt(&call) {
            Some(reply) => Ok(reply),
            None => self.get_prompt(cx, call.name, call.arguments).await.map(PromptReply::Prompt),
        }
    }

    async fn complete(&self, _: &Arc<CallContext>, question: CompletionQuestion) -> Result<Completion> {
        Ok(offered::complete(&question))
    }

    async fn task(&self, cx: &Arc<CallContext>, id: String) -> Result<Task> {
        self.tasks.task(cx, &id)
    }

    async fn update_task(&self, cx: &Arc<CallContext>, id: String, answers: Answers) -> Result<()> {
        self.tasks.update(cx, &id, answers)
    }

    async fn cancel_task(&self, cx: &Arc<CallContext>, id: String) -> Result<()> {
        self.tasks.cancel(cx, &id)
    }
}
