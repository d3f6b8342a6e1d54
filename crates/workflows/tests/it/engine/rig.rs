//! The whole of it but the doors: plan, grant, gate, road, engine, over a network of texts and a clock that tests move. Several
//! platforms may stand over one network and one store, each with an engine of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use change_control::model::approval::{Approval, PersonRef, Verdict};
use change_control::model::change::{ApproversNeeded, DeviceState};
use change_control::model::grant::Grant;
use change_control::model::plan::PublicPlan;
use change_control::model::submission::{Submission, Window};
use change_control::run::contract::{NUDGE, Of, RUN_WORKFLOW};
use change_control::{
    Change, ChangeBook, ChangeId, ChangeParts, Changes, GrantKeys, PlanOptions, PlanRequest, RunStarter, State, run,
};
use interlock_workflows::{ChangePlan, ChangeRun, run_id};
use platform::artifacts::Artifacts;
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::RiskTable;
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RunFloors;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::store::Op;
use platform::telemetry::Metrics;
use platform::{CallContext, Clock as _, Error, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use serde_json::json;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::{Catalogue, Instance, Pipeline, Visibility};
use workflow_api::{Activities, ActivityError, WorkflowClient as _};
use workflow_sqlite::{Definitions, Driver, WorkflowEngine};

use super::network::Network;
use super::standing::{Standing, WatchedStore};

const SERVER: &str = "catalyst-center";
/// Another way to the same devices.
pub(crate) const OTHER_SERVER: &str = "catalyst-center-emea";

/// Whose runs are ended.
#[derive(Default)]
pub(crate) struct Floors(pub(crate) Mutex<Vec<String>>);

impl RunFloors for Floors {
    fn is_ended(&self, _: &str, subject: &str, _: &[String], _: i64) -> bool {
        self.0.lock().unwrap().iter().any(|ended| ended == subject)
    }
}

/// Starts runs on the engine.
struct Starter(Mutex<Option<WorkflowEngine>>);

impl Starter {
    fn engine(&self) -> WorkflowEngine {
        self.0.lock().unwrap().clone().unwrap()
    }
}

#[async_trait]
impl RunStarter for Starter {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, change: &ChangeId) -> Result<(), Error> {
        let input = json!(Of { change: change.clone() });
        self.engine().start(&run_id(change), RUN_WORKFLOW, input).await.map_err(Error::internal)
    }

    async fn nudge(&self, change: &ChangeId) -> Result<(), Error> {
        self.engine().signal(&run_id(change), NUDGE, json!(null)).await.map_err(Error::internal)
    }
}

/// What platforms over one store share: the network, the clock, and all that is kept.
#[derive(Clone)]
struct Common {
    network: Network,
    clock: Arc<AdjustableClock>,
    floors: Arc<Floors>,
    audit: Arc<MemoryAudit>,
    store: Arc<MemoryStore>,
    secrets: Arc<MemorySecrets>,
    artifacts: Arc<Artifacts>,
    shared: Arc<MemoryShared>,
    keys: GrantKeys,
}

/// Everything a test looks at.
pub(crate) struct Rig {
    pub(crate) network: Network,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) store: Arc<MemoryStore>,
    common: Common,
    watched: Arc<WatchedStore>,
    starter: Arc<Starter>,
    driver: Option<Driver>,
    _road: Arc<Pipeline>,
    folder: tempfile::TempDir,
}

/// A caller.
pub(crate) fn cx_of(name: &str) -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(person(name, &["network-engineers"])),
        resource: Resource::Mcp,
        protocol: Protocol::Internal,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: std::time::Instant::now() + Duration::from_secs(60),
    }
}

impl Rig {
    pub(crate) async fn of(devices: &[&str]) -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&shared)));
        Self::over(Common {
            network: Network::of(devices),
            clock,
            floors: Arc::new(Floors::default()),
            audit: Arc::new(MemoryAudit::default()),
            store: Arc::new(MemoryStore::new(Arc::clone(&shared))),
            keys: GrantKeys::open(Arc::clone(&secrets) as _).await.unwrap(),
            secrets,
            artifacts: sealed_artifacts(Arc::new(MemoryArtifacts::default()) as _, shared),
            shared: Arc::new(MemoryShared::default()),
        })
    }

    /// Another platform over the same store, as another process is.
    pub(crate) fn beside(&self) -> Self {
        Self::over(self.common.clone())
    }

    fn over(common: Common) -> Self {
        let Common { network, clock, floors, audit, store, secrets, artifacts, shared, keys } = common.clone();
        let now: SharedClock = Arc::clone(&clock) as SharedClock;
        let watched = Arc::new(WatchedStore::over(Arc::clone(&store)));
        let policy = Arc::new(StaticPolicy::allowing().with_visible(|input| {
            let tools = input.tools.iter().filter(|_| input.groups.iter().any(|group| group == "network-engineers"));
            Ok(tools.map(|t| (t.server.name.clone(), t.tool.name.clone())).collect())
        }));
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let instance = |name: &str| Instance {
            name: name.into(),
            environment: "test".into(),
            connector: Arc::new(network.clone()),
        };
        let risks: RiskTable = serde_json::from_str(include_str!("../../../../../policies/risk.json")).unwrap();
        let instances = vec![instance(SERVER), instance(OTHER_SERVER)];
        visibility.publish(Catalogue::build(instances, &risks).unwrap());
        let base = BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap());
        let changes = Changes::new(ChangeParts {
            book: ChangeBook::new(Arc::clone(&watched) as _),
            clock: Arc::clone(&now),
            base: base.clone(),
            policy: Arc::clone(&policy) as _,
            audit: Arc::clone(&audit) as _,
            grants: keys,
            floors: Arc::clone(&floors) as _,
        });
        let road = Pipeline::new(Parts {
            visibility,
            policy,
            store: Arc::clone(&watched) as _,
            shared,
            audit: Arc::clone(&audit) as _,
            artifacts,
            secrets,
            metrics: Metrics::new(),
            clock: now,
            changes: Arc::clone(&changes) as _,
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base,
            limits: Limits::default(),
        });
        let folder = tempfile::tempdir().unwrap();
        let starter = Arc::new(Starter(Mutex::new(None)));
        changes.attach(&road, Arc::clone(&starter) as _).unwrap();
        let (driver, _road) = (None, road);
        let mut rig =
            Self { network, clock, changes, floors, audit, store, common, watched, starter, driver, _road, folder };
        rig.drive();
        rig
    }

    /// Opens the engine and begins to drive.
    fn drive(&mut self) {
        let activities = run::activities(&self.changes).into_iter().fold(Activities::default(), |all, (name, act)| {
            all.with(name, move |_, input| {
                let act = Arc::clone(&act);
                async move { act(input).await.map_err(|e| ActivityError::retryable(e.code(), format!("{e:?}"))) }
            })
        });
        let definitions = Definitions::default().with::<ChangePlan>().with::<ChangeRun>();
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        let file = self.folder.path().join("workflows.sqlite");
        // Activities of a driver that died hold the file until they notice.
        let engine = loop {
            match WorkflowEngine::open(&file, Arc::clone(&clock)) {
                Ok(engine) => break engine,
                Err(error) if error.code() == "store_in_use" => std::thread::yield_now(),
                Err(error) => panic!("{error:?}"),
            }
        };
        self.driver = Some(engine.drive(definitions, activities, Duration::MAX).unwrap());
        *self.starter.0.lock().unwrap() = Some(engine);
    }

    /// Ends the driver as a crash does, in the middle of whatever it is at.
    pub(crate) fn die(&mut self) {
        drop(self.driver.take());
        *self.starter.0.lock().unwrap() = None;
    }

    /// Begins another driver over what the dead one left.
    pub(crate) fn live_again(&mut self) {
        self.drive();
    }

    /// Both.
    pub(crate) fn crash(&mut self) {
        self.die();
        self.live_again();
    }

    /// This platform, and it alone, will stand still before it does this to the store.
    pub(crate) fn stands_before(&self, what: impl Fn(&Op) -> bool + Send + 'static) -> Standing {
        self.watched.stands_before(what)
    }

    /// Waits until it stands still. The clock goes forward meanwhile.
    pub(crate) async fn stands(&self, standing: &mut Standing) {
        for _ in 0..9_000 {
            if standing.is_reached() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.clock.advance(2);
            self.changes.keep_all().await.unwrap();
        }
        panic!("it never gets there");
    }

    /// A planned change of these devices.
    pub(crate) async fn planned(&self, devices: &[&str], options: PlanOptions) -> (Change, PublicPlan) {
        self.planned_at(SERVER, devices, options).await
    }

    /// The same, of devices that another server reaches.
    pub(crate) async fn planned_at(
        &self,
        server: &str,
        devices: &[&str],
        options: PlanOptions,
    ) -> (Change, PublicPlan) {
        let request = PlanRequest {
            server: server.into(),
            change_type: None,
            inputs: json!({"template_id": "t"}),
            device_ids: devices.iter().map(|id| (*id).to_owned()).collect(),
            title: "Guest VLAN".into(),
            reason: "Guests need a network.".into(),
            options,
            undoes: None,
        };
        let change = Box::pin(self.changes.plan(&cx_of("alice"), request)).await.unwrap();
        Box::pin(self.changes.make_plan(&change.id)).await.unwrap();
        let change = self.change(&change.id).await;
        assert_eq!(change.state, State::Planned, "{:?}", change.trouble);
        let plan = self.changes.book().plan(&change.id).await.unwrap().unwrap();
        (change, plan)
    }

    /// Approved by bob, with a window from so many seconds from now to so many; its run is started.
    pub(crate) async fn approved(&self, change: &Change, plan: &PublicPlan, window_s: (i64, i64)) {
        let now = self.clock.now().as_millisecond();
        let window = Window { not_before_ms: now + window_s.0 * 1000, not_after_ms: now + window_s.1 * 1000 };
        let hash = change.plan.as_ref().unwrap().hash.clone();
        let submission = Submission { plan: hash.clone(), ticket: None, gated: None, window };
        let bob = person("bob", &["network-engineers"]);
        let approval = Approval {
            approver: PersonRef::from(&bob),
            verdict: Verdict::Approve,
            reason: "fine".into(),
            submission: submission.digest().unwrap(),
            at_ms: now,
            shown_at_ms: now - 60_000,
            acr: None,
            amr: vec!["otp".into()],
            auth_time: now / 1000,
            groups: vec!["network-engineers".into()],
            policy_revision: "1".into(),
        };
        let grant = Grant {
            change: change.id.to_string(),
            submission: submission.digest().unwrap(),
            plan: hash,
            requester: change.requester.clone(),
            approvals: vec![approval.clone()],
            server: plan.instance.name.clone(),
            tools: vec!["port_apply_step".into(), "port_save_startup".into()],
            targets: plan.devices.iter().map(|device| device.device_id.clone()).collect(),
            window,
            writes: 20,
            undo_for_s: 86_400,
            issued_at_ms: now,
        };
        let signed = self.common.keys.sign(grant).unwrap();
        let edit = |change: &mut Change| {
            change.submission = Some(submission.clone());
            change.approvers = Some(ApproversNeeded { groups: vec!["network-engineers".into()], count: 1 });
            change.approvals = vec![approval.clone()];
            change.grant = Some(signed.clone());
            change.become_state(State::Submitted, now, "submitted")?;
            change.become_state(State::Approved, now, "approved")?;
            Ok(((), Vec::new()))
        };
        self.changes.book().update(&change.id, edit).await.unwrap();
        self.changes.starter().unwrap().start(&change.id).await.unwrap();
    }

    /// Planned and approved for the next ten hours.
    pub(crate) async fn started(&self, devices: &[&str], options: PlanOptions) -> ChangeId {
        let (change, plan) = self.planned(devices, options).await;
        self.approved(&change, &plan, (0, 36_000)).await;
        change.id
    }

    pub(crate) async fn change(&self, id: &ChangeId) -> Change {
        self.changes.book().get(id).await.unwrap().change
    }

    /// Waits until the change is as it should be. The clock goes forward meanwhile, so that nobody waits for real.
    pub(crate) async fn until(&self, id: &ChangeId, is: impl Fn(&Change) -> bool) -> Change {
        for _ in 0..9_000 {
            let change = self.change(id).await;
            if is(&change) {
                return change;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.clock.advance(2);
            // As the keeper does, at its own pace.
            self.changes.keep_all().await.unwrap();
        }
        let change = self.change(id).await;
        panic!("it is {} with {:?} after {:#?}", change.state, change.trouble, change.history);
    }

    /// Waits for the end.
    pub(crate) async fn ended(&self, id: &ChangeId) -> Change {
        self.until(id, |change| change.state.is_terminal()).await
    }

    pub(crate) async fn in_state(&self, id: &ChangeId, state: State) -> Change {
        self.until(id, |change| change.state == state).await
    }
}

/// The states of the devices.
pub(crate) fn devices(change: &Change) -> BTreeMap<&str, DeviceState> {
    change.run.devices.iter().map(|(id, device)| (id.as_str(), device.state)).collect()
}

/// The code of the trouble.
pub(crate) fn trouble(change: &Change) -> &str {
    change.trouble.as_ref().map_or("", |trouble| trouble.code.as_str())
}
