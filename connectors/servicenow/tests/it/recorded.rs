//! A server that plays recorded answers back, one for each request in order, and keeps what was asked.
#![cfg(test)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse as _;
use http::{HeaderMap, Method, StatusCode, Uri};
use interlock_servicenow::ServiceNow;
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::http::{BreakerOptions, TargetClient, TargetOptions};
use platform::principal::{PrincipalKind, TokenFacts, TokenProof};
use platform::resource::Resource;
use platform::{CallContext, Error, Json, Principal, Secret};
use serde_json::json;
use tool_runtime::connector::CredentialKind;
use tool_runtime::{CallArtifacts, Connector, Lease, ToolCx};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) authorization: String,
    pub(crate) body: String,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// Nothing comes back, though it was taken in.
    lost: bool,
}

impl Reply {
    pub(crate) fn json(status: u16, body: Json) -> Self {
        let headers = vec![("content-type", "application/json;charset=UTF-8".to_owned())];
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_string(), lost: false }
    }

    pub(crate) fn rows(rows: Json, total: u64) -> Self {
        Self::json(200, json!({"result": rows})).header("x-total-count", total.to_string())
    }

    pub(crate) fn page(status: u16) -> Self {
        let mut reply = Self::json(status, json!(null));
        reply.headers = vec![("content-type", "text/html".to_owned())];
        reply.body = "<html>Your instance is hibernating</html>".to_owned();
        reply
    }

    pub(crate) fn refused(status: u16, message: &str, detail: &str) -> Self {
        Self::json(status, json!({"error": {"message": message, "detail": detail}, "status": "failure"}))
    }

    pub(crate) fn lost() -> Self {
        Self { lost: true, ..Self::json(200, json!(null)) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

#[derive(Clone, Default)]
struct Tape {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub(crate) struct Recorded {
    tape: Tape,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) clock: Arc<AdjustableClock>,
}

async fn answer(
    State(tape): State<Tape>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let authorization = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let body = String::from_utf8_lossy(&body).into_owned();
    tape.asked.lock().unwrap().push(Asked { method, path: uri.path().to_owned(), query, authorization, body });
    let reply = tape.replies.lock().unwrap().pop_front();
    let reply = reply.unwrap_or_else(|| Reply::json(500, json!({"error": {"message": "nothing recorded"}})));
    if reply.lost {
        std::future::pending::<()>().await;
    }
    let mut response = (reply.status, reply.body).into_response();
    response.headers_mut().remove("content-type");
    for (name, value) in reply.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

impl Recorded {
    pub(crate) async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let tape = Tape::default();
        tape.replies.lock().unwrap().extend(replies);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(tape.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut options = TargetOptions::new("servicenow", format!("http://{address}").parse().unwrap());
        options.retry.max_attempts = 1;
        options.attempt_timeout = Duration::from_millis(300);
        options.breaker = BreakerOptions { failures: 0, ..options.breaker };
        let clock = Arc::new(AdjustableClock::default());
        let client = TargetClient::new(options).unwrap();
        let connector = Arc::new(ServiceNow::new(client, clock.clone(), None).unwrap());
        Self { tape, connector, clock }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.tape.asked.lock().unwrap().clone()
    }

    pub(crate) fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.tape.replies.lock().unwrap().extend(replies);
    }

    pub(crate) fn cx(&self) -> ToolCx {
        self.cx_with(1, &[("username", "svc-interlock"), ("password", "correct-horse")], None)
    }

    pub(crate) fn cx_with(&self, version: u64, fields: &[(&str, &str)], key: Option<&str>) -> ToolCx {
        let fields: BTreeMap<String, Secret> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())).collect();
        let mut call = call_context();
        call.references.idempotency_key = key.map(str::to_owned);
        ToolCx {
            call: Arc::new(call),
            lease: Arc::new(Lease::new(CredentialKind::Shared, version, fields)),
            targets: Arc::from([]),
            deadline: Instant::now() + Duration::from_secs(20),
            clock: self.clock.clone(),
            secrets: Arc::default(),
            artifacts: CallArtifacts::none(),
            journal: None,
        }
    }

    /// Calls a tool, and holds arguments and result against its schemas.
    pub(crate) async fn call(&self, cx: ToolCx, tool: &str, arguments: Json) -> Result<Json, Error> {
        let tool = self.connector.tools().into_iter().find(|t| t.spec().name == tool).unwrap();
        let spec = tool.spec();
        let valid = |schema: &Json, value: &Json| {
            let mistakes: Vec<_> = jsonschema::validator_for(schema)
                .unwrap()
                .iter_errors(value)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(mistakes.is_empty(), "{}: {mistakes:?}", spec.name);
        };
        valid(&spec.input, &arguments);
        let output = tool.call(cx, arguments).await?;
        valid(&spec.output, &output.structured);
        Ok(output.structured)
    }

    pub(crate) async fn ask(&self, tool: &str, arguments: Json) -> Result<Json, Error> {
        self.call(self.cx(), tool, arguments).await
    }
}

/// A row as the Table API sends it with `sysparm_display_value=all`.
pub(crate) fn row(fields: &[(&str, &str)]) -> Json {
    let cell = |(name, value): &(&str, &str)| ((*name).to_owned(), json!({"display_value": value, "value": value}));
    Json::Object(fields.iter().map(cell).collect())
}

/// An id of the vendor's form.
pub(crate) fn id(letter: char) -> String {
    letter.to_string().repeat(32)
}

pub(crate) fn call_context() -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(Principal {
            issuer: "https://issuer.example".into(),
            subject: "u-1".into(),
            person: "u-1".into(),
            name: "sam".into(),
            kind: PrincipalKind::Person,
            groups: vec!["service-desk".into()],
            client_id: "lab".into(),
            scopes: Vec::new(),
            acr: None,
            amr: Vec::new(),
            auth_time: None,
            mfa: true,
            actors: Vec::new(),
            token: TokenFacts {
                id: None,
                session: None,
                key: None,
                proof: TokenProof::Signature,
                issued_at: 0,
                expires_at: i64::MAX,
            },
        }),
        resource: Resource::Mcp,
        protocol: Protocol::Mcp,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}
