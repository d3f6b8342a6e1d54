//! The whole pipeline over one connector, with fakes for everything that is not the connector, and the operator's own table of
//! risk classes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::artifacts::Artifacts;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::RiskTable;
use platform::resource::{BaseUrl, Resource};
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::store::{OpenIntent, Store};
use platform::telemetry::Metrics;
use platform::{CallContext, Error, Json, Secret, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::ports::PortClient;
use tool_runtime::{Answer, CallRequest, Catalogue, Connector, Instance, Pipeline, Visibility};

use crate::lossy_store::{HandleLoss, LossyStore};

/// What a rig is made of.
pub struct RigOptions {
    /// Name of the server instance.
    pub name: &'static str,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    /// The clock of everything.
    pub clock: SharedClock,
    /// The fields of its credential.
    pub credential: BTreeMap<String, Secret>,
}

/// A pipeline with one server.
pub struct Rig {
    /// Its name.
    pub name: &'static str,
    /// Intents, keys.
    pub store: Arc<LossyStore>,
    /// Credentials.
    pub secrets: Arc<MemorySecrets>,
    /// Artifacts, readable whatever they are.
    pub artifacts: Arc<Artifacts>,
    /// Records.
    pub audit: Arc<MemoryAudit>,
    /// The road.
    pub pipeline: Arc<Pipeline>,
}

/// The classes that the shipped policy has, of every connector.
pub fn shipped_risks() -> RiskTable {
    serde_json::from_str(include_str!("../../../policies/risk.json")).unwrap()
}

impl Rig {
    /// Puts one together.
    pub async fn new(options: RigOptions) -> Self {
        let RigOptions { name, connector, clock, credential } = options;
        let store = Arc::new(LossyStore::new(Arc::new(MemoryStore::new(Arc::clone(&clock))), HandleLoss::default()));
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&clock)));
        let audit = Arc::new(MemoryAudit::default());
        let policy = Arc::new(StaticPolicy::allowing());
        let visibility = Arc::new(Visibility::new(policy.clone()));
        let instance = Instance { name: name.into(), environment: "lab".into(), connector };
        visibility.publish(Catalogue::build(vec![instance], &shipped_risks()).unwrap());
        let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&clock));
        let parts = Parts {
            visibility,
            policy,
            store: store.clone(),
            shared: Arc::new(MemoryShared::default()),
            audit: audit.clone(),
            secrets: secrets.clone(),
            metrics: Metrics::new(),
            clock,
            changes: Arc::new(tool_runtime::change_gate::NoChanges),
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            artifacts: Arc::clone(&artifacts),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: BaseUrl::new(&url::Url::parse("http://127.0.0.1:8080").unwrap()),
            limits: Limits::default(),
        };
        let rig = Self { name, store, secrets, artifacts, audit, pipeline: Pipeline::new(parts) };
        rig.put_credential(credential).await;
        rig
    }

    /// Stores another version of the credential.
    pub async fn put_credential(&self, fields: BTreeMap<String, Secret>) {
        self.secrets.put(&format!("api/{}", self.name), fields, None).await.unwrap();
    }

    /// Calls a listed tool.
    pub async fn call(&self, tool: &str, arguments: Json, key: Option<&str>) -> Result<Answer, Error> {
        self.pipeline.call(Arc::new(context()), self.request(tool, arguments, key)).await
    }

    /// Calls a tool or a port.
    pub async fn call_port(&self, tool: &str, arguments: Json) -> Result<Answer, Error> {
        self.pipeline.call_port(Arc::new(context()), self.request(tool, arguments, None)).await
    }

    fn request(&self, tool: &str, arguments: Json, key: Option<&str>) -> CallRequest {
        let references = CallReferences { change: None, idempotency_key: key.map(str::to_owned) };
        CallRequest { server: self.name.into(), tool: tool.into(), arguments, references }
    }

    /// The server's ports, as change control calls them.
    pub fn ports(&self) -> PortClient {
        PortClient::new(Arc::clone(&self.pipeline), &context(), self.name)
    }

    /// Writes without an end.
    pub async fn open_intents(&self) -> Vec<OpenIntent> {
        self.store.open_intents().await.unwrap()
    }

    /// Everything that was kept outside the sealed stores, as text: for a search after secrets.
    pub fn kept(&self) -> String {
        format!("{:?}{}", self.audit.entries(), self.store.text())
    }
}

/// A call of a person who is a network engineer.
pub fn context() -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(person("alice", &["network-engineers"])),
        resource: Resource::Mcp,
        protocol: Protocol::Internal,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}
