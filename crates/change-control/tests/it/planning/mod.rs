//! Plans over a network of texts. Where to go next: `network` for the fakes, `made` for what stands in a plan, `refused` for
//! what does not become one, `secrets` for what nobody may read, `compared` for whether devices still are what a plan says.
#![cfg(test)]

mod compared;
mod example;
mod made;
mod network;
mod refused;
mod secrets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use change_control::book::ChangeBook;
use change_control::model::change::{Change, ChangeId};
use change_control::model::plan::PublicPlan;
use change_control::{ChangeParts, Changes, GrantKeys, PlanOptions, PlanRequest, RunStarter};
use connector_suites::rig::context;
use connector_suites::{Rig, RigOptions};
use platform::clock::AdjustableClock;
use platform::resource::BaseUrl;
use platform::revocation::RunFloors;
use platform::{Error, Json};
use platform_suites::{MemoryAudit, MemorySecrets, StaticPolicy};
use serde_json::json;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::template_source::TemplateParameter;

use network::{Device, Network, Template};

pub(crate) const SERVER: &str = "catalyst-center";
/// What every device runs first.
pub(crate) const RUNNING: &str = "hostname sw\nusername ops secret 9 $9$canary.running\nvlan 10\n name USERS\ninterface Vlan1\n ip \
                                  address 10.0.0.2 255.255.255.0\ninterface GigabitEthernet1/0/1\n description desk\n\
                                  snmp-server community canary-community RO\nline vty 0 4\n login local\nend\n";

/// Nobody's runs are ended.
struct NobodyEnded;

impl RunFloors for NobodyEnded {
    fn is_ended(&self, _: &str, _: &str, _: &[String], _: i64) -> bool {
        false
    }
}

/// Counts what it was asked to start.
#[derive(Default)]
pub(crate) struct Starts {
    pub(crate) plans: Mutex<Vec<String>>,
    pub(crate) broken: Mutex<Option<fn() -> Error>>,
}

#[async_trait]
impl RunStarter for Starts {
    async fn plan(&self, change: &ChangeId) -> Result<(), Error> {
        if let Some(broken) = *self.broken.lock().unwrap() {
            return Err(broken());
        }
        self.plans.lock().unwrap().push(change.to_string());
        Ok(())
    }

    async fn start(&self, _: &ChangeId) -> Result<(), Error> {
        Err(Error::internal("a plan starts no run"))
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

/// A network, the road to it, and changes over that.
pub(crate) struct Lab {
    pub(crate) network: Network,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) rig: Rig,
    pub(crate) changes: Arc<Changes>,
    pub(crate) starts: Arc<Starts>,
}

impl Lab {
    /// Devices `d1`, `d2`, `d3` of different sites, and the template `t` with a version for a VLAN.
    pub(crate) async fn start() -> Self {
        let network = Network::default();
        for id in ["d1", "d2", "d3"] {
            let device = Device {
                running: RUNNING.to_owned(),
                serials: vec![format!("S-{id}")],
                site: Some(format!("Global/{id}")),
                role: Some("ACCESS".to_owned()),
                group: None,
                management: Some("10.0.0.2".to_owned()),
            };
            network.state().boxes.insert(id.to_owned(), device);
        }
        let clock = Arc::new(AdjustableClock::default());
        let options = RigOptions {
            name: SERVER,
            connector: Arc::new(network.clone()),
            clock: clock.clone(),
            credential: BTreeMap::new(),
        };
        let rig = Rig::new(options).await;
        let changes = Changes::new(ChangeParts {
            book: ChangeBook::new(rig.store.clone()),
            clock: clock.clone(),
            base: BaseUrl::new(&url::Url::parse("http://127.0.0.1:8080").unwrap()),
            policy: Arc::new(StaticPolicy::allowing()),
            audit: Arc::new(MemoryAudit::default()),
            grants: GrantKeys::open(Arc::new(MemorySecrets::new(clock.clone()))).await.unwrap(),
            floors: Arc::new(NobodyEnded),
        });
        let starts = Arc::new(Starts::default());
        changes.attach(&rig.pipeline, starts.clone()).unwrap();
        let lab = Self { network, clock, rig, changes, starts };
        lab.template("t", &["vlan {{ vlan }}\n name {{ name }}\n"], &["vlan", "name"]);
        lab
    }

    /// A template with these versions, `<id>-v1` and on.
    pub(crate) fn template(&self, id: &str, versions: &[&str], parameters: &[&str]) {
        let versions =
            (1..).zip(versions).map(|(number, text)| (format!("{id}-v{number}"), (*text).to_owned())).collect();
        let parameters =
            parameters.iter().map(|name| TemplateParameter { name: (*name).to_owned(), sensitive: false }).collect();
        self.network.state().templates.insert(id.to_owned(), Template { versions, parameters, change: None });
    }

    /// Asks for a plan.
    pub(crate) async fn ask(&self, request: PlanRequest) -> Result<Change, Error> {
        Box::pin(self.changes.plan(&context(), request)).await
    }

    /// Asks for a plan, makes it, and reads what became of the change.
    pub(crate) async fn made(&self, request: PlanRequest) -> Change {
        let change = self.ask(request).await.unwrap();
        Box::pin(self.changes.make_plan(&change.id)).await.unwrap();
        self.change(&change.id).await
    }

    /// A plan that was made.
    pub(crate) async fn planned(&self, request: PlanRequest) -> (Change, PublicPlan) {
        let change = self.made(request).await;
        assert_eq!(change.state.as_str(), "planned", "{:?}", change.trouble);
        let plan = self.changes.book().plan(&change.id).await.unwrap().unwrap();
        (change, plan)
    }

    pub(crate) async fn change(&self, id: &ChangeId) -> Change {
        self.changes.book().get(id).await.unwrap().change
    }

    pub(crate) fn ports(&self, change: &Change) -> PortClient {
        self.changes.ports(change, None).unwrap()
    }
}

/// A wish for the template `t` on devices.
pub(crate) fn vlan(device_ids: &[&str]) -> PlanRequest {
    deployment(device_ids, json!({"template_id": "t", "params": {"vlan": 20, "name": "GUESTS"}}))
}

pub(crate) fn deployment(device_ids: &[&str], inputs: Json) -> PlanRequest {
    PlanRequest {
        server: SERVER.into(),
        change_type: None,
        inputs,
        device_ids: device_ids.iter().map(|&id| id.to_owned()).collect(),
        title: "Guest VLAN".into(),
        reason: "Guests need a network.".into(),
        options: PlanOptions::default(),
        undoes: None,
    }
}
