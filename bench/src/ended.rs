//! A change of two devices as it is kept once it has ended: every member filled as a run fills it, so that its row has the size of
//! a real one. Next: [`crate::changes`], which keeps a hundred thousand of them.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use change_control::model::approval::{Approval, PersonRef, Verdict};
use change_control::model::attempt::Direction;
use change_control::model::change::{
    ApproversNeeded, CheckResult, DeviceProgress, DeviceState, Requester, RunProgress, RunResult, Transition,
};
use change_control::model::grant::{Grant, SignedGrant};
use change_control::model::plan::{
    Baseline, Check, Committed, DevicePlan, DiffLine, Estimates, InstanceReference, OnStale, OnStop, PlanReference,
    PlannedUndo, PublicPlan, SaveStartup, TemplateReference, TypeReference,
};
use change_control::model::submission::{Submission, Window};
use change_control::{Change, ChangeId, State};
use platform::Principal;
use platform::policy::Risk;
use platform_suites::tokens::person;
use serde_json::{Map, json};
use tool_runtime::ArtifactReference;
use tool_runtime::ports::config_changer::Carrier;

/// The server that they are of.
const SERVER: &str = "catalyst-center";
/// Where it has been, the way of every change that goes well.
const WAY: [State; 10] = [
    State::Planned,
    State::Submitted,
    State::Approved,
    State::Scheduled,
    State::Checking,
    State::Applying,
    State::Verifying,
    State::Soaking,
    State::Soaking,
    State::Done,
];
/// One a minute.
const APART_MS: i64 = 60_000;
const DIGEST: &str = "0f3a9c5be1d47a26c8b0f1923de5a7744c6b8d90e2f1a3b5c7d9e0f2a4b6c8d0";

/// The id of a change by its age: the highest number is the newest.
pub(crate) fn id(number: usize) -> Result<ChangeId> {
    ChangeId::parse(&format!("chg-{number:032x}")).map_err(|error| anyhow!(error))
}

/// Somebody who asks for changes.
pub(crate) fn engineer(number: usize) -> Principal {
    person(&format!("engineer-{number}"), &["network-engineers"])
}

/// A change by its age, as it is kept in this state, with the plan that is kept beside it.
pub(crate) fn change(number: usize, state: State, requester: &Principal) -> Result<(Change, PublicPlan)> {
    let id = id(number)?;
    let at_ms = 1_780_000_000_000 + i64::try_from(number)? * APART_MS;
    let devices = [0, 1].map(|at| format!("5b6f1c7e-0d1a-4f7e-9b1a-{:012x}", (number * 2 + at) % 300));
    let who = Requester::from(requester);
    let plan = plan(&id, &devices, at_ms);
    let window = Window { not_before_ms: at_ms, not_after_ms: at_ms + 86_400_000 };
    let submission = Submission { plan: DIGEST.to_owned(), ticket: Some("CHG0030042".to_owned()), gated: None, window };
    let approvals = vec![approval(at_ms)];
    let grant = Grant {
        change: id.to_string(),
        submission: DIGEST.to_owned(),
        plan: DIGEST.to_owned(),
        requester: who.clone(),
        approvals: approvals.clone(),
        server: SERVER.to_owned(),
        tools: ["port_apply_step", "port_save_startup"].map(str::to_owned).to_vec(),
        targets: devices.to_vec(),
        window,
        writes: 2,
        undo_for_s: 86_400,
        issued_at_ms: at_ms,
    };
    let grant = SignedGrant { grant, key: 1, signature: DIGEST.to_owned() };
    let run = RunProgress {
        workflow: Some(format!("run-{id}")),
        batch: 1,
        devices: devices.iter().map(|device| (device.clone(), progress(at_ms))).collect(),
        result: Some(RunResult::Complete),
        undo_until_ms: Some(at_ms + 86_400_000),
        ..RunProgress::default()
    };
    let steps = WAY.iter().map(|to| Transition { at_ms, to: *to, why: "As the plan says.".to_owned() });
    let change = Change {
        state,
        change_type: plan.change_type.clone(),
        instance: plan.instance.clone(),
        title: format!("Guest VLAN {} on two switches of the second floor", number % 4_000),
        reason: "Guests on the second floor need a network of their own; asked for by facility management.".to_owned(),
        requester_key: who.key(),
        requester: who,
        device_ids: devices.to_vec(),
        inputs: reference(&format!("art-inputs-{number}")),
        undoes: None,
        risk: Some(Risk::Change),
        plan: Some(PlanReference { hash: DIGEST.to_owned(), sealed: reference("art-plan"), made_at_ms: at_ms }),
        submission: Some(submission),
        approvers: Some(ApproversNeeded {
            groups: ["admin", "network-engineers"].map(str::to_owned).to_vec(),
            count: 1,
        }),
        approvals,
        grant: Some(grant),
        cancel: None,
        run,
        trouble: None,
        evidence: Some(reference("art-evidence")),
        evidence_awaits_proofs: false,
        history: steps.collect(),
        created_at_ms: at_ms,
        updated_at_ms: at_ms,
        id,
    };
    Ok((change, plan))
}

fn approval(at_ms: i64) -> Approval {
    Approval {
        approver: PersonRef::from(&person("bob", &["network-engineers"])),
        verdict: Verdict::Approve,
        reason: "One VLAN, and an undo that was proven.".to_owned(),
        submission: DIGEST.to_owned(),
        at_ms,
        shown_at_ms: at_ms,
        acr: None,
        amr: ["pwd", "otp"].map(str::to_owned).to_vec(),
        auth_time: at_ms / 1_000,
        groups: vec!["network-engineers".to_owned()],
        policy_revision: DIGEST.to_owned(),
    }
}

fn progress(at_ms: i64) -> DeviceProgress {
    let checks = ["live_equals_predicted", "reachability", "interfaces", "neighbors"];
    let report = checks.map(|name| CheckResult {
        name: name.to_owned(),
        direction: Direction::Forward,
        result: "passed".to_owned(),
        detail: json!({"compared_lines": 512, "differences": [], "more_lines": 0, "planned": DIGEST, "found": DIGEST}),
        source_at_ms: Some(at_ms),
        at_ms,
    });
    DeviceProgress {
        state: DeviceState::Verified,
        attempts: BTreeMap::from([(Direction::Forward, 1)]),
        last_write_ms: Some(at_ms),
        report: report.to_vec(),
        device_errors: Vec::new(),
        by_hand: Vec::new(),
    }
}

fn reference(id: &str) -> ArtifactReference {
    ArtifactReference {
        id: id.to_owned(),
        kind: "plan".to_owned(),
        media_type: "application/json".to_owned(),
        bytes: 20_480,
        keep_until: "2030-01-01T00:00:00Z".to_owned(),
        uri: format!("interlock://interlock/artifacts/{id}"),
    }
}

fn plan(id: &ChangeId, devices: &[String; 2], at_ms: i64) -> PublicPlan {
    PublicPlan {
        v: 1,
        change: id.to_string(),
        change_type: TypeReference {
            name: "template_deployment".to_owned(),
            version: 1,
            digest: Some(DIGEST.to_owned()),
        },
        instance: InstanceReference {
            name: SERVER.to_owned(),
            connector: SERVER.to_owned(),
            environment: "production".to_owned(),
        },
        template: TemplateReference {
            template_id: DIGEST.to_owned(),
            version_id: DIGEST.to_owned(),
            name: "access-vlan".to_owned(),
            newest: true,
        },
        order: devices.iter().map(|device| vec![device.clone()]).collect(),
        max_fail_percentage: 0,
        on_stop: OnStop::Undo,
        on_stale: OnStale::Stop,
        save_startup: SaveStartup::AfterSoak,
        soak_s: 300,
        devices: devices.iter().map(|device| device_plan(device, at_ms)).collect(),
        estimates: Estimates { apply_s: 180, undo_s: 180 },
    }
}

fn device_plan(device: &str, at_ms: i64) -> DevicePlan {
    let carrier = Carrier { template_id: DIGEST.to_owned(), version_id: DIGEST.to_owned() };
    let line = |text: &str| Committed { masked: text.to_owned(), commitment: DIGEST.to_owned() };
    let differs = |text: &str| DiffLine { sign: "+".to_owned(), line: text.to_owned() };
    let checks = ["live_equals_predicted", "reachability", "interfaces", "neighbors"];
    let check =
        |name: &str| Check { name: name.to_owned(), of: json!({}), tolerance: 0, before: Some(DIGEST.to_owned()) };
    DevicePlan {
        device_id: device.to_owned(),
        hostname: "sjc01-ac-01".to_owned(),
        serials: vec!["FDO2501A0B1".to_owned()],
        platform: "ios-xe".to_owned(),
        site: Some("Global/AMER/San Jose/Building 1/Floor 2".to_owned()),
        role: Some("ACCESS".to_owned()),
        redundancy_group: None,
        ci: Some("b4fd7c8437201000deeabfc8bcbe5dc1".to_owned()),
        baseline: Baseline {
            commitment: DIGEST.to_owned(),
            read_at_ms: at_ms,
            source_at_ms: Some(at_ms),
            secrets_unseen: false,
        },
        params: Map::from_iter([("vlan_id".to_owned(), json!(20)), ("vlan_name".to_owned(), json!("GUESTS"))]),
        carrier: carrier.clone(),
        lines: ["vlan 20", " name GUESTS"].map(line).to_vec(),
        diff: ["vlan 20", " name GUESTS"].map(differs).to_vec(),
        diff_group: "ce87b3011756807f".to_owned(),
        unmodelled: Vec::new(),
        dangers: Vec::new(),
        risk: Risk::Change,
        predicted: DIGEST.to_owned(),
        undo: PlannedUndo::Generated { carrier, lines: vec![line("no vlan 20")] },
        checks: checks.map(check).to_vec(),
    }
}
