//! Authorise: Rego alone says what is granted and which obligations are unmet (T7, T8). Decisions about reads are kept
//! for a moment (T9); decisions about writes never are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::audit_payload::{APPROVED_PLAN, DecisionRecord};
use platform::policy::{Decision, DecisionInput, Effect, ElevationFacts, PrincipalFacts, TargetFacts, ToolFacts};
use platform::{CallContext, Error, ErrorKind, canonical};

use super::Pipeline;
use super::validate::Validated;
use crate::change_gate::{Basis, Covered};
use crate::elevation::{Covering, SingleUse, Wanted};

/// Longest life of a kept decision (T9).
const KEEP: Duration = Duration::from_secs(5);

/// What policy said. A denial goes on record with its reasons too (T25), so this comes before [`Authorised`].
pub(super) struct Decided(Authorised);

impl Decided {
    pub(super) fn decision(&self) -> &Decision {
        self.0.decision()
    }

    /// The proof, unless policy denies.
    pub(super) fn granted(self) -> Result<Authorised, Error> {
        if self.decision().effect == Effect::Deny { Err(denied(self.decision())) } else { Ok(self.0) }
    }
}

/// Proof that policy grants the role. Obligations may still be unmet: `step_up` looks at them.
pub(super) struct Authorised {
    decision: Arc<Decision>,
    targets: Arc<[TargetFacts]>,
    server: String,
    subject: String,
    elevation: Option<Covering>,
    covered: Option<Arc<Covered>>,
}

/// What is verified about a call before policy is asked.
pub(super) struct Facts {
    pub(super) targets: Arc<[TargetFacts]>,
    pub(super) covered: Option<Arc<Covered>>,
}

impl Authorised {
    pub(super) fn decision(&self) -> &Decision {
        &self.decision
    }

    pub(super) fn targets(&self) -> &Arc<[TargetFacts]> {
        &self.targets
    }

    /// What covers a call of a run.
    pub(super) fn covered(&self) -> Option<&Covered> {
        self.covered.as_deref()
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn subject(&self) -> &str {
        &self.subject
    }

    /// The single-use elevation that covers the call: used up in the reservation's transaction.
    pub(super) fn single_use(&self) -> Option<&SingleUse> {
        self.elevation.as_ref()?.single_use.as_ref()
    }

    /// The elevation that met the step-up which policy asked for; nothing where it asked for none, or where a fresh token
    /// met it.
    pub(super) fn elevation(&self) -> Option<&ElevationFacts> {
        let asked = self.decision.obligations.get(STEP_UP).is_some_and(|o| o.met);
        self.elevation.as_ref().map(|e| &e.facts).filter(|_| asked || self.single_use().is_some())
    }
}

/// The obligation that an elevation meets.
pub(super) const STEP_UP: &str = "step_up";

pub(super) struct DecisionCache(moka::sync::Cache<[u8; 32], Kept>);

/// A decision, and when it was made: by the process's own clock, and seconds since the epoch.
type Kept = (Arc<Decision>, Instant, i64);

impl Default for DecisionCache {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(50_000).time_to_live(KEEP).build())
    }
}

/// `asked` gets what was asked and answered, for the record (T26): also where policy gave no answer.
pub(super) async fn authorise(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    known: Facts,
    asked: &mut Option<DecisionRecord>,
) -> Result<Decided, Error> {
    let Facts { targets, covered } = known;
    let tool = &call.tool;
    let wanted = call.wanted();
    // Every write may need one. A read or probe needs one only where policy says so: then it is asked a second time, and
    // all others stay as cheap as they are. A run uses up nobody's.
    let elevation = match tool.risk.is_write() && covered.is_none() {
        true => road.elevations.covering(&cx.principal, &wanted).await?,
        false => None,
    };
    // A plan may say that its step is worse than its tool, and never that it is better.
    let risk = covered.as_ref().map_or(tool.risk, |c| tool.risk.max(c.risk));
    let mut input = DecisionInput {
        groups: cx.principal.groups.clone(),
        resource: tool.server.connector.clone(),
        action: risk.action(),
        principal: PrincipalFacts::from(cx.principal.as_ref()),
        server: tool.server.clone(),
        tool: ToolFacts { name: tool.name().to_owned(), risk },
        arguments: call.arguments.clone(),
        targets: targets.to_vec(),
        change: covered.as_ref().map(|c| c.facts.clone()),
        elevation: elevation.as_ref().map(|e| e.facts.clone()),
        now: road.parts.clock.epoch_seconds(),
        source: cx.source.to_string(),
        protocol: cx.protocol.as_str().to_owned(),
        request_id: cx.request_id.to_string(),
    };
    let mut answer = match covered.as_deref() {
        Some(covered) if covered.basis == Basis::ApprovedPlan => {
            Ok((Arc::new(by_approved_plan(road, covered)), input.now))
        }
        _ => decide(road, &mut input).await,
    };
    let mut elevation = elevation;
    let wants_step_up = |d: &Decision| d.obligations.get(STEP_UP).is_some_and(|o| !o.met);
    if elevation.is_none()
        && covered.is_none()
        && answer.as_ref().is_ok_and(|(decision, _)| wants_step_up(decision))
        && let Some(found) = missing(road, cx, &wanted).await?
    {
        input.elevation = Some(found.facts.clone());
        elevation = Some(found);
        answer = decide(road, &mut input).await;
    }
    let (decided_at, known) = match &answer {
        Ok((decision, at)) => (*at, Some(decision.as_ref().clone())),
        Err(_) => (input.now, None),
    };
    let revision = known.as_ref().map_or_else(|| road.parts.policy.revision(), |d| d.revision.clone());
    *asked = Some(DecisionRecord::new(input, decided_at, revision, known));
    let (decision, _) = answer?;
    road.parts.metrics.authz(decision.effect);
    let (server, subject) = (tool.server.name.clone(), cx.principal.key());
    Ok(Decided(Authorised { decision, targets, server, subject, elevation, covered }))
}

/// What stands for policy's answer where the approved plan alone decides (T19).
fn by_approved_plan(road: &Pipeline, covered: &Covered) -> Decision {
    Decision {
        allow: true,
        effect: Effect::Allow,
        reasons: vec![APPROVED_PLAN.to_owned()],
        obligations: BTreeMap::new(),
        valid_until: covered.until,
        revision: road.parts.policy.revision(),
    }
}

/// The elevation for a call that is no write: looked for on every such call, so that one which was ended ends at once.
async fn missing(road: &Pipeline, cx: &CallContext, wanted: &Wanted<'_>) -> Result<Option<Covering>, Error> {
    if wanted.risk.is_write() {
        return Ok(None);
    }
    road.elevations.covering(&cx.principal, wanted).await
}

/// The decision, and when it was made.
async fn decide(road: &Pipeline, input: &mut DecisionInput) -> Result<(Arc<Decision>, i64), Error> {
    if input.tool.risk.is_write() {
        return road.parts.policy.decide(input).await.map(|decision| (Arc::new(decision), input.now));
    }
    let key = cache_key(&road.parts.policy.revision(), input)?;
    if let Some((decision, kept_at, decided_at)) = road.decisions.0.get(&key)
        && kept_at.elapsed() < KEEP
        && decision.valid_until.is_some_and(|until| input.now < until)
    {
        return Ok((decision, decided_at));
    }
    let decision = Arc::new(road.parts.policy.decide(input).await?);
    if decision.valid_until.is_some_and(|until| input.now < until) {
        road.decisions.0.insert(key, (Arc::clone(&decision), Instant::now(), input.now));
    }
    Ok((decision, input.now))
}

/// Everything the decision may depend on, but the clock and the request id (T9).
fn cache_key(revision: &str, input: &mut DecisionInput) -> Result<[u8; 32], Error> {
    let (now, request_id) = (std::mem::take(&mut input.now), std::mem::take(&mut input.request_id));
    // Fields have their order, and members of `serde_json`'s map are sorted: canonical enough for a key of our own.
    let identity = serde_json::to_vec(&(revision, &*input));
    (input.now, input.request_id) = (now, request_id);
    Ok(canonical::sha256(&identity.map_err(Error::internal)?))
}

fn denied(decision: &Decision) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "denied",
        "Policy does not allow this call for you. `explain_refusal` on the server `interlock` gives the reasons.",
    )
    .with_detail(decision.reasons.join(", "))
}
