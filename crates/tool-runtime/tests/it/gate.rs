//! T7, T14, T19: what the road does with change control's answer. The gate here answers as a test tells it; what makes the
//! answer true is proven in `change-control`.

use std::sync::Mutex;

use async_trait::async_trait;
use platform::context::{Protocol, RunStep};
use platform::error::NextCall;
use platform::policy::{ChangeFacts, Effect, Risk};
use platform::shared::RateLimit;
use platform::store::{Op, OpResult, Store as _};
use platform::{CallContext, Clock as _, Error, Json};
use platform_suites::StaticPolicy;
use serde_json::json;
use tool_runtime::change_gate::{Basis, ChangeGate, Covered, GateCall, HeldLock, NoChanges};
use tool_runtime::pipeline::Limits;

use crate::fixture::{Lab, cx, decision, keyed};
use crate::recorders::Recorded;

/// Answers the last of its answers again and again, the others once.
pub(crate) struct ScriptedGate {
    recorded: Recorded,
    answers: Mutex<Vec<Covered>>,
    joins: Mutex<Option<Json>>,
}

impl ScriptedGate {
    pub(crate) fn new(recorded: &Recorded) -> Self {
        Self { recorded: recorded.clone(), answers: Mutex::default(), joins: Mutex::default() }
    }

    /// From now on calls of runs are covered so.
    fn covers(&self, answers: impl Into<Vec<Covered>>) {
        *self.answers.lock().unwrap() = answers.into();
    }
}

#[async_trait]
impl ChangeGate for ScriptedGate {
    async fn covers(&self, call: &GateCall<'_>) -> Result<Covered, Error> {
        self.recorded.note("gate:covers");
        let scripted = {
            let mut answers = self.answers.lock().unwrap();
            if answers.len() > 1 { Some(answers.remove(0)) } else { answers.first().cloned() }
        };
        match scripted {
            Some(covered) => Ok(covered),
            None => NoChanges.covers(call).await,
        }
    }

    async fn join(&self, _: &GateCall<'_>) -> Result<Option<Json>, Error> {
        self.recorded.note("gate:join");
        Ok(self.joins.lock().unwrap().clone())
    }

    fn proposal(&self, _: &GateCall<'_>) -> Option<NextCall> {
        None
    }
}

fn covered(basis: Basis, proven: u32) -> Covered {
    let facts = ChangeFacts {
        id: "chg-1".into(),
        expires_at: i64::MAX,
        approvers: proven,
        approver_groups: vec![vec!["netops".into()]; proven as usize],
        run: true,
        proven_approvers: proven,
    };
    Covered { basis, facts, risk: Risk::Change, undo: basis == Basis::ApprovedPlan, until: None, locks: Vec::new() }
}

fn of_run(cx: CallContext, undo: bool) -> CallContext {
    CallContext { run: Some(RunStep { change: "chg-1".into(), undo, attempt: None }), ..cx }
}

fn device() -> Json {
    json!({"device": "dev-1"})
}

async fn lock(lab: &Lab, name: &str) -> u64 {
    let lease_until = lab.clock.epoch_seconds() + 60;
    let take = Op::TakeLock { name: name.to_owned(), holder: "chg-1".to_owned(), lease_until };
    match lab.store.transact(vec![take]).await.unwrap()[..] {
        [OpResult::Fence(fence)] => fence,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn t7_a_run_is_verified_before_policy_and_again_at_the_reservation_and_its_locks_last() {
    let lab = Lab::new().await;
    lab.policy.decide_by(|_| decision(Effect::Allow, &[("change", true), ("step_up", true)]));
    let fence = lock(&lab, "device:SN-1").await;
    let held = vec![HeldLock { name: "device:SN-1".into(), fence }];
    lab.gate.covers([Covered { locks: held, ..covered(Basis::Grant, 1) }]);
    lab.recorded.take();
    lab.call_as(of_run(keyed("k-1"), false), "configure_device", device()).await.unwrap();
    let expected = [
        "take:run",
        "lease",
        "look_up:dev-1",
        "gate:covers",
        "policy:decide",
        "store:key_state",
        "gate:covers",
        "store:other",
        "store:reserve_key",
        "store:open_intent",
        "audit:intent",
        "lease",
        "store:other",
        "execute",
        "store:complete_key",
        "store:close_intent:success",
        "audit:outcome",
    ];
    assert_eq!(lab.recorded.all(), expected);
    let asked = lab.policy.asked().pop().unwrap();
    assert!(asked.change.is_some_and(|facts| facts.run) && asked.elevation.is_none());
}

#[tokio::test]
async fn t7_what_covered_a_call_when_policy_was_asked_must_cover_it_when_it_is_reserved() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    for after in [
        covered(Basis::Grant, 2),
        covered(Basis::ApprovedPlan, 1),
        Covered { risk: Risk::Disruptive, ..covered(Basis::Grant, 1) },
        Covered { locks: vec![HeldLock { name: "device:SN-1".into(), fence: 7 }], ..covered(Basis::Grant, 1) },
    ] {
        lab.gate.covers([covered(Basis::Grant, 1), after]);
        let refused = lab.call_as(of_run(keyed("k-1"), false), "configure_device", device()).await;
        assert_eq!(refused.unwrap_err().code(), "decision_expired");
    }
    assert_eq!((lab.runs(), lab.recorded.count("audit:intent")), (0, 0));
    // The key was never taken.
    lab.gate.covers([covered(Basis::Grant, 1)]);
    lab.call_as(of_run(keyed("k-1"), false), "configure_device", device()).await.unwrap();
}

#[tokio::test]
async fn t18_a_lock_that_is_not_held_stops_the_call_before_anything_is_written_down() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    let fence = lock(&lab, "device:SN-1").await;
    let held = vec![HeldLock { name: "device:SN-1".into(), fence: fence + 1 }];
    lab.gate.covers([Covered { locks: held, ..covered(Basis::Grant, 1) }]);
    let refused = lab.call_as(of_run(keyed("k-1"), false), "configure_device", device()).await;
    assert_eq!(refused.unwrap_err().code(), "lock_lost");
    assert_eq!((lab.runs(), lab.recorded.count("store:open_intent")), (0, 0));
}

#[tokio::test]
async fn t19_the_approved_plan_needs_no_policy_and_stands_on_record_as_what_decided() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::denying());
    lab.gate.covers([covered(Basis::ApprovedPlan, 1)]);
    lab.call_as(of_run(cx(), true), "configure_device", device()).await.unwrap();
    assert_eq!(lab.recorded.count("policy:decide"), 0);
    let record = lab.last_record();
    assert!(record.undo);
    assert_eq!(record.decision.unwrap().reasons, ["grant:approved_plan"]);
    assert_eq!(record.facts["change_grant"]["by"], "approved_plan");
    // The same call without a run is as unknown as ever.
    assert_eq!(lab.refused("configure_device", device()).await, "tool_unknown");
}

#[tokio::test]
async fn t19_rates_hold_no_undo_up_and_a_persons_calls_do_not_count_against_their_runs() {
    let one = RateLimit { per_minute: 1, burst: 1 };
    let lab = Lab::with_limits(Limits { per_principal: one, ..Limits::default() }).await;
    lab.policy.swap(StaticPolicy::allowing());
    lab.gate.covers([covered(Basis::Grant, 1)]);
    lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(lab.refused("read_thing", json!({})).await, "rate_limited");
    lab.call_as(of_run(cx(), false), "configure_device", device()).await.unwrap();
    let second = lab.call_as(of_run(cx(), false), "configure_device", device()).await;
    assert_eq!(second.unwrap_err().code(), "rate_limited");
    lab.gate.covers([covered(Basis::ApprovedPlan, 1)]);
    lab.call_as(of_run(cx(), true), "configure_device", device()).await.unwrap();
    assert_eq!(lab.runs(), 3);
}

#[tokio::test]
async fn t19_what_is_read_for_a_change_is_counted_for_it_alone_and_has_an_end_too() {
    let lab = Lab::new().await;
    lab.policy.decide_by(|_| {
        let mut rated = decision(Effect::Allow, &[("rate", true)]);
        rated.obligations.get_mut("rate").unwrap().parameters.insert("per_minute".into(), json!(2));
        rated
    });
    lab.gate.covers([Covered { risk: Risk::Read, ..covered(Basis::Grant, 1) }]);
    let look = async |cx: CallContext| lab.call_as(cx, "show_device", device()).await.map(drop);
    let naming = |protocol: Protocol| {
        let mut cx = cx();
        (cx.protocol, cx.references.change) = (protocol, Some("chg-2".into()));
        cx
    };
    for _ in 0..2 {
        look(cx()).await.unwrap();
    }
    assert_eq!(look(cx()).await.unwrap_err().code(), "rate_limited");
    assert_eq!(
        look(naming(Protocol::Mcp)).await.unwrap_err().code(),
        "rate_limited",
        "whoever names a change is no run"
    );
    for _ in 0..20 {
        look(of_run(cx(), false)).await.unwrap();
        look(naming(Protocol::Internal)).await.unwrap();
    }
    assert_eq!(look(cx()).await.unwrap_err().code(), "rate_limited", "a run uses up nobody's, and gives nobody any");
    let mut refused = None;
    for _ in 0..500 {
        refused = refused.or(look(of_run(cx(), false)).await.err());
    }
    assert_eq!(refused.unwrap().code(), "rate_limited");
}

#[tokio::test]
async fn t8_whatever_policy_and_gate_say_a_run_needs_proven_approvers_and_never_governs() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    for (tool, proven) in [("configure_device", 0), ("reload_device", 1), ("approve_change", 9)] {
        for basis in [Basis::Grant, Basis::ApprovedPlan] {
            lab.gate.covers([covered(basis, proven)]);
            let arguments = if tool == "approve_change" { json!({}) } else { device() };
            let refused = lab.call_as(of_run(cx(), false), tool, arguments).await;
            assert_eq!(refused.unwrap_err().code(), "grant_invalid", "{tool} {basis:?}");
        }
    }
    assert_eq!(lab.runs(), 0);
    lab.gate.covers([covered(Basis::Grant, 2)]);
    lab.call_as(of_run(cx(), false), "reload_device", device()).await.unwrap();
}

#[tokio::test]
async fn t19_a_grant_that_ends_while_policy_is_asked_has_ended() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    let now = lab.clock.epoch_seconds();
    lab.gate.covers([Covered { until: Some(now), ..covered(Basis::Grant, 1) }]);
    let refused = lab.call_as(of_run(cx(), false), "configure_device", device()).await;
    assert_eq!(refused.unwrap_err().code(), "grant_expired");
}

#[tokio::test]
async fn t14_a_call_by_a_door_is_never_covered_and_one_that_names_its_change_is_answered() {
    let lab = Lab::new().await;
    lab.policy.swap(StaticPolicy::allowing());
    lab.gate.covers([covered(Basis::Grant, 9)]);
    let started = json!({"change_id": "chg-1", "state": "applying"});
    *lab.gate.joins.lock().unwrap() = Some(started.clone());
    let mut named = keyed("k-1");
    named.references.change = Some("chg-1".into());
    let answer = lab.call_as(named, "configure_device", device()).await.unwrap();
    assert_eq!(answer.structured, started);
    assert_eq!((lab.runs(), lab.recorded.count("gate:covers"), lab.recorded.count("store:reserve_key")), (0, 0, 0));
    // What changes no network has nothing to join.
    let mut note = cx();
    note.references.change = Some("chg-1".into());
    lab.call_as(note, "add_note", json!({})).await.unwrap();
    assert_eq!((lab.runs(), lab.recorded.count("gate:join")), (1, 1));
    // Who may not call the tool is told so, and nothing about the change.
    lab.policy.decide_by(|_| StaticPolicy::decision(Effect::Deny, &["deny:no_grant"]));
    let mut named = cx();
    named.references.change = Some("chg-1".into());
    assert_eq!(lab.call_as(named, "configure_device", device()).await.unwrap_err().code(), "denied");
    assert_eq!(lab.recorded.count("gate:join"), 1);
}
