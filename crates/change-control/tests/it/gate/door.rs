//! T11, T14: a call by a door changes nothing by itself; it is told how it would be planned, or joins the run that does it.

use change_control::State;
use platform::Error;
use platform_suites::tokens::person;
use serde_json::{Value, json};

use super::rig::{Rig, SERVER, alice};

fn code<T: std::fmt::Debug>(result: &Result<T, Error>) -> String {
    result.as_ref().unwrap_err().code().to_owned()
}

fn deploy(device: &str, vlan: u32) -> Value {
    json!({"template_id": "tpl-1", "device_id": device, "params": {"vlan": vlan}})
}

#[tokio::test]
async fn t14_a_call_without_a_change_is_told_how_it_is_planned() {
    let rig = Rig::new().await;
    let refused = rig.call(alice(), None, deploy("dev-1", 20)).await;
    assert_eq!(code(&refused), "change_required");
    let refusal = refused.unwrap_err().refusal().clone();
    let next = refusal.next.unwrap();
    assert_eq!((next.server.as_deref(), next.tool.as_str()), (Some("interlock"), "plan_change"));
    let planned = json!({"server": SERVER, "template_id": "tpl-1", "device_ids": ["dev-1"], "params": {"vlan": 20}});
    assert_eq!(next.arguments, planned);
    assert_eq!(*rig.controller.by_hand.lock().unwrap(), 0);
}

#[tokio::test]
async fn t14_a_call_that_names_its_change_joins_the_run_and_executes_nothing() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let answer = rig.call(alice(), Some(change.id.as_str()), deploy("dev-2", 20)).await.unwrap();
    assert_eq!(answer.structured["change_id"], change.id.as_str());
    assert_eq!(answer.structured["state"], "applying");
    assert_eq!(answer.structured["next"]["tool"], "get_change");
    assert_eq!(*rig.starter.0.lock().unwrap(), [change.id]);
    assert_eq!((*rig.controller.by_hand.lock().unwrap(), rig.applied()), (0, 0));
    let schema = jsonschema_of_started();
    assert!(schema.is_valid(&answer.structured), "{}", answer.structured);
}

fn jsonschema_of_started() -> jsonschema::Validator {
    jsonschema::draft202012::new(&tool_runtime::change_gate::started_schema()).unwrap()
}

#[tokio::test]
async fn t14_a_call_that_is_not_the_plans_does_not_join() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let id = Some(change.id.as_str());
    let mut template = deploy("dev-1", 20);
    template["template_id"] = "tpl-2".into();
    for arguments in [deploy("dev-1", 21), deploy("dev-3", 20), template] {
        let refused = rig.call(alice(), id, arguments).await;
        assert_eq!(code(&refused), "change_mismatch");
        assert_eq!(refused.unwrap_err().refusal().change_id.as_deref(), id);
    }
    assert!(rig.starter.0.lock().unwrap().is_empty());
    assert_eq!(*rig.controller.by_hand.lock().unwrap(), 0);
}

#[tokio::test]
async fn t14_only_an_approved_change_that_has_not_ended_is_joined() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    for (state, expected) in [
        (State::Planning, "change_not_approved"),
        (State::Planned, "change_not_approved"),
        (State::Submitted, "change_not_approved"),
        (State::Done, "change_over"),
        (State::Rejected, "change_over"),
        (State::Undone, "change_over"),
    ] {
        rig.edit(&change, |change| change.state = state).await;
        let refused = rig.call(alice(), Some(change.id.as_str()), deploy("dev-1", 20)).await;
        assert_eq!(code(&refused), expected, "{state}");
        assert_eq!(refused.unwrap_err().refusal().next.as_ref().unwrap().tool, "get_change");
    }
    assert!(rig.starter.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn t12_a_reference_to_somebody_elses_change_or_to_none_is_unknown() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let stranger = rig.call(person("carol", &["netops"]), Some(change.id.as_str()), deploy("dev-1", 20)).await;
    assert_eq!(code(&stranger), "change_unknown");
    for id in ["CHG0030001", "chg-00000000000070008000000000000000"] {
        assert_eq!(code(&rig.call(alice(), Some(id), deploy("dev-1", 20)).await), "change_unknown", "{id}");
    }
}

#[tokio::test]
async fn t16_who_must_approve_is_policys_word_about_the_forward_steps() {
    let rig = Rig::new().await;
    let change = rig.applying().await;
    let needed = rig.changes.approvers_needed(&change).await.unwrap();
    assert_eq!((needed.count, needed.groups), (1, vec!["admin".to_owned(), "netops".to_owned()]));
    let two = rig.applying_of(|plan| plan.devices[1].risk = platform::policy::Risk::Disruptive).await;
    assert_eq!(rig.changes.approvers_needed(&two).await.unwrap().count, 2);
    rig.decide(super::rig::denies);
    assert_eq!(code(&rig.changes.approvers_needed(&change).await), "denied");
}
