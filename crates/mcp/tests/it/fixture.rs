//! A server with a few tools behind an edge that inserts a fixed context, on loopback port 0.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use mcp::{
    CallHandler, CallReply, Endpoint, EndpointOptions, Extras, ServerDescription, ToolAnnotations, ToolCall,
    ToolDescription,
};
use platform::context::{CallReferences, Protocol, RequestId, TraceContext};
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind, Json, Principal};
use serde_json::{Map, json};
use tokio::sync::Notify;

use crate::offering::Everything;

/// What the slow tool tells a test.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) started: Notify,
    pub(crate) go_on: Notify,
    pub(crate) finished: Notify,
    pub(crate) dropped: Notify,
}

pub(crate) struct Tools(pub(crate) Arc<Signals>);

struct SignalDrop(Arc<Signals>, bool);

impl Drop for SignalDrop {
    fn drop(&mut self) {
        if self.1 {
            self.0.finished.notify_one();
        } else {
            self.0.dropped.notify_one();
        }
    }
}

pub(crate) fn object(value: Json) -> Arc<Map<String, Json>> {
    Arc::new(value.as_object().cloned().unwrap())
}

#[async_trait]
impl CallHandler for Tools {
    fn server(&self) -> ServerDescription {
        ServerDescription {
            name: "fixture".into(),
            title: Some("Fixture".into()),
            version: "1.2.3".into(),
            instructions: Some("Only for tests.".into()),
        }
    }

    async fn list_tools(&self, cx: &CallContext) -> Result<Arc<[ToolDescription]>, Error> {
        if cx.principal.subject == "shed" {
            return Err(Error::new(ErrorKind::Unavailable, "overloaded", "Too much at once."));
        }
        Ok(["echo", "refuse"]
            .map(|name| ToolDescription {
                name: name.into(),
                title: None,
                description: format!("The tool {name}."),
                input_schema: object(json!({"type": "object"})),
                output_schema: Some(object(json!({"type": "object", "required": ["arguments"]}))),
                annotations: ToolAnnotations {
                    read_only: true,
                    destructive: false,
                    idempotent: true,
                    open_world: false,
                },
            })
            .into())
    }

    async fn call_tool(&self, cx: &Arc<CallContext>, call: ToolCall) -> CallReply {
        match call.name.as_str() {
            "echo" => CallReply::Result {
                structured: json!({"arguments": call.arguments, "change": call.references.change,
                    "key": call.references.idempotency_key, "caller": cx.principal.subject}),
                text: None,
                queued_ms: 0,
            },
            "said" => CallReply::Result {
                structured: json!({"n": 1}),
                text: Some("one \u{2028} \"1\"\n".into()),
                queued_ms: 12,
            },
            "list" => CallReply::Result { structured: json!([1, 2]), text: None, queued_ms: 0 },
            "refuse" => CallReply::Refused(
                Error::new(ErrorKind::Unmet, "step_up_required", "A second factor is needed.")
                    .with_unmet("step_up", "sign in again")
                    .with_url("https://interlock.example/pages/step-up/1")
                    .with_next("get_change", json!({"change": "c1"}))
                    .with_detail("for the operator only"),
            ),
            "invalid" => CallReply::Refused(
                Error::new(ErrorKind::InvalidInput, "invalid_arguments", "`count` is a number.")
                    .with_details(json!({"fields": ["count"]})),
            ),
            "contradict" => {
                CallReply::BadRequest(Error::new(ErrorKind::Conflict, "reference_conflict", "Two changes are named."))
            }
            "explode" => panic!("a tool with a defect"),
            "slow" => {
                let mut guard = SignalDrop(Arc::clone(&self.0), false);
                self.0.started.notify_one();
                self.0.go_on.notified().await;
                guard.1 = true;
                CallReply::Result { structured: json!({"done": true}), text: None, queued_ms: 0 }
            }
            _ => CallReply::UnknownTool(call.name),
        }
    }
}

pub(crate) fn context(subject: &str) -> CallContext {
    CallContext {
        request_id: serde_json::from_str("\"0190a5b2-7c1e-7d3e-8a55-3f2f9a1b2c3d\"").unwrap(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(Principal {
            issuer: "https://issuer.example".into(),
            subject: subject.into(),
            person: subject.into(),
            name: subject.into(),
            kind: PrincipalKind::Person,
            groups: vec![],
            client_id: "test".into(),
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
        }),
        resource: Resource::Mcp,
        protocol: Protocol::Mcp,
        source: IpAddr::from([127, 0, 0, 1]),
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

/// The id that every context of these tests carries, so that two servers answer alike.
pub(crate) fn request_id() -> RequestId {
    context("x").request_id
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) endpoint: Endpoint,
    pub(crate) signals: Arc<Signals>,
    /// The handler of `Server::everything`.
    pub(crate) everything: Arc<Everything>,
    client: reqwest::Client,
}

/// A reply, read whole.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) allow: Option<String>,
    pub(crate) buffering: Option<String>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn result(&self) -> Json {
        assert_eq!(self.status, 200, "{self:?}");
        self.json().get("result").cloned().unwrap_or_else(|| panic!("no result: {self:?}"))
    }

    /// The messages of a stream; of a plain answer, that one.
    pub(crate) fn messages(&self) -> Vec<Json> {
        assert_eq!(self.status, 200, "{self:?}");
        if self.content_type.starts_with("application/json") {
            return vec![self.json()];
        }
        let data = self.text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        data.filter(|d| !d.is_empty()).map(|d| serde_json::from_str(d).unwrap()).collect()
    }

    /// (HTTP status, JSON-RPC code, our code).
    pub(crate) fn error(&self) -> (u16, i64, String) {
        let body = self.json();
        assert_eq!(body["jsonrpc"], "2.0", "{self:?}");
        assert!(self.content_type.starts_with("application/json"), "{self:?}");
        let error = &body["error"];
        (
            self.status,
            error["code"].as_i64().unwrap_or_else(|| panic!("no code: {self:?}")),
            error["data"]["code"].as_str().unwrap_or_default().to_owned(),
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is a client of its own")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Server {
    pub(crate) async fn start(options: EndpointOptions) -> Self {
        Self::start_as("alice", options).await
    }

    pub(crate) async fn start_as(subject: &str, options: EndpointOptions) -> Self {
        let signals = Arc::new(Signals::default());
        let endpoint = mcp::endpoint(Arc::new(Tools(Arc::clone(&signals))), options);
        Self::serve(subject, endpoint, signals, Arc::default()).await
    }

    /// A server that offers everything but the extras.
    pub(crate) async fn everything(options: EndpointOptions) -> Self {
        Self::everything_with(Extras::default(), options).await
    }

    pub(crate) async fn everything_with(extras: Extras, options: EndpointOptions) -> Self {
        let everything = Arc::new(Everything { extras, ..Everything::default() });
        let endpoint = mcp::endpoint(Arc::clone(&everything) as Arc<dyn CallHandler>, options);
        Self::serve("alice", endpoint, Arc::default(), everything).await
    }

    async fn serve(subject: &str, endpoint: Endpoint, signals: Arc<Signals>, everything: Arc<Everything>) -> Self {
        let cx = context(subject);
        let edge = from_fn(move |mut request: Request, next: Next| {
            request.extensions_mut().insert(cx.clone());
            next.run(request)
        });
        let bare = endpoint.clone();
        let app = axum::Router::new()
            .route_service("/mcp", endpoint.clone())
            .layer(edge)
            .route_service("/without-edge", bare);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, endpoint, signals, everything, client: client() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.address)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let (status, content_type) = (response.status().as_u16(), header("content-type").unwrap_or_default());
        let (allow, buffering) = (header("allow"), header("x-accel-buffering"));
        Reply { status, content_type, allow, buffering, text: response.text().await.unwrap() }
    }

    /// Opens a stream of changes, read message by message.
    pub(crate) async fn listen(&self, wanted: &Json) -> Stream {
        let body = modern("subscriptions/listen", json!({"notifications": wanted}));
        let request = self.client.post(format!("http://{}/mcp", self.address)).body(body.to_string());
        let headers = [JSON, ACCEPT, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
        let request = headers.into_iter().fold(request, |r, (name, value)| r.header(name, value));
        Stream { response: request.send().await.unwrap(), read: String::new() }
    }

    pub(crate) async fn post(&self, headers: &[(&str, &str)], body: &Json) -> Reply {
        let mut all = vec![JSON, ACCEPT];
        all.extend_from_slice(headers);
        self.send("POST", "/mcp", &all, body.to_string().into_bytes()).await
    }

    /// A call of revision 2025-11-25.
    pub(crate) async fn legacy(&self, body: &Json) -> Reply {
        self.post(&[("mcp-protocol-version", "2025-11-25")], body).await
    }

    /// A call of revision 2026-07-28, with the headers that its body asks for.
    pub(crate) async fn modern(&self, body: &Json) -> Reply {
        let method = body["method"].as_str().unwrap().to_owned();
        let named = ["name", "uri", "taskId"].into_iter().find_map(|key| body["params"][key].as_str());
        let name = named.unwrap_or_default().to_owned();
        let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method.as_str())];
        if !name.is_empty() {
            headers.push(("mcp-name", name.as_str()));
        }
        self.post(&headers, body).await
    }
}

/// An open stream of changes.
pub(crate) struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    /// The next message; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Json> {
        loop {
            while let Some((line, rest)) = self.read.split_once('\n') {
                let (line, rest) = (line.trim_end().to_owned(), rest.to_owned());
                self.read = rest;
                let data = line.strip_prefix("data:").map(str::trim).filter(|d| !d.is_empty());
                if let Some(data) = data {
                    return Some(serde_json::from_str(data).unwrap());
                }
            }
            let more = self.response.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&more).unwrap());
        }
    }
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");

/// A request without `_meta`.
pub(crate) fn request(method: &str, params: Json) -> Json {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// A request with the `_meta` of revision 2026-07-28.
pub(crate) fn modern(method: &str, mut params: Json) -> Json {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    request(method, params)
}

/// The same, with these capabilities declared.
pub(crate) fn declaring(method: &str, params: Json, abilities: &Json) -> Json {
    let mut body = modern(method, params);
    body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = abilities.clone();
    body
}
