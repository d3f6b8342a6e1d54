//! A client of the doors: plain requests, so that a test sees exactly what goes over the wire.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use platform::Json;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::json;

use crate::lab::Lab;

/// The instance that most tests use.
pub(crate) const CENTER: &str = "catalyst-center";
/// The other instance of the same connector.
pub(crate) const EMEA: &str = "catalyst-center-emea";
/// Tickets.
pub(crate) const DESK: &str = "servicenow";
/// The platform's own tools.
pub(crate) const OWN: &str = "interlock";

/// A lab and the means to call it.
pub(crate) struct Caller {
    pub(crate) lab: Arc<Lab>,
    pub(crate) http: Client,
}

/// What a door answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Json,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::received(request).await.unwrap()
    }

    /// The answer, when all of it came.
    pub(crate) async fn received(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Json::Null) })
    }

    /// A header's text; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    /// `x-request-id`, which every answer has.
    pub(crate) fn request_id(&self) -> String {
        let id = self.header("x-request-id");
        assert!(!id.is_empty(), "no x-request-id: {self:?}");
        id.to_owned()
    }

    /// The code of a refusal, at either door; nothing for a success.
    pub(crate) fn code(&self) -> Option<&str> {
        let places = ["/code", "/result/structuredContent/code", "/error/data/code", "/error"];
        let refused = self.status >= 400 || self.body["result"]["isError"] == true || self.body.get("error").is_some();
        refused.then(|| places.iter().find_map(|p| self.body.pointer(p)?.as_str()))?
    }

    /// The structured result of a success, at either door.
    pub(crate) fn result(&self) -> &Json {
        assert_eq!(self.code(), None, "{self:?}");
        self.body.pointer("/result/structuredContent").unwrap_or(&self.body["result"])
    }

    /// The link of a refusal, at either door.
    pub(crate) fn link(&self) -> &str {
        let link = self.body.pointer("/result/structuredContent/url").or_else(|| self.body.pointer("/url"));
        link.and_then(Json::as_str).unwrap_or_else(|| panic!("no link: {self:?}"))
    }
}

impl Caller {
    /// Over a lab.
    pub(crate) fn new(lab: Arc<Lab>) -> Self {
        Self { lab, http: http() }
    }

    /// Over the shared lab.
    pub(crate) fn shared() -> Self {
        Self::new(Lab::shared())
    }

    /// A REST call, ready to send.
    pub(crate) fn rest_request(&self, token: &str, server: &str, tool: &str, arguments: &Json) -> RequestBuilder {
        let url = format!("{}/api/v1/mcp/{server}/tools/{tool}", self.lab.url());
        self.http.post(url).bearer_auth(token).json(&json!({ "arguments": arguments }))
    }

    /// A tool by REST.
    pub(crate) async fn rest(&self, token: &str, server: &str, tool: &str, arguments: &Json) -> Answer {
        Answer::of(self.rest_request(token, server, tool, arguments)).await
    }

    /// One JSON-RPC request of 2025-11-25, ready to send.
    pub(crate) fn mcp_request(&self, token: &str, server: &str, method: &str, params: &Json) -> RequestBuilder {
        self.http
            .post(format!("{}/mcp/{server}", self.lab.url()))
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .json(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    }

    /// A tool by MCP.
    pub(crate) async fn mcp(&self, token: &str, server: &str, tool: &str, arguments: &Json) -> Answer {
        let params = json!({"name": tool, "arguments": arguments});
        Answer::of(self.mcp_request(token, server, "tools/call", &params)).await
    }

    /// Names that `tools/list` shows.
    pub(crate) async fn tools(&self, token: &str, server: &str) -> BTreeSet<String> {
        let answer = Answer::of(self.mcp_request(token, server, "tools/list", &json!({}))).await;
        let tools = answer.body["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        tools.iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Ids of access switches that can be reached.
    pub(crate) async fn switches(&self, token: &str, server: &str) -> Vec<String> {
        let filter = json!({"role": "ACCESS", "family": "Switches and Hubs", "reachability": "Reachable", "limit": 20});
        let answer = self.rest(token, server, "list_devices", &filter).await;
        let items = answer.result()["items"].as_array().unwrap();
        items.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The switches on which a change can rest: those about which no two systems contradict each other.
    pub(crate) async fn changeable_switches(&self, token: &str, server: &str) -> Vec<String> {
        // A lab that has just started is still reading its systems; each look is a call of its own.
        for _ in 0..100 {
            let sources = self.rest(token, OWN, "list_target_sources", &json!({})).await;
            if sources.result()["fit_for_changes"] == true {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let asked = json!({"server": server, "ambiguous": true, "limit": 100});
        let answer = self.rest(token, OWN, "find_targets", &asked).await;
        let items = answer.result()["items"].as_array().unwrap();
        let known_as = items.iter().filter_map(|row| row["known_as"].as_array()).flatten();
        let contradicted: Vec<&str> = known_as.filter_map(|claim| claim["id"].as_str()).collect();
        let mut switches = self.switches(token, server).await;
        switches.retain(|id| !contradicted.contains(&id.as_str()));
        switches
    }

    /// Arguments that put one VLAN on a device.
    pub(crate) async fn deployment(&self, token: &str, server: &str, device: &str, vlan: u32) -> Json {
        let answer = self.rest(token, server, "get_all_templates", &json!({})).await;
        let rows = answer.result()["templates"].as_array().unwrap();
        let template = rows.iter().find(|row| row["name"] == "access-vlan").unwrap();
        json!({
            "template_id": template["template_id"], "device_id": device,
            "params": {"vlan_id": vlan, "vlan_name": format!("E2E{vlan}")},
        })
    }

    /// Deploys until refused, and passes the second factor at the link.
    pub(crate) async fn elevate(&self, user: &str, server: &str, deployment: &Json) {
        let token = self.lab.token(user).await;
        let refused = self.rest(&token, server, "deploy_template", deployment).await;
        assert_eq!((refused.status, refused.code()), (403, Some("step_up_required")), "{refused:?}");
        self.lab.pass_second_factor(refused.link(), user).await.unwrap();
    }
}

/// A client that follows nothing and keeps nothing.
#[expect(clippy::disallowed_methods, reason = "a test's own client, not the platform's")]
pub(crate) fn http() -> Client {
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).tcp_nodelay(true);
    builder.tls_certs_only([]).timeout(Duration::from_secs(60)).build().unwrap()
}
