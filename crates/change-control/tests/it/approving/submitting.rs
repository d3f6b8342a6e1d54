//! T15, T16: what is submitted, by whom, and for when.

use change_control::State;
use change_control::approving::SubmitRequest;
use jiff::Timestamp;
use platform::Clock as _;
use platform::principal::Actor;
use platform_suites::tokens::person;

use super::fixture::{Rig, alice, call, code, planned};

fn ms(at_ms: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millisecond(at_ms).unwrap())
}

#[tokio::test]
async fn t15_a_submission_binds_plan_and_window_and_says_who_approves() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    assert_eq!(change.state, State::Submitted);
    let submission = change.submission.as_ref().unwrap();
    assert_eq!(submission.plan, planned().0.plan.unwrap().hash);
    let now = rig.clock.now().as_millisecond();
    assert_eq!(submission.window.not_after_ms - submission.window.not_before_ms, 7 * 24 * 3_600_000);
    assert!((now - submission.window.not_before_ms).abs() < 60_000);
    assert_eq!(change.approvers.as_ref().unwrap().count, 1);
    let entry = rig.audit.of("change.submitted").pop().unwrap();
    assert_eq!(entry.facts["submission"], submission.digest().unwrap());
    assert_eq!(rig.changes.page_url(&change.id), format!("https://interlock.test/changes/{}", change.id));
}

#[tokio::test]
async fn t16_only_who_asked_submits_and_only_what_is_planned() {
    let rig = Rig::new().await;
    let id = planned().0.id;
    let submit = async |by| rig.changes.submit(&call(by), &id, SubmitRequest::default()).await;
    assert_eq!(code(submit(person("bob", &["netops"])).await), "change_unknown");
    submit(alice()).await.unwrap();
    // Who may approve it sees it from now on, and submits it as little.
    assert_eq!(code(submit(person("bob", &["netops"])).await), "submitter_not_requester");
    assert_eq!(code(submit(alice()).await), "change_state");
}

#[tokio::test]
async fn t16_whoever_acts_at_the_submission_is_of_the_requesters_chain_too() {
    let rig = Rig::new().await;
    let mut by = alice();
    by.actors = vec![Actor { subject: "bob".into(), issuer: None }];
    let id = planned().0.id;
    let change = rig.changes.submit(&call(by), &id, SubmitRequest::default()).await.unwrap();
    assert_eq!(change.requester.actors.len(), 2);
    assert_eq!(code(rig.approve(rig.fresh("bob", &["netops"]), &change).await), "approver_is_requester");
}

#[tokio::test]
async fn t18_a_window_holds_the_change_and_its_undo() {
    let rig = Rig::new().await;
    let id = planned().0.id;
    let now = rig.clock.now().as_millisecond();
    let hour = 3_600_000;
    for (what, not_before, not_after) in [
        ("over", ms(now - 2 * hour), ms(now - hour)),
        ("backwards", ms(now + 2 * hour), ms(now + hour)),
        ("room for the change and not for its undo", ms(now - hour), ms(now + 600_000)),
        ("in two months", ms(now), ms(now + 60 * 24 * hour)),
    ] {
        let request = SubmitRequest { ticket: None, not_before, not_after };
        assert_eq!(code(rig.changes.submit(&call(alice()), &id, request).await), "submission_window_invalid", "{what}");
    }
    let request = SubmitRequest { ticket: None, not_before: ms(now + hour), not_after: ms(now + 2 * hour) };
    let change = rig.changes.submit(&call(alice()), &id, request).await.unwrap();
    assert_eq!(change.submission.unwrap().window.not_after_ms, now + 2 * hour);
}

#[tokio::test]
async fn t15_a_plan_that_is_not_the_one_that_was_made_is_not_submitted() {
    let rig = Rig::new().await;
    let (change, mut plan) = planned();
    plan.devices[0].lines[1].masked.push('x');
    rig.put_plan(&change.id, &plan).await;
    let refused = rig.changes.submit(&call(alice()), &change.id, SubmitRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), "plan_altered");
    let both = refused.refusal().details.clone().unwrap();
    assert_eq!(both["expected"], change.plan.unwrap().hash);
    assert_ne!(both["expected"], both["found"]);
}

#[tokio::test]
async fn t17_a_ticket_without_a_system_that_keeps_it_is_refused() {
    let rig = Rig::new().await;
    let request = SubmitRequest { ticket: Some("CHG0030001".into()), ..SubmitRequest::default() };
    let id = planned().0.id;
    assert_eq!(code(rig.changes.submit(&call(alice()), &id, request).await), "ticket_system_unclear");
}
