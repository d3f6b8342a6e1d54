//! A pipeline over the fakes of `platform-suites`, each behind a recorder, and a connector whose tools do what a test
//! tells them. Next: `recorders.rs` for the recorders, `target.rs` for the connector.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::artifacts::Artifacts;
use platform::audit::{AuditEntry, Outcome, Phase};
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Decision, Effect, Obligation, Risk, RiskTable};
use platform::resource::{BaseUrl, Resource};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::secrets::SecretStore as _;
use platform::telemetry::Metrics;
use platform::{CallContext, Error, Json, Principal, Secret, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Answer, CallRequest, Catalogue, Instance, Pipeline, TargetDirectory, Visibility};

use crate::gate::ScriptedGate;
use crate::recorders::{
    Recorded, RecordingAudit, RecordingSecrets, RecordingShared, RecordingStore, StoreRecorder, SwitchPolicy,
};
use crate::target::Target;

/// The instance under test.
pub(crate) const SERVER: &str = "lab-1";
/// The password of its credential.
pub(crate) const PASSWORD: &str = "correct-horse-battery";
/// The public base URL.
pub(crate) const BASE: &str = "https://interlock.test";

/// Everything a test looks at.
pub(crate) struct Lab {
    pub(crate) road: Arc<Pipeline>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) store: Arc<RecordingStore>,
    pub(crate) audit: Arc<RecordingAudit>,
    pub(crate) artifacts: Arc<MemoryArtifacts>,
    pub(crate) sealed: Arc<Artifacts>,
    pub(crate) secrets: Arc<RecordingSecrets>,
    pub(crate) shared: Arc<RecordingShared>,
    pub(crate) policy: Arc<SwitchPolicy>,
    pub(crate) target: Arc<Target>,
    pub(crate) gate: Arc<ScriptedGate>,
    pub(crate) recorded: Recorded,
}

/// The operator's table. `reload_device` is not in it.
pub(crate) fn risks() -> RiskTable {
    RiskTable::from_rows([
        ("lab-target", "read_thing", Risk::Read),
        ("lab-target", "read_cached", Risk::Read),
        ("lab-target", "list_things", Risk::Read),
        ("lab-target", "show_device", Risk::Probe),
        ("lab-target", "add_note", Risk::Record),
        ("lab-target", "put_note", Risk::Record),
        ("lab-target", "tell_once", Risk::Record),
        ("lab-target", "configure_device", Risk::Change),
        ("lab-target", "approve_change", Risk::Control),
        ("lab-target", "port", Risk::Read),
        ("lab-target", "set_password", Risk::Record),
        ("lab-target", "try_password", Risk::Read),
        ("inventory", "show_box", Risk::Read),
        ("inventory", "plan_box", Risk::Read),
        ("inventory", "change_box", Risk::Change),
        ("inventory", "port_list_targets", Risk::Read),
    ])
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::with_more(limits, Vec::new(), TargetDirectory::default()).await
    }

    /// With further servers, and a directory that takes those as sources that know devices.
    pub(crate) async fn with_more(limits: Limits, more: Vec<Instance>, directory: TargetDirectory) -> Self {
        let recorded = Recorded::default();
        let clock = Arc::new(AdjustableClock::default());
        let shared_clock: SharedClock = Arc::clone(&clock) as SharedClock;
        let memory = Arc::new(MemoryStore::new(Arc::clone(&shared_clock)));
        let store = Arc::new(RecordingStore::new(memory, StoreRecorder::new(&recorded)));
        let audit = Arc::new(RecordingAudit::new(MemoryAudit::default(), &recorded));
        let shared = Arc::new(RecordingShared::new(MemoryShared::default(), &recorded));
        let secrets = Arc::new(RecordingSecrets::new(MemorySecrets::new(Arc::clone(&shared_clock)), &recorded));
        let fields = BTreeMap::from([("password".to_owned(), Secret::new(PASSWORD))]);
        secrets.put(&format!("api/{SERVER}"), fields, None).await.unwrap();
        let policy = Arc::new(SwitchPolicy::new(&recorded));
        let target = Arc::new(Target::new(&recorded));
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let instance = Instance {
            name: SERVER.into(),
            environment: "test".into(),
            connector: Arc::clone(&target) as Arc<dyn tool_runtime::Connector>,
        };
        let catalogue = Catalogue::build(std::iter::once(instance).chain(more).collect(), &risks()).unwrap();
        directory.expect(&catalogue).unwrap();
        visibility.publish(catalogue);
        let artifacts = Arc::new(MemoryArtifacts::default());
        let sealed = sealed_artifacts(Arc::clone(&artifacts) as _, Arc::clone(&shared_clock));
        let metrics = Metrics::new();
        let gate = Arc::new(ScriptedGate::new(&recorded));
        let parts = Parts {
            visibility,
            policy: Arc::clone(&policy) as _,
            store: Arc::clone(&store) as _,
            shared: Arc::clone(&shared) as _,
            audit: Arc::clone(&audit) as _,
            secrets: Arc::clone(&secrets) as _,
            metrics: Arc::clone(&metrics),
            clock: shared_clock,
            changes: Arc::clone(&gate) as _,
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            artifacts: Arc::clone(&sealed),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: BaseUrl::new(&url::Url::parse(BASE).unwrap()),
            limits,
        };
        let road = Pipeline::with_directory(parts, Arc::new(directory));
        Self { road, metrics, clock, artifacts, sealed, store, audit, secrets, shared, policy, target, gate, recorded }
    }

    /// Calls as alice.
    pub(crate) async fn call(&self, tool: &str, arguments: Json) -> Result<Answer, Error> {
        self.call_as(cx(), tool, arguments).await
    }

    pub(crate) async fn call_as(&self, cx: CallContext, tool: &str, arguments: Json) -> Result<Answer, Error> {
        self.road.call(Arc::new(cx), request(tool, arguments)).await
    }

    /// Calls under an idempotency key.
    pub(crate) async fn keyed(&self, key: &str, tool: &str, arguments: Json) -> Result<Answer, Error> {
        self.call_as(keyed(key), tool, arguments).await
    }

    /// The code of the refusal.
    pub(crate) async fn refused(&self, tool: &str, arguments: Json) -> String {
        code(self.call(tool, arguments).await)
    }

    /// (phase, outcome, code) of all records.
    pub(crate) fn records(&self) -> Vec<(Phase, Outcome, Option<String>)> {
        self.audit.entries().into_iter().map(|e| (e.phase, e.outcome, e.code)).collect()
    }

    pub(crate) fn last_record(&self) -> AuditEntry {
        self.audit.entries().pop().unwrap()
    }

    /// How often a tool of the target ran.
    pub(crate) fn runs(&self) -> usize {
        self.recorded.count("execute")
    }

    /// Follows the link of a step-up refusal as `person`, with a fresh second factor.
    pub(crate) async fn elevate(&self, refusal: &Error, person: &Principal) -> Result<(), Error> {
        let url = refusal.refusal().url.clone().unwrap();
        let id = url.strip_prefix(&format!("{BASE}/elevate/")).unwrap().to_owned();
        let request = self.road.elevations().find(&id).await?;
        self.road.elevations().grant(&request, (&self.fresh(person)).into()).await.map(drop)
    }

    /// The person as a sign-in with two factors just now shows them.
    pub(crate) fn fresh(&self, person: &Principal) -> Principal {
        use platform::Clock as _;
        Principal { mfa: true, auth_time: Some(self.clock.epoch_seconds()), ..person.clone() }
    }
}

/// Obligations by name, met or not.
pub(crate) fn decision(effect: Effect, obligations: &[(&str, bool)]) -> Decision {
    let mut decision = StaticPolicy::decision(effect, &["grant:test"]);
    for (name, met) in obligations {
        let obligation = Obligation { met: *met, parameters: BTreeMap::new() };
        decision.obligations.insert((*name).to_owned(), obligation);
        if !met {
            decision.reasons.push(format!("unmet:{name}"));
        }
    }
    decision
}

pub(crate) fn alice() -> Principal {
    person("alice", &["netops"])
}

pub(crate) fn cx() -> CallContext {
    cx_of(alice())
}

pub(crate) fn cx_of(principal: Principal) -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: Some("theirs-1".into()),
        trace: TraceContext::root(),
        principal: Arc::new(principal),
        resource: Resource::McpServer(SERVER.into()),
        protocol: Protocol::Mcp,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}

pub(crate) fn keyed(key: &str) -> CallContext {
    let mut cx = cx();
    cx.references.idempotency_key = Some(key.to_owned());
    cx
}

pub(crate) fn request(tool: &str, arguments: Json) -> CallRequest {
    CallRequest { server: SERVER.into(), tool: tool.into(), arguments, references: CallReferences::default() }
}

#[track_caller]
pub(crate) fn code(result: Result<Answer, Error>) -> String {
    match result {
        Ok(answer) => panic!("answered: {}", answer.structured),
        Err(error) => error.code().to_owned(),
    }
}
