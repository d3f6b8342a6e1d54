//! What change control uses, through the pipeline: tickets opened once, read as facts, moved and waited for.
#![cfg(test)]

use platform::{Clock as _, ErrorKind};
use serde_json::json;
use tool_runtime::ports::change_records::{Advance, TicketClosing, TicketDraft, TicketOutcome, TicketState};
use world::Fault;

use crate::lab::Lab;

/// A day and two hours in seconds.
const DAY: i64 = 86_400;

pub(crate) async fn draft(lab: &Lab) -> TicketDraft {
    let now = lab.clock.now().as_second();
    let cis = lab.items(2).await.into_iter().map(|(_, id)| id).collect();
    TicketDraft {
        kind: "normal".into(),
        standard_template: None,
        short_description: "VLAN 120 on two switches".into(),
        description: "For guests.".into(),
        implementation_plan: "1. Deploy the template.".into(),
        backout_plan: "1. Remove the lines.".into(),
        window_ms: Some(((now + DAY) * 1_000, (now + DAY + 7_200) * 1_000)),
        cis,
        plan_hash: "ab".repeat(32),
        assignment_group: Some("Network".into()),
        on_behalf_of: "alice".into(),
    }
}

fn closing() -> TicketClosing {
    TicketClosing { outcome: TicketOutcome::Successful, notes: "As planned.".into() }
}

#[tokio::test]
async fn t17_a_ticket_is_opened_once_and_read_back_as_its_facts() {
    for field in [None, Some("u_plan_hash")] {
        let lab = Lab::with(field, |_| {}).await;
        let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
        let ticket = ports.open_ticket(&draft, "chg-0001").await.unwrap();
        assert!(ticket.number.starts_with("CHG"));
        assert_eq!(ports.open_ticket(&draft, "chg-0001").await.unwrap(), ticket, "a repeat finds it");
        assert_ne!(ports.open_ticket(&draft, "chg-0002").await.unwrap(), ticket);
        let facts = ports.read_ticket(&ticket.id).await.unwrap();
        assert_eq!((facts.state, facts.kind.as_str()), (TicketState::New, "normal"));
        assert_eq!(
            (facts.plan_hash.as_ref(), facts.correlation_id.as_deref()),
            (Some(&draft.plan_hash), Some("chg-0001"))
        );
        let seconds = |w: Option<(i64, i64)>| w.map(|(a, b)| (a / 1_000, b / 1_000));
        assert_eq!(seconds(facts.window_ms), seconds(draft.window_ms));
        let mut cis = draft.cis.clone();
        cis.sort();
        assert_eq!(facts.cis, cis);
        assert_eq!(ports.read_ticket(&ticket.number).await.unwrap().ticket, ticket, "by number too");
        let whole = lab.read("get_change_request", json!({"change_request": ticket.number})).await;
        let note = whole["journal"][0]["text"].as_str().unwrap();
        assert!(note.contains("alice by Interlock, call ") && note.ends_with("Opened for alice."), "{note}");
        let plan = whole["change_request"]["implementation_plan"].as_str().unwrap();
        assert_eq!(plan.starts_with("Interlock plan sha256:"), field.is_none(), "{plan}");
        assert!(plan.contains("1. Deploy the template."));
    }
}

#[tokio::test]
async fn t20_a_create_that_was_done_and_not_answered_is_one_ticket() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    for (at, fault) in [Fault::ReplyLost, Fault::Truncation, Fault::Garbage].into_iter().enumerate() {
        let key = format!("chg-{at}");
        lab.fault_of("POST", "/change/normal", fault, 1);
        let ticket = ports.open_ticket(&draft, &key).await.unwrap();
        assert_eq!(ports.open_ticket(&draft, &key).await.unwrap(), ticket, "{fault:?}");
    }
    let all = lab.read("list_change_requests", json!({"text": "VLAN 120 on two switches"})).await;
    assert_eq!(all["total"], 3);
}

#[tokio::test]
async fn t20_what_a_first_attempt_left_half_done_is_completed() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    lab.fault_of("POST", "/ci", Fault::ServerError { status: 503 }, 1);
    let error = ports.open_ticket(&draft, "chg-1").await.unwrap_err();
    assert_eq!(error.code(), "outcome_unknown", "the change request is there, its items are not");
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    let facts = ports.read_ticket(&ticket.id).await.unwrap();
    assert_eq!(facts.cis.len(), 2);
    let all = lab.read("list_change_requests", json!({"text": "VLAN 120 on two switches"})).await;
    assert_eq!(all["total"], 1);
}

#[tokio::test]
async fn t17_a_ticket_that_somebody_changed_is_not_the_drafts_any_more() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    let path = format!("/api/now/table/change_request/{}", ticket.id);
    let later = json!({"start_date": "2030-01-01 00:00:00", "end_date": "2030-01-01 01:00:00"});
    lab.as_person("bob", "pw-bob", http::Method::PATCH, &path, later).await;
    let refused = ports.open_ticket(&draft, "chg-1").await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Conflict, "ticket_not_as_drafted"));
    assert!(refused.message().contains("planned time"), "{}", refused.message());
}

#[tokio::test]
async fn t16_approvals_move_a_ticket_and_say_who_gave_them() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    let began = lab.clock.now().as_millisecond() - 1_000;
    let waits = ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap();
    let Advance::WaitsFor { what } = waits else { panic!("{waits:?}") };
    assert!(what.contains("approvals"), "{what}");
    assert_eq!(ports.read_ticket(&ticket.id).await.unwrap().state, TicketState::Authorize);
    let asked = ports.approvals(std::slice::from_ref(&ticket.id), began).await.unwrap();
    assert!(asked.len() >= 3 && asked.iter().all(|row| row.state == "requested" && row.ticket_id == ticket.id));
    assert!(asked.iter().any(|row| row.approver == "ada"));

    lab.instance.decide(&ticket.number, "ada", "approved").unwrap();
    let rows = ports.approvals(std::slice::from_ref(&ticket.number), began).await.unwrap();
    let given: Vec<_> = rows.iter().filter(|row| row.state == "approved").collect();
    assert_eq!(given.len(), 1);
    assert_eq!((given[0].approver.as_str(), given[0].updated_by.as_str()), ("ada", "ada"));
    assert!(given[0].updated_at_ms >= began);
    let facts = ports.read_ticket(&ticket.id).await.unwrap();
    assert_eq!((facts.state, facts.approval.as_str()), (TicketState::Scheduled, "approved"));

    assert_eq!(ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap(), Advance::Moved);
    assert_eq!(ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap(), Advance::Moved);
    let open = ports.advance_ticket(&ticket.id, TicketState::Closed, None).await.unwrap_err();
    assert_eq!(open.code(), "ticket_state_refused", "how it ended is missing");
    let closing = closing();
    let closed = ports.advance_ticket(&ticket.id, TicketState::Closed, Some(&closing)).await.unwrap();
    assert_eq!(closed, Advance::Moved);
    assert_eq!(ports.read_ticket(&ticket.id).await.unwrap().state, TicketState::Closed);
    let back = ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap_err();
    assert_eq!(back.code(), "ticket_state_refused");
}

#[tokio::test]
async fn t16_a_rejected_ticket_is_new_again_and_nobody_is_made_to_approve() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    for _ in 0..2 {
        ports.advance_ticket(&ticket.id, TicketState::Scheduled, None).await.unwrap();
    }
    assert_eq!(
        ports.read_ticket(&ticket.id).await.unwrap().state,
        TicketState::Authorize,
        "asking again moves nothing"
    );
    lab.instance.decide(&ticket.number, "bob", "rejected").unwrap();
    let facts = ports.read_ticket(&ticket.id).await.unwrap();
    assert_eq!((facts.state, facts.approval.as_str()), (TicketState::New, "rejected"));
    assert_eq!(ports.advance_ticket(&ticket.id, TicketState::Canceled, None).await.unwrap(), Advance::Moved);
}

#[tokio::test]
async fn a_state_that_was_reached_and_not_answered_is_reached() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    lab.fault_of("PATCH", "/change/normal", Fault::ReplyLost, 1);
    assert_eq!(ports.advance_ticket(&ticket.id, TicketState::Assess, None).await.unwrap(), Advance::Moved);
}

#[tokio::test]
async fn emergency_and_standard_changes_have_their_own_ways() {
    let lab = Lab::start().await;
    let (ports, normal) = (lab.rig.ports(), draft(&lab).await);
    let emergency = TicketDraft { kind: "emergency".into(), ..normal.clone() };
    let ticket = ports.open_ticket(&emergency, "chg-e").await.unwrap();
    let waits = ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap();
    assert!(matches!(waits, Advance::WaitsFor { .. }));
    let templates = lab.read("list_change_templates", json!({})).await;
    let template = templates["items"][0]["id"].as_str().map(str::to_owned);
    let standard = TicketDraft { kind: "standard".into(), standard_template: template, ..normal };
    let ticket = ports.open_ticket(&standard, "chg-s").await.unwrap();
    assert_eq!(ports.advance_ticket(&ticket.id, TicketState::Implement, None).await.unwrap(), Advance::Moved);
}

#[tokio::test]
async fn what_stands_against_a_ticket_is_found() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let first = ports.open_ticket(&draft, "chg-1").await.unwrap();
    ports.advance_ticket(&first.id, TicketState::Assess, None).await.unwrap();
    let second = ports.open_ticket(&draft, "chg-2").await.unwrap();
    let found = ports.ticket_conflicts(&second.id).await.unwrap();
    assert!(
        found.iter().any(|conflict| conflict.with == first.number && conflict.kind == "ci_already_scheduled"),
        "{found:?}"
    );
    assert!(found.iter().all(|conflict| conflict.ci.as_ref().is_none_or(|ci| draft.cis.contains(ci))));
}

#[tokio::test]
async fn t27_an_artifact_that_the_caller_may_read_is_attached_once() {
    let lab = Lab::start().await;
    let (ports, draft) = (lab.rig.ports(), draft(&lab).await);
    let ticket = ports.open_ticket(&draft, "chg-1").await.unwrap();
    let plan = lab.artifact(br#"{"v":1}"#).await;
    for fault in [None, Some(Fault::ReplyLost), None] {
        if let Some(fault) = fault {
            lab.fault_of("POST", "/attachment/file", fault, 1);
        }
        ports.attach_to_ticket(&ticket.id, &plan).await.unwrap();
    }
    assert_eq!(lab.attachments(&ticket.id).await.len(), 1);
    let lost = lab.artifact(br#"{"v":2}"#).await;
    lab.fault_of("POST", "/attachment/file", Fault::ReplyLost, 1);
    ports.attach_to_ticket(&ticket.id, &lost).await.unwrap();
    assert_eq!(lab.attachments(&ticket.id).await.len(), 2);
    let unknown = tool_runtime::ArtifactReference { id: "f".repeat(64), ..plan };
    assert_eq!(ports.attach_to_ticket(&ticket.id, &unknown).await.unwrap_err().code(), "artifact_not_found");
}
