//! An MCP server in one file: what a gateway gives to `mcp::endpoint`, without the gateway.
//!
//! `cargo run -p interlock-mcp --example echo_server -- 127.0.0.1:8808` and point any client at `http://127.0.0.1:8808/mcp`.
//! The middleware stands where the edge belongs: a real one authenticates before it builds the [`CallContext`].

extern crate interlock_mcp as mcp;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::serve::ListenerExt as _;
use mcp::{CallHandler, CallReply, EndpointOptions, ServerDescription, ToolAnnotations, ToolCall, ToolDescription};
use platform::context::{CallReferences, Protocol, RequestId, TraceContext};
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::{CallContext, ErrorKind, Principal};
use serde_json::json;

struct Echo;

#[async_trait]
impl CallHandler for Echo {
    fn server(&self) -> ServerDescription {
        ServerDescription {
            name: "echo".to_owned(),
            title: Some("Echo".to_owned()),
            version: "1.0.0".to_owned(),
            instructions: Some("Repeats what it hears.".to_owned()),
        }
    }

    async fn list_tools(&self, _: &CallContext) -> platform::Result<Arc<[ToolDescription]>> {
        let tool = |name: &str, description: &str| ToolDescription {
            name: name.to_owned(),
            title: None,
            description: description.to_owned(),
            input_schema: object(json!({"type": "object", "properties": {"text": {"type": "string"}}})),
            output_schema: Some(object(json!({"type": "object", "required": ["text"],
                "properties": {"text": {"type": "string"}}}))),
            annotations: ToolAnnotations { read_only: true, destructive: false, idempotent: true, open_world: false },
        };
        Ok(Arc::new([tool("echo", "Answers with its text."), tool("refuse", "Refuses and says what comes next.")]))
    }

    async fn call_tool(&self, _: &Arc<CallContext>, call: ToolCall) -> CallReply {
        match call.name.as_str() {
            "echo" => {
                CallReply::Result { structured: json!({"text": call.arguments.get("text")}), text: None, queued_ms: 0 }
            }
            "refuse" => CallReply::Refused(
                platform::Error::new(ErrorKind::Unmet, "step_up_required", "This call needs a second factor.")
                    .with_unmet("step_up", "sign in with a second factor")
                    .with_url("http://127.0.0.1:8808/pages/step-up"),
            ),
            _ => CallReply::UnknownTool(call.name),
        }
    }
}

fn object(value: serde_json::Value) -> Arc<serde_json::Map<String, serde_json::Value>> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}

fn nobody() -> Arc<Principal> {
    Arc::new(Principal {
        issuer: "https://issuer.example".to_owned(),
        subject: "nobody".to_owned(),
        person: "nobody".to_owned(),
        name: "nobody".to_owned(),
        kind: PrincipalKind::Person,
        groups: vec![],
        client_id: "example".to_owned(),
        scopes: vec![],
        acr: None,
        amr: vec![],
        auth_time: None,
        mfa: false,
        actors: vec![],
        token: TokenFacts {
            id: None,
            session: None,
            key: None,
            proof: TokenProof::Signature,
            issued_at: 0,
            expires_at: 0,
        },
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8808".to_owned());
    let endpoint = mcp::endpoint(Arc::new(Echo), EndpointOptions::default());
    let principal = nobody();
    let edge = from_fn(move |mut request: Request, next: Next| {
        let cx = CallContext {
            request_id: RequestId::mint(),
            client_request_id: None,
            trace: TraceContext::root(),
            principal: Arc::clone(&principal),
            resource: Resource::McpServer("echo".to_owned()),
            protocol: Protocol::Mcp,
            source: IpAddr::from([127, 0, 0, 1]),
            references: CallReferences::default(),
            run: None,
            deadline: Instant::now() + Duration::from_secs(30),
        };
        request.extensions_mut().insert(Arc::new(cx));
        next.run(request)
    });
    let app = axum::Router::new().route_service("/mcp", endpoint).layer(edge);
    // Without this every streamed reply waits 40 ms for Nagle's algorithm; a failure to set it only costs time.
    let listener = tokio::net::TcpListener::bind(&address).await?.tap_io(|socket| drop(socket.set_nodelay(true)));
    axum::serve(listener, app).await?;
    Ok(())
}
