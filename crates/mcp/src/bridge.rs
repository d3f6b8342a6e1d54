//! Everything that is not a plain call, through rmcp: discovery, `initialize`, lists, ping, and calls with doubts.
//!
//! One [`Bridge`] per request (rmcp asks a factory); it is an `Arc`. Never holds state between requests. rmcp checks the
//! rules of the revisions (headers equal to the body, `_meta`, -32020/-32021/-32022, 404 for unknown methods).
//! Next: `fast_call` for the way around it, `reply` for what both write.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, DiscoverResult, ErrorCode,
    ErrorData, Implementation, ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::endpoint::EndpointOptions;
use crate::error::{error_data, internal, log_detail};
use crate::handler::{CallHandler, CallReply, ToolCall, ToolDescription};
use crate::refusal::published_output_schema;
use crate::reply::{bad_request, outcome};
use crate::revision::{Era, Revision};

/// Where a caller's references travel (rule T12).
pub(crate) const REFERENCES_KEY: &str = "dev.interlock/call";

/// What all requests of one endpoint share.
pub(crate) struct Shared {
    pub(crate) handler: Arc<dyn CallHandler>,
    pub(crate) options: EndpointOptions,
    pub(crate) tracker: TaskTracker,
    config: ServerConfig,
    versions: Vec<ProtocolVersion>,
    meta: MetaObject,
    /// `meta` as JSON, for replies written by hand.
    pub(crate) meta_json: String,
}

impl Shared {
    pub(crate) fn new(handler: Arc<dyn CallHandler>, options: EndpointOptions) -> Self {
        let described = handler.server();
        let mut info = Implementation::new(described.name, described.version);
        info.title = described.title;
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.instructions = described.instructions;
        if let Some(newest) = options.revisions.iter().filter(|r| r.is_legacy()).max() {
            config.protocol_version = newest.rmcp();
        }
        let mut meta = MetaObject::new();
        meta.insert("io.modelcontextprotocol/serverInfo".to_owned(), serde_json::to_value(&info).unwrap_or_default());
        config.server_info = info;
        let meta_json = serde_json::to_string(&meta).unwrap_or_else(|_| "{}".to_owned());
        let versions = options.revisions.iter().map(|r| r.rmcp()).collect();
        Self { handler, options, tracker: TaskTracker::new(), config, versions, meta, meta_json }
    }

    /// Runs one call under the rules of its era: 2026-07-28 treats a hang-up as cancellation (the future is dropped),
    /// 2025-11-25 and older say that it is none, so there the call has a task of its own. A panic is a failed call.
    pub(crate) async fn run(&self, era: Era, cx: Arc<CallContext>, call: ToolCall) -> CallReply {
        let handler = Arc::clone(&self.handler);
        let work = async move {
            match AssertUnwindSafe(handler.call_tool(&cx, call)).catch_unwind().await {
                Ok(reply) => reply,
                Err(_panic) => {
                    tracing::error!(request_id = %cx.request_id, "a tool call panicked");
                    CallReply::Refused(Error::internal("the call panicked"))
                }
            }
        };
        match era {
            Era::Modern => self.tracker.track_future(work).await,
            Era::Legacy => match self.tracker.spawn(work.in_current_span()).await {
                Ok(reply) => reply,
                Err(stopped) => CallReply::Refused(Error::internal(stopped)),
            },
        }
    }
}

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
}

impl ServerHandler for Bridge {
    fn get_info(&self) -> ServerConfig {
        self.0.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Owned(self.0.versions.clone())
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
        if request.is_some_and(|r| r.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "Unknown cursor: the list of tools is one page.",
                Some(json!({"code": "unknown_cursor"})),
            ));
        }
        let cx = Self::call_context(&context)?;
        let tools = self.0.handler.list_tools(&cx).await.map_err(|e| {
            log_detail(&e, cx.request_id);
            error_data(&e)
        })?;
        let mut result = ListToolsResult::with_all_items(tools.iter().map(wire_tool).collect());
        if Self::era(&context) == Era::Modern {
            // Filtered per caller, so never shared between callers.
            result.cache_scope = Some(CacheScope::Private);
            result.ttl_ms = Some(ttl_ms(&self.0.options));
            result.meta = Some(self.0.meta.clone());
        }
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let cx = Self::call_context(&context)?;
        let era = Self::era(&context);
        let references = references(context.meta.get(REFERENCES_KEY)).map_err(|e| bad_request(&e))?;
        let call = ToolCall::plain(request.name.into_owned(), request.arguments.unwrap_or_default(), references);
        let run = self.0.run(era, Arc::clone(&cx), call);
        let reply = match era {
            Era::Legacy => run.await,
            Era::Modern => tokio::select! {
                reply = run => reply,
                () = context.ct.cancelled() => return Err(ErrorData::internal_error("The caller hung up.", None)),
            },
        };
        outcome(reply, &cx)?.into_rmcp(era, &self.0.meta).map(CallToolResponse::from)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // rmcp hands on a known method whose parameters did not fit as if it were unknown.
        if KNOWN.contains(&request.method.as_str()) {
            return Err(ErrorData::invalid_params(
                "The parameters of this method have the wrong shape.",
                Some(json!({"code": "invalid_params"})),
            ));
        }
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            "Method not found: this server offers tools.",
            Some(json!({"code": "unknown_method"})),
        ))
    }
}

const KNOWN: [&str; 5] = ["initialize", "ping", "server/discover", "tools/list", "tools/call"];

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
