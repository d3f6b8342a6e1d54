//! A platform of a few lines, written from the RFCs and from MCP and not from our own server: metadata, an issuer with all
//! three grants, and one endpoint whose tools misbehave on request. It keeps what it was sent.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use platform::canonical::sha256;
use serde_json::{Value, json};

/// One request to the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Inner {
    codes: HashMap<String, HashMap<String, String>>,
    tokens: Vec<String>,
    refresh: Option<String>,
    issued: u64,
    /// What was asked for at the authorization endpoint.
    asked: Vec<HashMap<String, String>>,
    grants: Vec<String>,
    reused: bool,
    /// Answers of `authorization_pending` before a device code is accepted; `None` = the person said no.
    pending: Option<u32>,
    sent: Vec<Sent>,
    elevated: bool,
    scope: String,
    polls: u32,
    life_s: i64,
    resource: Option<String>,
    step_up_page: Option<String>,
}

pub(crate) struct APlatform {
    pub(crate) base: String,
    inner: Mutex<Inner>,
    ended: Mutex<Sender<String>>,
    /// Hears of every call whose connection the caller closed.
    pub(crate) hung_up: Mutex<Receiver<String>>,
}

impl APlatform {
    pub(crate) fn start() -> Arc<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (ended, hung_up) = channel();
        let platform = Arc::new(Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            inner: Mutex::new(Inner { life_s: 3600, pending: Some(0), scope: "mcp".to_owned(), ..Inner::default() }),
            ended: Mutex::new(ended),
            hung_up: Mutex::new(hung_up),
        });
        let app = Router::new()
            .route("/.well-known/oauth-protected-resource/mcp/net", get(resource))
            .route("/.well-known/oauth-authorization-server/issuer", get(metadata))
            .route("/issuer/authorize", get(authorize))
            .route("/issuer/device", post(device))
            .route("/issuer/token", post(token))
            .route("/issuer/revoke", post(revoke))
            .route("/elevate/{id}", get(elevate))
            .route("/mcp/net", post(mcp))
            .with_state(Arc::clone(&platform));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        platform
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that the endpoint takes.
    pub(crate) fn a_token(&self) -> String {
        self.lock().tokens.push("given".to_owned());
        "given".to_owned()
    }

    /// From now on no token that was given out is taken, as after a revocation or a rotated key.
    pub(crate) fn revoke(&self) {
        self.lock().tokens.clear();
    }

    /// Life of the next access tokens.
    pub(crate) fn set_life(&self, seconds: i64) {
        self.lock().life_s = seconds;
    }

    pub(crate) fn set_pending(&self, answers: Option<u32>) {
        self.lock().pending = answers;
    }

    /// The scope that a token needs.
    pub(crate) fn set_scope(&self, scope: &str) {
        self.lock().scope = scope.to_owned();
    }

    /// What the resource's own document calls itself.
    pub(crate) fn set_resource(&self, resource: &str) {
        self.lock().resource = Some(resource.to_owned());
    }

    /// Where a refusal sends the person.
    pub(crate) fn set_step_up_page(&self, url: &str) {
        self.lock().step_up_page = Some(url.to_owned());
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.lock().sent.clone()
    }

    /// The grants that the token endpoint was asked for, in order.
    pub(crate) fn grants(&self) -> Vec<String> {
        self.lock().grants.clone()
    }

    /// What authorization requests asked for.
    pub(crate) fn asked(&self) -> Vec<HashMap<String, String>> {
        self.lock().asked.clone()
    }

    /// Whether any token is still good.
    pub(crate) fn has_tokens(&self) -> bool {
        let inner = self.lock();
        inner.refresh.is_some() || !inner.tokens.is_empty()
    }

    /// Whether a rotated refresh token came back.
    pub(crate) fn saw_reuse(&self) -> bool {
        self.lock().reused
    }

    /// Does what a person's browser does with an address: opens it, follows redirects. The last page.
    pub(crate) fn browse(&self, url: &str) -> String {
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
        match location {
            Some(location) => self.browse(&location),
            None => answer,
        }
    }
}

type Shared = State<Arc<APlatform>>;

async fn resource(State(platform): Shared) -> Json<Value> {
    let inner = platform.lock();
    let resource = inner.resource.clone().unwrap_or_else(|| format!("{}/mcp/net", platform.base));
    Json(json!({"resource": resource, "scopes_supported": ["mcp"],
        "authorization_servers": [format!("{}/issuer", platform.base)]}))
}

async fn metadata(State(platform): Shared) -> Json<Value> {
    let issuer = format!("{}/issuer", platform.base);
    Json(json!({"issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"), "device_authorization_endpoint": format!("{issuer}/device"),
        "revocation_endpoint": format!("{issuer}/revoke"), "code_challenge_methods_supported": ["S256"], "authorization_response_iss_parameter_supported": true}))
}

/// A person who is signed in already and agrees to everything.
async fn authorize(State(platform): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let code = format!("code-{}", platform.lock().asked.len());
    let to = format!("{}?code={code}&state={}&iss={}/issuer", query["redirect_uri"], query["state"], platform.base);
    let mut inner = platform.lock();
    inner.asked.push(query.clone());
    inner.codes.insert(code, query);
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}

async fn device(State(platform): Shared, Form(form): Form<HashMap<String, String>>) -> Json<Value> {
    platform.lock().asked.push(form);
    Json(json!({"device_code": "device", "user_code": "WDJB-MJHT", "verification_uri": format!("{}/d", platform.base),
        "expires_in": 600, "interval": 1}))
}

async fn token(State(platform): Shared, Form(form): Form<HashMap<String, String>>) -> Response {
    let refused = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
    let mut inner = platform.lock();
    let grant = form["grant_type"].clone();
    inner.grants.push(grant.clone());
    if form.get("resource") != Some(&format!("{}/mcp/net", platform.base)) || form["client_id"] != "interlock-cli" {
        return refused("invalid_target");
    }
    match &*grant {
        "authorization_code" => {
            let Some(asked) = inner.codes.remove(&form["code"]) else { return refused("invalid_grant") };
            let challenge = URL_SAFE_NO_PAD.encode(sha256(form["code_verifier"].as_bytes()));
            if asked["code_challenge"] != challenge || asked["redirect_uri"] != form["redirect_uri"] {
                return refused("invalid_grant");
            }
        }
        "refresh_token" => {
            if inner.refresh.as_ref() != form.get("refresh_token") {
                inner.reused = true;
                inner.refresh = None;
                return refused("invalid_grant");
            }
        }
        _ => match inner.pending {
            None => return refused("access_denied"),
            Some(0) => {}
            Some(more) => {
                inner.pending = Some(more - 1);
                return refused("authorization_pending");
            }
        },
    }
    inner.issued += 1;
    let (access, refresh) = (format!("access-{}", inner.issued), format!("refresh-{}", inner.issued));
    inner.tokens.push(access.clone());
    inner.refresh = Some(refresh.clone());
    let scope = inner.asked.last().and_then(|asked| asked.get("scope").cloned()).unwrap_or_default();
    Json(json!({"access_token": access, "token_type": "Bearer", "expires_in": inner.life_s, "refresh_token": refresh,
        "scope": scope}))
    .into_response()
}

async fn revoke(State(platform): Shared, Form(form): Form<HashMap<String, String>>) -> StatusCode {
    let mut inner = platform.lock();
    inner.tokens.retain(|token| *token != form["token"]);
    if inner.refresh.as_ref() == form.get("token") {
        inner.refresh = None;
    }
    StatusCode::OK
}

async fn elevate(State(platform): Shared, Path(_): Path<String>) -> &'static str {
    platform.lock().elevated = true;
    "elevated"
}

/// Says when a call is torn down instead of answered.
struct Watched(Arc<APlatform>, String);

impl Drop for Watched {
    fn drop(&mut self) {
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        drop(ended.send(self.1.clone()));
    }
}

async fn mcp(State(platform): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let token = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    {
        let mut inner = platform.lock();
        inner.sent.push(Sent { headers, text, body: body.clone() });
        if !inner.tokens.iter().any(|known| token == format!("Bearer {known}")) {
            let challenge = "Bearer error=\"invalid_token\"";
            return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], Json(json!({})))
                .into_response();
        }
        let granted = inner.asked.last().and_then(|asked| asked.get("scope").cloned()).unwrap_or_default();
        if inner.scope != "mcp" && !granted.split(' ').any(|scope| scope == inner.scope) {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"mcp {}\"", inner.scope);
            return (StatusCode::FORBIDDEN, [(header::WWW_AUTHENTICATE, challenge)], Json(json!({}))).into_response();
        }
    }
    if body["id"].is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    answer(&platform, &body).await
}

async fn answer(platform: &Arc<APlatform>, body: &Value) -> Response {
    let params = &body["params"];
    let result = |result: Value| Json(json!({"jsonrpc": "2.0", "id": body["id"], "result": result})).into_response();
    match body["method"].as_str().unwrap_or_default() {
        "initialize" => result(json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo":
            {"name": "net", "version": "1"}})),
        "tools/list" => result(json!({"tools": [{"name": "mirrored", "inputSchema": {"type": "object", "properties":
            {"site": {"type": "string", "x-mcp-header": "Site"}}}}]})),
        "tasks/get" => {
            let mut inner = platform.lock();
            inner.polls += 1;
            result(match inner.polls {
                1 | 2 => json!({"resultType": "complete", "taskId": "t-1", "status": "working", "statusMessage":
                    format!("step {}", inner.polls), "pollIntervalMs": 1}),
                _ => json!({"resultType": "complete", "taskId": "t-1", "status": "completed", "result":
                    {"content": [{"type": "text", "text": "done"}], "isError": false}}),
            })
        }
        "tasks/cancel" => result(json!({"resultType": "complete"})),
        "tools/call" => call(platform, body, params, result).await,
        _ => result(json!({})),
    }
}

async fn call(platform: &Arc<APlatform>, body: &Value, params: &Value, result: impl Fn(Value) -> Response) -> Response {
    let text = |text: &str| json!({"content": [{"type": "text", "text": text}], "isError": false});
    let pieces = |pieces: Vec<Result<String, std::io::Error>>| {
        let body = Body::from_stream(stream::iter(pieces));
        ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
    };
    let event = |value: Value| Ok(format!("event: message\ndata: {value}\n\n"));
    let declared = &params["_meta"]["io.modelcontextprotocol/clientCapabilities"]["extensions"];
    match params["name"].as_str().unwrap_or_default() {
        "slow" => {
            let progress = |n: u32| {
                let params = json!({"progressToken": params["_meta"]["progressToken"], "progress": n});
                event(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
            };
            let last = event(json!({"jsonrpc": "2.0", "id": body["id"], "result": text("slow")}));
            pieces(vec![Ok(": hello\n\n".to_owned()), progress(1), progress(2), last])
        }
        "cut" => pieces(vec![Ok(": hello\n\n".to_owned()), Err(std::io::Error::other("cut"))]),
        "never" => {
            let _watched = Watched(Arc::clone(platform), "never".to_owned());
            std::future::pending().await
        }
        "mirrored" => {
            let sent = platform.sent();
            match sent.last().is_some_and(|sent| sent.headers.contains_key("mcp-param-site")) {
                true => result(text("mirrored")),
                false => {
                    let error = json!({"code": -32020, "message": "header mismatch"});
                    let body = json!({"jsonrpc": "2.0", "id": body["id"], "error": error});
                    (StatusCode::BAD_REQUEST, Json(body)).into_response()
                }
            }
        }
        "guarded" if !platform.lock().elevated => {
            let page = platform.lock().step_up_page.clone();
            let url = page.unwrap_or_else(|| format!("{}/elevate/1", platform.base));
            let refusal = json!({"code": "step_up_required", "message": "A second factor is needed.", "url": url});
            result(
                json!({"isError": true, "structuredContent": refusal, "content": [{"type": "text", "text": "Refused"}]}),
            )
        }
        "fresh" if !platform.lock().asked.last().is_some_and(|asked| asked.contains_key("acr_values")) => {
            let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa\", max_age=\"900\"";
            let problem = json!({"code": "step_up_required", "message": "A second factor is needed.", "status": 401,
                "detail": "A second factor is needed.", "url": format!("{}/elevate/1", platform.base)});
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], Json(problem)).into_response()
        }
        "long" if !declared["io.modelcontextprotocol/tasks"].is_null() => result(json!({"resultType": "task",
            "taskId": "t-1", "status": "working", "pollIntervalMs": 1, "ttlMs": 60000, "createdAt": "", "lastUpdatedAt": ""})),
        "endless" if !declared["io.modelcontextprotocol/tasks"].is_null() => result(json!({"resultType": "task",
            "taskId": "t-2", "status": "working", "pollIntervalMs": 30000})),
        name => result(text(name)),
    }
}
