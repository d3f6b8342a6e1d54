//! How the tale's people call the platform: REST for most, one plain JSON-RPC message for MCP. Nothing is hidden in a
//! library, so that a reader sees what goes over the wire.

use platform::error::Refusal;
use platform::{Error, ErrorKind, Json, Secret};
use serde_json::json;
use url::Url;

use crate::browser::unreachable;

/// A person's client.
pub(crate) struct PlatformClient<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) base: &'a str,
    pub(crate) token: Secret,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// `x-request-id`.
    pub(crate) request_id: String,
    pub(crate) body: Json,
}

impl PlatformClient<'_> {
    /// `POST /api/v1/mcp/{server}/tools/{tool}`.
    pub(crate) async fn call(&self, server: &str, tool: &str, arguments: &Json) -> Result<Reply, Error> {
        self.post(&format!("/api/v1/mcp/{server}/tools/{tool}"), &json!({ "arguments": arguments }), &[]).await
    }

    /// The same, for a call that must succeed: its result.
    pub(crate) async fn result(&self, server: &str, tool: &str, arguments: &Json) -> Result<(Json, String), Error> {
        let mut reply = self.call(server, tool, arguments).await?;
        match reply.status {
            200 | 202 => Ok((reply.body["result"].take(), reply.request_id)),
            _ => Err(reply.unexpected(tool)),
        }
    }

    /// Names of the tools that this person sees on an MCP endpoint: one `tools/list`, 2025-11-25.
    pub(crate) async fn tools_by_mcp(&self, server: &str) -> Result<Vec<String>, Error> {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        let headers = [("accept", "application/json, text/event-stream"), ("mcp-protocol-version", "2025-11-25")];
        let reply = self.post(&format!("/mcp/{server}"), &message, &headers).await?;
        let tools = reply.body["result"]["tools"].as_array().ok_or_else(|| reply.unexpected("tools/list"))?;
        Ok(tools.iter().filter_map(|t| t["name"].as_str()).map(str::to_owned).collect())
    }

    async fn post(&self, path: &str, body: &Json, headers: &[(&str, &str)]) -> Result<Reply, Error> {
        let url = Url::parse(&format!("{}{path}", self.base)).map_err(Error::internal)?;
        let mut request = self.http.post(url.clone()).bearer_auth(self.token.expose()).json(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.map_err(|e| unreachable(&url, &e))?;
        let status = response.status().as_u16();
        let request_id = response.headers().get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let body = response.json().await.unwrap_or(Json::Null);
        Ok(Reply { status, request_id, body })
    }
}

impl Reply {
    /// The refusal in a problem document.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let mut body = self.body.clone();
        let detail = body["detail"].take();
        let members = body.as_object_mut()?;
        members.entry("message").or_insert(detail);
        serde_json::from_value(body).ok()
    }

    /// The tale went another way than it tells.
    pub(crate) fn unexpected(&self, what: &str) -> Error {
        let said = self.refusal().map_or_else(|| self.body.to_string(), |r| format!("{} [{}]", r.message, r.code));
        let message = format!("`{what}` answered {}: {said}", self.status);
        Error::new(ErrorKind::Upstream, "story_interrupted", message)
    }
}
