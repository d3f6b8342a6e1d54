//! An approved change of two devices on a controller that writes down every step that reaches it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use change_control::model::approval::{Approval, PersonRef, Verdict};
use change_control::model::attempt::{Attempt, AttemptOutcome, Direction};
use change_control::model::change::{ApproversNeeded, Requester, RunProgress};
use change_control::model::grant::Grant;
use change_control::model::plan::{
    Baseline, DevicePlan, Estimates, InstanceReference, OnStale, OnStop, PlanReference, PlannedUndo, PublicPlan,
    SaveStartup, SealedDevice, SealedPlan, TemplateReference, TypeReference, plan_hash,
};
use change_control::model::submission::{Submission, Window};
use change_control::{Change, ChangeBook, ChangeId, ChangeParts, Changes, GrantKeys, RunStarter, State};
use platform::artifacts::{ArtifactKind, Artifacts};
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition, AuditProofs, Phase};
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, RunStep, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Decision, DecisionInput, Effect, Obligation, Risk, RiskTable, TargetFacts};
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RunFloors;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::secrets::SecretStore as _;
use platform::store::{Expect, Op, OpResult, Store as _};
use platform::telemetry::Metrics;
use platform::{CallContext, Clock as _, Error, Json, Principal, Secret, SharedClock};
use platform_suites::store::InterceptedStore;
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tool_runtime::change_gate::{LOCK_LEASE_S, lock_name};
use tool_runtime::connector::CredentialKind;
use tool_runtime::pipeline::{Limits, Parts};
use tool_runtime::ports::config_changer::{
    Carrier, Handle, OpenIntent, Polled, Progress, SealedLines, Settled, Staged, StepSpec,
};
use tool_runtime::ports::{ConfigChanger, Ports};
use tool_runtime::tool::typed;
use tool_runtime::{
    Answer, ArtifactReference, CallRequest, Catalogue, Connector, Instance, Pipeline, TargetArgument, Tool, ToolCx,
    ToolSpec, Visibility,
};

use crate::listing::RowsRead;

pub(crate) const SERVER: &str = "controller-1";
pub(crate) const DEVICES: [&str; 2] = ["dev-1", "dev-2"];

/// The controller, as far as it remembers.
#[derive(Default)]
pub(crate) struct Controller {
    /// Steps that reached it, in order.
    pub(crate) applied: Mutex<Vec<StepSpec>>,
    /// Deployments by hand that reached it.
    pub(crate) by_hand: Mutex<u32>,
    /// Serial numbers, where they are not what they were.
    pub(crate) replaced: Mutex<BTreeMap<String, String>>,
}

struct Changer(Arc<Controller>);

#[async_trait]
impl ConfigChanger for Changer {
    fn settle_time(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn render(&self, _: &ToolCx, _: &StepSpec) -> Result<SealedLines, Error> {
        Err(Error::internal("nothing renders here"))
    }

    async fn stage(&self, _: &ToolCx, _: &str, _: &str, _: &SealedLines) -> Result<Staged, Error> {
        Err(Error::internal("nothing is staged here"))
    }

    async fn apply(&self, _: &ToolCx, step: &StepSpec) -> Result<Handle, Error> {
        self.0.applied.lock().unwrap().push(step.clone());
        Ok(handle())
    }

    async fn poll(&self, _: &ToolCx, _: &str, handle: &Handle) -> Result<Polled, Error> {
        Ok(Polled { handle: handle.clone(), progress: Progress::Succeeded { message: None } })
    }

    async fn reconcile(&self, _: &ToolCx, _: &OpenIntent) -> Result<Settled, Error> {
        Ok(Settled::NotDone)
    }
}

pub(crate) fn handle() -> Handle {
    Handle { task_id: "t-1".into(), deployment_id: None }
}

struct Target(Arc<Controller>);

#[derive(Deserialize, JsonSchema)]
struct Deploy {
    template_id: String,
    device_id: String,
    #[serde(default)]
    params: Map<String, Json>,
}

#[derive(Serialize, JsonSchema)]
struct Deployed {
    what: String,
}

const DEVICE: &[TargetArgument] = &[TargetArgument { argument: "device_id", kind: "device" }];

#[async_trait]
impl Connector for Target {
    fn name(&self) -> &'static str {
        "lab-controller"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::Shared
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let spec = ToolSpec::new::<Deploy, Deployed>("deploy_template", "Deploy", "Deploys.").targets(DEVICE);
        let controller = Arc::clone(&self.0);
        vec![typed(spec, move |_, args: Deploy| {
            let controller = Arc::clone(&controller);
            async move {
                *controller.by_hand.lock().unwrap() += 1;
                Ok(Deployed { what: format!("{} {} {}", args.template_id, args.device_id, args.params.len()) })
            }
        })]
    }

    fn ports(&self) -> Ports {
        Ports { config_changer: Some(Arc::new(Changer(Arc::clone(&self.0)))), ..Ports::default() }
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        let serial = self.0.replaced.lock().unwrap().get(id).cloned().unwrap_or_else(|| format!("SN-{id}"));
        Ok(TargetFacts {
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: id.to_owned(),
            serials: vec![serial],
            source: "live".into(),
            ..TargetFacts::default()
        })
    }
}

/// The own server, with the tool that `next` may name.
struct Own;

#[derive(Deserialize, JsonSchema)]
struct Anything {}

#[async_trait]
impl Connector for Own {
    fn name(&self) -> &'static str {
        "interlock"
    }

    fn instructions(&self) -> &'static str {
        "Only for tests."
    }

    fn credential(&self) -> CredentialKind {
        CredentialKind::None
    }

    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let spec = ToolSpec::new::<Anything, Deployed>("plan_change", "Plan", "Plans.");
        vec![typed(spec, |_, Anything {}| async { Ok(Deployed { what: String::new() }) })]
    }

    async fn look_up(&self, _: &ToolCx, kind: &str, id: &str) -> Result<TargetFacts, Error> {
        Err(tool_runtime::connector::target_unknown(kind, id))
    }
}

/// Whose runs are ended, and as of when.
#[derive(Default)]
pub(crate) struct Floors(pub(crate) Mutex<Vec<(String, Option<String>, i64)>>);

impl RunFloors for Floors {
    fn is_ended(&self, _: &str, subject: &str, groups: &[String], at: i64) -> bool {
        let floors = self.0.lock().unwrap();
        floors.iter().any(|(who, group, floor)| {
            who == subject && at <= *floor && group.as_ref().is_none_or(|group| groups.contains(group))
        })
    }
}

/// Counts who was started.
#[derive(Default)]
pub(crate) struct Starter(pub(crate) Mutex<Vec<ChangeId>>);

#[async_trait]
impl RunStarter for Starter {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, change: &ChangeId) -> Result<(), Error> {
        self.0.lock().unwrap().push(change.clone());
        Ok(())
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

type Which = fn(&AuditEntry) -> bool;
type Hook = Box<dyn FnOnce() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The log; something may happen between a record and what it announces.
#[derive(Default)]
pub(crate) struct Watched {
    inner: MemoryAudit,
    after: Mutex<Option<(Which, Hook)>>,
    signed: Mutex<Option<u64>>,
}

impl Watched {
    pub(crate) fn entries(&self) -> Vec<AuditEntry> {
        self.inner.entries()
    }

    /// From now on the log proves the records up to this position.
    pub(crate) fn sign_up_to(&self, position: u64) {
        *self.signed.lock().unwrap() = Some(position);
    }

    /// What happens after the next intent is durable.
    pub(crate) fn after_intent<F: Future<Output = ()> + Send + 'static>(
        &self,
        hook: impl FnOnce() -> F + Send + 'static,
    ) {
        self.after(|entry| entry.phase == Phase::Intent, hook);
    }

    /// What happens after the next such record is durable.
    pub(crate) fn after<F: Future<Output = ()> + Send + 'static>(
        &self,
        which: Which,
        hook: impl FnOnce() -> F + Send + 'static,
    ) {
        *self.after.lock().unwrap() = Some((which, Box::new(move || Box::pin(hook()))));
    }
}

#[async_trait]
impl AuditLog for Watched {
    async fn append(&self, entry: AuditEntry) -> Result<AuditPosition, Error> {
        let hook = self.after.lock().unwrap().take_if(|(which, _)| which(&entry));
        let position = self.inner.append(entry).await?;
        if let Some((_, hook)) = hook {
            hook().await;
        }
        Ok(position)
    }

    fn append_detached(&self, entry: AuditEntry) {
        self.inner.append_detached(entry);
    }

    async fn recent(&self, filter: AuditFilter, limit: usize) -> Result<Vec<Json>, Error> {
        self.inner.recent(filter, limit).await
    }

    async fn prove(&self, positions: &[AuditPosition]) -> Result<Option<AuditProofs>, Error> {
        let Some(signed) = *self.signed.lock().unwrap() else { return Ok(None) };
        let records = self.inner.recent(AuditFilter::default(), usize::MAX).await?;
        let covered: Vec<AuditPosition> = positions.iter().copied().filter(|at| at.0 <= signed).collect();
        let line = |at: &AuditPosition| records.iter().find(|r| r["event"]["sequence"] == at.0).unwrap().to_string();
        let proofs: Vec<Json> = covered.iter().map(|at| json!({"position": at.0, "record": line(at)})).collect();
        Ok(Some(AuditProofs { document: json!({ "proofs": proofs }), covered }))
    }
}

type Decide = dyn Fn(&DecisionInput) -> Result<Decision, Error> + Send + Sync;

/// Everything a test looks at.
pub(crate) struct Rig {
    pub(crate) road: Arc<Pipeline>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) controller: Arc<Controller>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) store: Arc<InterceptedStore<RowsRead>>,
    pub(crate) audit: Arc<Watched>,
    pub(crate) floors: Arc<Floors>,
    pub(crate) starter: Arc<Starter>,
    pub(crate) keys: GrantKeys,
    pub(crate) artifacts: Arc<Artifacts>,
    policy: Arc<Mutex<Arc<Decide>>>,
}

/// What production asks of a change: the change, and a step-up that a run meets by its approvers.
pub(crate) fn as_in_production(input: &DecisionInput) -> Result<Decision, Error> {
    if !matches!(input.tool.risk, Risk::Change | Risk::Disruptive) {
        return Ok(StaticPolicy::decision(Effect::Allow, &["grant:netops"]));
    }
    let count = if input.tool.risk == Risk::Disruptive { 2 } else { 1 };
    let change = input.change.as_ref().is_some_and(|c| c.approvers >= count && input.now < c.expires_at);
    let step_up = change && input.change.as_ref().is_some_and(|c| c.run && c.proven_approvers >= count);
    let effect = if change && step_up { Effect::Allow } else { Effect::Challenge };
    let mut decision = StaticPolicy::decision(effect, &["grant:netops"]);
    for (name, met) in [("change", change), ("step_up", step_up)] {
        decision.obligations.insert(name.to_owned(), Obligation { met, parameters: BTreeMap::new() });
    }
    let who = BTreeMap::from([("groups".to_owned(), json!(["admin", "netops"])), ("count".to_owned(), json!(count))]);
    decision.obligations.insert("approvers".to_owned(), Obligation { met: true, parameters: who });
    Ok(decision)
}

pub(crate) fn denies(_: &DecisionInput) -> Result<Decision, Error> {
    Ok(StaticPolicy::decision(Effect::Deny, &["deny:no_grant"]))
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let store = Arc::new(MemoryStore::new(Arc::clone(&shared)));
        let store = Arc::new(InterceptedStore::new(store, RowsRead::default()));
        let audit = Arc::new(Watched::default());
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&shared)));
        let fields = BTreeMap::from([("password".to_owned(), Secret::new("secret"))]);
        secrets.put(&format!("api/{SERVER}"), fields, None).await.unwrap();
        let decide: Arc<Mutex<Arc<Decide>>> = Arc::new(Mutex::new(Arc::new(as_in_production)));
        let asked = Arc::clone(&decide);
        let policy = Arc::new(StaticPolicy::new(move |input| {
            let decide = Arc::clone(&asked.lock().unwrap());
            decide(input)
        }));
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        let controller = Arc::new(Controller::default());
        let instance = |name: &str, connector: Arc<dyn Connector>| Instance {
            name: name.to_owned(),
            environment: "test".to_owned(),
            connector,
        };
        let instances =
            vec![instance(SERVER, Arc::new(Target(Arc::clone(&controller)))), instance("interlock", Arc::new(Own))];
        visibility.publish(Catalogue::build(instances, &risks()).unwrap());
        let keys = GrantKeys::open(Arc::clone(&secrets) as _).await.unwrap();
        let floors = Arc::new(Floors::default());
        let base = BaseUrl::new(&url::Url::parse("https://interlock.test").unwrap());
        let changes = Changes::new(ChangeParts {
            book: ChangeBook::new(Arc::clone(&store) as _),
            clock: Arc::clone(&shared),
            base: base.clone(),
            policy: Arc::clone(&policy) as _,
            audit: Arc::clone(&audit) as _,
            grants: keys.clone(),
            floors: Arc::clone(&floors) as _,
        });
        let artifacts = sealed_artifacts(Arc::new(MemoryArtifacts::default()) as _, Arc::clone(&shared));
        let road = Pipeline::new(Parts {
            visibility,
            policy,
            store: Arc::clone(&store) as _,
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::clone(&audit) as _,
            artifacts: Arc::clone(&artifacts),
            secrets,
            metrics: Metrics::new(),
            clock: shared,
            changes: Arc::clone(&changes) as _,
            results: Arc::new(Sealer::derive(&SecretKey::new([7; 32]), "results").unwrap()),
            secret_arguments: KeyedHash::derive(&SecretKey::new([8; 32]), "secret arguments").unwrap(),
            base,
            limits: Limits::default(),
        });
        let starter = Arc::new(Starter::default());
        changes.attach(&road, Arc::clone(&starter) as _).unwrap();
        Self { road, changes, controller, clock, store, audit, floors, starter, keys, artifacts, policy: decide }
    }

    /// From now on policy decides so.
    pub(crate) fn decide(&self, by: impl Fn(&DecisionInput) -> Result<Decision, Error> + Send + Sync + 'static) {
        *self.policy.lock().unwrap() = Arc::new(by);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// How many steps reached the controller.
    pub(crate) fn applied(&self) -> usize {
        self.controller.applied.lock().unwrap().len()
    }

    pub(crate) fn last_record(&self) -> AuditEntry {
        self.audit.entries().pop().unwrap()
    }

    /// A change that was planned, approved by bob, and applies, with its locks.
    pub(crate) async fn applying(&self) -> Change {
        self.applying_as(|_| {}, |_| {}).await
    }

    /// The same, with edits of the plan before it is hashed, and of the grant before it is signed.
    pub(crate) async fn applying_as(
        &self,
        plan: impl FnOnce(&mut PublicPlan),
        grant: impl FnOnce(&mut Grant),
    ) -> Change {
        let window = Window { not_before_ms: self.now_ms() - 60_000, not_after_ms: self.now_ms() + 3_600_000 };
        self.made(window, &DEVICES, plan, grant).await
    }

    /// The same, for another window.
    pub(crate) async fn applying_in(&self, window: Window) -> Change {
        self.made(window, &DEVICES, |_| {}, |_| {}).await
    }

    /// The same, with an edit of the plan, and without locks.
    pub(crate) async fn applying_of(&self, plan: impl FnOnce(&mut PublicPlan)) -> Change {
        let window = Window { not_before_ms: self.now_ms() - 60_000, not_after_ms: self.now_ms() + 3_600_000 };
        self.made(window, &[], plan, |_| {}).await
    }

    async fn made(
        &self,
        window: Window,
        locked: &[&str],
        plan: impl FnOnce(&mut PublicPlan),
        grant: impl FnOnce(&mut Grant),
    ) -> Change {
        let id = ChangeId::mint();
        let mut public = public_plan(&id, self.now_ms());
        plan(&mut public);
        let mut change = self.planned(&id, &public).await;
        let submission = Submission { plan: plan_hash(&public).unwrap(), ticket: None, gated: None, window };
        let mut given = self.grant(&change, &submission);
        grant(&mut given);
        change.approvals.clone_from(&given.approvals);
        change.grant = Some(self.keys.sign(given).unwrap());
        change.submission = Some(submission);
        change.run.fences = self.lock(&id, locked).await;
        self.changes.book().add(&change).await.unwrap();
        let put = ChangeBook::put_plan(&id, &public).unwrap();
        self.changes.book().transact(vec![put]).await.unwrap();
        change
    }

    async fn planned(&self, id: &ChangeId, public: &PublicPlan) -> Change {
        let mut change = Change {
            id: id.clone(),
            state: State::Applying,
            change_type: public.change_type.clone(),
            instance: public.instance.clone(),
            title: "Two devices".into(),
            reason: "Because".into(),
            requester: Requester::from(&alice()),
            requester_key: Requester::from(&alice()).key(),
            device_ids: DEVICES.map(str::to_owned).to_vec(),
            inputs: reference("inputs"),
            undoes: None,
            risk: Some(Risk::Change),
            plan: None,
            submission: None,
            approvers: Some(ApproversNeeded { groups: vec!["netops".into()], count: 1 }),
            approvals: Vec::new(),
            grant: None,
            cancel: None,
            run: RunProgress::default(),
            trouble: None,
            evidence: None,
            evidence_awaits_proofs: false,
            history: Vec::new(),
            created_at_ms: self.now_ms(),
            updated_at_ms: self.now_ms(),
        };
        let sealed = SealedPlan { nonce: "00".repeat(32), devices: DEVICES.map(|d| sealed_device(id, d)).to_vec() };
        let bytes = serde_json::to_vec(&sealed).unwrap();
        let ports = self.changes.ports(&change, None).unwrap();
        let sealed = ports.seal(ArtifactKind::Plan, "application/json", &bytes).await.unwrap();
        change.plan =
            Some(PlanReference { hash: plan_hash(public).unwrap(), sealed, made_at_ms: self.now_ms() - 600_000 });
        change
    }

    fn grant(&self, change: &Change, submission: &Submission) -> Grant {
        let digest = submission.digest().unwrap();
        Grant {
            change: change.id.to_string(),
            submission: digest.clone(),
            plan: submission.plan.clone(),
            requester: change.requester.clone(),
            approvals: vec![self.approval("bob", &digest)],
            server: SERVER.into(),
            tools: vec!["port_apply_step".into()],
            targets: DEVICES.map(str::to_owned).to_vec(),
            window: submission.window,
            writes: 2,
            undo_for_s: 86_400,
            issued_at_ms: self.now_ms(),
        }
    }

    /// Somebody's approval, by a factor that was passed after the plan was shown.
    pub(crate) fn approval(&self, subject: &str, submission: &str) -> Approval {
        let now = self.now_ms();
        Approval {
            approver: PersonRef::from(&person(subject, &["netops"])),
            verdict: Verdict::Approve,
            reason: "Looks right".into(),
            submission: submission.to_owned(),
            at_ms: now,
            shown_at_ms: now - 60_000,
            acr: None,
            amr: vec!["pwd".into(), "otp".into()],
            auth_time: now / 1000 - 10,
            groups: vec!["netops".into()],
            policy_revision: "test".into(),
        }
    }

    /// Takes the locks of devices, and says by which numbers.
    pub(crate) async fn lock(&self, id: &ChangeId, devices: &[&str]) -> BTreeMap<String, u64> {
        let lease_until = self.clock.epoch_seconds() + LOCK_LEASE_S;
        let names: Vec<String> = devices.iter().map(|d| lock_name(&format!("SN-{d}"))).collect();
        let take = |name: &String| Op::TakeLock { name: name.clone(), holder: id.to_string(), lease_until };
        let fences = self.store.transact(names.iter().map(take).collect()).await.unwrap();
        let number = |result| match result {
            OpResult::Fence(number) => number,
            other => panic!("{other:?}"),
        };
        names.into_iter().zip(fences.into_iter().map(number)).collect()
    }

    /// Announces an attempt, as a run does before it sends.
    pub(crate) async fn announce(&self, change: &Change, device: &str, direction: Direction, number: u32) -> Attempt {
        let attempt = Attempt {
            change: change.id.to_string(),
            device_id: device.to_owned(),
            direction,
            number,
            call_id: RequestId::mint().to_string(),
            step: step(&change.id, device, direction),
            announced_at_ms: self.now_ms(),
            handle: None,
            outcome: AttemptOutcome::Open,
        };
        self.put(&attempt, Expect::Absent).await;
        attempt
    }

    pub(crate) async fn put(&self, attempt: &Attempt, expect: Expect) {
        let put = ChangeBook::put_attempt(attempt, expect).unwrap();
        self.changes.book().transact(vec![put]).await.unwrap();
    }

    /// Sends what was announced.
    pub(crate) async fn send(&self, change: &Change, attempt: &Attempt) -> Result<Handle, Error> {
        self.send_step(change, attempt, &attempt.step).await
    }

    /// Sends a step under an attempt.
    pub(crate) async fn send_step(&self, change: &Change, attempt: &Attempt, step: &StepSpec) -> Result<Handle, Error> {
        let id = Attempt::id(&attempt.change, &attempt.device_id, attempt.direction, attempt.number);
        let call_id = serde_json::from_value(json!(attempt.call_id)).unwrap();
        let undo = attempt.direction == Direction::Undo;
        let run = RunStep { change: change.id.to_string(), undo, attempt: Some(id.clone()) };
        self.changes.ports(change, Some(run)).unwrap().apply(call_id, &id, step).await
    }

    /// Announces and sends.
    pub(crate) async fn forward(&self, change: &Change, device: &str) -> Result<Handle, Error> {
        let attempt = self.announce(change, device, Direction::Forward, 1).await;
        self.send(change, &attempt).await
    }

    /// Writes the change as `edit` leaves it.
    pub(crate) async fn edit(&self, change: &Change, edit: impl Fn(&mut Change)) {
        let edit = |change: &mut Change| {
            edit(change);
            Ok(((), Vec::new()))
        };
        self.changes.book().update(&change.id, edit).await.unwrap();
    }

    /// A call by a door.
    pub(crate) async fn call(&self, who: Principal, change: Option<&str>, arguments: Json) -> Result<Answer, Error> {
        let references = CallReferences { change: change.map(str::to_owned), idempotency_key: None };
        let cx = CallContext {
            request_id: RequestId::mint(),
            client_request_id: None,
            trace: TraceContext::root(),
            principal: Arc::new(who),
            resource: Resource::Platform,
            protocol: Protocol::Mcp,
            source: LOCAL_SOURCE,
            references,
            run: None,
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let request = CallRequest {
            server: SERVER.into(),
            tool: "deploy_template".into(),
            arguments,
            references: CallReferences::default(),
        };
        self.road.call(Arc::new(cx), request).await
    }
}

fn risks() -> RiskTable {
    RiskTable::from_rows([
        ("lab-controller", "deploy_template", Risk::Change),
        ("lab-controller", "port_apply_step", Risk::Change),
        ("lab-controller", "port_poll_step", Risk::Read),
        ("lab-controller", "port_reconcile_step", Risk::Probe),
        ("lab-controller", "port_render_lines", Risk::Read),
        ("lab-controller", "port_stage_lines", Risk::Record),
        ("interlock", "plan_change", Risk::Probe),
    ])
}

pub(crate) fn alice() -> Principal {
    person("alice", &["netops"])
}

/// A step of the plan.
pub(crate) fn step(id: &ChangeId, device: &str, direction: Direction) -> StepSpec {
    let (carrier, params) = match direction {
        Direction::Forward => (forward_carrier(), params()),
        Direction::Undo => (undo_carrier(device), Map::new()),
    };
    StepSpec { device_id: device.to_owned(), change: id.to_string(), carrier, params, secrets: None }
}

pub(crate) fn params() -> Map<String, Json> {
    Map::from_iter([("vlan".to_owned(), json!(20))])
}

fn forward_carrier() -> Carrier {
    Carrier { template_id: "tpl-1".into(), version_id: "v-3".into() }
}

fn undo_carrier(device: &str) -> Carrier {
    Carrier { template_id: format!("undo-{device}"), version_id: "v-1".into() }
}

fn reference(id: &str) -> ArtifactReference {
    let text = |text: &str| text.to_owned();
    ArtifactReference {
        id: id.to_owned(),
        kind: text("plan"),
        media_type: text("application/json"),
        bytes: 1,
        keep_until: text("2030-01-01T00:00:00Z"),
        uri: text("interlock://interlock/artifacts/x"),
    }
}

fn sealed_device(id: &ChangeId, device: &str) -> SealedDevice {
    SealedDevice {
        device_id: device.to_owned(),
        baseline: reference("b"),
        baseline_sha256: "b".into(),
        lines: reference("l"),
        lines_sha256: "l".into(),
        predicted: reference("p"),
        predicted_sha256: "p".into(),
        forward: step(id, device, Direction::Forward),
        undo: Some(step(id, device, Direction::Undo)),
        undo_lines: None,
        before: Map::new(),
    }
}

fn public_plan(id: &ChangeId, now_ms: i64) -> PublicPlan {
    PublicPlan {
        v: 1,
        change: id.to_string(),
        change_type: TypeReference { name: "template_deployment".into(), version: 1, digest: None },
        instance: InstanceReference {
            name: SERVER.into(),
            connector: "lab-controller".into(),
            environment: "test".into(),
        },
        template: TemplateReference {
            template_id: "tpl-1".into(),
            version_id: "v-3".into(),
            name: "VLAN".into(),
            newest: true,
        },
        order: DEVICES.map(|device| vec![device.to_owned()]).to_vec(),
        max_fail_percentage: 0,
        on_stop: OnStop::Undo,
        on_stale: OnStale::Stop,
        save_startup: SaveStartup::Never,
        soak_s: 300,
        devices: DEVICES.map(|device| device_plan(device, now_ms)).to_vec(),
        estimates: Estimates { apply_s: 60, undo_s: 60 },
    }
}

fn device_plan(device: &str, now_ms: i64) -> DevicePlan {
    DevicePlan {
        device_id: device.to_owned(),
        hostname: device.to_owned(),
        serials: vec![format!("SN-{device}")],
        platform: "ios-xe".into(),
        site: None,
        role: None,
        redundancy_group: None,
        ci: None,
        baseline: Baseline {
            commitment: "c".into(),
            read_at_ms: now_ms - 600_000,
            source_at_ms: None,
            secrets_unseen: false,
        },
        params: params(),
        carrier: forward_carrier(),
        lines: Vec::new(),
        diff: Vec::new(),
        diff_group: "g".into(),
        unmodelled: Vec::new(),
        dangers: Vec::new(),
        risk: Risk::Change,
        predicted: "c".into(),
        undo: PlannedUndo::Generated { carrier: undo_carrier(device), lines: Vec::new() },
        checks: Vec::new(),
    }
}
