//! Deployments: what they do to a device, how they are followed, and what is durable before they are (T20).
#![cfg(test)]

use std::sync::Arc;

use catalyst_center_simulator::Pace;
use platform::{ErrorKind, Json};
use serde_json::json;
use world::{Fault, Reachability};

use crate::lab::{Lab, NAME, QUICK, call_context};
use crate::road::Road;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";
const DEPLOY: &str = "/template/deploy";
const TASK: &str = "/api/v1/task/";

/// Arguments that put VLAN 3917 on a reachable device.
pub(crate) async fn vlan(lab: &Lab) -> Json {
    on(lab, Reachability::Reachable).await
}

async fn on(lab: &Lab, reachability: Reachability) -> Json {
    json!({
        "template_id": lab.template("access-vlan").await,
        "device_id": lab.device(reachability).id.to_string(),
        "params": {"vlan_id": 3917, "vlan_name": "INTERLOCK_PROOF"},
    })
}

#[tokio::test]
async fn a_success_is_on_the_device_and_in_its_configuration() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = lab.device(Reachability::Reachable);
    let of_device = json!({"device_id": device.id.to_string()});
    let before = road.call("get_device_config", of_device.clone(), None).await.unwrap().structured;
    assert!(!before["config"].as_str().unwrap().contains("vlan 3917"));
    assert!(!lab.world.is_unsaved(device));
    let arguments = vlan(&lab).await;
    let answer = road.call("deploy_template", arguments.clone(), None).await.unwrap();
    let result = &answer.structured;
    assert_eq!(result["status"], "success", "{result}");
    assert_eq!(result["template_id"], arguments["template_id"]);
    assert_eq!(result["device_id"], arguments["device_id"]);
    assert_eq!(result["devices"][0]["name"], device.hostname);
    assert_eq!(answer.follow_up, None);
    let after = road.call("get_device_config", of_device, None).await.unwrap().structured;
    assert!(after["config"].as_str().unwrap().contains("vlan 3917\n name INTERLOCK_PROOF"));
    assert_eq!(after["masked_secrets"], before["masked_secrets"]);
    assert!(lab.world.is_unsaved(device), "the device does not comply any more: it is not saved");
    assert!(road.open_intents().await.is_empty());
    let again = json!({"deployment_id": result["deployment_id"]});
    let known = road.call("get_deployment", again, None).await.unwrap().structured;
    assert_eq!((&known["status"], &known["devices"]), (&json!("success"), &result["devices"]));
}

#[tokio::test]
async fn the_same_again_is_a_success_that_sends_nothing() {
    let lab = Lab::start().await;
    let mut arguments = vlan(&lab).await;
    let first = lab.read("deploy_template", arguments.clone()).await;
    assert_eq!(first["status"], "success");
    let second = lab.read("deploy_template", arguments.clone()).await;
    assert_eq!(second["status"], "success", "{second}");
    assert!(second["message"].as_str().unwrap().contains("already deployed"), "{second}");
    assert_eq!(second["devices"], json!([]));
    let known = lab.read("get_deployment", json!({"deployment_id": second["deployment_id"]})).await;
    assert_eq!(known["status"], "success");
    arguments["force"] = true.into();
    let forced = lab.read("deploy_template", arguments).await;
    assert_eq!(forced["devices"].as_array().unwrap().len(), 1, "{forced}");
}

#[tokio::test]
async fn a_slow_deployment_is_in_progress_with_the_call_that_follows_it_to_its_end() {
    let lab = Lab::with(Pace { start_ms: 10, least_ms: 9_000, most_ms: 9_001 }, |_| {}).await;
    let road = Road::over(&lab).await;
    let answer = road.call("deploy_template", vlan(&lab).await, None).await.unwrap();
    assert_eq!(answer.structured["status"], "in_progress");
    let follow = answer.follow_up.clone().unwrap();
    assert_eq!(follow.tool, "get_deployment");
    assert_eq!(follow.arguments["deployment_id"], answer.structured["deployment_id"]);
    let now = json!({"deployment_id": answer.structured["deployment_id"], "wait_s": 0});
    let running = road.call(&follow.tool, now, None).await.unwrap();
    assert_eq!((&running.structured["status"], running.follow_up.as_ref()), (&json!("in_progress"), Some(&follow)));
    // The same work as a task (T22): what the last answer does not say again is known from the first.
    let cx = Arc::new(call_context());
    let task = road.pipeline.begin_task(&cx, NAME, "deploy_template", &answer, &follow).await.unwrap();
    let ended = road.call(&follow.tool, follow.arguments, None).await.unwrap();
    assert_eq!((&ended.structured["status"], ended.follow_up), (&json!("success"), None));
    let ended = road.pipeline.task(&cx, &task.id).await.unwrap().ended.unwrap().unwrap().structured;
    assert_eq!((&ended["status"], &ended["device_id"]), (&json!("success"), &answer.structured["device_id"]));
}

#[tokio::test]
async fn a_deployment_that_has_not_begun_is_followed_by_its_task() {
    let lab = Lab::with(Pace { start_ms: 5_500, ..QUICK }, |_| {}).await;
    let answer = lab.call("deploy_template", vlan(&lab).await).await.unwrap();
    assert_eq!(answer.structured["status"], "in_progress");
    assert!(answer.structured["deployment_id"].as_str().unwrap().starts_with("task:"));
    let ended = lab.read("get_deployment", answer.follow_up.unwrap().arguments).await;
    assert_eq!(ended["status"], "success");
    assert!(!ended["deployment_id"].as_str().unwrap().starts_with("task:"), "now it is known by its own id");
}

#[tokio::test]
async fn an_unreachable_device_is_a_failure_that_says_why() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let answer = road.call("deploy_template", on(&lab, Reachability::Unreachable).await, None).await.unwrap();
    assert_eq!(answer.structured["status"], "failure");
    let message = answer.structured["devices"][0]["message"].as_str().unwrap();
    assert!(message.contains("NCTP10051"), "{message}");
    assert_eq!(answer.follow_up, None);
    assert!(road.open_intents().await.is_empty());
}

#[tokio::test]
async fn a_refused_line_is_quoted_without_its_secret() {
    let lab = Lab::start().await;
    lab.fault(DEPLOY, Fault::LineRejected { line: 2 }, 1);
    let arguments = json!({
        "template_id": lab.template("interface-description").await,
        "device_id": lab.device(Reachability::Reachable).id.to_string(),
        "params": {"interface": "Vlan1", "description": "x\nusername canary secret 0 C4N4RY-9"},
    });
    let result = lab.read("deploy_template", arguments).await;
    assert!(!result.to_string().contains("C4N4RY"), "{result}");
}

#[tokio::test]
async fn a_template_without_a_committed_version_is_refused() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let mut arguments = vlan(&lab).await;
    arguments["template_id"] = lab.template("uplink-draft").await.into();
    let error = road.call("deploy_template", arguments.clone(), None).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidInput, "template_not_committed"));
    arguments["template_id"] = NOBODY.into();
    let error = road.call("deploy_template", arguments, None).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "target_not_found"));
    assert!(road.open_intents().await.is_empty());
}

#[tokio::test]
async fn t6_an_unknown_device_is_refused_before_anything_is_written_down() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let mut arguments = vlan(&lab).await;
    for id in [NOBODY, "no-such-device"] {
        arguments["device_id"] = id.into();
        let error = road.call("deploy_template", arguments.clone(), None).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "target_unknown"));
    }
    assert!(road.open_intents().await.is_empty());
}

#[tokio::test]
async fn t20_the_handle_is_in_the_intent_before_the_first_poll() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    lab.fault(TASK, Fault::Hang { ms: 600_000 }, 1_000);
    let (pipeline, arguments) = (road.call("deploy_template", vlan(&lab).await, None), async {
        // The first poll has arrived at the vendor and is not answered: the process might die now.
        while lab.used(TASK) == 0 {
            tokio::task::yield_now().await;
        }
        road.open_intents().await
    });
    let (answer, open) = tokio::join!(pipeline, arguments);
    assert_eq!(open.len(), 1);
    let handle = open[0].handle.clone().unwrap();
    let answer = answer.unwrap().structured;
    assert_eq!(answer["status"], "in_progress", "a poll that hangs ends only the wait");
    assert_eq!(answer["deployment_id"], format!("task:{}", handle["task_id"].as_str().unwrap()));
}

#[tokio::test]
async fn t7_the_same_key_deploys_once() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let arguments = vlan(&lab).await;
    let first = road.call("deploy_template", arguments.clone(), Some("k-1")).await.unwrap();
    let second = road.call("deploy_template", arguments, Some("k-1")).await.unwrap();
    assert!(second.replayed && !first.replayed);
    assert_eq!(second.structured, first.structured);
}
