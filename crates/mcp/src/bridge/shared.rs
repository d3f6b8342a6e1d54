//! What all requests of one endpoint share: the handler, what it promises, and how a call is run.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use platform::{CallContext, Error};
use rmcp::model::{
    Implementation, MetaObject, PromptsCapability, ProtocolVersion, ResourcesCapability, ServerCapabilities,
    ServerConfig, TASKS_EXTENSION_ID, ToolsCapability,
};
use serde_json::Map;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::listen::Streams;
use crate::changes::Changes;
use crate::endpoint::EndpointOptions;
use crate::handler::{CallHandler, CallReply, Extras, Offers, ToolCall};
use crate::revision::Era;

/// What all requests of one endpoint share.
pub(crate) struct Shared {
    pub(crate) handler: Arc<dyn CallHandler>,
    pub(crate) options: EndpointOptions,
    pub(crate) tracker: TaskTracker,
    /// Ends the open streams.
    pub(crate) stopping: CancellationToken,
    pub(crate) offers: Offers,
    pub(crate) extras: Extras,
    pub(super) changes: Option<Changes>,
    pub(super) streams: Streams,
    pub(super) config: ServerConfig,
    pub(super) versions: Vec<ProtocolVersion>,
    pub(crate) meta: MetaObject,
    /// `meta` as JSON, for replies written by hand.
    pub(crate) meta_json: String,
}

impl Shared {
    pub(crate) fn new(handler: Arc<dyn CallHandler>, options: EndpointOptions) -> Self {
        let described = handler.server();
        let (offers, extras, changes) = (handler.offers(), handler.extras(), handler.changes());
        let mut info = Implementation::new(described.name, described.version);
        info.title = described.title;
        let mut config = ServerConfig::new(capabilities(offers, extras, changes.is_some()));
        config.instructions = described.instructions;
        if let Some(newest) = options.revisions.iter().filter(|r| r.is_legacy()).max() {
            config.protocol_version = newest.rmcp();
        }
        let mut meta = MetaObject::new();
        meta.insert("io.modelcontextprotocol/serverInfo".to_owned(), serde_json::to_value(&info).unwrap_or_default());
        config.server_info = info;
        let meta_json = serde_json::to_string(&meta).unwrap_or_else(|_| "{}".to_owned());
        let versions = options.revisions.iter().map(|r| r.rmcp()).collect();
        let (tracker, stopping, streams) = (TaskTracker::new(), CancellationToken::new(), Streams::default());
        Self {
            handler,
            options,
            tracker,
            stopping,
            offers,
            extras,
            changes,
            streams,
            config,
            versions,
            meta,
            meta_json,
        }
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

/// What `server/discover` promises. `initialize` promises less (`Bridge::initialize`).
fn capabilities(offers: Offers, extras: Extras, changes: bool) -> ServerCapabilities {
    let told = changes.then_some(true);
    let mut capabilities = ServerCapabilities::default();
    let mut tools = ToolsCapability::default();
    tools.list_changed = told;
    capabilities.tools = Some(tools);
    if offers.resources {
        let mut resources = ResourcesCapability::default();
        resources.list_changed = told;
        resources.subscribe = told.filter(|_| extras.resource_updates);
        capabilities.resources = Some(resources);
    }
    if offers.prompts {
        let mut prompts = PromptsCapability::default();
        prompts.list_changed = told;
        capabilities.prompts = Some(prompts);
    }
    if offers.completion {
        capabilities.completions = Some(Map::new());
    }
    if offers.tasks {
        capabilities.extensions = Some([(TASKS_EXTENSION_ID.to_owned(), Map::new())].into());
    }
    if extras.logging {
        capabilities.logging = Some(Map::new());
    }
    capabilities
}
