//! Changes over a store, a log and a policy in memory; a planned change and its plan from `fixtures/`; people.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use change_control::approving::{Decision, Factor, SubmitRequest};
use change_control::model::approval::Verdict;
use change_control::model::change::ApproversNeeded;
use change_control::model::plan::{PublicPlan, plan_hash};
use change_control::{Change, ChangeBook, ChangeId, ChangeParts, Changes, GrantKeys, RunStarter};
use platform::clock::AdjustableClock;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::keyed_hash::KeyedHash;
use platform::policy::{Decision as PolicyDecision, Effect, Obligation, RiskTable};
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RunFloors;
use platform::seal::Sealer;
use platform::secret::SecretKey;
use platform::store::Store;
use platform::telemetry::Metrics;
use platform::{CallContext, Clock as _, Error, Principal, SharedClock};
use platform_suites::tokens::person;
use platform_suites::{
    MemoryArtifacts, MemoryAudit, MemorySecrets, MemoryShared, MemoryStore, StaticPolicy, sealed_artifacts,
};
use serde_json::json;
use tool_runtime::change_gate::NoChanges;
use tool_runtime::pipeline::Limits;
use tool_runtime::{Catalogue, Pipeline, Visibility};

/// What was asked of the engine.
#[derive(Default)]
pub(crate) struct Started(Mutex<Vec<String>>);

#[async_trait]
impl RunStarter for Started {
    async fn plan(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }

    async fn start(&self, change: &ChangeId) -> Result<(), Error> {
        self.0.lock().unwrap().push(change.to_string());
        Ok(())
    }

    async fn nudge(&self, _: &ChangeId) -> Result<(), Error> {
        Ok(())
    }
}

impl Started {
    pub(crate) fn runs(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Nobody's account was ended.
struct NoFloors;

impl RunFloors for NoFloors {
    fn is_ended(&self, _: &str, _: &str, _: &[String], _: i64) -> bool {
        false
    }
}

/// Policy asks for one approval of the group `netops`.
fn decision() -> PolicyDecision {
    let mut decision = StaticPolicy::decision(Effect::Challenge, &["grant:netops", "unmet:change"]);
    let who = [("groups".to_owned(), json!(["netops"])), ("count".to_owned(), json!(1))];
    decision.obligations.insert("approvers".to_owned(), Obligation { met: false, parameters: who.into() });
    decision
}

pub(crate) struct Rig {
    pub(crate) changes: Arc<Changes>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) started: Arc<Started>,
    _road: Arc<Pipeline>,
}

/// The change of the fixtures, planned by alice through an agent.
pub(crate) fn planned() -> (Change, PublicPlan) {
    let plan: PublicPlan = serde_json::from_str(include_str!("../../../fixtures/plan.json")).unwrap();
    let mut change: Change = serde_json::from_str(include_str!("../../../fixtures/change.json")).unwrap();
    change.plan.as_mut().unwrap().hash = plan_hash(&plan).unwrap();
    (change, plan)
}

impl Rig {
    /// With the planned change in the book.
    pub(crate) async fn new() -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let shared_clock: SharedClock = Arc::clone(&clock) as _;
        let audit = Arc::new(MemoryAudit::default());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::clone(&shared_clock)));
        let policy = Arc::new(StaticPolicy::new(|_| Ok(decision())));
        let base = BaseUrl::new(&"https://interlock.test".parse().unwrap());
        let visibility = Arc::new(Visibility::new(Arc::clone(&policy) as _));
        visibility.publish(Catalogue::build(Vec::new(), &RiskTable::default()).unwrap());
        let secrets = Arc::new(MemorySecrets::new(Arc::clone(&shared_clock)));
        let grants = GrantKeys::open(Arc::clone(&secrets) as _).await.unwrap();
        let key = || SecretKey::new([7; 32]);
        let road = Pipeline::new(tool_runtime::pipeline::Parts {
            visibility,
            policy: Arc::clone(&policy) as _,
            store: Arc::clone(&store),
            shared: Arc::new(MemoryShared::default()),
            audit: Arc::clone(&audit) as _,
            secrets,
            metrics: Metrics::new(),
            clock: Arc::clone(&shared_clock),
            results: Arc::new(Sealer::derive(&key(), "results").unwrap()),
            artifacts: sealed_artifacts(Arc::new(MemoryArtifacts::default()), Arc::clone(&shared_clock)),
            secret_arguments: KeyedHash::derive(&key(), "secret arguments").unwrap(),
            base: base.clone(),
            changes: Arc::new(NoChanges),
            limits: Limits::default(),
        });
        let changes = Changes::new(ChangeParts {
            book: ChangeBook::new(store),
            clock: shared_clock,
            base,
            policy,
            audit: Arc::clone(&audit) as _,
            grants,
            floors: Arc::new(NoFloors),
        });
        let started = Arc::new(Started::default());
        changes.attach(&road, Arc::clone(&started) as _).unwrap();
        let rig = Self { changes, audit, clock, started, _road: road };
        let (change, plan) = planned();
        rig.changes.book().add(&change).await.unwrap();
        rig.put_plan(&change.id, &plan).await;
        rig
    }

    /// Writes a plan where the plan of a change is kept, whatever stood there.
    pub(crate) async fn put_plan(&self, id: &ChangeId, plan: &PublicPlan) {
        self.changes.book().transact(vec![ChangeBook::put_plan(id, plan).unwrap()]).await.unwrap();
    }

    /// Submits it as alice.
    pub(crate) async fn submit(&self) -> Change {
        let (change, _) = planned();
        self.changes.submit(&call(alice()), &change.id, SubmitRequest::default()).await.unwrap()
    }

    /// Submits it with other approvers than policy says.
    pub(crate) async fn submit_needing(&self, groups: &[&str], count: u32) -> Change {
        let change = self.submit().await;
        let groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        let edit = |change: &mut Change| {
            change.approvers = Some(ApproversNeeded { groups: groups.clone(), count });
            Ok(((), Vec::new()))
        };
        self.changes.book().update(&change.id, edit).await.unwrap().1
    }

    pub(crate) async fn now(&self, change: &Change) -> Change {
        self.changes.book().get(&change.id).await.unwrap().change
    }

    /// Somebody with a factor that was given this very second.
    pub(crate) fn fresh(&self, name: &str, groups: &[&str]) -> Principal {
        let amr = vec!["pwd".to_owned(), "otp".to_owned()];
        Principal { mfa: true, amr, auth_time: Some(self.clock.epoch_seconds()), ..person(name, groups) }
    }

    /// What the page takes from whoever has done everything in order.
    pub(crate) fn decision(&self, change: &Change, verdict: Verdict) -> Decision {
        let submission = change.submission.as_ref().unwrap().digest().unwrap();
        let factor = Factor { submission: submission.clone(), shown_at_ms: self.clock.now().as_millisecond() };
        Decision { verdict, reason: "Read, and meant so.".into(), submission, factor: Some(factor) }
    }

    pub(crate) async fn decide(&self, by: Principal, change: &Change, decision: Decision) -> Result<Change, Error> {
        self.changes.decide(&call(by), &change.id, decision).await
    }

    pub(crate) async fn approve(&self, by: Principal, change: &Change) -> Result<Change, Error> {
        let decision = self.decision(change, Verdict::Approve);
        self.decide(by, change, decision).await
    }
}

pub(crate) fn alice() -> Principal {
    person("alice", &["netops"])
}

/// A call from a page.
pub(crate) fn call(by: Principal) -> CallContext {
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(by),
        resource: Resource::Pages,
        protocol: Protocol::Page,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: std::time::Instant::now(),
    }
}

/// The code of a refusal.
pub(crate) fn code<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.code().to_owned(),
    }
}
