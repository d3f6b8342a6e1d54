//! A platform with a secret store, one server whose credential stands in it, and stores that can be cut off as a killed
//! process is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use own_tools::OwnTools;
use own_tools::rotation::Rotations;
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Risk, RiskTable, TargetFacts};
use platform::resource::{BaseUrl, Resource};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::secrets::{SecretMetadata, SecretRules, SecretStore, SecretVersion};
use platform::store::{Collection, Op, OpResult, Query, Record, Store, TransactError};
use platform::telemetry::Metrics;
use platform::{CallContext, Clock as _, Error, ErrorKind, Json, Principal, Secret, SharedClock};
use platform_suites::store::{InterceptedStore, Interceptor};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::connector::{CredentialKind, target_unknown};
use tool_runtime::elevation::SecondFactor;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::tool::typed;
use tool_runtime::{CallRequest, Catalogue, Connector, Instance, Pipeline, Tool, ToolCx, ToolSpec, Visibility};

pub(crate) const SERVER: &str = "target";
pub(crate) const OLD: &str = "old-password-1";
pub(crate) const NEW: &str = "new-password-2";

/// A system with passwords.
#[derive(Default)]
pub(crate) struct Target {
    accepted: Mutex<BTreeSet<String>>,
    /// Refuses every credential in use, and no candidate.
    pub(crate) fails_in_use: AtomicBool,
    pub(crate) unreachable: AtomicBool,
    pub(crate) candidates_tried: AtomicI64,
}

impl Target {
    pub(crate) fn accept(&self, passwords: &[&str]) {
        let all = passwords.iter().map(|p| (*p).to_owned()).collect();
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    fn asks(&self, cx: &ToolCx) -> Result<(), Error> {
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "target_unreachable", "Nobody answers."));
        }
        let password = cx.lease.field("password")?.expose();
        if self.accepted.lock().unwrap_or_else(PoisonError::into_inner).contains(password) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "target_rejected_credential", "No.").with_detail("the target said no"))
    }
}

/// The connector over it.
struct TargetConnector(Arc<Target>);

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Read {
    version: u64,
}

#[async_trait]
impl Connector for TargetConnector {
    fn name(&self) -> &'static str {
        "target"
    }

    fn instructions(&self) -> &'static str {
        "A target."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::Shared
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let target = Arc::clone(&self.0);
        vec![typed(ToolSpec::new::<Nothing, Read>("read_thing", "Read", "Reads."), move |cx: ToolCx, _: Nothing| {
            let target = Arc::clone(&target);
            async move {
                tokio::task::yield_now().await;
                target.asks(&cx)?;
                Ok(Read { version: cx.lease.version() })
            }
        })]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(target_unknown(kind, id))
    }

    async fn verify_credential(&self, cx: &ToolCx) -> Result<(), Error> {
        let candidate = cx.lease.version() == tool_runtime::Lease::CANDIDATE;
        self.0.candidates_tried.fetch_add(i64::from(candidate), Ordering::SeqCst);
        if !candidate && self.0.fails_in_use.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Upstream, "target_failed", "It failed."));
        }
        self.0.asks(cx)
    }
}

/// How many writes still reach the stores; afterwards nothing does, reads included.
pub(crate) struct Cut(AtomicI64);

impl Cut {
    pub(crate) fn after(writes: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(writes)))
    }

    pub(crate) fn never() -> Arc<Self> {
        Self::after(i64::MAX)
    }

    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::SeqCst) < 0
    }

    fn write(&self) -> Result<(), Error> {
        if self.0.fetch_sub(1, Ordering::SeqCst) > 0 { Ok(()) } else { Err(cut_off()) }
    }

    fn read(&self) -> Result<(), Error> {
        if self.happened() { Err(cut_off()) } else { Ok(()) }
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Unavailable, "cut_off", "The process is dead.")
}

struct CutStore(Arc<Cut>);

#[async_trait]
impl Interceptor for CutStore {
    async fn transact(&self, inner: &MemoryStore, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        self.0.write().map_err(TransactError::Store)?;
        inner.transact(ops).await
    }

    async fn get(&self, inner: &MemoryStore, collection: Collection, id: &str) -> Result<Option<Record>, Error> {
        self.0.read()?;
        inner.get(collection, id).await
    }

    async fn list(&self, inner: &MemoryStore, query: Query<'_>) -> Result<Vec<Record>, Error> {
        self.0.read()?;
        inner.list(query).await
    }
}

struct CutSecrets(Arc<MemorySecrets>, Arc<Cut>);

#[async_trait]
impl SecretStore for CutSecrets {
    async fn get(&self, path: &str, version: Option<u64>) -> Result<SecretVersion, Error> {
        self.1.read()?;
        self.0.get(path, version).await
    }

    async fn put(&self, path: &str, data: BTreeMap<String, Secret>, cas: Option<u64>) -> Result<u64, Error> {
        self.1.write()?;
        self.0.put(path, data, cas).await
    }

    async fn metadata(&self, path: &str) -> Result<SecretMetadata, Error> {
        self.1.read()?;
        self.0.metadata(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.0.list(prefix).await
    }

    async fn set_rules(&self, path: &str, rules: SecretRules) -> Result<(), Error> {
        self.1.write()?;
        self.0.set_rules(path, rules).await
    }

    async fn delete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.1.write()?;
        self.0.delete_versions(path, versions).await
    }

    async fn undelete_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.1.write()?;
        self.0.undelete_versions(path, versions).await
    }

    async fn destroy_versions(&self, path: &str, versions: &[u64]) -> Result<(), Error> {
        self.1.write()?;
        self.0.destroy_versions(path, versions).await
    }

    async fn delete_all(&self, path: &str) -> Result<(), Error> {
        self.1.write()?;
        self.0.delete_all(path).await
    }
}

/// Everything that is left when a process dies.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) secrets: Arc<MemorySecrets>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) target: Arc<Target>,
}

impl Kept {
    /// A target that accepts the old password, which stands in the store as version 1.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared: SharedClock = Arc::clone(&clock) as _;
        let kept = Self {
            store: Arc::new(MemoryStore::new(Arc::clone(&shared))),
            secrets: Arc::new(MemorySecrets::new(shared)),
            clock,
            target: Arc::new(Target::default()),
        };
        kept.target.accept(&[OLD]);
        let fields = [("username", "svc"), ("password", OLD)].map(|(k, v)| (k.to_owned(), Secret::new(v)));
        kept.secrets.put("api/target", fields.into(), None).await.unwrap();
        kept
    }

    pub(crate) async fn password(&self) -> String {
        let found = self.secrets.get("api/target", None).await.unwrap();
        assert_eq!(found.data["username"].expose(), "svc", "what was not named stays");
        found.data["password"].expose().to_owned()
    }
}

/// A running process.
pub(crate) struct Governed {
    pub(crate) kept: Kept,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) rotations: Arc<Rotations>,
    pub(crate) road: Arc<Pipeline>,
}

impl Governed {
    pub(crate) fn over(kept: &Kept, cut: &Arc<Cut>) -> Self {
        let clock: SharedClock = Arc::clone(&kept.clock) as _;
        let audit = Arc::new(MemoryAudit::default());
        let policy = Arc::new(StaticPolicy::allowing());
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let secrets: Arc<dyn SecretStore> = Arc::new(CutSecrets(Arc::clone(&kept.secrets), Arc::clone(cut)));
        let store = Arc::new(InterceptedStore::new(Arc::clone(&kept.store), CutStore(Arc::clone(cut))));
        let rotations =
            Arc::new(Rotations::new(Arc::clone(&visibility), Arc::clone(&secrets), store, Arc::clone(&clock)));
        let tools = OwnTools::new(Arc::clone(&visibility), Arc::clone(&audit) as _, Arc::clone(&clock), false)
            .with_secrets(&secrets, Arc::clone(&rotations));
        let read = ["list_secrets", "get_secret_metadata", "get_artifact", "read_artifact"]
            .map(|tool| ("interlock", tool, Risk::Read));
        let control = [
            "put_secret",
            "delete_secret_version",
            "undelete_secret_version",
            "destroy_secret_version",
            "set_secret_rules",
            "rotate_credential",
        ]
        .map(|tool| ("interlock", tool, Risk::Control));
        let rows = read.into_iter().chain(control).chain([("target", "read_thing", Risk::Read)]);
        let instance = |name: &str, connector| Instance { name: name.into(), environment: "test".into(), connector };
        let target = Arc::new(TargetConnector(Arc::clone(&kept.target)));
        let instances = vec![instance("interlock", Arc::new(tools) as _), instance(SERVER, target as _)];
        visibility.publish(Catalogue::build(instances, &RiskTable::from_rows(rows)).unwrap());
        let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&clock));
        let road = Pipeline::new(Parts {
            visibility,
            policy,
            store: Arc::clone(&kept.store) as _,
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::clone(&audit) as _,
            artifacts,
            secrets: Arc::clone(&kept.secrets) as _,
            metrics: Metrics::new(),
            clock,
            changes: Arc::new(tool_runtime::change_gate::NoChanges),
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap()),
            limits: Limits::default(),
        });
        Self { kept: kept.clone(), audit, rotations, road }
    }

    pub(crate) async fn new() -> Self {
        Self::over(&Kept::new().await, &Cut::never())
    }

    /// One call, as it is.
    pub(crate) async fn once(&self, server: &str, tool: &str, arguments: Json) -> Result<Json, Error> {
        let cx = CallContext {
            request_id: RequestId::mint(),
            client_request_id: None,
            trace: TraceContext::root(),
            principal: Arc::new(ada()),
            resource: Resource::Mcp,
            protocol: Protocol::Rest,
            source: LOCAL_SOURCE,
            references: CallReferences::default(),
            run: None,
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let references = CallReferences::default();
        let request = CallRequest { server: server.into(), tool: tool.into(), arguments, references };
        self.road.call(Arc::new(cx), request).await.map(|answer| answer.structured)
    }

    /// A call of the platform's own tool; the second factor is passed where it is asked for.
    pub(crate) async fn call(&self, tool: &str, arguments: Json) -> Result<Json, Error> {
        match self.once("interlock", tool, arguments.clone()).await {
            Err(refused) if refused.code() == "step_up_required" => self.pass(&refused).await,
            other => return other,
        }
        self.once("interlock", tool, arguments).await
    }

    /// Has the second factor passed for a call that is not made; whether it was asked for.
    pub(crate) async fn elevated(&self, tool: &str, arguments: Json) -> bool {
        let refused = self.once("interlock", tool, arguments).await.unwrap_err();
        self.pass(&refused).await;
        refused.code() == "step_up_required"
    }

    async fn pass(&self, refused: &Error) {
        let id = refused.refusal().url.as_deref().and_then(|url| url.rsplit_once('/')).unwrap().1.to_owned();
        let elevations = self.road.elevations();
        let request = elevations.find(&id).await.unwrap();
        let (ada, now) = (ada(), self.kept.clock.epoch_seconds());
        let factor = SecondFactor { issuer: &ada.issuer, subject: &ada.subject, mfa: true, auth_time: Some(now) };
        elevations.grant(&request, factor).await.unwrap();
    }

    pub(crate) async fn read_thing(&self) -> Result<u64, Error> {
        self.once(SERVER, "read_thing", serde_json::json!({})).await.map(|read| read["version"].as_u64().unwrap())
    }
}

fn ada() -> Principal {
    person("ada", &["admin"])
}
