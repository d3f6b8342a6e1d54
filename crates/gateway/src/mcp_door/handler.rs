//! One view's answers: lists are what its caller may see there, calls go through the pipeline, and what comes back is said
//! in the view's own names.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use mcp::asking::{Answers, ClientAbilities};
use mcp::offers::{
    Completion, CompletionQuestion, Page, Prompt, PromptDescription, ResourceDescription, ResourceRead,
    ResourceTemplate,
};
use mcp::task::Task;
use mcp::{CallHandler, CallReply, Offers, ServerDescription, ToolCall, ToolDescription};
use platform::context::CallReferences;
use platform::error::NextCall;
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::catalogue::{OWN_SERVER, RegisteredTool, Server};
use tool_runtime::{Answer, CallRequest, Catalogue, FollowUp, Pipeline, is_change_tool, reaches};

use super::aggregate::{self, ByName};
use super::waiting::reporting;
use super::{describe, tasks, text, view};
use crate::Gateway;
use crate::step_up::Stopped;

/// Descriptions of the tools that a view reaches, by (server, tool), for one catalogue revision; what a caller sees is
/// picked out of them.
struct Described {
    revision: String,
    tools: BTreeMap<(String, &'static str), ToolDescription>,
}

/// Answers for one MCP endpoint.
pub(super) struct ViewHandler {
    pub(super) resource: Resource,
    pub(super) pipeline: Arc<Pipeline>,
    gateway: Arc<Gateway>,
    version: &'static str,
    described: ArcSwapOption<Described>,
}

/// A call on its way: what the pipeline is asked, and through which of the aggregate's doors it came.
struct Asked {
    request: CallRequest,
    by_name: Option<ByName>,
}

impl ViewHandler {
    pub(super) fn new(resource: Resource, gateway: &Arc<Gateway>) -> Self {
        let (pipeline, version) = (Arc::clone(&gateway.parts.pipeline), gateway.parts.options.version);
        Self { resource, pipeline, gateway: Arc::clone(gateway), version, described: ArcSwapOption::empty() }
    }

    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        self.pipeline.visibility().catalogue()
    }

    /// The tools that this caller may see here.
    pub(super) async fn visible(&self, cx: &CallContext) -> Result<Vec<Arc<RegisteredTool>>, Error> {
        self.pipeline.visibility().reachable(&cx.principal, &self.resource).await
    }

    fn described(&self) -> Arc<Described> {
        let catalogue = self.catalogue();
        if let Some(described) = self.described.load_full()
            && described.revision == catalogue.revision()
        {
            return described;
        }
        let here = catalogue.servers().flat_map(Server::tools);
        let here = here.filter(|t| reaches(&catalogue, &self.resource, t, |_| true));
        let describe = |tool: &Arc<RegisteredTool>| {
            let description = describe::tool(tool, view::tool_name(&self.resource, &catalogue, tool));
            ((tool.server.name.clone(), tool.name()), description)
        };
        let described =
            Arc::new(Described { revision: catalogue.revision().to_owned(), tools: here.map(describe).collect() });
        self.described.store(Some(Arc::clone(&described)));
        described
    }

    /// The (server, tool) that a name means here. One that means nothing is asked for all the same: the pipeline refuses
    /// it, on record.
    fn named(&self, catalogue: &Catalogue, name: String) -> (String, String) {
        match view::server_name(&self.resource) {
            // The tools for changes stand in the lists of other servers too.
            Some(_) if is_change_tool(&name) => (OWN_SERVER.to_owned(), name),
            Some(server) => (server.to_owned(), name),
            None => match catalogue.by_aggregate_name(&name) {
                Some(tool) => (tool.server.name.clone(), tool.name().to_owned()),
                None => (OWN_SERVER.to_owned(), name),
            },
        }
    }

    fn request(&self, name: String, arguments: Map<String, Json>, references: CallReferences) -> CallRequest {
        let (server, tool) = self.named(&self.catalogue(), name);
        CallRequest { server, tool, arguments: Json::Object(arguments), references }
    }

    /// What a call asks of the pipeline.
    async fn asked(
        &self,
        cx: &CallContext,
        name: String,
        arguments: Map<String, Json>,
        references: CallReferences,
    ) -> Result<Asked, Error> {
        let door = ByName::named(&name).filter(|_| self.resource == Resource::Mcp);
        let Some(door) = door else {
            return Ok(Asked { request: self.request(name, arguments, references), by_name: None });
        };
        let inner = match door.inner(arguments) {
            Ok(inner) => inner,
            Err(refusal) => {
                let request = self.request(name, Map::new(), references);
                return Err(self.pipeline.refuse(cx, &request, refusal).await);
            }
        };
        let request = self.request(inner.name.clone(), inner.arguments, references);
        // Where it cannot be asked what is visible, the pipeline refuses, on record.
        let visible = self.visible(cx).await.unwrap_or_default();
        let found = visible.iter().find(|t| t.server.name == request.server && t.name() == request.tool);
        if let Some(tool) = found
            && ByName::of(tool) != door
        {
            // No refusal repeats a secret (T27).
            let repeated = request.arguments.as_object().filter(|_| !tool.has_secret_arguments());
            let arguments = repeated.cloned().unwrap_or_default();
            let refusal = door.wrong(&inner.name, &arguments);
            return Err(self.pipeline.refuse(cx, &request, refusal).await);
        }
        Ok(Asked { request, by_name: Some(door) })
    }

    /// The reply to a call that worked. Work that goes on becomes a task for callers that declared tasks, and a call to make
    /// next for everybody else (T22).
    async fn answered(
        &self,
        cx: &CallContext,
        (server, tool): (&str, &str),
        abilities: ClientAbilities,
        answer: Answer,
    ) -> CallReply {
        let queued_ms = answer.queued_ms;
        let Some(follow_up) = &answer.follow_up else { return text::reply(answer.structured, queued_ms, None) };
        let next = self.next(cx, server, follow_up).await;
        // Nobody gets a task that could not be asked about at this endpoint.
        if abilities.tasks && next.is_some() {
            match self.pipeline.begin_task(cx, server, tool, &answer, follow_up).await {
                Ok(task) => return CallReply::Task(Box::new(tasks::wire(task))),
                // What was begun goes on all the same, and the next call finds it.
                Err(error) => tracing::error!(
                    http.request.id = %cx.request_id,
                    error.code = error.code(),
                    error.message = error.detail(),
                    "work that goes on could not become a task"
                ),
            }
        }
        text::reply(answer.structured, queued_ms, next)
    }

    /// The call that follows work which goes on, in this view's names; nothing where the view does not reach it.
    async fn next(&self, cx: &CallContext, server: &str, follow_up: &FollowUp) -> Option<NextCall> {
        let visible = self.visible(cx).await.ok()?;
        let tool = visible.iter().find(|t| t.server.name == server && t.name() == follow_up.tool)?;
        let name = view::tool_name(&self.resource, &self.catalogue(), tool);
        let arguments = follow_up.arguments.clone();
        if self.resource == Resource::Mcp && !aggregate::is_own(tool) && !aggregate::listed_too(&visible) {
            let arguments = json!({"tool": name, "arguments": arguments});
            return Some(NextCall { tool: ByName::of(tool).name().to_owned(), arguments, server: None });
        }
        Some(NextCall { tool: name, arguments, server: None })
    }

    /// The reply to a call that was not carried out: the refusal as a result (T11). What a caller that declared more is
    /// offered instead stands in [`crate::step_up`].
    fn refused(name: String, by_name: Option<ByName>, error: Error) -> CallReply {
        match (error.code(), by_name) {
            ("tool_unknown", None) => CallReply::UnknownTool(name),
            // The name was an argument, and the caller can look for a better one.
            ("tool_unknown", Some(_)) => CallReply::Refused(error.with_next("search_tools", json!({"query": ""}))),
            ("reference_conflict" | "reference_invalid", _) => CallReply::BadRequest(error),
            _ => CallReply::Refused(error),
        }
    }
}

#[async_trait]
impl CallHandler for ViewHandler {
    fn server(&self) -> ServerDescription {
        view::describe(&self.resource, &self.catalogue(), self.version)
    }

    fn offers(&self) -> Offers {
        let catalogue = self.catalogue();
        let any = |has: fn(&Server) -> bool| view::servers(&self.resource, &catalogue).any(has);
        Offers {
            resources: any(|s| !s.connector.resources().is_empty()),
            prompts: any(|s| !s.connector.prompts().is_empty()),
            completion: any(|s| !s.connector.completions().is_empty()),
            tasks: true,
        }
    }

    async fn list_tools(&self, cx: &CallContext) -> Result<Arc<[ToolDescription]>, Error> {
        let visible = self.visible(cx).await?;
        let described = self.described();
        let describe = |t: &RegisteredTool| described.tools.get(&(t.server.name.clone(), t.name())).cloned();
        Ok(match self.resource {
            Resource::Mcp => aggregate::list(&visible, describe),
            _ => visible.iter().filter_map(|t| describe(t)).collect(),
        })
    }

    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply {
        let ToolCall { name, arguments, references, abilities, answers, progress, .. } = call;
        let Asked { request, by_name } = match self.asked(cx, name.clone(), arguments, references).await {
            Ok(asked) => asked,
            Err(refusal) => {
                let by_name = ByName::named(&name);
                return Self::refused(name, by_name, refusal);
            }
        };
        let (server, tool) = (request.server.clone(), request.tool.clone());
        let gateway = &self.gateway;
        let work = Box::pin(gateway.step_up.call(gateway, cx, request, abilities, &answers));
        match reporting(&progress, &name, work).await {
            Ok(answer) => self.answered(cx, (&server, &tool), abilities, answer).await,
            Err(Stopped::Asks(asking)) => CallReply::InputRequired(asking),
            Err(Stopped::BadRequest(error)) => CallReply::BadRequest(error),
            Err(Stopped::Refused(error)) => Self::refused(name, by_name, error),
        }
    }

    async fn list_resources(
        &self,
        cx: &Arc<CallContext>,
        cursor: Option<String>,
    ) -> Result<Page<ResourceDescription>, Error> {
        match cursor {
            None => self.resources(cx).await,
            Some(_) => Err(Error::new(
                ErrorKind::InvalidInput,
                "invalid_cursor",
                "The list of resources is one page; ask for it without a cursor.",
            )),
        }
    }

    async fn list_resource_templates(&self, cx: &Arc<CallContext>) -> Result<Page<ResourceTemplate>, Error> {
        self.templates(cx).await
    }

    async fn read_resource(&self, cx: &Arc<CallContext>, uri: String) -> Result<ResourceRead, Error> {
        self.read(cx, uri).await
    }

    async fn list_prompts(&self, cx: &Arc<CallContext>) -> Result<Page<PromptDescription>, Error> {
        self.prompts(cx).await
    }

    async fn get_prompt(
        &self,
        cx: &Arc<CallContext>,
        name: String,
        arguments: BTreeMap<String, String>,
    ) -> Result<Prompt, Error> {
        self.prompt(cx, &name, arguments).await
    }

    async fn complete(&self, cx: &Arc<CallContext>, question: CompletionQuestion) -> Result<Completion, Error> {
        self.propose(cx, question).await
    }

    async fn task(&self, cx: &Arc<CallContext>, id: String) -> Result<Task, Error> {
        self.pipeline.task(cx, &id).await.map(tasks::wire)
    }

    async fn update_task(&self, cx: &Arc<CallContext>, id: String, _: Answers) -> Result<(), Error> {
        self.pipeline.knows_task(cx, &id).await
    }

    async fn cancel_task(&self, cx: &Arc<CallContext>, id: String) -> Result<(), Error> {
        self.pipeline.cancel_task(cx, &id).await
    }
}
