//! A gateway on loopback port 0, a connector with a few tools, and a client that sends exactly the bytes a test means.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use change_control::{ChangeBook, ChangeId, ChangeParts, Changes, RunStarter};
use gateway::{BrowserSessions, ConnectionLimits, Options, Parts, Revoking, Serving, mcp_door::Endpoints};
use platform::audit::AuditLog;
use platform::audit_refusals::RefusalCounter;
use platform::clock::AdjustableClock;
use platform::keyed_hash::KeyedHash;
use platform::policy::{Decision, Effect, Obligation, Risk, RiskTable, TargetFacts};
use platform::resource::{BaseUrl, Resource};
use platform::revocation::{Logout, LogoutTokens, Revocations, Revoked, RunFloors};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::telemetry::Metrics;
use platform::tokens::{SignIn, SignInRequest, SignedIn};
use platform::{Clock as _, Error, ErrorKind, Json, Principal, SharedClock};
use platform_suites::tokens::{ISSUER, person};
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, StaticTokens,
    sealed_artifacts,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::pipeline::Limits;
use tool_runtime::ports::config_changer::APPLY;
use tool_runtime::{
    Catalogue, CompletionSpec, Connector, FollowUp, Instance, Pipeline, PromptArgument, PromptSpec, ResourceSpec,
    SideEffect, Tool, ToolCx, ToolOutput, ToolSpec, Toolset, Visibility,
};

/// What the slow tool tells a test.
#[derive(Default)]
pub(crate) struct Signals {
    pub(crate) started: Notify,
    pub(crate) go_on: Notify,
}

/// All of them; `find_words` is a port, and policy hides `hidden_write`.
const TOOLS: [&str; 9] = [
    "read_thing",
    "slow_thing",
    "start_thing",
    "fail_thing",
    "find_words",
    "add_note",
    "configure_device",
    "reload_device",
    "hidden_write",
];

struct Target(Arc<Signals>);

struct Scripted(ToolSpec, Arc<Signals>);

fn spec(name: &'static str) -> ToolSpec {
    ToolSpec {
        name,
        title: "A tool",
        description: "A tool of the tests.",
        input: json!({"type": "object", "properties": {
            "text": {"type": "string"}, "count": {"type": "integer"}, "deep": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}}, "kind": {}, "wait_s": {"type": "integer"}}}),
        output: json!({"type": "object", "properties": {"said": {"type": "object"}}, "required": ["said"]}),
        effect: SideEffect::Idempotent,
        targets: &[],
        proven_targets: false,
        cache_for: None,
        timeout: Duration::from_secs(30),
        listed: name != "find_words",
        confidential: false,
        per_caller: false,
        example: None,
    }
    .example(json!({"text": "it's me"}))
}

/// `read_thing` also shows a list of three things on two pages (`kind` `page`), and work that has not ended (`soon`).
fn reading() -> ToolSpec {
    let mut spec = spec("read_thing");
    spec.input["properties"]["cursor"] = json!({"type": "string"});
    spec.input["properties"]["maybe"] = json!({"type": ["boolean", "null"]});
    spec.input["properties"]["shape"] = json!({"type": "object"});
    spec.output["properties"]["status"] = json!({"enum": ["success", "in_progress"]});
    spec.output["properties"]["next_cursor"] = json!({"type": ["string", "null"]});
    spec
}

#[async_trait]
impl Tool for Scripted {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(&self, _: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        let mut follow_up = None;
        match self.0.name {
            "slow_thing" => {
                self.1.started.notify_one();
                self.1.go_on.notified().await;
            }
            "read_thing" if arguments["kind"] == "page" => {
                let first = arguments.get("cursor").is_none();
                let (items, next) = if first { (json!([1, 2]), json!("c 2")) } else { (json!([3]), Json::Null) };
                let structured = json!({"said": {}, "items": items, "next_cursor": next, "total": 3});
                return Ok(ToolOutput { structured, follow_up: None });
            }
            "read_thing" if arguments["kind"] == "soon" => {
                let follow_up = Some(FollowUp { tool: "read_thing".into(), arguments });
                return Ok(ToolOutput { structured: json!({"said": {}, "status": "in_progress"}), follow_up });
            }
            "start_thing" => {
                let arguments = json!({"text": "a b&c", "count": 3});
                follow_up = Some(FollowUp { tool: "read_thing".into(), arguments });
            }
            "find_words" => {
                let row = |n: usize| json!({"word": format!("word-{n:03}"), "n": n});
                let rows: Vec<Json> = (0..150).map(row).chain([json!({"word": "other", "n": "x"})]).collect();
                return Ok(ToolOutput { structured: json!({"said": {"rows": rows}}), follow_up: None });
            }
            "fail_thing" => {
                let kind = serde_json::from_value(arguments["kind"].clone()).map_err(Error::internal)?;
                let error = Error::new(kind, "it_failed", "It failed.").with_detail("for the operator only");
                return Err(if kind == ErrorKind::RateLimited {
                    error.with_retry_after(Duration::from_millis(1_200))
                } else {
                    error
                });
            }
            _ => {}
        }
        Ok(ToolOutput { structured: json!({"said": arguments}), follow_up })
    }
}

#[async_trait]
impl Connector for Target {
    fn name(&self) -> &'static str {
        "lab-target"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        TOOLS
            .map(|name| if name == "read_thing" { reading() } else { spec(name) })
            .map(|spec| Arc::new(Scripted(spec, Arc::clone(&self.0))) as Arc<dyn Tool>)
            .into()
    }

    fn toolsets(&self) -> &'static [Toolset] {
        &[
            Toolset { name: "notes", title: "Notes", tools: &["add_note", "read_thing"] },
            Toolset { name: "starting", title: "Starting", tools: &["start_thing", "hidden_write"] },
        ]
    }

    fn resources(&self) -> &'static [ResourceSpec] {
        const THING: ResourceSpec = ResourceSpec {
            path: "thing",
            name: "thing",
            title: "The thing",
            description: "The thing as it is.",
            mime_type: "application/json",
            tool: "read_thing",
            text: None,
            completions: &[],
        };
        &[
            THING,
            ResourceSpec {
                path: "texts/{text}",
                name: "text",
                mime_type: "text/plain",
                text: Some("/said/text"),
                completions: &[("text", "word")],
                ..THING
            },
            ResourceSpec { path: "broken", name: "broken", tool: "fail_thing", ..THING },
            ResourceSpec { path: "words", name: "words", tool: "find_words", ..THING },
        ]
    }

    fn prompts(&self) -> &'static [PromptSpec] {
        const EXPLAIN: PromptSpec = PromptSpec {
            name: "explain_thing",
            title: "Explain a thing",
            description: "Explains a thing.",
            arguments: &[
                PromptArgument { name: "text", description: "Which.", required: true, completion: Some("word") },
                PromptArgument { name: "mood", description: "How.", required: false, completion: None },
            ],
            text: "Call {tool:read_thing} with {text}.\nBe {mood}.\nStop.",
            links: &["texts/{text}"],
        };
        const HIDDEN: PromptSpec =
            PromptSpec { name: "never_seen", text: "Call {tool:hidden_write}.", arguments: &[], links: &[], ..EXPLAIN };
        &[EXPLAIN, HIDDEN]
    }

    fn completions(&self) -> &'static [CompletionSpec] {
        &[CompletionSpec {
            name: "word",
            tool: "find_words",
            arguments: |_| json!({}),
            rows: "/said/rows",
            value: "word",
            compared: &["word"],
        }]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }
}

/// An issuer whose codes are the names of people; `weak-<name>` signs in without a second factor, `stale-<name>` with one
/// that was given a minute ago, `desk-<name>` is of another group.
struct FakeSignIn(Arc<AdjustableClock>);

#[async_trait]
impl SignIn for FakeSignIn {
    async fn authorization_url(&self, request: &SignInRequest) -> Result<String, Error> {
        let (state, mfa) = (&request.state, request.require_mfa);
        Ok(format!("{ISSUER}/authorize?state={state}&redirect_uri={}&mfa={mfa}", request.redirect_uri))
    }

    async fn redeem(&self, _: &SignInRequest, code: &str, issuer: Option<&str>) -> Result<SignedIn, Error> {
        if issuer != Some(ISSUER) {
            return Err(Error::new(ErrorKind::Unmet, "sign_in_refused", "The issuer is another one."));
        }
        let (how, name) = code.split_once('-').unwrap_or(("", code));
        let age = if how == "stale" { 60 } else { 0 };
        let mut principal = person(name, &[if how == "desk" { "desk" } else { "netops" }]);
        principal.mfa = how != "weak";
        principal.auth_time = Some(self.0.epoch_seconds() - age);
        principal.token.session = Some(format!("sid-of-{name}"));
        principal.token.key = Some("key-1".to_owned());
        Ok(SignedIn { principal })
    }

    async fn sign_out_url(&self, back: &str, name: &str) -> Result<Option<String>, Error> {
        Ok(Some(format!("{ISSUER}/end?back={back}&name={name}")))
    }
}

/// The verifier's floors, as they were raised.
#[derive(Default)]
pub(crate) struct Floors(std::sync::Mutex<Vec<(String, Revoked)>>);

#[async_trait]
impl Revocations for Floors {
    async fn revoke(&self, issuer: &str, what: Revoked, _: i64) -> Result<(), Error> {
        self.0.lock().unwrap().push((issuer.to_owned(), what));
        Ok(())
    }
}

impl Floors {
    pub(crate) fn raised(&self) -> Vec<(String, Revoked)> {
        self.0.lock().unwrap().clone()
    }
}

/// Whose runs nobody drives.
struct NoEngine;

#[async_trait]
impl RunStarter for NoEngine {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

/// Nobody's account was ended.
struct NoFloors;

impl RunFloors for NoFloors {
    fn is_ended(&self, _: &str, _: &str, _: &[String], _: i64) -> bool {
        false
    }
}

/// Takes one logout token.
struct FakeLogout;

#[async_trait]
impl LogoutTokens for FakeLogout {
    async fn accept(&self, logout_token: &str) -> Result<Logout, Error> {
        if logout_token != "a+good=one" {
            return Err(Error::new(ErrorKind::Malformed, "logout_token_invalid", "This is no logout token."));
        }
        Ok(Logout { issuer: ISSUER.to_owned(), subject: Some("alice".to_owned()), session: None })
    }
}

pub(crate) struct Server {
    pub(crate) revoking: Arc<Revoking>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) refusals: Arc<RefusalCounter>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) stop: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<()>,
    pub(crate) endpoints: Endpoints,
    pub(crate) changes: Arc<Changes>,
}

/// What policy says of a step of a change.
fn approvers() -> Decision {
    let mut decision = StaticPolicy::decision(Effect::Challenge, &["grant:test", "unmet:change"]);
    let who = [("groups".to_owned(), json!(["netops"])), ("count".to_owned(), json!(1))];
    decision.obligations.insert("approvers".into(), Obligation { met: false, parameters: who.into() });
    decision
}

fn policy() -> StaticPolicy {
    StaticPolicy::new(|input| {
        if input.principal.subject == "mallory" {
            return Ok(StaticPolicy::decision(Effect::Deny, &["deny:test"]));
        }
        if input.tool.name == APPLY {
            return Ok(approvers());
        }
        let by_token = input.tool.risk == Risk::Change && input.principal.mfa;
        let met = input.elevation.is_some() || by_token;
        if !matches!(input.tool.risk, Risk::Change | Risk::Disruptive) || met {
            return Ok(StaticPolicy::decision(Effect::Allow, &["grant:test"]));
        }
        let mut challenge = StaticPolicy::decision(Effect::Challenge, &["grant:test", "unmet:step_up"]);
        // As a policy might that knows no better: that a token is never enough for one call is the platform's own rule.
        let parameters = [("by".to_owned(), json!(["elevation", "fresh_token"]))].into();
        let obligation = Obligation { met, parameters };
        challenge.obligations.insert("step_up".into(), obligation);
        Ok(challenge)
    })
    .with_visible(|input| {
        if input.groups == ["desk"] {
            return Ok(std::collections::BTreeSet::new());
        }
        let shown = input.tools.iter().filter(|t| t.tool.name != "hidden_write");
        Ok(shown.map(|t| (t.server.name.clone(), t.tool.name.clone())).collect())
    })
}

fn risks() -> RiskTable {
    let read =
        ["read_thing", "slow_thing", "start_thing", "fail_thing", "find_words"].map(|t| ("lab-target", t, Risk::Read));
    let record = ["add_note", "hidden_write"].map(|t| ("lab-target", t, Risk::Record));
    let change = [("lab-target", "configure_device", Risk::Change)];
    let own = crate::change_paths::TOOLS.map(|(tool, risk)| ("own", tool, risk));
    RiskTable::from_rows(read.into_iter().chain(record).chain(change).chain(own))
}

/// `alice` and `mallory` are let in everywhere; `cli-alice` comes through a client that answers challenges, and
/// `cli-alice-mfa` with the token that it gets then; the others where their names say.
fn tokens() -> StaticTokens {
    let by_cli = |mfa| Principal { client_id: "interlock-cli".into(), mfa, ..person("alice", &["netops"]) };
    let elsewhere = Principal { issuer: "https://other.test".into(), ..by_cli(false) };
    StaticTokens::default()
        .with("cli-alice", by_cli(false))
        .with("cli-alice-mfa", by_cli(true))
        .with("cli-elsewhere", elsewhere)
        .with("alice", person("alice", &["netops"]))
        .with("mallory", person("mallory", &["netops"]))
        .with_bound("bound", person("alice", &["netops"]))
        .with_at("rest-only", person("alice", &["netops"]), &[Resource::Rest])
        .with_at("lab-1-only", person("alice", &["netops"]), &[Resource::McpServer("lab-1".into())])
        .with_at("lab-1-reads", person("alice", &["netops"]), &[Resource::McpReadonly("lab-1".into())])
        .with_at("all-servers", person("alice", &["netops"]), &[Resource::Mcp])
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, Limits::default()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options), limits: Limits) -> Self {
        Self::serving(1, change, limits, |_| {}).await
    }

    /// With the instances `lab-1`, `lab-2`, … of the one connector.
    pub(crate) async fn with_instances(count: usize, change: impl FnOnce(&mut Options), limits: Limits) -> Self {
        Self::serving(count, change, limits, |_| {}).await
    }

    /// With that many instances, and a listener of its own.
    pub(crate) async fn serving(
        count: usize,
        change: impl FnOnce(&mut Options),
        limits: Limits,
        how: impl FnOnce(&mut Serving),
    ) -> Self {
        Self::with_servers(count, Vec::new(), change, limits, how).await
    }

    /// With further servers too.
    pub(crate) async fn with_servers(
        count: usize,
        more: Vec<Instance>,
        change: impl FnOnce(&mut Options),
        limits: Limits,
        how: impl FnOnce(&mut Serving),
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = BaseUrl::new(&url::Url::parse(&format!("http://{address}")).unwrap());
        let clock = Arc::new(AdjustableClock::default());
        let shared_clock: SharedClock = Arc::clone(&clock) as _;
        let audit = Arc::new(MemoryAudit::default());
        let log: Arc<dyn AuditLog> = Arc::clone(&audit) as _;
        let refusals = Arc::new(RefusalCounter::new(Arc::clone(&log), Arc::clone(&shared_clock)));
        let metrics = Metrics::new();
        let signals = Arc::new(Signals::default());
        let policy = Arc::new(policy());
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let connector: Arc<dyn Connector> = Arc::new(Target(Arc::clone(&signals)));
        let instance = |n| {
            let connector = Arc::clone(&connector);
            Instance { name: format!("lab-{n}"), environment: "test".into(), connector }
        };
        visibility.publish(Catalogue::build((1..=count).map(instance).chain(more).collect(), &risks()).unwrap());
        let store: Arc<dyn platform::store::Store> = Arc::new(MemoryStore::new(Arc::clone(&shared_clock)));
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&shared_clock)));
        let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&shared_clock));
        let pipeline = Pipeline::new(tool_runtime::pipeline::Parts {
            visibility,
            policy: Arc::clone(&policy) as _,
            store: Arc::clone(&store),
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::clone(&log),
            secrets: Arc::clone(&secrets) as _,
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&shared_clock),
            changes: Arc::new(tool_runtime::change_gate::NoChanges),
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            artifacts,
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: base.clone(),
            limits,
        });
        let changes = Changes::new(ChangeParts {
            book: ChangeBook::new(Arc::clone(&store)),
            clock: Arc::clone(&shared_clock),
            base: base.clone(),
            policy: Arc::clone(&policy) as _,
            audit: Arc::clone(&log),
            grants: change_control::GrantKeys::open(Arc::clone(&secrets) as _).await.unwrap(),
            floors: Arc::new(NoFloors),
        });
        changes.attach(&pipeline, Arc::new(NoEngine)).unwrap();
        let mut options = Options {
            base,
            hosts: vec![address.to_string(), "interlock.test".into()],
            origins: vec!["https://console.test".into()],
            trusted_proxies: Vec::new(),
            max_body: 4_096,
            max_concurrent: 64,
            max_concurrent_per_source: 64,
            max_concurrent_per_principal: 64,
            failures_per_source_per_minute: 1_000,
            body_grace: Duration::from_secs(10),
            body_bytes_per_s: 1_024,
            request_timeout: Duration::from_secs(60),
            step_up_challenge_clients: vec!["interlock-cli".into()],
            step_up_acr: [(ISSUER.to_owned(), vec!["acr:mfa".to_owned()])].into(),
            open_metrics: false,
            version: "1.2.3",
        };
        change(&mut options);
        let floors = Arc::new(Floors::default());
        let sessions = BrowserSessions::new(store, Arc::clone(&shared_clock));
        let revoking = Arc::new(Revoking::new(Arc::clone(&floors) as _, sessions.clone(), Arc::clone(&pipeline)));
        let parts = Parts {
            request_state: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "request state").unwrap()),
            sessions,
            revocations: Arc::clone(&revoking) as _,
            pipeline,
            changes: Arc::clone(&changes),
            tokens: Arc::new(tokens()),
            logout: Arc::new(FakeLogout),
            sign_in: Arc::new(FakeSignIn(Arc::clone(&clock))),
            audit: log,
            refusals: Arc::clone(&refusals),
            metrics: Arc::clone(&metrics),
            clock: shared_clock,
            fixtures: Vec::new(),
            options,
        };
        let (router, endpoints) = gateway::router(parts, axum::Router::new());
        let stop = CancellationToken::new();
        let mut serving = Serving {
            stop: stop.clone(),
            drain: Duration::from_secs(60),
            limits: ConnectionLimits::default(),
            metrics: Arc::clone(&metrics),
            refusals: Arc::clone(&refusals),
            tls: None,
        };
        how(&mut serving);
        let serving = tokio::spawn(gateway::serve(listener, router, serving));
        Self { revoking, floors, address, metrics, audit, refusals, signals, clock, stop, serving, endpoints, changes }
    }

    /// Sends a request head and a body, each header as it is given, and reads the reply.
    pub(crate) async fn raw(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> Reply {
        let mut socket = self.send(method, target, headers, body).await;
        let mut bytes = Vec::new();
        // A server that refuses early may close before everything was read.
        let _end = socket.read_to_end(&mut bytes).await.is_ok();
        Reply::parse(&bytes)
    }

    /// Only sends.
    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[&str], body: &[u8]) -> TcpStream {
        let mut head = format!("{method} {target} HTTP/1.1\r\nconnection: close\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body).await.unwrap();
        socket
    }

    pub(crate) fn host(&self) -> String {
        format!("host: {}", self.address)
    }

    /// GET with these headers besides the host.
    pub(crate) async fn get(&self, target: &str, headers: &[&str]) -> Reply {
        let host = self.host();
        let mut all = vec![host.as_str()];
        all.extend_from_slice(headers);
        self.raw("GET", target, &all, b"").await
    }

    /// GET as alice.
    pub(crate) async fn alice(&self, target: &str) -> Reply {
        self.get(target, &[ALICE]).await
    }

    /// POST of JSON with these headers besides host, length and type.
    pub(crate) async fn post(&self, target: &str, headers: &[&str], body: &Json) -> Reply {
        let (host, body) = (self.host(), body.to_string());
        let length = format!("content-length: {}", body.len());
        let mut all = vec![host.as_str(), &length, "content-type: application/json"];
        all.extend_from_slice(headers);
        self.raw("POST", target, &all, body.as_bytes()).await
    }

    /// A REST call as alice.
    pub(crate) async fn call(&self, tool: &str, arguments: Json) -> Reply {
        self.post(&tool_path(tool), &[ALICE], &json!({ "arguments": arguments })).await
    }
}

/// A bound for a failing test only; a passing one never waits.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it never happened")
}

pub(crate) const ALICE: &str = "authorization: Bearer alice";

pub(crate) fn tool_path(tool: &str) -> String {
    format!("/api/v1/mcp/lab-1/tools/{tool}")
}

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let split = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self { status, headers: lines.map(split).collect(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// (status, code) of a problem document, whose shape is checked.
    pub(crate) fn problem(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(body["status"], self.status);
        assert_eq!(body["type"], format!("/errors/{}", body["code"].as_str().unwrap()));
        assert_eq!(body["detail"], body["message"]);
        assert!(body["title"].is_string());
        (self.status, body["code"].as_str().unwrap().to_owned())
    }
}
