//! The gate's one question, asked directly: a call that differs in one thing from what was announced, granted and planned is not
//! covered. On the road other stages would refuse some of these calls as well, which is why they are asked about here.

use change_control::State;
use change_control::model::attempt::{Attempt, AttemptOutcome, Direction};
use change_control::model::grant::Grant;
use change_control::model::plan::SaveStartup;
use change_control::{Change, ChangeId};
use platform::context::{RequestId, RunStep};
use platform::policy::{Risk, ServerFacts, TargetFacts};
use platform::store::Expect;
use platform::{Clock as _, Error, Json, Principal};
use serde_json::json;
use tool_runtime::change_gate::{Basis, ChangeGate as _, Covered, GateCall};

use super::rig::{Rig, SERVER};

/// A call of a run, as the road puts it before the gate.
struct Call {
    server: ServerFacts,
    tool: &'static str,
    risk: Risk,
    arguments: Json,
    targets: Vec<TargetFacts>,
    principal: Principal,
    change: Option<String>,
    key: Option<String>,
    call_id: RequestId,
    run: RunStep,
}

/// What differs, how, and the code that says so.
type Edit = (&'static str, fn(&mut Call), &'static str);

fn device(id: &str) -> TargetFacts {
    TargetFacts {
        kind: "device".into(),
        id: id.into(),
        name: id.into(),
        serials: vec![format!("SN-{id}")],
        ..TargetFacts::default()
    }
}

fn id_of(attempt: &Attempt) -> String {
    Attempt::id(&attempt.change, &attempt.device_id, attempt.direction, attempt.number)
}

impl Call {
    /// The announced step.
    fn of(change: &Change, attempt: &Attempt) -> Self {
        let id = id_of(attempt);
        Self {
            tool: "port_apply_step",
            risk: Risk::Change,
            arguments: serde_json::to_value(&attempt.step).unwrap(),
            key: Some(id.clone()),
            call_id: serde_json::from_value(json!(attempt.call_id)).unwrap(),
            run: RunStep {
                change: change.id.to_string(),
                undo: attempt.direction == Direction::Undo,
                attempt: Some(id),
            },
            ..Self::looking(change, &attempt.device_id)
        }
    }

    /// A look at a device.
    fn looking(change: &Change, at: &str) -> Self {
        Self {
            server: ServerFacts { name: SERVER.into(), connector: "lab-controller".into(), environment: "test".into() },
            tool: "port_poll_step",
            risk: Risk::Read,
            arguments: json!({}),
            targets: vec![device(at)],
            principal: change.requester.principal(),
            change: Some(change.id.to_string()),
            key: None,
            call_id: RequestId::mint(),
            run: RunStep { change: change.id.to_string(), undo: false, attempt: None },
        }
    }

    /// What was written to a device is kept by it.
    fn saving(change: &Change, at: &str) -> Self {
        Self { tool: "port_save_startup", risk: Risk::Change, ..Self::looking(change, at) }
    }

    async fn is_covered(&self, rig: &Rig) -> Result<Covered, Error> {
        let call = GateCall {
            server: &self.server,
            tool: self.tool,
            risk: self.risk,
            arguments: &self.arguments,
            arguments_digest: "digest",
            targets: &self.targets,
            principal: &self.principal,
            change: self.change.as_deref(),
            idempotency_key: self.key.as_deref(),
            call_id: self.call_id,
            run: Some(&self.run),
        };
        rig.changes.covers(&call).await
    }

    async fn code(&self, rig: &Rig) -> String {
        match self.is_covered(rig).await {
            Ok(covered) => format!("covered: {covered:?}"),
            Err(error) => error.code().to_owned(),
        }
    }
}

#[tokio::test]
async fn t19_a_call_that_differs_in_one_thing_from_the_announced_one_is_not_covered() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::of(&change, &attempt).is_covered(&rig).await.unwrap().basis, Basis::Grant);
    let edits: [Edit; 14] = [
        ("another change is named", |c| c.change = Some(ChangeId::mint().to_string()), "not_in_plan"),
        ("another person calls", |c| c.principal.subject = "carol".into(), "grant_invalid"),
        ("another program calls", |c| c.principal.client_id = "other".into(), "grant_invalid"),
        ("it governs", |c| c.risk = Risk::Control, "not_in_plan"),
        ("another server", |c| c.server.name = "controller-2".into(), "not_in_plan"),
        ("another tool", |c| c.tool = "deploy_template", "not_in_plan"),
        ("no key", |c| c.key = None, "run_step_refused"),
        ("another key", |c| c.key = Some("key".into()), "run_step_refused"),
        ("another call", |c| c.call_id = RequestId::mint(), "run_step_refused"),
        ("no attempt", |c| c.run.attempt = None, "run_step_refused"),
        ("no device", |c| c.targets.clear(), "not_in_plan"),
        ("two devices", |c| c.targets.push(device("dev-2")), "not_in_plan"),
        ("no device but a ticket", |c| c.targets[0].kind = "change_request".into(), "not_in_plan"),
        ("another step", |c| c.arguments["params"]["vlan"] = json!(21), "not_in_plan"),
    ];
    for (what, edit, code) in edits {
        let mut call = Call::of(&change, &attempt);
        edit(&mut call);
        assert_eq!(call.code(&rig).await, code, "{what}");
    }
    // What was announced is another step than the plan's, and the call is the plan's.
    let planned = Call::of(&change, &attempt);
    let mut announced = attempt.clone();
    announced.step.params.insert("vlan".into(), json!(21));
    rig.put(&announced, Expect::Any).await;
    assert_eq!(planned.code(&rig).await, "not_in_plan");
}

#[tokio::test]
async fn t20_an_attempt_of_another_change_or_of_the_other_direction_is_none() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    let others = [
        Attempt { change: ChangeId::mint().to_string(), ..attempt.clone() },
        Attempt { direction: Direction::Undo, ..attempt.clone() },
    ];
    for other in others {
        rig.put(&other, Expect::Absent).await;
        let mut call = Call::of(&change, &attempt);
        (call.run.attempt, call.key) = (Some(id_of(&other)), Some(id_of(&other)));
        assert_eq!(call.code(&rig).await, "run_step_refused", "{other:?}");
    }
}

#[tokio::test]
async fn t19_a_forward_step_needs_its_tool_and_its_device_in_the_grant_and_in_the_order() {
    let rig = Rig::new().await;
    let tool = rig.applying_as(|_| {}, |grant| grant.tools.clear()).await;
    let attempt = rig.announce(&tool, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::of(&tool, &attempt).code(&rig).await, "not_in_plan");
    let rig = Rig::new().await;
    let granted = rig.applying_as(|_| {}, |grant| grant.targets.retain(|id| id != "dev-1")).await;
    let attempt = rig.announce(&granted, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::of(&granted, &attempt).code(&rig).await, "not_in_plan");
    let rig = Rig::new().await;
    let ordered = rig.applying_as(|plan| plan.order.retain(|batch| batch != &["dev-1"]), |_| {}).await;
    let attempt = rig.announce(&ordered, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::of(&ordered, &attempt).code(&rig).await, "not_in_plan");
}

#[tokio::test]
async fn t19_the_budget_counts_forward_steps_that_may_have_happened_and_no_others() {
    let rig = Rig::new().await;
    let change = rig.applying_as(|_| {}, |grant| grant.writes = 1).await;
    let first = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    rig.put(&Attempt { outcome: AttemptOutcome::NotDone, ..first }, Expect::Any).await;
    rig.announce(&change, "dev-1", Direction::Undo, 1).await;
    let second = rig.announce(&change, "dev-1", Direction::Forward, 2).await;
    Call::of(&change, &second).is_covered(&rig).await.unwrap();
    let third = rig.announce(&change, "dev-2", Direction::Forward, 1).await;
    assert_eq!(Call::of(&change, &third).code(&rig).await, "not_in_plan");
}

#[tokio::test]
async fn t19_time_ends_what_a_grant_covers() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let attempt = rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    // The clock goes on by itself as well, so that there is some room.
    rig.clock.advance(3_570);
    Call::of(&change, &attempt).is_covered(&rig).await.unwrap();
    rig.clock.advance(30);
    assert_eq!(Call::of(&change, &attempt).code(&rig).await, "grant_expired");

    // An undo: by the grant, by the row where it says less, and by a day whatever either says.
    for (granted_s, in_row_s, ends_s) in [(60, None, 60), (86_400, Some(60), 60), (864_000, None, 86_400)] {
        let rig = Rig::new().await;
        let change = rig.applying_as(|_| {}, |grant| grant.undo_for_s = granted_s).await;
        rig.announce(&change, "dev-1", Direction::Forward, 1).await;
        let until = in_row_s.map(|seconds: i64| rig.now_ms() + seconds * 1_000);
        rig.edit(&change, |change| {
            change.state = State::Undoing;
            change.run.undo_until_ms = until;
        })
        .await;
        let undo = rig.announce(&change, "dev-1", Direction::Undo, 1).await;
        rig.clock.advance(ends_s - 30);
        Call::of(&change, &undo).is_covered(&rig).await.unwrap();
        rig.clock.advance(30);
        assert_eq!(Call::of(&change, &undo).code(&rig).await, "grant_expired", "{granted_s} {in_row_s:?}");
    }
}

#[tokio::test]
async fn t19_a_startup_configuration_is_saved_where_the_plan_says_so_on_what_was_written_to() {
    let rig = Rig::new().await;
    let granted = |grant: &mut Grant| grant.tools.push("port_save_startup".into());
    let saves = rig.applying_as(|plan| plan.save_startup = SaveStartup::AfterSoak, granted).await;
    rig.announce(&saves, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::saving(&saves, "dev-1").code(&rig).await, "run_step_refused", "not before the soak");
    rig.edit(&saves, |change| change.state = State::Soaking).await;
    assert_eq!(Call::saving(&saves, "dev-1").is_covered(&rig).await.unwrap().basis, Basis::Grant);
    assert_eq!(Call::saving(&saves, "dev-2").code(&rig).await, "run_step_refused", "nothing was written there");
    let mut undo = Call::saving(&saves, "dev-1");
    undo.run.undo = true;
    assert_eq!(undo.code(&rig).await, "not_in_plan");
    rig.clock.advance(86_401);
    assert_eq!(Call::saving(&saves, "dev-1").code(&rig).await, "grant_expired");

    let rig = Rig::new().await;
    let saves = rig.applying_as(|plan| plan.save_startup = SaveStartup::AfterSoak, |_| {}).await;
    rig.announce(&saves, "dev-1", Direction::Forward, 1).await;
    rig.edit(&saves, |change| change.state = State::Soaking).await;
    rig.floors.0.lock().unwrap().push(("alice".into(), None, rig.clock.epoch_seconds()));
    assert_eq!(Call::saving(&saves, "dev-1").code(&rig).await, "grant_revoked");

    let rig = Rig::new().await;
    let never = rig.applying().await;
    rig.announce(&never, "dev-1", Direction::Forward, 1).await;
    rig.edit(&never, |change| change.state = State::Soaking).await;
    assert_eq!(Call::saving(&never, "dev-1").code(&rig).await, "not_in_plan");
}

#[tokio::test]
async fn t19_a_run_looks_at_its_own_devices_and_keeps_records_only_while_its_people_stand() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    rig.announce(&change, "dev-1", Direction::Forward, 1).await;
    assert_eq!(Call::looking(&change, "dev-9").code(&rig).await, "not_in_plan", "no device of the plan");
    rig.floors.0.lock().unwrap().push(("alice".into(), None, rig.clock.epoch_seconds()));
    assert_eq!(Call::looking(&change, "dev-1").is_covered(&rig).await.unwrap().basis, Basis::ApprovedPlan);
    let record = Call { tool: "port_stage_lines", risk: Risk::Record, ..Call::looking(&change, "dev-1") };
    assert_eq!(record.code(&rig).await, "grant_revoked");
}

#[tokio::test]
async fn t15_each_thing_that_a_grant_binds_is_compared_by_itself() {
    let other = ChangeId::mint().to_string();
    let rig = Rig::new().await;
    let named = other.clone();
    let change = rig.applying_as(|_| {}, |grant| grant.change = named).await;
    assert_eq!(Call::looking(&change, "dev-1").code(&rig).await, "grant_mismatch", "a grant of another change");
    let rig = Rig::new().await;
    let change = rig.applying_as(|plan| plan.change = other, |_| {}).await;
    assert_eq!(Call::looking(&change, "dev-1").code(&rig).await, "grant_mismatch", "a plan of another change");
    let rig = Rig::new().await;
    let change = rig.applying_as(|_| {}, |grant| grant.server = "controller-2".into()).await;
    assert_eq!(Call::looking(&change, "dev-1").code(&rig).await, "grant_mismatch", "a grant for another server");
    let rig = Rig::new().await;
    let change = rig.applying_as(|_| {}, |grant| grant.window.not_after_ms += 1).await;
    assert_eq!(Call::looking(&change, "dev-1").code(&rig).await, "grant_mismatch", "a grant for another window");
    // A submission of another plan, and a grant that was signed for that submission.
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let mut submission = change.submission.clone().unwrap();
    submission.plan.push('0');
    let mut grant = change.grant.as_ref().unwrap().grant.clone();
    grant.submission = submission.digest().unwrap();
    let signed = rig.keys.sign(grant).unwrap();
    rig.edit(&change, |change| {
        change.submission = Some(submission.clone());
        change.grant = Some(signed.clone());
    })
    .await;
    assert_eq!(Call::looking(&change, "dev-1").code(&rig).await, "grant_mismatch", "a submission of another plan");
}
