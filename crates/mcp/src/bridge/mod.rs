//! Everything that is not a plain call, through rmcp: discovery, `initialize`, lists, resources, prompts, completion,
//! tasks, streams, ping, and calls with doubts.
//!
//! One [`Bridge`] per request (rmcp asks a factory); it is an `Arc`. Never holds state between requests. rmcp checks the
//! rules of the revisions (headers equal to the body, `_meta`, -32020/-32021/-32022, 404 for unknown methods).
//! Next: `call` for calls, `offered` for resources, prompts and completion, `tasks`, `listen`, `shared`; `fast_call` for the way
//! around all of it, `reply` for what both write.

mod call;
mod listen;
mod notes;
mod offered;
mod shared;
mod tasks;

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool,
    ToolAnnotations, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;

use self::call::hung_up;
use self::offered::hinted;
pub(crate) use self::shared::Shared;
use crate::endpoint::EndpointOptions;
use crate::error::{error_data, internal, log_detail};
use crate::handler::{Offers, ToolDescription};
use crate::refusal::published_output_schema;
use crate::revision::{Era, Revision};

/// Where a caller's references travel (rule T12).
pub(crate) const REFERENCES_KEY: &str = "dev.interlock/call";

/// Reads the references; unknown members are an error, since a caller who believes to have named a change must not be
/// taken for one who has not.
pub(crate) fn references(value: Option<&Json>) -> Result<CallReferences, Error> {
    use serde::Deserialize as _;
    let Some(value) = value else { return Ok(CallReferences::default()) };
    CallReferences::deserialize(value).map_err(|_| {
        Error::new(
            ErrorKind::Malformed,
            "malformed_references",
            format!("`_meta[\"{REFERENCES_KEY}\"]` holds `change` and `idempotency_key`, both text, and nothing else."),
        )
    })
}

/// rmcp's view of a server, for one request.
#[derive(Clone)]
pub(crate) struct Bridge(pub(crate) Arc<Shared>);

impl Bridge {
    fn era(context: &RequestContext<RoleServer>) -> Era {
        // The same comparison as rmcp's, which decides by it whether to strip `resultType`.
        match context.protocol_version() {
            Some(version) if version.as_str() >= Revision::V2026_07_28.as_str() => Era::Modern,
            _ => Era::Legacy,
        }
    }

    fn call_context(context: &RequestContext<RoleServer>) -> Result<Arc<CallContext>, ErrorData> {
        context
            .extensions
            .get::<http::request::Parts>()
            .and_then(|parts| parts.extensions.get::<Arc<CallContext>>().cloned())
            .ok_or_else(|| internal("no call context in the request"))
    }

    /// Asks the handler something that is not a call. Dropped when a caller of 2026-07-28 hangs up, like a call.
    async fn ask<T>(
        &self,
        context: &RequestContext<RoleServer>,
        question: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ErrorData> {
        let id = Self::call_context(context)?.request_id;
        let answer = self.0.tracker.track_future(AssertUnwindSafe(question).catch_unwind());
        let answer = match Self::era(context) {
            Era::Legacy => answer.await,
            Era::Modern => tokio::select! {
                answer = answer => answer,
                () = context.ct.cancelled() => return Err(hung_up()),
            },
        };
        let answer = answer.unwrap_or_else(|_panic| {
            tracing::error!(request_id = %id, "a handler panicked");
            Err(Error::internal("the handler panicked"))
        });
        answer.map_err(|error| {
            log_detail(&error, id);
            error_data(&error)
        })
    }
}

impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        self.0.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Owned(self.0.versions.clone())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let mut result = self.negotiate_initialize(&request)?;
        context.peer.set_peer_info(request);
        // Without sessions there is no stream to tell of changes on, and tasks are declared per request.
        result.capabilities.extensions = None;
        if let Some(tools) = &mut result.capabilities.tools {
            tools.list_changed = None;
        }
        if let Some(prompts) = &mut result.capabilities.prompts {
            prompts.list_changed = None;
        }
        if let Some(resources) = &mut result.capabilities.resources {
            resources.list_changed = None;
        }
        Ok(result)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let mut result = DiscoverResult::from_server_info(self.0.versions.clone(), self.get_info());
        result.ttl_ms = ttl_ms(&self.0.options);
        result.cache_scope = CacheScope::Private;
        Ok(result)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(request)?;
        let cx = Self::call_context(&context)?;
        let tools = self.ask(&context, self.0.handler.list_tools(&cx)).await?;
        let result = ListToolsResult::with_all_items(tools.iter().map(wire_tool).collect());
        Ok(hinted!(self, &context, result, ttl_ms(&self.0.options)))
    }

    /// Only for the check of `Mcp-Param-*`.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.handler.header_schema(name).map(|schema| Tool::new(name.to_owned(), "", schema))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, context).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.resources(request, &context).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        self.templates(request, &context).await
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.read(request, &context).await
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.prompts(request, &context).await
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.prompt(request, &context).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.completion(request, &context).await
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.task(request, &context).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task_update(request, &context).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task_cancel(request, &context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.subscriptions(requested)
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.stream(subscription).await
    }

    /// Accepted where the server has something to say of single resources; an older caller has no stream to hear it on.
    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.offered(self.0.extras.resource_updates)?;
        let read = ReadResourceRequestParams::new(request.uri);
        self.read(read, &context).await.map(drop)
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.offered(self.0.extras.resource_updates)
    }

    #[expect(deprecated, reason = "revision 2026-07-28 deprecates logging and still has it")]
    async fn set_level(
        &self,
        _: rmcp::model::SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.offered(self.0.extras.logging && Self::era(&context) == Era::Legacy)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // rmcp hands on a known method whose parameters did not fit as if it were unknown.
        if self.knows(&request.method, Self::era(&context)) {
            return Err(invalid_params("The parameters of this method have the wrong shape."));
        }
        Err(unknown_method())
    }
}

impl Bridge {
    /// Whether a method is served here to requests of this era.
    fn knows(&self, method: &str, era: Era) -> bool {
        let Offers { resources, prompts, completion, tasks } = self.0.offers;
        let older = era == Era::Legacy;
        match method {
            "server/discover" | "tools/list" | "tools/call" => true,
            "initialize" | "ping" => older,
            "resources/list" | "resources/templates/list" | "resources/read" => resources,
            "prompts/list" | "prompts/get" => prompts,
            "completion/complete" => completion,
            "tasks/get" | "tasks/update" | "tasks/cancel" => tasks && !older,
            "subscriptions/listen" => self.0.changes.is_some() && !older,
            "resources/subscribe" | "resources/unsubscribe" => self.0.extras.resource_updates && older,
            "logging/setLevel" => self.0.extras.logging && older,
            _ => false,
        }
    }
}

fn unknown_method() -> ErrorData {
    ErrorData::new(
        ErrorCode::METHOD_NOT_FOUND,
        "Method not found: this server does not offer it.",
        Some(json!({"code": "unknown_method"})),
    )
}

fn invalid_params(message: &'static str) -> ErrorData {
    ErrorData::invalid_params(message, Some(json!({"code": "invalid_params"})))
}

/// For lists that have one page.
fn one_page(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    if request.is_some_and(|r| r.cursor.is_some()) {
        return Err(ErrorData::invalid_params(
            "Unknown cursor: this list is one page.",
            Some(json!({"code": "unknown_cursor"})),
        ));
    }
    Ok(())
}

fn ttl_ms(options: &EndpointOptions) -> u64 {
    u64::try_from(options.list_ttl.as_millis()).unwrap_or(u64::MAX)
}

fn wire_tool(tool: &ToolDescription) -> Tool {
    let mut wire = Tool::new(tool.name.clone(), tool.description.clone(), Arc::clone(&tool.input_schema));
    wire.title.clone_from(&tool.title);
    wire.output_schema = tool.output_schema.as_deref().map(published_output_schema);
    let hints = tool.annotations;
    wire.annotations = Some(ToolAnnotations::from_raw(
        tool.title.clone(),
        Some(hints.read_only),
        Some(hints.destructive),
        Some(hints.idempotent),
        Some(hints.open_world),
    ));
    wire
}
