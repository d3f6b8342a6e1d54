//! The yardsticks, each in a process of its own: an axum handler that reads and answers the same message, and the same
//! tool on rmcp's own stateless transport. No token, policy or audit: what HTTP and the protocol cost by themselves.

use std::sync::Arc;

use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::report::say;

/// Which yardstick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Bare {
    /// A typed handler on axum.
    Axum,
    /// rmcp's transport, stateless, JSON replies.
    Rmcp,
}

/// Serves on a free loopback port and prints its address, until killed.
pub(crate) async fn serve(bare: Bare) -> Result<()> {
    let router = match bare {
        Bare::Axum => Router::new().route("/echo", post(echo)),
        Bare::Rmcp => {
            let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
            let schema = Arc::new(Map::from_iter([("type".to_owned(), Value::from("object"))]));
            let tool = Tool::new("echo", "Answers with the message it was given.", schema);
            let server = Echo { tool };
            let service = StreamableHttpService::new(
                move || Ok(server.clone()),
                Arc::new(NeverSessionManager::default()),
                config,
            );
            Router::new().route_service("/echo", service)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(format_args!("http://{}", listener.local_addr()?))?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Message {
    id: u64,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    arguments: Arguments,
}

#[derive(Serialize, Deserialize)]
struct Arguments {
    message: String,
}

#[derive(Serialize)]
struct Reply {
    jsonrpc: &'static str,
    id: u64,
    result: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    structured_content: Arguments,
    is_error: bool,
}

async fn echo(Json(message): Json<Message>) -> Json<Reply> {
    let result = Outcome { structured_content: message.params.arguments, is_error: false };
    Json(Reply { jsonrpc: "2.0", id: message.id, result })
}

#[derive(Clone)]
struct Echo {
    tool: Tool,
}

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("bare", "0");
        config
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![self.tool.clone()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let message = request.arguments.and_then(|mut a| a.remove("message")).unwrap_or_default();
        let structured = json!({ "message": message });
        let mut result = CallToolResult::success(vec![ContentBlock::text(structured.to_string())]);
        result.structured_content = Some(structured);
        result.is_error = Some(false);
        Ok(result.into())
    }
}
