//! Every write of the controller meets every fault that can meet it, and lies in the same way.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use world::{Device, Fault, Match, Reachability};

use crate::client::Lab;

const RUNNER: &str = "/dna/intent/api/v1/network-device-poller/cli/read-request";
const SAVE: &str = "/dna/intent/api/v1/network-device-config/write-memory";
const TEMPLATES: &str = "/dna/intent/api/v1/template-programmer";

fn inject(lab: &Lab, part: &str, fault: Fault) {
    let matching = Match { request: Some(part.to_owned()), ..Match::default() };
    lab.faults.inject("catalyst-center", matching, Some(fault), 1);
}

/// The fault that was injected has been used.
fn used(lab: &Lab) -> bool {
    lab.faults.list().iter().all(|held| held.left == 0)
}

async fn task(lab: &Lab, method: Method, path: &str, body: Value) -> Value {
    let (status, body) = lab.call(method, path, Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{path} {body}");
    lab.ended(body["response"]["taskId"].as_str().unwrap()).await
}

/// An access port of a switch: its id and name.
async fn port(lab: &Lab, device: &Device) -> (String, String) {
    let rows = lab.get(&format!("/interface/network-device/{}", device.id)).await;
    let row = rows["response"].as_array().unwrap().iter().find(|row| row["portMode"] == "access").unwrap().clone();
    (row["id"].as_str().unwrap().to_owned(), row["portName"].as_str().unwrap().to_owned())
}

fn block(lab: &Lab, device: &Device, port: &str) -> String {
    lab.world.exec(device, &format!("show running-config interface {port}")).unwrap()
}

#[tokio::test]
async fn an_interface_update_is_bent_by_every_fault_of_the_effect() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let (id, name) = port(&lab, device).await;
    let path = format!("/dna/intent/api/v1/interface/{id}");
    let part = format!("PUT {path}");
    let update = async |text: &str| {
        let ended = task(&lab, Method::PUT, &path, json!({ "description": text, "vlanId": 20 })).await;
        assert_eq!(ended["isError"], false, "{ended}");
        assert!(used(&lab));
    };
    inject(&lab, &part, Fault::AcceptedNotApplied);
    update("one").await;
    assert!(!block(&lab, device, &name).contains("description one"));
    inject(&lab, &part, Fault::HalfApplied);
    update("two").await;
    assert!(!block(&lab, device, &name).contains("description two"), "of three lines the first reaches the device");
    inject(&lab, &part, Fault::LineRejected { line: 1 });
    update("three").await;
    let text = block(&lab, device, &name);
    assert!(!text.contains("description three") && text.contains("access vlan 20"), "{text}");
    inject(&lab, &part, Fault::StaleCopy);
    update("four").await;
    assert!(block(&lab, device, &name).contains("description four"));
    let row = lab.get(&format!("/interface/{id}")).await["response"].clone();
    assert_ne!(row["description"], "four", "the controller has not read the device");
    let copy = lab.get(&format!("/network-device/{}", device.id)).await["response"]["lastUpdateTime"].as_i64().unwrap();
    let now = lab.world.now().as_millisecond();
    assert!(now - copy >= 3 * 3_600_000, "its copy is hours old: {}", now - copy);
    inject(&lab, &part, Fault::ManagementLost);
    update("five").await;
    assert_eq!(lab.world.reachability(device), Reachability::Unreachable);
}

#[tokio::test]
async fn saving_is_bent_by_every_fault_of_the_effect() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let save = async || {
        let ended = task(&lab, Method::POST, SAVE, json!({ "deviceId": [device.id] })).await;
        assert_eq!((&ended["isError"], used(&lab)), (&json!(false), true), "{ended}");
        assert!(ended["progress"].as_str().unwrap().ends_with("=Success"));
    };
    let compliance =
        async || lab.get(&format!("/compliance/{}", device.id)).await["response"]["complianceStatus"].clone();
    lab.deployed(device, 3501).await;
    for fault in [Fault::AcceptedNotApplied, Fault::HalfApplied, Fault::LineRejected { line: 0 }] {
        inject(&lab, "write-memory", fault);
        save().await;
        assert!(lab.world.is_unsaved(device), "{fault:?}");
        assert_eq!(compliance().await, "NON_COMPLIANT");
    }
    inject(&lab, "write-memory", Fault::StaleCopy);
    save().await;
    assert!(!lab.world.is_unsaved(device));
    assert_eq!(compliance().await, "NON_COMPLIANT", "the controller still believes the old startup configuration");
    task(&lab, Method::PUT, "/dna/intent/api/v1/network-device/sync", json!([device.id])).await;
    assert_eq!(compliance().await, "COMPLIANT");
    inject(&lab, "write-memory", Fault::ManagementLost);
    save().await;
    assert_eq!(lab.world.reachability(device), Reachability::Unreachable);
    let failed = task(&lab, Method::POST, SAVE, json!({ "deviceId": [device.id] })).await;
    assert_eq!((&failed["isError"], &failed["errorCode"]), (&json!(true), &json!("NCIM12013")));
}

#[tokio::test]
async fn the_command_runner_is_bent_by_every_fault_of_the_effect_that_can_meet_it() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let commands = json!(["show clock", "show version"]);
    let run = async || {
        let body = json!({ "commands": commands, "deviceUuids": [device.id] });
        let ended = task(&lab, Method::POST, RUNNER, body).await;
        assert_eq!(ended["isError"], false);
        let progress: Value = serde_json::from_str(ended["progress"].as_str().unwrap()).unwrap();
        let file = lab.get(&format!("/file/{}", progress["fileId"].as_str().unwrap())).await;
        file[0]["commandResponses"].clone()
    };
    let names =
        |answers: &Value, kind: &str| -> Vec<String> { answers[kind].as_object().unwrap().keys().cloned().collect() };
    inject(&lab, RUNNER, Fault::AcceptedNotApplied);
    assert_eq!(names(&run().await, "SUCCESS"), Vec::<String>::new());
    inject(&lab, RUNNER, Fault::HalfApplied);
    assert_eq!(names(&run().await, "SUCCESS"), ["show clock"]);
    inject(&lab, RUNNER, Fault::LineRejected { line: 0 });
    let answers = run().await;
    assert_eq!(
        (names(&answers, "SUCCESS"), names(&answers, "FAILURE")),
        (vec!["show version".to_owned()], vec!["show clock".to_owned()])
    );
    inject(&lab, RUNNER, Fault::ManagementLost);
    assert_eq!(names(&run().await, "SUCCESS").len(), 2);
    assert!(used(&lab));
    assert_eq!(names(&run().await, "FAILURE").len(), 2, "the device is not reachable any more");
    for (body, expected) in [
        (
            json!({ "commands": ["show a", "show b", "show c", "show d", "show e", "show f"], "deviceUuids": [device.id] }),
            400,
        ),
        (json!({ "commands": ["show clock"], "deviceUuids": [] }), 400),
        (json!({ "commands": ["show clock"], "deviceUuids": ["00000000-0000-4000-8000-000000000000"] }), 404),
    ] {
        assert_eq!(lab.call(Method::POST, RUNNER, Some(body)).await.0.as_u16(), expected);
    }
}

#[tokio::test]
async fn making_and_committing_a_template_are_bent_by_every_fault_that_can_meet_them() {
    let lab = Lab::start(|_| {}).await;
    let project = lab.get("/template-programmer/project").await[0]["id"].as_str().unwrap().to_owned();
    let create = format!("{TEMPLATES}/project/{project}/template");
    let make = async |name: &str| {
        let body =
            json!({ "name": name, "language": "JINJA", "templateContent": "vlan 7\n name A\nvlan 8\n name B\n" });
        task(&lab, Method::POST, &create, body).await["data"].as_str().unwrap().to_owned()
    };
    let content = async |id: &str| {
        let (status, body) = lab.call(Method::GET, &format!("{TEMPLATES}/template/{id}"), None).await;
        (status.as_u16(), body["templateContent"].as_str().unwrap_or_default().to_owned())
    };
    inject(&lab, "/template", Fault::AcceptedNotApplied);
    assert_eq!(content(&make("none").await).await.0, 404);
    inject(&lab, "/template", Fault::HalfApplied);
    assert_eq!(content(&make("half").await).await.1, "vlan 7\n name A");
    inject(&lab, "/template", Fault::LineRejected { line: 2 });
    assert_eq!(content(&make("missing").await).await.1, "vlan 7\n name A\n name B");
    let id = make("whole").await;
    let versions = async || lab.get(&format!("/templates/{id}/versions")).await["response"].as_array().unwrap().clone();
    let commit = async || {
        let body = json!({ "templateId": id, "comments": "x" });
        let ended = task(&lab, Method::POST, &format!("{TEMPLATES}/template/version"), body).await;
        assert!(ended["progress"].as_str().unwrap().contains("to version 1") && used(&lab), "{ended}");
    };
    inject(&lab, "template/version", Fault::AcceptedNotApplied);
    commit().await;
    assert!(versions().await.is_empty());
    inject(&lab, "template/version", Fault::HalfApplied);
    commit().await;
    assert_eq!(versions().await[0]["templateContent"], "vlan 7\n name A");
}

#[tokio::test]
async fn the_old_deployment_is_bent_as_the_new_one() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let path = format!("{TEMPLATES}/template/deploy");
    let deploy = async |vlan: u32| {
        let body = json!({
            "templateId": lab.template("access-vlan").await, "forcePushTemplate": true,
            "targetInfo": [{ "type": "MANAGED_DEVICE_HOSTNAME", "id": device.hostname, "params": { "vlan_id": vlan, "vlan_name": "T" } }],
        });
        let answer = lab.call(Method::POST, &path, Some(body)).await.1;
        let id = answer["deploymentId"].as_str().unwrap().split_once("Deployemnt Id: ").unwrap().1.to_owned();
        loop {
            let row = lab.get(&format!("/template-programmer/template/deploy/status/{id}")).await;
            if row["endTime"].is_string() {
                assert_eq!((&row["status"], used(&lab)), (&json!("SUCCESS"), true));
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let has = |line: &str| lab.world.running(device).text().contains(line);
    let part = format!("POST {path}");
    inject(&lab, &part, Fault::AcceptedNotApplied);
    deploy(3601).await;
    assert!(!has("vlan 3601\n"));
    inject(&lab, &part, Fault::HalfApplied);
    deploy(3602).await;
    assert!(has("vlan 3602\n") && !has("vlan 3602\n name"));
    inject(&lab, &part, Fault::LineRejected { line: 0 });
    deploy(3603).await;
    assert!(!has("vlan 3603\n"));
    inject(&lab, &part, Fault::StaleCopy);
    deploy(3604).await;
    assert!(has("vlan 3604\n") && !lab.world.collected(device).text().contains("vlan 3604\n"));
    inject(&lab, &part, Fault::ManagementLost);
    deploy(3605).await;
    assert_eq!(lab.world.reachability(device), Reachability::Unreachable);
}

#[tokio::test]
async fn t20_the_task_of_every_write_can_be_hidden_from_every_list_while_its_effect_is_there() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let (id, name) = port(&lab, device).await;
    let project = lab.get("/template-programmer/project").await[0]["id"].as_str().unwrap().to_owned();
    let template = lab.template("access-vlan").await;
    let target =
        json!([{ "type": "MANAGED_DEVICE_UUID", "id": device.id, "params": { "vlan_id": 3701, "vlan_name": "T" } }]);
    let writes = [
        (
            Method::POST,
            "/dna/intent/api/v2/template-programmer/template/deploy".to_owned(),
            json!({ "templateId": template, "targetInfo": target }),
        ),
        (Method::PUT, format!("/dna/intent/api/v1/interface/{id}"), json!({ "description": "hidden" })),
        (Method::POST, SAVE.to_owned(), json!({ "deviceId": [device.id] })),
        (Method::POST, RUNNER.to_owned(), json!({ "commands": ["show clock"], "deviceUuids": [device.id] })),
        (
            Method::POST,
            format!("{TEMPLATES}/project/{project}/template"),
            json!({ "name": "hidden", "templateContent": "x" }),
        ),
        (Method::POST, format!("{TEMPLATES}/template/version"), json!({ "templateId": template, "comments": "x" })),
        (Method::POST, format!("{TEMPLATES}/project"), json!({ "name": "hidden project" })),
        (Method::PUT, "/dna/intent/api/v1/network-device/sync".to_owned(), json!([device.id])),
        (Method::POST, "/dna/intent/api/v1/compliance/".to_owned(), json!({ "deviceUuids": [device.id] })),
    ];
    for (method, path, body) in writes {
        inject(&lab, &format!("{method} {path}"), Fault::TaskHidden);
        let (status, body) = lab.call(method, &path, Some(body)).await;
        assert_eq!((status, used(&lab)), (StatusCode::ACCEPTED, true), "{path} {body}");
        let task = body["response"]["taskId"].as_str().unwrap().to_owned();
        for found in ["task/{}", "task/{}/tree", "tasks/{}", "tasks/{}/detail", "activities/{}"] {
            let found = format!("/dna/intent/api/v1/{}", found.replace("{}", &task));
            assert_eq!(lab.call(Method::GET, &found, None).await.0, StatusCode::NOT_FOUND, "{path} {found}");
        }
        for list in ["task", "tasks", "activities"] {
            assert!(!lab.get(&format!("/{list}")).await.to_string().contains(&task), "{path} {list}");
        }
    }
    while !lab.world.running(device).text().contains("vlan 3701\n") || !block(&lab, device, &name).contains("hidden") {
        tokio::task::yield_now().await;
    }
    let kept = lab.world.documents("deployment");
    let row = kept.iter().find(|(_, row)| row["targets"][0]["params"]["vlan_id"] == 3701).unwrap();
    let shown = lab.get(&format!("/template-programmer/template/deploy/status/{}", row.0)).await;
    assert_eq!(shown["devices"][0]["deviceId"], device.id.to_string(), "the deployment is there");
}
