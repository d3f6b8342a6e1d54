//! T18: whether devices still are what a plan says, and what they are after a step.

use change_control::model::attempt::Direction;
use change_control::model::change::{Change, CheckResult};
use change_control::planning::compare::Compared;
use change_control::planning::{Comparison, Difference};
use platform::Json;
use platform::artifacts::ArtifactKind;
use platform::store::{Expect, Op};
use serde_json::{Map, json};

use super::network::unreachable;
use super::{Lab, RUNNING, deployment, vlan};

async fn compared(lab: &Lab, change: &Change) -> Comparison {
    lab.changes.compare_device(change, "d1", None).await.unwrap()
}

async fn difference(lab: &Lab, change: &Change) -> Difference {
    match compared(lab, change).await {
        Comparison::Differs(difference) => difference,
        other => panic!("{other:?}"),
    }
}

async fn after(lab: &Lab, change: &Change, direction: Direction) -> CheckResult {
    lab.changes.compare_after(change, "d1", direction, None).await.unwrap()
}

/// The device once the change of `vlan` is applied.
fn applied() -> String {
    RUNNING.replace("interface Vlan1", "vlan 20\n name GUESTS\ninterface Vlan1")
}

#[tokio::test]
async fn t18_a_device_that_nobody_touched_is_the_same_later() {
    let lab = Lab::start().await;
    let (change, _) = lab.planned(vlan(&["d1"])).await;
    lab.clock.advance(3 * 86_400);
    // Volatile lines and comments do not count.
    lab.network.set_running("d1", &format!("! Last configuration change at 12:00:01\n{RUNNING}"));
    assert!(matches!(compared(&lab, &change).await, Comparison::Same));
}

#[tokio::test]
async fn t18_a_configuration_edited_by_hand_is_found_with_both_digests_and_shown_masked() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d1"])).await;
    let edited =
        RUNNING.replace("description desk", "description canary-community").replace("canary.running", "canary.new");
    lab.network.set_running("d1", &edited);
    let found = difference(&lab, &change).await;
    assert_eq!((found.part, &found.planned), (Compared::Configuration, &plan.devices[0].baseline.commitment));
    assert_ne!(found.planned, found.found);
    let shown = serde_json::to_string(&found.detail("d1")).unwrap();
    assert!(
        shown.contains("changed (masked)") && shown.contains("+ description <masked>".get(1..).unwrap()),
        "{shown}"
    );
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn t18_a_version_committed_after_the_plan_makes_it_stale_unless_an_older_one_was_meant() {
    let lab = Lab::start().await;
    lab.template("t", &["vlan {{ vlan }}\n", "vlan {{ vlan }}\n name {{ name }}\n"], &["vlan", "name"]);
    let (newest, _) = lab.planned(vlan(&["d1"])).await;
    let old = deployment(&["d1"], json!({"template_id": "t", "version_id": "t-v1", "params": {"vlan": 20}}));
    let (older, plan) = lab.planned(old).await;
    assert!(!plan.template.newest);
    lab.network.state().templates.get_mut("t").unwrap().versions.push(("t-v3".into(), "vlan 1\n".into()));
    let found = difference(&lab, &newest).await;
    let told = (found.part, found.planned.as_str(), found.found.as_str());
    assert_eq!(told, (Compared::TemplateVersion, "t-v2", "t-v3"));
    assert!(matches!(compared(&lab, &older).await, Comparison::Same));
}

#[tokio::test]
async fn t18_a_version_that_renders_otherwise_than_it_did_is_found() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d1"])).await;
    lab.network.state().templates.get_mut("t").unwrap().versions[0].1 = "vlan {{ vlan }}\n name WRONG\n".into();
    let found = difference(&lab, &change).await;
    assert_eq!(found.part, Compared::Lines);
    let lines: Vec<String> = found.diff.iter().map(|line| format!("{}{}", line.sign, line.line)).collect();
    assert_eq!(lines, [format!("-{}", plan.devices[0].lines[1].masked), "+ name WRONG".to_owned()]);
}

#[tokio::test]
async fn t17_another_device_behind_the_same_id_is_found() {
    let lab = Lab::start().await;
    let (change, _) = lab.planned(vlan(&["d1"])).await;
    lab.network.state().boxes.get_mut("d1").unwrap().serials = vec!["S-new".into()];
    lab.clock.advance(61);
    let found = difference(&lab, &change).await;
    assert_eq!(found.part, Compared::Target);
    assert!(found.planned.contains("S-d1") && found.found.contains("S-new"));
}

#[tokio::test]
async fn t18_what_cannot_be_read_is_not_called_different() {
    let lab = Lab::start().await;
    let (change, _) = lab.planned(vlan(&["d1"])).await;
    lab.network.state().down = Some(unreachable);
    assert!(
        matches!(compared(&lab, &change).await, Comparison::Unreadable(error) if error.code() == "target_unreachable")
    );
    let result = after(&lab, &change, Direction::Forward).await;
    assert_eq!((result.result.as_str(), &result.detail["code"]), ("not_compared", &json!("target_unreachable")));
}

#[tokio::test]
async fn t15_one_character_changed_in_the_store_refuses_the_plan() {
    let lab = Lab::start().await;
    let (change, mut plan) = lab.planned(vlan(&["d1"])).await;
    plan.devices[0].hostname.push('x');
    let body = serde_json::to_value(&plan).unwrap();
    let collection = change_control::book::PLANS;
    let put = Op::Put { collection, id: change.id.to_string(), expect: Expect::Any, body, expires_at: None };
    lab.changes.book().transact(vec![put]).await.unwrap();
    let refused = lab.changes.compare_device(&change, "d1", None).await.unwrap_err();
    assert_eq!(refused.code(), "plan_altered");
    assert!(refused.refusal().details.as_ref().unwrap()["found"].is_string());
}

#[tokio::test]
async fn t15_what_a_check_saw_before_is_bound_by_the_plan_and_no_other_value_is_taken_for_it() {
    let lab = Lab::start().await;
    let (mut change, plan) = lab.planned(vlan(&["d1"])).await;
    let ports = lab.ports(&change);
    let (first, others) = plan.devices[0].checks.split_first().unwrap();
    assert!(first.before.is_none() && !others.is_empty() && others.iter().all(|check| check.before.is_some()));
    let name = others[0].name.clone();
    for alter in [
        (|before, name| drop(before.insert(name, json!({"answers": "perhaps"})))) as fn(&mut Map<String, Json>, String),
        |before, name| drop(before.remove(&name)),
        |before, _| drop(before.insert("weather".to_owned(), json!("fine"))),
    ] {
        let mut sealed = lab.changes.open_plan(&change, &ports).await.unwrap().sealed;
        alter(&mut sealed.devices[0].before, name.clone());
        let bytes = serde_json::to_vec(&sealed).unwrap();
        let altered = ports.seal(ArtifactKind::Plan, "application/json", &bytes).await.unwrap();
        let kept = std::mem::replace(&mut change.plan.as_mut().unwrap().sealed, altered);
        let refused = lab.changes.compare_device(&change, "d1", None).await.unwrap_err();
        assert_eq!(refused.code(), "plan_altered");
        change.plan.as_mut().unwrap().sealed = kept;
    }
}

#[tokio::test]
async fn t15_a_sealed_plan_of_another_change_is_not_taken() {
    let lab = Lab::start().await;
    let (mut change, _) = lab.planned(vlan(&["d1"])).await;
    let (other, _) = lab.planned(vlan(&["d1"])).await;
    change.plan.as_mut().unwrap().sealed = other.plan.unwrap().sealed;
    let refused = lab.changes.compare_device(&change, "d1", None).await.unwrap_err();
    assert_eq!(refused.code(), "plan_altered");
}

#[tokio::test]
async fn after_a_step_the_device_is_what_was_predicted_or_the_difference_is_told() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d1"])).await;
    let before = after(&lab, &change, Direction::Forward).await;
    assert_eq!((before.name.as_str(), before.result.as_str()), ("live_equals_predicted", "failed"));
    lab.network.set_running("d1", &applied());
    let result = after(&lab, &change, Direction::Forward).await;
    assert_eq!((result.result.as_str(), &result.detail["differences"]), ("passed", &json!([])));
    assert_eq!(result.detail["found"], json!(plan.devices[0].predicted));
    assert_eq!(result.detail["secrets_compared"], true);
    // Half applied, and a secret changed beside it.
    lab.network.set_running("d1", &RUNNING.replace("canary.running", "canary.new"));
    let result = after(&lab, &change, Direction::Forward).await;
    let told = result.detail.to_string();
    assert!(result.result == "failed" && told.contains("vlan 20") && told.contains("changed (masked)"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn t21_after_an_undo_the_device_is_compared_with_what_it_was() {
    let lab = Lab::start().await;
    let (change, plan) = lab.planned(vlan(&["d1"])).await;
    lab.network.set_running("d1", &applied());
    assert_eq!(after(&lab, &change, Direction::Undo).await.result, "failed");
    lab.network.set_running("d1", RUNNING);
    let result = after(&lab, &change, Direction::Undo).await;
    assert_eq!((result.name.as_str(), result.result.as_str()), ("live_equals_baseline", "passed"));
    assert_eq!(result.detail["found"], json!(plan.devices[0].baseline.commitment));
}

#[tokio::test]
async fn a_report_does_not_say_that_hidden_secrets_were_compared() {
    let lab = Lab::start().await;
    let masked = RUNNING.replace("$9$canary.running", "<removed>");
    lab.network.set_running("d1", &masked);
    let (change, plan) = lab.planned(vlan(&["d1"])).await;
    assert!(plan.devices[0].baseline.secrets_unseen);
    let result = after(&lab, &change, Direction::Undo).await;
    assert_eq!((result.result.as_str(), &result.detail["secrets_compared"]), ("passed", &json!(false)));
}
