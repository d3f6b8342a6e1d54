//! T16: whose act an approval is, when it counts, and what it gives.

use change_control::approving::rules;
use change_control::model::approval::Verdict;
use change_control::model::change::Change;
use change_control::{ChangeId, State};
use platform::audit::Outcome;
use platform::context::Protocol;
use platform::principal::{Actor, PrincipalKind};
use platform::{Clock as _, Principal};

use super::fixture::{Rig, call, code, planned};

const NETOPS: &[&str] = &["netops"];

/// The only record of the last decision that was refused.
fn refusal(rig: &Rig) -> (Outcome, Option<String>) {
    let entry = rig.audit.of("change.approval").pop().unwrap();
    (entry.outcome, entry.code)
}

#[tokio::test]
async fn t16_another_person_approves_once_and_the_run_is_started_with_a_grant() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let after = rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    assert_eq!((after.state, rig.started.runs()), (State::Approved, vec![change.id.to_string()]));
    let digest = change.submission.as_ref().unwrap().digest().unwrap();
    let grant = &after.grant.as_ref().unwrap().grant;
    assert_eq!((&grant.submission, &grant.plan), (&digest, &change.plan.as_ref().unwrap().hash));
    assert_eq!(grant.requester.who.subject, "alice");
    assert_eq!(grant.approvers().map(|a| a.subject.as_str()).collect::<Vec<_>>(), ["bob"]);
    assert_eq!((grant.targets.as_slice(), grant.writes), (planned().1.order.concat().as_slice(), 3));
    assert_eq!(grant.window, change.submission.as_ref().unwrap().window);
    let approval = &after.approvals[0];
    assert_eq!(
        (&approval.amr, &approval.groups),
        (&vec!["pwd".to_owned(), "otp".to_owned()], &vec!["netops".to_owned()])
    );
    // Announced before it was kept, and told afterwards.
    let entries = rig.audit.of("change.approval");
    assert_eq!(entries.iter().map(|e| e.outcome).collect::<Vec<_>>(), [Outcome::Pending, Outcome::Success]);
    for fact in ["reason", "submission", "plan", "policy_revision", "auth_time", "shown_at_ms"] {
        assert!(!entries[1].facts[fact].is_null(), "{fact}");
    }
    assert_eq!(entries[1].facts["submission"], digest);
    assert_eq!(code(rig.approve(rig.fresh("carol", NETOPS), &change).await), "change_state");
}

#[tokio::test]
async fn t16_a_rejection_ends_it_and_no_approval_brings_it_back() {
    let rig = Rig::new().await;
    let change = rig.submit_needing(NETOPS, 2).await;
    rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    let reject = rig.decision(&change, Verdict::Reject);
    let after = rig.decide(rig.fresh("carol", NETOPS), &change, reject).await.unwrap();
    assert_eq!((after.state, after.grant.is_none()), (State::Rejected, true));
    assert_eq!(code(rig.approve(rig.fresh("dave", NETOPS), &change).await), "change_state");
    assert_eq!((rig.now(&change).await.state, rig.started.runs().len()), (State::Rejected, 0));
}

#[tokio::test]
async fn t16_the_requester_does_not_approve_by_either_claim_nor_does_who_acted_for_them() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let by_person = Principal { subject: "alice-2".into(), person: "alice".into(), ..rig.fresh("x", NETOPS) };
    let by_subject = Principal { subject: "alice".into(), person: "other".into(), ..rig.fresh("x", NETOPS) };
    for who in [rig.fresh("alice", NETOPS), by_person, by_subject, rig.fresh("helper-agent", NETOPS)] {
        let name = who.subject.clone();
        assert_eq!(code(rig.approve(who, &change).await), "approver_is_requester", "{name}");
        assert_eq!(refusal(&rig), (Outcome::Refused, Some("approver_is_requester".into())));
    }
    assert!(rig.now(&change).await.approvals.is_empty());
}

#[tokio::test]
async fn t16_a_program_or_an_agent_or_another_door_does_not_approve() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let client = Principal { kind: PrincipalKind::Client, ..rig.fresh("robot", NETOPS) };
    let agent = Principal { actors: vec![Actor { subject: "agent".into(), issuer: None }], ..rig.fresh("bob", NETOPS) };
    for who in [client, agent] {
        assert_eq!(code(rig.approve(who, &change).await), "approver_not_allowed");
    }
    for door in [Protocol::Mcp, Protocol::Rest, Protocol::Internal] {
        let mut cx = call(rig.fresh("bob", NETOPS));
        cx.protocol = door;
        let decision = rig.decision(&change, Verdict::Approve);
        assert_eq!(code(rig.changes.decide(&cx, &change.id, decision).await), "approver_not_allowed", "{door:?}");
    }
    assert_eq!(rig.now(&change).await, change);
}

#[tokio::test]
async fn t16_only_the_groups_that_policy_names_decide_and_others_do_not_see_it() {
    let rig = Rig::new().await;
    let change = rig.submit_needing(&["leads"], 1).await;
    // Who sees every change decides about it no more than others do.
    let ada = rig.fresh("ada", &["admin"]);
    assert_eq!(code(rules::may_decide(&change, &ada, rig.clock.now().as_millisecond())), "approver_not_allowed");
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "change_unknown");
    assert_eq!(refusal(&rig), (Outcome::Refused, Some("change_unknown".into())));
    rig.approve(rig.fresh("lea", &["leads"]), &change).await.unwrap();
}

#[tokio::test]
async fn t16_two_approvals_are_two_people() {
    let rig = Rig::new().await;
    let change = rig.submit_needing(NETOPS, 2).await;
    let once = rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    assert_eq!((once.state, rig.started.runs().len()), (State::Submitted, 0));
    let renamed = Principal { subject: "bob-2".into(), ..rig.fresh("bob", NETOPS) };
    for who in [rig.fresh("bob", NETOPS), renamed] {
        assert_eq!(code(rig.approve(who, &change).await), "approver_decided_already");
    }
    let twice = rig.approve(rig.fresh("carol", NETOPS), &change).await.unwrap();
    assert_eq!((twice.state, twice.grant.unwrap().grant.approvals.len()), (State::Approved, 2));
}

#[tokio::test]
async fn t16_only_a_new_factor_for_this_submission_after_it_was_shown_counts() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let now = rig.clock.epoch_seconds();
    let at = |auth_time| Principal { auth_time, ..rig.fresh("bob", NETOPS) };
    let good = rig.decision(&change, Verdict::Approve);
    let none = change_control::approving::Decision { factor: None, ..good.clone() };
    let mut elsewhere = good.clone();
    elsewhere.factor.as_mut().unwrap().submission = "0".repeat(64);
    for (what, who, decision) in [
        ("no factor for a decision", at(Some(now)), none),
        ("for another submission", at(Some(now)), elsewhere),
        ("before the plan was shown", at(Some(now - 5)), good.clone()),
        ("no time of it", at(None), good.clone()),
        ("one factor only", Principal { mfa: false, ..at(Some(now)) }, good.clone()),
    ] {
        assert_eq!(code(rig.decide(who, &change, decision).await), "second_factor_missing", "{what}");
    }
    let given = at(Some(now));
    rig.clock.advance(15 * 60 + 1);
    assert_eq!(code(rig.decide(given, &change, good).await), "second_factor_missing", "too old");
    assert_eq!(rig.now(&change).await, change);
    rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
}

#[tokio::test]
async fn t16_a_decision_about_something_else_than_what_is_submitted_is_refused() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let seen = rig.decision(&change, Verdict::Approve);
    let edit = |change: &mut Change| {
        change.submission.as_mut().unwrap().window.not_after_ms += 1;
        Ok(((), Vec::new()))
    };
    rig.changes.book().update(&change.id, edit).await.unwrap();
    assert_eq!(code(rig.decide(rig.fresh("bob", NETOPS), &change, seen).await), "submission_changed");
}

#[tokio::test]
async fn t15_one_character_of_the_plan_changed_voids_it_and_both_hashes_are_on_record() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let (_, mut plan) = planned();
    plan.devices[1].lines[2].masked = plan.devices[1].lines[2].masked.replace("20", "21");
    rig.put_plan(&change.id, &plan).await;
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "plan_altered");
    let entry = rig.audit.of("change.approval").pop().unwrap();
    let both = &entry.facts["compared"];
    assert_eq!(both["expected"], change.submission.as_ref().unwrap().plan);
    assert_eq!(both["found"], change_control::model::plan::plan_hash(&plan).unwrap());
    let after = rig.now(&change).await;
    assert_eq!((after.state, after.trouble.unwrap().code.as_str()), (State::Voided, "plan_altered"));
    assert!(rig.started.runs().is_empty());
}

#[tokio::test]
async fn t16_both_verdicts_need_a_reason() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    for verdict in [Verdict::Approve, Verdict::Reject] {
        for reason in ["", "  \n ", "\u{7}", &"x".repeat(1_001)] {
            let mut decision = rig.decision(&change, verdict);
            reason.clone_into(&mut decision.reason);
            assert_eq!(code(rig.decide(rig.fresh("bob", NETOPS), &change, decision).await), "reason_missing");
        }
    }
}

#[tokio::test]
async fn t18_a_window_without_room_is_not_approved_and_may_be_rejected_until_it_is_over() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    // 500 seconds are left: not enough for the change and its undo.
    rig.clock.advance(7 * 24 * 3_600 - 500);
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "submission_expired");
    let reject = rig.decision(&change, Verdict::Reject);
    let after = rig.decide(rig.fresh("bob", NETOPS), &change, reject).await.unwrap();
    assert_eq!(after.state, State::Rejected);
    let rig = Rig::new().await;
    let change = rig.submit().await;
    rig.clock.advance(7 * 24 * 3_600 + 1);
    let reject = rig.decision(&change, Verdict::Reject);
    assert_eq!(code(rig.decide(rig.fresh("bob", NETOPS), &change, reject).await), "submission_expired");
}

#[tokio::test]
async fn t16_a_submission_that_nobody_decided_about_in_time_is_expired_on_record_and_takes_no_decision() {
    let rig = Rig::new().await;
    let change = rig.submit_needing(NETOPS, 2).await;
    // One of two has approved, which is no decision.
    rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    rig.clock.advance(7 * 24 * 3_600 - 1);
    assert_eq!(rig.changes.expire_overdue().await.unwrap(), 0);
    assert_eq!(rig.now(&change).await.state, State::Submitted);
    rig.clock.advance(1);
    assert_eq!(rig.changes.expire_overdue().await.unwrap(), 1);
    let expired = rig.now(&change).await;
    assert_eq!(expired.state, State::Expired);
    assert_eq!(expired.trouble.as_ref().map(|trouble| trouble.code.as_str()), Some("submission_expired"));
    let record = rig.audit.entries().pop().unwrap();
    assert_eq!((record.action.as_str(), record.code.as_deref()), ("change.ended", Some("submission_expired")));
    assert_eq!((&record.facts["from"], &record.facts["state"]), (&"submitted".into(), &"expired".into()));
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let late = rig.decision(&change, verdict);
        assert_eq!(code(rig.decide(rig.fresh("carl", NETOPS), &change, late).await), "change_state");
    }
    assert_eq!(rig.changes.expire_overdue().await.unwrap(), 0, "once");
    assert_eq!(rig.now(&change).await, expired);
    assert!(rig.started.runs().is_empty());
}

#[tokio::test]
async fn t16_a_decision_that_comes_too_late_ends_what_it_was_about() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    rig.clock.advance(7 * 24 * 3_600);
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "submission_expired");
    assert_eq!(rig.now(&change).await.state, State::Expired);
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "change_state");
}

#[tokio::test]
async fn t25_an_expiry_that_cannot_be_put_on_record_does_not_happen() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    rig.clock.advance(7 * 24 * 3_600);
    rig.audit.fail_appends(true);
    assert_eq!(code(rig.changes.expire_overdue().await), "audit_unavailable");
    rig.audit.fail_appends(false);
    assert_eq!(rig.now(&change).await.state, State::Submitted);
    assert_eq!(rig.changes.expire_overdue().await.unwrap(), 1);
}

#[tokio::test]
async fn t25_what_cannot_be_put_on_record_is_not_decided() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    rig.audit.fail_appends(true);
    assert_eq!(code(rig.approve(rig.fresh("bob", NETOPS), &change).await), "audit_unavailable");
    rig.audit.fail_appends(false);
    assert_eq!(rig.now(&change).await, change);
}

#[tokio::test]
async fn t16_of_two_last_approvals_at_once_one_counts() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    let (one, two) =
        tokio::join!(rig.approve(rig.fresh("bob", NETOPS), &change), rig.approve(rig.fresh("carol", NETOPS), &change));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!((rig.now(&change).await.approvals.len(), rig.started.runs().len()), (1, 1));
}

#[tokio::test]
async fn t16_what_waits_for_a_person_is_what_they_may_decide_about() {
    let rig = Rig::new().await;
    let change = rig.submit_needing(NETOPS, 2).await;
    let waiting = async |who: Principal| {
        let found = rig.changes.waiting_for(&who).await.unwrap();
        found.into_iter().map(|c| c.id).collect::<Vec<ChangeId>>()
    };
    assert_eq!(waiting(rig.fresh("bob", NETOPS)).await, std::slice::from_ref(&change.id));
    assert!(waiting(rig.fresh("alice", NETOPS)).await.is_empty());
    assert!(waiting(rig.fresh("sam", &["desk"])).await.is_empty());
    rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    assert!(waiting(rig.fresh("bob", NETOPS)).await.is_empty());
    rig.clock.advance(8 * 24 * 3_600);
    assert!(waiting(rig.fresh("carol", NETOPS)).await.is_empty());
}

#[tokio::test]
async fn t14_a_run_that_was_not_started_is_made_up_for() {
    let rig = Rig::new().await;
    let change = rig.submit().await;
    rig.approve(rig.fresh("bob", NETOPS), &change).await.unwrap();
    assert_eq!(rig.changes.start_approved().await.unwrap(), 1);
    assert_eq!(rig.started.runs().len(), 2, "starting twice is the starter's to make one");
}
