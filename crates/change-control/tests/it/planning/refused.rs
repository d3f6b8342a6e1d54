//! What does not become a plan, and what is said of it.

use change_control::model::change::ChangeId;
use change_control::model::state::State;
use platform::{Error, ErrorKind};
use serde_json::json;

use super::network::unreachable;
use super::{Lab, PlanRequest, deployment, vlan};

async fn code(lab: &Lab, request: PlanRequest) -> String {
    lab.ask(request).await.unwrap_err().code().to_owned()
}

#[tokio::test]
async fn a_wish_that_cannot_be_planned_leaves_no_change_behind() {
    let lab = Lab::start().await;
    let typed = |name: &str| PlanRequest { change_type: Some(name.into()), ..vlan(&["d1"]) };
    assert_eq!(code(&lab, vlan(&["d1", "d2", "d3", "d4"])).await, "too_many_devices");
    assert_eq!(code(&lab, vlan(&[])).await, "plan_request_invalid");
    assert_eq!(code(&lab, typed("format_disk")).await, "change_type_unknown");
    assert_eq!(code(&lab, deployment(&["d1"], json!({"template": "t"}))).await, "change_inputs_invalid");
    assert_eq!(code(&lab, PlanRequest { server: "nowhere".into(), ..vlan(&["d1"]) }).await, "server_unknown");
    let undo = PlanRequest { undoes: Some(ChangeId::mint()), ..vlan(&["d1"]) };
    assert_eq!(code(&lab, undo).await, "change_unknown");
    assert_eq!(code(&lab, typed("undo_change")).await, "change_inputs_invalid");
    assert!(lab.changes.book().in_state(State::Planning, None, 10).await.unwrap().is_empty());
    assert!(lab.starts.plans.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_hopeless_is_a_plan_that_failed_and_never_an_error_of_the_activity() {
    let lab = Lab::start().await;
    lab.template("long", &["ntp server 10.0.0.1\n".repeat(2001).as_str()], &[]);
    lab.template("odd", &["#MODE_UNKNOWN {{ vlan }}\n"], &["vlan"]);
    for (inputs, devices, code) in [
        (json!({"template_id": "t", "params": {"vlna": 20}}), &["d1"][..], "template_parameter_unknown"),
        (json!({"template_id": "nothing"}), &["d1"], "target_not_found"),
        (json!({"template_id": "t", "version_id": "t-v9"}), &["d1"], "template_version_unknown"),
        (json!({"template_id": "odd", "params": {"vlan": "s3cret-word"}}), &["d1"], "template_directive_refused"),
        (json!({"template_id": "long"}), &["d1"], "plan_too_large"),
        (json!({"template_id": "t"}), &["d1", "nobody"], "target_unknown"),
    ] {
        let change = lab.made(deployment(devices, inputs)).await;
        assert_eq!(change.state, State::PlanFailed, "{code}");
        let trouble = change.trouble.unwrap();
        assert_eq!(trouble.code, code);
        let told = serde_json::to_string(&trouble).unwrap();
        assert!(!told.contains("s3cret-word"), "{told}");
        assert_eq!(change.history.last().unwrap().why, code);
    }
}

#[tokio::test]
async fn what_cannot_be_reached_for_an_hour_is_given_up_with_its_reason() {
    let lab = Lab::start().await;
    let change = lab.ask(vlan(&["d1"])).await.unwrap();
    lab.network.state().down = Some(unreachable);
    lab.clock.advance(3_590);
    lab.changes.make_plan(&change.id).await.unwrap_err();
    lab.clock.advance(20);
    lab.changes.make_plan(&change.id).await.unwrap();
    let failed = lab.change(&change.id).await;
    assert_eq!((failed.state, failed.trouble.unwrap().code.as_str()), (State::PlanFailed, "target_unreachable"));
}

#[tokio::test]
async fn a_change_whose_work_cannot_be_started_is_not_left_waiting() {
    let lab = Lab::start().await;
    *lab.starts.broken.lock().unwrap() =
        Some(|| Error::new(ErrorKind::Unavailable, "changes_unavailable", "Not while the platform starts."));
    assert_eq!(code(&lab, vlan(&["d1"])).await, "changes_unavailable");
    assert!(lab.changes.book().in_state(State::Planning, None, 10).await.unwrap().is_empty());
    assert_eq!(lab.changes.book().in_state(State::PlanFailed, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_plan_that_was_cancelled_while_it_was_made_stays_cancelled() {
    let lab = Lab::start().await;
    let change = lab.ask(vlan(&["d1"])).await.unwrap();
    let cancel = |change: &mut change_control::Change| {
        change.become_state(State::Cancelled, 0, "not needed")?;
        Ok(((), Vec::new()))
    };
    lab.changes.book().update(&change.id, cancel).await.unwrap();
    lab.changes.make_plan(&change.id).await.unwrap();
    assert_eq!(lab.change(&change.id).await.state, State::Cancelled);
    assert_eq!(lab.changes.book().plan(&change.id).await.unwrap(), None);
}
