//! The simulated instance on a loopback socket, and the whole pipeline with the connector over it.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector_suites::{Rig, RigOptions};
use http::Method;
use interlock_servicenow::ServiceNow;
use platform::artifacts::{ArtifactKind, ArtifactOrigin, NewArtifact, Readers};
use platform::clock::AdjustableClock;
use platform::http::{BreakerOptions, Request, TargetClient, TargetOptions};
use platform::{Clock as _, Error, Json, Secret, SharedClock};
use serde_json::json;
use servicenow_simulator::{Running, Simulator, SimulatorOptions};
use tool_runtime::connector::CredentialKind;
use tool_runtime::{ArtifactReference, CallArtifacts, Connector, Lease, ToolCx};
use world::accounts::Accounts;
use world::{Fault, Faults, Match, Region, World, WorldOptions};

pub(crate) const NAME: &str = "servicenow";
pub(crate) const PASSWORD: &str = "correct-horse-battery";
const ACCOUNT: &str = "svc-interlock";

pub(crate) struct Lab {
    pub(crate) worlds: Vec<Arc<World>>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) instance: Arc<Simulator>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) rig: Rig,
    pub(crate) running: Running,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::with(None, |_| {}).await
    }

    pub(crate) async fn with(plan_hash_field: Option<&str>, change: impl FnOnce(&mut TargetOptions)) -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared: SharedClock = clock.clone();
        let open = |region| {
            let clock = Arc::clone(&shared);
            Arc::new(World::open(WorldOptions { seed: 1, devices: 120, region, state_dir: None, clock }).unwrap())
        };
        let worlds = vec![open(Region::AmerApj), open(Region::Emea)];
        let faults = Arc::new(Faults::default());
        let accounts = Accounts::one(ACCOUNT, PASSWORD.into());
        for person in ["ada", "bob", "sam"] {
            accounts.set(person, Some(Secret::new(format!("pw-{person}")))).unwrap();
        }
        let options = SimulatorOptions {
            faults: Arc::clone(&faults),
            accounts: Arc::new(accounts),
            ..SimulatorOptions::new(NAME, worlds.clone(), ACCOUNT, PASSWORD.into(), Arc::clone(&shared))
        };
        let listen = options.listen;
        let instance = Simulator::new(options).unwrap();
        let running = Arc::clone(&instance).serve(listen, Arc::clone(&faults)).await.unwrap();
        let mut options = TargetOptions::new(NAME, running.url.parse().unwrap());
        options.retry.base_delay = Duration::from_millis(1);
        options.breaker = BreakerOptions { failures: 0, ..options.breaker };
        change(&mut options);
        let client = TargetClient::new(options).unwrap();
        let connector: Arc<dyn Connector> =
            Arc::new(ServiceNow::new(client, Arc::clone(&shared), plan_hash_field).unwrap());
        let rig = Rig::new(RigOptions {
            name: NAME,
            connector: Arc::clone(&connector),
            clock: shared,
            credential: credential(PASSWORD),
        })
        .await;
        Self { worlds, faults, clock, instance, connector, rig, running }
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Json) -> Result<Json, Error> {
        self.rig.call(tool, arguments, None).await.map(|answer| answer.structured)
    }

    pub(crate) async fn read(&self, tool: &str, arguments: Json) -> Json {
        self.call(tool, arguments).await.unwrap()
    }

    /// All pages of a list, joined, and their total.
    pub(crate) async fn all(&self, tool: &str, arguments: Json, limit: u32) -> (Vec<Json>, u64) {
        let mut rows = Vec::new();
        let mut asked = arguments;
        asked["limit"] = limit.into();
        loop {
            let page = self.read(tool, asked.clone()).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit as usize);
            rows.extend(items.iter().cloned());
            match &page["next_cursor"] {
                Json::Null => return (rows, page["total"].as_u64().unwrap()),
                next => asked["cursor"] = next.clone(),
            }
        }
    }

    pub(crate) fn fault(&self, path: &str, fault: Fault, times: u32) {
        let matching = Match { path: Some(path.to_owned()), ..Match::default() };
        self.faults.inject(NAME, matching, Some(fault), times);
    }

    /// A fault of one method only.
    pub(crate) fn fault_of(&self, method: &str, path: &str, fault: Fault, times: u32) {
        let matching = Match { method: Some(method.to_owned()), path: Some(path.to_owned()), ..Match::default() };
        self.faults.inject(NAME, matching, Some(fault), times);
    }

    /// The serial number of a device of one chassis that is in the CMDB once, and the id of its item.
    pub(crate) async fn item(&self) -> (String, String) {
        self.items(1).await.remove(0)
    }

    /// The same for several.
    pub(crate) async fn items(&self, count: usize) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for device in self.worlds[0].devices().iter().filter(|d| d.members.len() == 1) {
            let serial = device.members[0].serial.clone();
            let page = self.read("list_configuration_items", json!({"serial": serial})).await;
            if let [item] = page["items"].as_array().unwrap().as_slice() {
                found.push((serial, item["id"].as_str().unwrap().to_owned()));
            }
            if found.len() == count {
                break;
            }
        }
        found
    }
}

impl Lab {
    /// An artifact that whoever may list users may read.
    pub(crate) async fn artifact(&self, bytes: &[u8]) -> ArtifactReference {
        let origin = ArtifactOrigin { server: NAME.into(), tool: "list_users".into(), call_id: "c-1".into() };
        let context = json!({"arguments": {}, "digest": "", "targets": [], "at": self.clock.now().as_second()});
        let new = NewArtifact {
            kind: ArtifactKind::Plan,
            media_type: "application/json",
            bytes,
            origin,
            readers: Readers::Origin,
            call: "",
            context: &context,
            keep_until: None,
        };
        let (id, facts) = self.rig.artifacts.put(new).await.unwrap();
        ArtifactReference {
            id: id.to_string(),
            kind: facts.kind.as_str().to_owned(),
            media_type: facts.media_type.clone(),
            bytes: facts.bytes,
            keep_until: String::new(),
            uri: String::new(),
        }
    }

    /// Attachments of a record, as the instance lists them.
    pub(crate) async fn attachments(&self, id: &str) -> Vec<Json> {
        let path = format!("/api/now/attachment?sysparm_query=table_sys_id={id}");
        self.as_person(ACCOUNT, PASSWORD, Method::GET, &path, json!({})).await.as_array().unwrap().clone()
    }

    /// What a person of the instance does without the platform.
    pub(crate) async fn as_person(&self, who: &str, password: &str, method: Method, path: &str, body: Json) -> Json {
        let client = TargetClient::new(TargetOptions::new(NAME, self.running.url.parse().unwrap())).unwrap();
        let basic = format!("Basic {}", STANDARD.encode(format!("{who}:{password}")));
        let request = Request::new(method, path, Instant::now() + Duration::from_secs(10))
            .header(http::header::AUTHORIZATION, basic.parse().unwrap())
            .json(&body)
            .unwrap();
        let answer = client.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json::<Json>().unwrap()["result"].clone()
    }

    /// Calls a tool past the road: one that asks for a second factor there.
    pub(crate) async fn past_the_road(&self, tool: &str, arguments: Json) -> Json {
        let tools = self.connector.tools();
        let tool = tools.iter().find(|t| t.spec().name == tool).unwrap();
        let cx = ToolCx {
            call: Arc::new(connector_suites::rig::context()),
            lease: Arc::new(Lease::new(CredentialKind::Shared, 1, credential(PASSWORD))),
            targets: Arc::from([]),
            deadline: Instant::now() + Duration::from_secs(20),
            clock: self.clock.clone(),
            secrets: Arc::default(),
            artifacts: CallArtifacts::none(),
            journal: None,
        };
        tool.call(cx, arguments).await.unwrap().structured
    }
}

pub(crate) fn credential(password: &str) -> BTreeMap<String, Secret> {
    [("username".to_owned(), ACCOUNT.into()), ("password".to_owned(), password.into())].into()
}
