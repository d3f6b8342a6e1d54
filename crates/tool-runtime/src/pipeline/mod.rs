//! The one road (rules T7, T13): every call of every tool, whichever door it came in by, goes through
//! [`Pipeline::call`], and the list of stages in [`Pipeline::admit`] and [`Pipeline::perform`] is read from top to
//! bottom. Each stage is a file beside this one.
//!
//! Stages hand on values with private fields ([`authorise::Authorised`], [`reserve::Reserved`], [`lease::Leased`]);
//! `execute` takes them, so that a skipped stage does not compile.
//!
//! A failure before `execute` releases the reservation. Writes are performed on a task of their own: a caller that goes
//! away ends only its wait.

mod artifacts;
mod audit_guard;
mod authorise;
mod cache;
mod call;
mod change;
mod execute;
mod intent;
mod later;
mod lease;
mod limit;
mod live;
mod output;
mod redact;
mod replay;
mod reserve;
mod resolve;
mod settle;
mod share;
mod step_up;
mod targets;
mod tasks;
mod validate;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use platform::artifacts::Artifacts;
use platform::audit::AuditLog;
use platform::config::LimitsConfig;
use platform::keyed_hash::KeyedHash;
use platform::policy::PolicyEngine;
use platform::resource::BaseUrl;
use platform::seal::Sealer;
use platform::secrets::SecretStore;
use platform::shared::{RateLimit, SharedState};
use platform::store::Store;
use platform::telemetry::Metrics;
use platform::{CallContext, Error, SharedClock};
use tokio_util::task::TaskTracker;

pub(crate) use self::artifacts::may_read;
pub use self::call::{Answer, CallRequest};
pub use self::intent::IntentJournal;
pub use self::resolve::tool_unknown;
pub use self::settle::settle_after_crash;
pub use self::tasks::{LongTask, TASK_S};

use self::audit_guard::AuditGuard;
use self::authorise::Authorised;
use self::validate::Validated;
use crate::change_gate::ChangeGate;
use crate::elevation::Elevations;
use crate::targets::TargetDirectory;
use crate::targets::live::LiveFacts;
use crate::visibility::Visibility;

/// The stages in the order in which a call passes them; the documentation and a test compare themselves with it.
pub const STAGES: [&str; 16] = [
    "audit_open",
    "resolve",
    "limit",
    "validate",
    "targets",
    "authorise",
    "replay",
    "step_up",
    "cache",
    "reserve",
    "intent",
    "lease",
    "execute",
    "output",
    "redact",
    "audit_close",
];

/// What the pipeline is made of.
pub struct Parts {
    /// Catalogue and visibility.
    pub visibility: Arc<Visibility>,
    /// Policy.
    pub policy: Arc<dyn PolicyEngine>,
    /// Store of truth.
    pub store: Arc<dyn Store>,
    /// Rates and cache.
    pub shared: Arc<dyn SharedState>,
    /// Audit.
    pub audit: Arc<dyn AuditLog>,
    /// Artifacts.
    pub artifacts: Arc<Artifacts>,
    /// Secrets.
    pub secrets: Arc<dyn SecretStore>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Clock.
    pub clock: SharedClock,
    /// Change control.
    pub changes: Arc<dyn ChangeGate>,
    /// Seals stored results, and what a step-up page shows of a call.
    pub results: Arc<Sealer>,
    /// Hashes arguments that are secrets (T27).
    pub secret_arguments: KeyedHash,
    /// Public base URL: for the links in refusals.
    pub base: BaseUrl,
    /// Limits.
    pub limits: Limits,
}

/// Limits that hold for every caller, before policy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls per principal.
    pub per_principal: RateLimit,
    /// Calls per source address.
    pub per_source: RateLimit,
    /// Most bytes of a structured result; a larger one becomes an artifact.
    pub max_result: usize,
    /// How long a stored result of an idempotency key is kept.
    pub keep_results: Duration,
}

impl Limits {
    /// As the operator says; a burst is half a minute's calls.
    pub fn configured(limits: &LimitsConfig) -> Self {
        let rate = |per_minute: u32| RateLimit { per_minute: per_minute.max(1), burst: (per_minute / 2).max(1) };
        Self {
            per_principal: rate(limits.per_principal_per_minute),
            per_source: rate(limits.per_source_per_minute),
            max_result: limits.max_result,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_principal: RateLimit { per_minute: 6_000, burst: 3_000 },
            per_source: RateLimit { per_minute: 12_000, burst: 6_000 },
            max_result: 1 << 20,
            keep_results: Duration::from_secs(24 * 3600),
        }
    }
}

/// The pipeline.
pub struct Pipeline {
    parts: Parts,
    /// Itself, for tools that ask it whether a caller may read an artifact.
    own: Weak<Self>,
    elevations: Elevations,
    live_facts: LiveFacts,
    directory: Arc<TargetDirectory>,
    decisions: authorise::DecisionCache,
    writes: TaskTracker,
    live: live::LiveCalls,
    flights: share::Flights,
}

/// Which tools a call may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// What a caller can name.
    Listed,
    /// Also what only the platform names, for a resource or a completion.
    Ports,
}

/// A call that may be performed, or one that is answered already.
enum Admitted {
    Answered(Answer),
    Granted(Box<Granted>),
}

/// A call that passed everything that could refuse it.
struct Granted {
    call: Validated,
    authorised: Authorised,
}

impl Pipeline {
    /// Puts the parts together, without a target directory: facts come from look-ups alone.
    pub fn new(parts: Parts) -> Arc<Self> {
        Self::with_directory(parts, Arc::default())
    }

    /// Puts the parts together.
    pub fn with_directory(parts: Parts, directory: Arc<TargetDirectory>) -> Arc<Self> {
        let elevations =
            Elevations::new(Arc::clone(&parts.store), Arc::clone(&parts.clock), Arc::clone(&parts.results));
        Arc::new_cyclic(|own| Self {
            own: own.clone(),
            elevations,
            live_facts: LiveFacts::default(),
            directory,
            decisions: authorise::DecisionCache::default(),
            writes: TaskTracker::new(),
            live: live::LiveCalls::default(),
            flights: share::Flights::default(),
            parts,
        })
    }

    /// Catalogue and visibility.
    pub fn visibility(&self) -> &Arc<Visibility> {
        &self.parts.visibility
    }

    /// Which devices there are.
    pub fn directory(&self) -> &Arc<TargetDirectory> {
        &self.directory
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.parts.clock
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Elevations: the step-up page fulfils them.
    pub fn elevations(&self) -> &Elevations {
        &self.elevations
    }

    /// Waits until no write is under way; new ones are still let in, so stop the doors first.
    pub async fn drain(&self) {
        self.writes.close();
        self.writes.wait().await;
    }

    /// Calls a tool.
    pub async fn call(self: &Arc<Self>, cx: Arc<CallContext>, request: CallRequest) -> Result<Answer, Error> {
        self.travel(cx, request, Reach::Listed).await
    }

    /// Calls the tool behind a resource, a completion or a task: the same road, and ports can be reached.
    pub async fn call_port(self: &Arc<Self>, cx: Arc<CallContext>, request: CallRequest) -> Result<Answer, Error> {
        self.travel(cx, request, Reach::Ports).await
    }

    /// Puts a call on record that its door refuses before the road begins, and hands back what the caller is told. It
    /// counts against the caller's limits like any other.
    pub async fn refuse(&self, cx: &CallContext, request: &CallRequest, refusal: Error) -> Error {
        let guard = AuditGuard::open(self, cx, request);
        let refusal = limit::coarse(self, cx).await.err().unwrap_or(refusal);
        match guard.close(Err(refusal)).await {
            Err(told) => told,
            Ok(_) => Error::internal("a refusal closed as an answer"),
        }
    }

    async fn travel(
        self: &Arc<Self>,
        cx: Arc<CallContext>,
        request: CallRequest,
        reach: Reach,
    ) -> Result<Answer, Error> {
        let mut guard = AuditGuard::open(self, &cx, &request);
        match self.admit(&cx, request, reach, &mut guard).await {
            Err(refusal) => guard.close(Err(refusal)).await,
            Ok(Admitted::Answered(answer)) => guard.close(Ok(answer)).await,
            Ok(Admitted::Granted(granted)) if granted.call.tool.risk.is_write() => {
                let road = Arc::clone(self);
                let task = self.writes.spawn(async move { road.perform_and_close(cx, *granted, guard).await });
                task.await.unwrap_or_else(|e| Err(Error::internal(e)))
            }
            Ok(Admitted::Granted(granted)) => self.perform_and_close(cx, *granted, guard).await,
        }
    }

    /// Everything that can refuse the call, or answer it without performing it.
    async fn admit(
        &self,
        cx: &Arc<CallContext>,
        request: CallRequest,
        reach: Reach,
        guard: &mut AuditGuard,
    ) -> Result<Admitted, Error> {
        let tool = guard.stage("resolve", resolve::resolve(self, cx, &request, reach)).await?;
        guard.resolved(&tool);
        guard.stage("limit", limit::coarse(self, cx)).await?;
        let call = guard.lap("validate", || validate::validate(self, cx, tool, request))?;
        guard.validated(&call);
        guard.claims(call.tool.risk, cx);
        let facts = guard.claim().scope(guard.stage("targets", targets::load(self, cx, &call))).await?;
        guard.targets(&facts);
        let covered = guard.stage("targets", change::covers(self, cx, &call, &facts)).await;
        guard.covered(&covered);
        let known = authorise::Facts { targets: facts, covered: covered? };
        let mut asked = None;
        let decided = guard.stage("authorise", authorise::authorise(self, cx, &call, known, &mut asked)).await;
        guard.asked(asked)?;
        let decided = decided?;
        guard.decided(decided.decision());
        let authorised = decided.granted()?;
        if let Some(answer) = guard.stage("replay", replay::replay(self, cx, &call)).await? {
            return Ok(Admitted::Answered(answer));
        }
        if let Some(started) = guard.stage("step_up", change::join(self, cx, &call, &authorised)).await? {
            return Ok(Admitted::Answered(started));
        }
        let authorised = guard.stage("step_up", step_up::require(self, cx, &call, authorised)).await?;
        guard.stepped_up(&authorised);
        if let Some(answer) = guard.stage("cache", cache::find(self, &call, &authorised)).await? {
            return Ok(Admitted::Answered(answer));
        }
        guard.stage("limit", limit::obliged(self, cx, &authorised)).await?;
        Ok(Admitted::Granted(Box::new(Granted { call, authorised })))
    }

    async fn perform_and_close(
        &self,
        cx: Arc<CallContext>,
        granted: Granted,
        mut guard: AuditGuard,
    ) -> Result<Answer, Error> {
        let result = self.perform_or_share(&cx, granted, &mut guard).await;
        guard.close(result).await
    }

    /// From the reservation to the result.
    async fn perform(&self, cx: &Arc<CallContext>, granted: Granted, guard: &mut AuditGuard) -> Result<Answer, Error> {
        let Granted { call, authorised } = granted;
        // Until the intent is settled, and not a moment less: a repeat under the same key asks whether this still runs.
        let _live = call.tool.risk.is_write().then(|| self.live.begin(cx.request_id.to_string()));
        let reserved = guard.stage("reserve", reserve::reserve(self, cx, &call, &authorised)).await?;
        let started = Instant::now();
        let intended = intent::open(self, cx, &call, &reserved, guard).await;
        guard.took("intent", started);
        let intended = match intended {
            Ok(intended) => intended,
            Err(error) => return Err(reserve::release(self, reserved, error).await),
        };
        if call.tool.risk.is_write() {
            platform::failpoint::reach("road.intent_open");
        }
        let leased = guard.stage("lease", lease::lease(self, &call)).await;
        let leased = match leased {
            Ok(leased) => leased,
            Err(error) => return Err(intent::not_started(self, intended, reserved, error).await),
        };
        if let Err(lost) = guard.stage("lease", change::hold(self, &authorised)).await {
            return Err(intent::not_started(self, intended, reserved, lost).await);
        }
        let artifacts = artifacts::of_call(self, cx, &call, &authorised);
        let proofs = execute::Proofs { authorised: &authorised, intended: &intended, leased: &leased };
        let work = guard.stage("execute", execute::execute(self, cx, &call, &reserved, proofs, &artifacts));
        let executed = guard.claim().scope(work).await;
        let checked =
            guard.lap("output", || executed.and_then(|output| output::check(self, cx, &call, &artifacts, output)));
        let large = checked.as_ref().is_ok_and(|checked| checked.large);
        let secrets = redact::secrets(&call, &leased);
        let answer = guard.lap("redact", || match checked {
            Ok(checked) => Ok(redact::redact(checked, &secrets, &artifacts.made())),
            Err(error) => Err(redact::failure(error, &secrets)),
        });
        // Redacted first: what is kept is what would have been shown.
        let answer = match answer {
            Ok(answer) if large => guard.stage("output", output::refer(&artifacts, answer)).await,
            answer => answer,
        };
        guard.artifacts(&artifacts);
        let answer = intent::settle(self, &call, intended, reserved, answer).await?;
        cache::keep(self, &call, &authorised, &answer).await?;
        Ok(answer)
    }
}
