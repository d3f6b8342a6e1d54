//! The whole pipeline over the connector, with fakes for everything that is not the connector.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::artifacts::Artifacts;
use platform::context::CallReferences;
use platform::keyed_hash::KeyedHash;
use platform::policy::{Risk, RiskTable};
use platform::resource::BaseUrl;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::secrets::SecretStore;
use platform::store::{OpenIntent, Store};
use platform::telemetry::Metrics;
use platform::{Error, Json, SharedClock};
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Answer, CallRequest, Catalogue, Instance, Pipeline, Visibility};

use crate::lab::{Lab, NAME, PASSWORD, call_context};

pub(crate) struct Road {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) secrets: Arc<MemorySecrets>,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) pipeline: Arc<Pipeline>,
}

impl Road {
    pub(crate) async fn over(lab: &Lab) -> Self {
        let clock: SharedClock = lab.clock.clone();
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock)));
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&clock)));
        let policy = Arc::new(StaticPolicy::allowing());
        let visibility = Arc::new(Visibility::new(policy.clone()));
        let tools = lab.connector.tools();
        let risks = tools.iter().map(|t| match t.spec().name {
            "deploy_template" => (NAME, "deploy_template", Risk::Change),
            name => (NAME, name, Risk::Read),
        });
        let instance = Instance { name: NAME.into(), environment: "lab".into(), connector: Arc::clone(&lab.connector) };
        visibility.publish(Catalogue::build(vec![instance], &RiskTable::from_rows(risks)).unwrap());
        let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&clock));
        let parts = Parts {
            visibility,
            policy,
            store: store.clone(),
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::new(MemoryAudit::default()),
            secrets: secrets.clone(),
            metrics: Metrics::new(),
            clock,
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            artifacts: Arc::clone(&artifacts),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base: BaseUrl::new(&"http://127.0.0.1:8080".parse().unwrap()),
            limits: Limits::default(),
        };
        let road = Self { store, secrets, artifacts, pipeline: Pipeline::new(parts) };
        road.store_password(PASSWORD).await;
        road
    }

    pub(crate) async fn store_password(&self, password: &str) {
        let fields: BTreeMap<_, _> =
            [("username".to_owned(), "svc-interlock".into()), ("password".to_owned(), password.into())].into();
        self.secrets.put(&format!("api/{NAME}"), fields, None).await.unwrap();
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Json, key: Option<&str>) -> Result<Answer, Error> {
        let references = CallReferences { change: None, idempotency_key: key.map(str::to_owned) };
        let request = CallRequest { server: NAME.into(), tool: tool.into(), arguments, references };
        self.pipeline.call(Arc::new(call_context()), request).await
    }

    pub(crate) async fn open_intents(&self) -> Vec<OpenIntent> {
        self.store.open_intents().await.unwrap()
    }
}
