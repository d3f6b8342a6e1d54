//! Audit is outermost (T25): the guard opens on the requested name and closes with what came of it. A guard that is
//! dropped without being closed (the caller went away, the task was cancelled) leaves a record that says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::audit::{AuditEntry, AuditLog, AuditedDecision, Outcome, Phase, is_recorded};
use platform::audit_payload::DecisionRecord;
use platform::context::{Protocol, RunStep};
use platform::http::{Claim, Class};
use platform::policy::{Decision, Risk, TargetFacts};
use platform::principal::PrincipalKind;
use platform::telemetry::Metrics;
use platform::{CallContext, Error, ErrorKind, SharedClock};
use serde_json::json;

use super::authorise::{Authorised, STEP_UP};
use super::validate::Validated;
use super::{Answer, CallRequest, Pipeline, replay};
use crate::artifacts::CallArtifacts;
use crate::catalogue::RegisteredTool;
use crate::change_gate::{Basis, Covered};

pub(super) struct AuditGuard {
    log: Arc<dyn AuditLog>,
    metrics: Arc<Metrics>,
    clock: SharedClock,
    started: Instant,
    entry: AuditEntry,
    /// The tool's name is a metric label only once it was resolved: a caller must not invent labels.
    resolved: bool,
    /// On whose behalf requests are sent, once it is known what for.
    claim: Claim,
    /// The run that makes the call.
    run: Option<RunStep>,
    open: bool,
}

impl AuditGuard {
    pub(super) fn open(road: &Pipeline, cx: &CallContext, request: &CallRequest) -> Self {
        let parts = &road.parts;
        let entry =
            AuditEntry::tool_call(parts.clock.now(), cx, &shortened(&request.server), &shortened(&request.tool));
        Self {
            log: Arc::clone(&parts.audit),
            metrics: Arc::clone(&parts.metrics),
            clock: Arc::clone(&parts.clock),
            started: Instant::now(),
            entry,
            resolved: false,
            claim: Claim::new(Class::Background, &cx.principal.key()),
            run: cx.run.clone(),
            open: true,
        }
    }

    /// Measures an asynchronous stage.
    pub(super) async fn stage<T>(&self, name: &'static str, stage: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let result = stage.await;
        self.took(name, started);
        result
    }

    /// Measures a stage that does not wait.
    pub(super) fn lap<T>(&self, name: &'static str, stage: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = stage();
        self.took(name, started);
        result
    }

    pub(super) fn took(&self, name: &'static str, started: Instant) {
        self.metrics.stage(name, started.elapsed());
    }

    pub(super) fn resolved(&mut self, tool: &RegisteredTool) {
        self.resolved = true;
        if let Some(audited) = &mut self.entry.tool {
            audited.risk = Some(tool.risk);
        }
    }

    /// Says as whose, and for what, the call sends requests from here on.
    pub(super) fn claims(&mut self, risk: Risk, cx: &CallContext) {
        let class = match (risk, cx.protocol) {
            // Whatever a run reads, it reads because it is changing something.
            _ if cx.run.is_some() => Class::Change,
            (Risk::Change | Risk::Disruptive | Risk::Control, _) => Class::Change,
            (_, Protocol::Internal) => Class::Background,
            _ if cx.principal.kind == PrincipalKind::Client || !cx.principal.actors.is_empty() => Class::Agent,
            _ => Class::Person,
        };
        self.claim = Claim::new(class, &cx.principal.key());
    }

    pub(super) fn claim(&self) -> Claim {
        self.claim.clone()
    }

    /// The call was answered by an equal one that was under way.
    pub(super) fn shared(&mut self, server: &str, call_id: &str) {
        self.metrics.read_shared(server);
        self.entry.facts.insert("shared_with".to_owned(), call_id.into());
    }

    pub(super) fn validated(&mut self, call: &Validated) {
        self.entry.arguments = Some(call.arguments.clone());
        if let Some(change) = &call.references.change {
            self.entry.facts.insert("change".into(), change.clone().into());
        }
        if let Some(run) = &self.run {
            self.entry.facts.insert("run".into(), json!({"change": run.change, "attempt": run.attempt}));
        }
    }

    /// What covers a call of a run, or both of what should have been the same and was not.
    pub(super) fn covered(&mut self, covered: &Result<Option<Arc<Covered>>, Error>) {
        match covered {
            Ok(Some(covered)) => {
                self.entry.undo = covered.undo;
                let basis = if covered.basis == Basis::ApprovedPlan { "approved_plan" } else { "grant" };
                let facts = json!({"by": basis, "undo": covered.undo, "approvers": covered.facts.approvers});
                self.entry.facts.insert("change_grant".to_owned(), facts);
            }
            Ok(None) => {}
            Err(refusal) => {
                if let Some(details) = refusal.refusal().details.clone() {
                    self.entry.facts.insert("change_refused".to_owned(), details);
                }
            }
        }
    }

    pub(super) fn targets(&mut self, facts: &[TargetFacts]) {
        if let Some(audited) = &mut self.entry.tool {
            audited.targets = facts.iter().map(|t| t.id.clone()).collect();
        }
    }

    /// What policy was asked, to be sealed beside the call's first record (T26). Arguments are nowhere else.
    pub(super) fn asked(&mut self, asked: Option<DecisionRecord>) -> Result<(), Error> {
        self.entry.payload = asked.map(|record| serde_json::to_value(record).map_err(Error::internal)).transpose()?;
        Ok(())
    }

    pub(super) fn decided(&mut self, decision: &Decision) {
        self.entry.decision = Some(AuditedDecision::from(decision));
    }

    /// How the second factor was shown that policy asked for: the record of a call says what it used (T4).
    pub(super) fn stepped_up(&mut self, authorised: &Authorised) {
        let facts = match authorised.elevation() {
            Some(used) => json!({
                "by": "elevation", "authenticated_at": used.authenticated_at, "single_use": used.single_use,
            }),
            None if authorised.decision().obligations.get(STEP_UP).is_some_and(|o| o.met) => {
                json!({"by": "fresh_token"})
            }
            None => return,
        };
        self.entry.facts.insert(STEP_UP.to_owned(), facts);
    }

    /// Which artifacts the call put, read, or asked for (T27).
    pub(super) fn artifacts(&mut self, artifacts: &CallArtifacts) {
        let ids = artifacts.noted();
        if !ids.is_empty() {
            self.entry.facts.insert("artifacts".to_owned(), ids.into());
        }
    }

    /// The record as it stands, with the payload, which is handed over once.
    fn take(&mut self) -> AuditEntry {
        let payload = self.entry.payload.take();
        AuditEntry { payload, ..self.entry.clone() }
    }

    /// Makes the intent of a write durable, before the credential is leased.
    pub(super) async fn intent(&mut self) -> Result<(), Error> {
        // The outcome's record refers to this one by its request id, and has no payload of its own.
        let mut intent = self.take();
        intent.phase = Phase::Intent;
        intent.outcome = Outcome::Pending;
        let appended = self.log.append(intent).await;
        // An intent that stands needs its outcome, also where the call is refused because it stands here alone.
        if appended.as_ref().err().is_none_or(is_recorded) {
            self.entry.phase = Phase::Outcome;
        }
        appended.map(drop)
    }

    /// Makes the record durable, and only then hands the result on. A record that cannot be written refuses the reply. The
    /// outcome of a write is kept for when there is room, and its caller is not told that nothing happened.
    pub(super) async fn close(mut self, result: Result<Answer, Error>) -> Result<Answer, Error> {
        let took = self.started.elapsed();
        let queued_ms = u64::try_from(self.claim.queued().as_millis()).unwrap_or(u64::MAX);
        if queued_ms > 0 {
            self.entry.facts.insert("queued_ms".to_owned(), queued_ms.into());
        }
        // What another call waited for, whose answer this is, is no waiting of this one.
        let result = result.map(|answer| Answer { queued_ms, ..answer });
        self.describe(&result, took);
        self.open = false;
        let started = Instant::now();
        // Nothing is kept of the record but what is said of it below; that of a write may have to be written once more.
        let request_id = self.entry.request_id.clone();
        let outcome = (self.entry.phase == Phase::Outcome).then(|| self.entry.clone());
        let nothing = AuditEntry::event(self.entry.at, "", Outcome::Unknown);
        let entry = std::mem::replace(&mut self.entry, nothing);
        let appended = self.log.append(entry).await;
        self.metrics.stage("audit_close", started.elapsed());
        if let Err(error) = &result
            && let Some(detail) = error.detail()
        {
            tracing::warn!(
                http.request.id = request_id.as_deref(),
                error.code = error.code(),
                error.message = detail,
                "tool call failed"
            );
        }
        let Err(error) = appended else { return result };
        let Some(outcome) = outcome else { return Err(error) };
        let call_id = outcome.request_id.clone().unwrap_or_default();
        if !is_recorded(&error) {
            self.log.append_detached(outcome);
        }
        match result {
            Ok(_) => Err(replay::outcome_unknown(&call_id).with_detail(error.code())),
            Err(unknown) if unknown.code() == "outcome_unknown" => Err(unknown),
            Err(_) => Err(error),
        }
    }

    fn describe(&mut self, result: &Result<Answer, Error>, took: Duration) {
        self.entry.at = self.clock.now();
        self.entry.duration_us = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match result {
            Ok(answer) => {
                self.entry.outcome = Outcome::Success;
                if answer.replayed {
                    self.entry.facts.insert("replayed".into(), true.into());
                }
            }
            Err(error) => {
                self.entry.outcome = outcome_of(error, self.entry.phase);
                self.entry.code = Some(error.code().to_owned());
            }
        }
        let (server, tool) = match &self.entry.tool {
            Some(tool) if self.resolved => (tool.server.as_str(), tool.tool.as_str()),
            _ => ("unknown", "unknown"),
        };
        let (outcome, code) = (self.entry.outcome, self.entry.code.as_deref().unwrap_or("ok"));
        self.metrics.tool_call(server, tool, outcome, code, took);
    }
}

/// A refusal did not run; a failure did; `outcome_unknown` cannot be told.
fn outcome_of(error: &Error, phase: Phase) -> Outcome {
    if error.code() == "outcome_unknown" && phase == Phase::Outcome {
        return Outcome::Unknown;
    }
    match error.kind() {
        ErrorKind::Upstream | ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Internal => Outcome::Failure,
        _ => Outcome::Refused,
    }
}

/// What a caller sends as a name is kept, but not at any length.
fn shortened(name: &str) -> String {
    name.chars().take(128).collect()
}

impl Drop for AuditGuard {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        self.entry.at = self.clock.now();
        self.entry.outcome = Outcome::Unknown;
        self.entry.code = Some("call_dropped".to_owned());
        self.entry.duration_us = u64::try_from(self.started.elapsed().as_micros()).ok();
        let entry = self.take();
        self.log.append_detached(entry);
    }
}
