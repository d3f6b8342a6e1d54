//! The MCP door: one endpoint per server instance at `/mcp/<name>`, each a protected resource of its own (T1), each
//! answering through the pipeline.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use axum::Router;
use axum::middleware::from_fn_with_state;
use mcp::{
    CallHandler, CallReply, Endpoint, EndpointOptions, ServerDescription, ToolAnnotations, ToolCall, ToolDescription,
};
use platform::context::Protocol;
use platform::policy::Risk;
use platform::resource::Resource;
use platform::{CallContext, Error, Json};
use tool_runtime::catalogue::RegisteredTool;
use tool_runtime::{CallRequest, Pipeline, SideEffect};

use crate::Gateway;
use crate::edge::{Door, authenticate};

/// The endpoints, for the shutdown.
pub struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    /// Ends the open streams of changes, so that a shutdown does not wait for those who only listen.
    pub fn end_streams(&self) {
        for endpoint in &self.0 {
            endpoint.end_streams();
        }
    }

    /// Waits until the calls under way have ended.
    pub async fn drain(&self) {
        for endpoint in &self.0 {
            endpoint.drain().await;
        }
    }
}

pub(crate) fn router(gateway: &Arc<Gateway>) -> (Router, Endpoints) {
    let pipeline = &gateway.parts.pipeline;
    let mut router = Router::new();
    let mut endpoints = Vec::new();
    for server in pipeline.visibility().catalogue().servers() {
        let name = server.facts.name.clone();
        let handler = ServerHandler {
            name: name.clone(),
            instructions: server.connector.instructions(),
            version: gateway.parts.options.version,
            pipeline: Arc::clone(pipeline),
            described: ArcSwapOption::empty(),
        };
        let (route, endpoint) = mount(gateway, &name, Arc::new(handler));
        router = router.merge(route);
        endpoints.push(endpoint);
    }
    for (name, handler) in &gateway.parts.fixtures {
        let (route, endpoint) = mount(gateway, name, Arc::clone(handler));
        router = router.merge(route);
        endpoints.push(endpoint);
    }
    (router, Endpoints(endpoints))
}

/// One server at `/mcp/<name>`, behind the sign-in of its own resource.
fn mount(gateway: &Arc<Gateway>, name: &str, handler: Arc<dyn CallHandler>) -> (Router, Endpoint) {
    let options = EndpointOptions { max_body: gateway.parts.options.max_body, ..EndpointOptions::default() };
    let endpoint = mcp::endpoint(handler, options);
    let door =
        Door { gateway: Arc::clone(gateway), resource: Resource::McpServer(name.to_owned()), protocol: Protocol::Mcp };
    let route = Router::new()
        .route_service(&format!("/mcp/{name}"), endpoint.clone())
        .layer(from_fn_with_state(door, authenticate));
    (route, endpoint)
}

/// Descriptions of every tool of a server, for one catalogue revision; what a caller sees is picked out of them.
struct Described {
    revision: String,
    tools: Vec<ToolDescription>,
}

struct ServerHandler {
    name: String,
    instructions: &'static str,
    version: &'static str,
    pipeline: Arc<Pipeline>,
    described: ArcSwapOption<Described>,
}

impl ServerHandler {
    fn described(&self) -> Arc<Described> {
        let catalogue = self.pipeline.visibility().catalogue();
        if let Some(described) = self.described.load_full()
            && described.revision == catalogue.revision()
        {
            return described;
        }
        let tools = catalogue.server(&self.name).map(|s| s.tools().map(describe).collect()).unwrap_or_default();
        let described = Arc::new(Described { revision: catalogue.revision().to_owned(), tools });
        self.described.store(Some(Arc::clone(&described)));
        described
    }
}

#[async_trait]
impl CallHandler for ServerHandler {
    fn server(&self) -> ServerDescription {
        ServerDescription {
            name: self.name.clone(),
            title: None,
            version: self.version.to_owned(),
            instructions: Some(self.instructions.to_owned()),
        }
    }

    async fn list_tools(&self, cx: &CallContext) -> Result<Arc<[ToolDescription]>, Error> {
        let visible = self.pipeline.visibility().visible(&cx.principal).await?;
        let described = self.described();
        let shown = |t: &&ToolDescription| visible.contains(&(self.name.clone(), t.name.clone()));
        Ok(described.tools.iter().filter(shown).cloned().collect())
    }

    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply {
        let request = CallRequest {
            server: self.name.clone(),
            tool: call.name,
            arguments: Json::Object(call.arguments),
            references: call.references,
        };
        let name = request.tool.clone();
        match self.pipeline.call(Arc::clone(cx), request).await {
            Ok(answer) => CallReply::Result { structured: answer.structured, text: None },
            Err(error) => match error.code() {
                "tool_unknown" => CallReply::UnknownTool(name),
                "reference_conflict" | "reference_invalid" => CallReply::BadRequest(error),
                _ => CallReply::Refused(error),
            },
        }
    }
}

fn describe(tool: &Arc<RegisteredTool>) -> ToolDescription {
    let spec = tool.tool.spec();
    let object = |schema: &Json| Arc::new(schema.as_object().cloned().unwrap_or_default());
    ToolDescription {
        name: spec.name.to_owned(),
        title: Some(spec.title.to_owned()),
        description: spec.description.to_owned(),
        input_schema: object(&tool.published_input),
        output_schema: Some(object(&tool.published_output)),
        annotations: ToolAnnotations {
            // Derived from the operator's risk (T6), never from what a connector says of itself.
            read_only: !tool.risk.is_write(),
            destructive: matches!(tool.risk, Risk::Change | Risk::Disruptive | Risk::Control),
            idempotent: spec.effect == SideEffect::Idempotent,
            open_world: false,
        },
    }
}
