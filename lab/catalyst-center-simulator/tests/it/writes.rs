//! Deployments and what they change.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Lab;

#[tokio::test]
async fn a_deployment_changes_configuration_interfaces_compliance_and_update_time() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let path = format!("/network-device/{}", device.id);
    let before = lab.get(&path).await["response"]["lastUpdateTime"].as_i64().unwrap();
    let compliance = format!("/compliance/{}", device.id);
    assert_eq!(lab.get(&compliance).await["response"]["complianceStatus"], "COMPLIANT");
    lab.clock.advance(30);
    let (task, deployment) = lab.deployed(device, 3001).await;
    assert_eq!(task["isError"], false);
    assert_eq!((&deployment["status"], &deployment["devices"][0]["status"]), (&json!("SUCCESS"), &json!("SUCCESS")));
    assert_eq!(deployment["devices"][0]["deviceId"], device.id.to_string());
    let config = lab.get(&format!("{path}/config")).await;
    assert!(config["response"].as_str().unwrap().contains("\nvlan 3001\n name TEST\n"));
    assert!(lab.get(&path).await["response"]["lastUpdateTime"].as_i64().unwrap() > before);
    assert_eq!(lab.get(&compliance).await["response"]["complianceStatus"], "NON_COMPLIANT");
    let detail = lab.get(&format!("{compliance}/detail?complianceType=RUNNING_CONFIG&diffList=true")).await;
    assert!(detail["response"][0]["sourceInfoList"][0]["diffList"].to_string().contains("vlan 3001"), "{detail}");
    let row = &lab.commands.rows(0)[0];
    assert_eq!(row.lines, ["vlan 3001", "name TEST"]);
    assert_eq!((row.hostname.as_str(), row.headers["x-caller-id"].as_str()), (device.hostname.as_str(), "test-caller"));
    assert_eq!(Some(row.deployment_id.clone().unwrap().as_str()), deployment["deploymentId"].as_str());
    let saved = lab
        .call(
            Method::POST,
            "/dna/intent/api/v1/network-device-config/write-memory",
            Some(json!({ "deviceId": [device.id] })),
        )
        .await
        .1;
    let task = lab.ended(saved["response"]["taskId"].as_str().unwrap()).await;
    assert_eq!(task["progress"], format!("{} copy_Running_To_Startup=Success", device.id));
    assert_eq!(lab.get(&compliance).await["response"]["complianceStatus"], "COMPLIANT");
}

#[tokio::test]
async fn unreachable_devices_and_rejected_lines_fail_with_the_reason_and_drafts_are_refused() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    lab.world.set_reachable(device, false).unwrap();
    let (task, deployment) = lab.deployed(device, 3002).await;
    assert_eq!((&task["isError"], &deployment["status"]), (&json!(true), &json!("FAILURE")));
    assert!(deployment["devices"][0]["detailedStatusMessage"].as_str().unwrap().contains("timed out"));
    assert!(task["progress"].as_str().unwrap().contains("| failureReason: "));
    assert!(lab.commands.rows(0).is_empty(), "nothing reached the device");
    lab.world.set_reachable(device, true).unwrap();
    let (_, deployment) = lab.deployed(device, 5000).await;
    let told = deployment["devices"][0]["detailedStatusMessage"].as_str().unwrap().to_owned();
    assert!(told.contains("Bad VLAN list"), "{told}");
    let body = json!({ "templateId": lab.template("uplink-draft").await, "targetInfo": [{ "type": "MANAGED_DEVICE_UUID", "id": device.id }] });
    let (status, _) =
        lab.call(Method::POST, "/dna/intent/api/v2/template-programmer/template/deploy", Some(body)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_old_deployment_answers_with_a_text_and_skips_what_is_there() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let (_, first) = lab.deployed(device, 3003).await;
    assert_eq!(first["status"], "SUCCESS");
    let body = json!({
        "templateId": lab.template("access-vlan").await,
        "targetInfo": [{ "type": "MANAGED_DEVICE_IP", "id": device.management_ip.to_string(), "params": { "vlan_id": 3003, "vlan_name": "TEST" } }],
    });
    let old = lab.call(Method::POST, "/dna/intent/api/v1/template-programmer/template/deploy", Some(body)).await.1;
    assert!(old["deploymentId"].as_str().unwrap().contains("already deployed with same params"), "{old}");
    assert_eq!(lab.commands.rows(0).len(), 1);
}

#[tokio::test]
async fn a_committed_template_of_ones_own_can_be_deployed() {
    let lab = Lab::start(|_| {}).await;
    let projects = lab.get("/template-programmer/project").await;
    let project = projects[0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "name": "mine", "language": "JINJA", "templateContent": "ntp server {{ a }}\n", "templateParams": [{ "parameterName": "a", "dataType": "STRING", "required": true }] });
    let made = lab
        .call(Method::POST, &format!("/dna/intent/api/v1/template-programmer/project/{project}/template"), Some(body))
        .await
        .1;
    let id = lab.ended(made["response"]["taskId"].as_str().unwrap()).await["data"].as_str().unwrap().to_owned();
    let committed = lab
        .call(
            Method::POST,
            "/dna/intent/api/v1/template-programmer/template/version",
            Some(json!({ "templateId": id, "comments": "c" })),
        )
        .await
        .1;
    let task = lab.ended(committed["response"]["taskId"].as_str().unwrap()).await;
    assert_eq!(task["progress"], "Successfully committed template mine to version 1");
    let versions = lab.get(&format!("/template-programmer/template/version/{id}")).await;
    let version: &Value = &versions[0]["versionsInfo"][0];
    assert_eq!(version["version"], "1");
    let body = json!({ "templateId": version["id"], "targetInfo": [{ "type": "MANAGED_DEVICE_UUID", "id": lab.switch().id, "params": { "a": "10.8.8.8" } }] });
    let started = lab.call(Method::POST, "/dna/intent/api/v2/template-programmer/template/deploy", Some(body)).await.1;
    lab.ended(started["response"]["taskId"].as_str().unwrap()).await;
    assert!(lab.world.running(lab.switch()).text().contains("ntp server 10.8.8.8\n"));
}

#[tokio::test]
async fn the_command_runner_reads_the_device_and_blocks_what_is_no_read() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let body = json!({ "commands": ["show version", "reload"], "deviceUuids": [device.id] });
    let started =
        lab.call(Method::POST, "/dna/intent/api/v1/network-device-poller/cli/read-request", Some(body)).await.1;
    let task = lab.ended(started["response"]["taskId"].as_str().unwrap()).await;
    let progress: Value = serde_json::from_str(task["progress"].as_str().unwrap()).unwrap();
    let file = lab.get(&format!("/file/{}", progress["fileId"].as_str().unwrap())).await;
    let answers = &file[0]["commandResponses"];
    assert!(answers["SUCCESS"]["show version"].as_str().unwrap().contains("IOS XE"));
    assert!(answers["BLACKLISTED"]["reload"].is_string());
    assert_eq!(lab.commands.rows(0)[0].lines, ["show version"]);
}
