//! Interface updates, saving, tasks, versions, roles: what a change shows elsewhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Lab;

async fn task(lab: &Lab, method: Method, path: &str, body: Value) -> Value {
    let (status, body) = lab.call(method, path, Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{path} {body}");
    lab.ended(body["response"]["taskId"].as_str().unwrap()).await
}

#[tokio::test]
async fn an_interface_update_shows_in_configuration_interfaces_compliance_and_command_runner() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let rows = lab.get(&format!("/interface/network-device/{}", device.id)).await;
    let find = |mode: &str| {
        rows["response"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["portMode"] == mode && row["adminStatus"] == "UP")
            .unwrap()
            .clone()
    };
    let (access, trunk) = (find("access"), find("trunk"));
    let path = format!("/dna/intent/api/v1/interface/{}", access["id"].as_str().unwrap());
    let wish = json!({ "description": "Printer 7", "adminStatus": "DOWN", "vlanId": 20, "voiceVlanId": 30 });
    let preview = task(&lab, Method::PUT, &format!("{path}?deploymentMode=Preview"), wish.clone()).await;
    assert!(
        preview["data"].as_str().unwrap().contains(" description Printer 7\n switchport access vlan 20"),
        "{preview}"
    );
    assert!(lab.commands.rows(0).is_empty(), "a preview reaches no device");
    let ended = task(&lab, Method::PUT, &format!("{path}?deploymentMode=Deploy"), wish).await;
    assert_eq!(ended["isError"], false, "{ended}");
    let row = lab.get(&format!("/interface/{}", access["id"].as_str().unwrap())).await["response"].clone();
    assert_eq!(
        (&row["description"], &row["adminStatus"], &row["status"]),
        (&json!("Printer 7"), &json!("DOWN"), &json!("down"))
    );
    assert_eq!((&row["vlanId"], &row["voiceVlan"]), (&json!("20"), &json!("30")));
    assert_eq!(lab.commands.rows(0)[0].via, "interface_update");
    assert_eq!(lab.get(&format!("/compliance/{}", device.id)).await["response"]["complianceStatus"], "NON_COMPLIANT");
    let name = access["portName"].as_str().unwrap();
    assert!(lab.world.exec(device, "show interfaces status").unwrap().contains("Printer 7"), "{name}");
    for (path, body, expected) in [
        (path.as_str(), json!({}), 400),
        (path.as_str(), json!({ "vlanId": 5000 }), 400),
        (path.as_str(), json!({ "adminStatus": "SIDEWAYS" }), 400),
        (path.as_str(), json!({ "description": "a\nshutdown" }), 400),
        (&format!("/dna/intent/api/v1/interface/{}", trunk["id"].as_str().unwrap()), json!({ "vlanId": 20 }), 400),
        ("/dna/intent/api/v1/interface/00000000-0000-4000-8000-000000000000", json!({ "vlanId": 20 }), 404),
    ] {
        assert_eq!(lab.call(Method::PUT, path, Some(body.clone())).await.0.as_u16(), expected, "{body}");
    }
    let legit = lab.get(&format!("/interface/{}/legit-operation", trunk["id"].as_str().unwrap())).await;
    assert_eq!(
        legit["response"]["properties"][2],
        json!({
            "name": "vlan", "applicable": false, "failureReason": "VLAN can be changed on access ports only",
        })
    );
}

#[tokio::test]
async fn the_list_of_tasks_takes_times_statuses_parts_and_order() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    lab.deployed(device, 3801).await;
    lab.clock.advance(60);
    let mark = lab.world.now().as_millisecond();
    lab.world.set_reachable(device, false).unwrap();
    lab.deployed(device, 3802).await;
    let ids = async |query: &str| -> Vec<String> {
        let rows = lab.get(&format!("/tasks?{query}")).await;
        rows["response"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids("order=asc").await;
    assert_eq!(all.len(), 2);
    assert_eq!(ids("").await, [all[1].clone(), all[0].clone()], "newest first");
    assert_eq!(ids(&format!("startTime={mark}")).await, [all[1].clone()]);
    assert_eq!(ids(&format!("endTime={}", mark - 1)).await, [all[0].clone()]);
    assert_eq!(ids("status=FAILURE").await, [all[1].clone()]);
    assert_eq!(ids("status=SUCCESS&limit=1").await, [all[0].clone()]);
    assert_eq!(lab.get("/tasks/count?status=FAILURE").await["response"]["count"], 1);
    assert_eq!(lab.get("/task/count?isError=true").await["response"], 1);
    let failed = lab.get("/task?failureReason=timed%20out").await;
    assert_eq!(failed["response"][0]["id"], all[1]);
    assert_eq!(lab.get(&format!("/tasks?rootId={}", all[0])).await["response"].as_array().unwrap().len(), 1);
    assert_eq!(lab.call(Method::GET, "/dna/intent/api/v1/tasks?sortBy=colour", None).await.0, StatusCode::BAD_REQUEST);
    let tree = lab.get(&format!("/task/{}/tree", all[0])).await;
    assert_eq!(tree["response"][0]["rootId"], all[0]);
}

#[tokio::test]
async fn versions_are_listed_in_the_shapes_of_both_generations_and_projects_are_edited() {
    let lab = Lab::start(|_| {}).await;
    let made =
        task(&lab, Method::POST, "/dna/intent/api/v1/projects", json!({ "name": "Mine", "description": "x" })).await;
    let project = made["data"].as_str().unwrap().to_owned();
    let renamed = json!({ "name": "Ours" });
    task(&lab, Method::PUT, &format!("/dna/intent/api/v1/projects/{project}"), renamed).await;
    assert_eq!(lab.get("/projects?name=Ours").await["response"][0]["projectId"], project);
    assert_eq!(lab.get("/projects/count").await["response"]["count"], 4);
    let path = format!("/dna/intent/api/v1/template-programmer/project/{project}/template");
    let body = json!({ "name": "t", "language": "JINJA", "templateContent": "vlan {{ id }}\n" });
    let id = task(&lab, Method::POST, &path, body.clone()).await["data"].as_str().unwrap().to_owned();
    let (status, refusal) = lab.call(Method::POST, &path, Some(body)).await;
    assert_eq!(
        (status, refusal["response"]["message"].as_str().unwrap().contains("already exists")),
        (StatusCode::BAD_REQUEST, true)
    );
    let commit = format!("/dna/intent/api/v1/templates/{id}/versions/commit");
    for note in ["first", "second"] {
        task(&lab, Method::POST, &commit, json!({ "commitNote": note })).await;
    }
    let own = lab.get(&format!("/templates/{id}/versions")).await["response"].clone();
    assert_eq!((&own[0]["version"], &own[0]["commitNote"]), (&json!(2), &json!("second")));
    assert_eq!(
        lab.get(&format!("/templates/{id}/versions?latestVersion=true")).await["response"].as_array().unwrap().len(),
        1
    );
    let old = lab.get(&format!("/template-programmer/template/version/{id}")).await;
    let ids = |rows: &Value, key: &str| {
        let mut ids: Vec<String> =
            rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&old[0]["versionsInfo"], "id"), ids(&own, "versionId"));
    let (status, body) = lab
        .call(Method::GET, "/dna/intent/api/v2/template-programmer/template?name=t&includeVersionDetails=true", None)
        .await;
    assert_eq!((status, body["response"][0]["versionsInfo"].as_array().unwrap().len()), (StatusCode::OK, 2), "{body}");
    let full = lab.get(&format!("/template-programmer/template/{}", own[1]["versionId"].as_str().unwrap())).await;
    assert_eq!((&full["version"], &full["parentTemplateId"]), (&json!("1"), &json!(id)));
    let delete = format!("/dna/intent/api/v1/projects/{project}");
    assert_eq!(lab.call(Method::DELETE, &delete, None).await.0, StatusCode::BAD_REQUEST, "it is not empty");
    for path in [format!("/dna/intent/api/v1/template-programmer/template/{id}"), delete] {
        assert_eq!(lab.call(Method::DELETE, &path, None).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(lab.get("/projects/count").await["response"]["count"], 3);
}

#[tokio::test]
async fn a_template_for_another_family_reaches_no_device() {
    let lab = Lab::start(|_| {}).await;
    let router = lab.world.devices().iter().find(|device| device.role == world::Role::BorderRouter).unwrap();
    let (task, _) = {
        let body: Value = lab.deploy(router, 3901).await.unwrap().json().await.unwrap();
        (lab.ended(body["response"]["taskId"].as_str().unwrap()).await, ())
    };
    assert!(task["isError"] == true && task["progress"].as_str().unwrap().contains("is not applicable on"), "{task}");
    assert!(lab.commands.rows(0).is_empty());
}

#[tokio::test]
async fn the_newer_inventory_takes_a_query_in_a_body_and_a_role_changes_in_both() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let body = json!({ "id": device.id, "role": "DISTRIBUTION", "roleSource": "MANUAL" });
    task(&lab, Method::PUT, "/dna/intent/api/v1/network-device/brief", body).await;
    let row = lab.get(&format!("/network-device/{}", device.id)).await["response"].clone();
    assert_eq!((&row["role"], &row["roleSource"]), (&json!("DISTRIBUTION"), &json!("MANUAL")));
    let filter = json!({ "logicalOperator": "AND", "filters": [
        { "key": "role", "operator": "eq", "value": "DISTRIBUTION" }, { "key": "hostname", "operator": "like", "value": "*-as*" } ] });
    let path = "/dna/intent/api/v1/networkDevices/query";
    let found =
        lab.call(Method::POST, path, Some(json!({ "filter": filter, "page": { "limit": 5, "offset": 1 } }))).await.1;
    assert_eq!(found["response"].as_array().unwrap().len(), 1);
    assert_eq!(found["response"][0]["id"], device.id.to_string());
    let count = lab.call(Method::POST, &format!("{path}/count"), Some(json!({ "filter": filter }))).await.1;
    assert_eq!(count["response"]["count"], 1);
    let unknown = json!({ "filter": { "filters": [{ "key": "nope", "value": 1 }] } });
    assert_eq!(lab.call(Method::POST, path, Some(unknown)).await.0, StatusCode::BAD_REQUEST);
    let sorted = lab.get("/networkDevices?sortBy=hostname&order=desc&limit=500").await["response"].clone();
    let names: Vec<&str> = sorted.as_array().unwrap().iter().map(|row| row["hostname"].as_str().unwrap()).collect();
    assert!(names.windows(2).all(|pair| pair[0] >= pair[1]));
}

#[tokio::test]
async fn a_filtered_list_that_was_asked_before_follows_a_role_that_is_set_since() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let lists = ["/network-device/count?role=DISTRIBUTION", "/networkDevices/count?role=DISTRIBUTION"];
    let counted = async || {
        let answers = [lab.get(lists[0]).await, lab.get(lists[1]).await];
        (answers[0]["response"].as_u64().unwrap(), answers[1]["response"]["count"].as_u64().unwrap())
    };
    let before = counted().await;
    for (source, more) in [("MANUAL", 1), ("AUTO", 0)] {
        let body = json!({ "id": device.id, "role": "DISTRIBUTION", "roleSource": source });
        lab.call(Method::PUT, "/dna/intent/api/v1/network-device/brief", Some(body)).await;
        assert_eq!(counted().await, (before.0 + more, before.1 + more), "{source}");
    }
}
