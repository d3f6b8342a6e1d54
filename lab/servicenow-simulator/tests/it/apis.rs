//! Aggregate, batch, CMDB instance and import set APIs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Lab;

#[tokio::test]
async fn figures_are_texts_together_or_by_group() {
    let lab = Lab::start().await;
    let rows = lab.rows("incident", "").await;
    let all = lab
        .get("/api/now/stats/incident?sysparm_count=true&sysparm_min_fields=priority&sysparm_avg_fields=impact")
        .await;
    assert_eq!(all["stats"]["count"], rows.len().to_string());
    assert_eq!(all["stats"]["min"]["priority"], "1");
    let mean = all["stats"]["avg"]["impact"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((1.0..3.0).contains(&mean));
    let path = "/api/now/stats/incident?sysparm_count=true&sysparm_group_by=state&sysparm_display_value=all&sysparm_order_by=COUNT^DESC";
    let groups = lab.get(path).await;
    let counts: Vec<usize> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["stats"]["count"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(counts.is_sorted_by(|one, other| one >= other) && counts.iter().sum::<usize>() == rows.len(), "{groups}");
    let closed = groups.as_array().unwrap().iter().find(|group| group["groupby_fields"][0]["value"] == "7").unwrap();
    assert_eq!(closed["groupby_fields"][0], json!({ "field": "state", "value": "7", "display_value": "Closed" }));
    let many = lab
        .get("/api/now/stats/incident?sysparm_count=true&sysparm_group_by=state&sysparm_having=count^state^>^100000")
        .await;
    assert_eq!(many, json!([]));
}

#[tokio::test]
async fn a_batch_answers_each_request_as_its_own_route_would() {
    let lab = Lab::start().await;
    let body = STANDARD.encode(json!({ "short_description": "by batch" }).to_string());
    let headers = json!([{ "name": "Content-Type", "value": "application/json" }]);
    let request = json!({ "batch_request_id": 7, "rest_requests": [
        { "id": "a", "method": "POST", "url": "/api/now/table/incident", "headers": headers, "body": body },
        { "id": "b", "method": "GET", "url": "/api/now/table/nosuch", "headers": [], "exclude_response_headers": true },
        { "id": "c", "method": "GET", "url": "/api/now/v1/batch", "headers": [] },
    ] });
    let (status, answer) = lab.call("interlock", Method::POST, "/api/now/v1/batch", Some(request)).await;
    assert_eq!((status, &answer["batch_request_id"]), (200, &json!("7")), "a number comes back as a text");
    let one = &answer["serviced_requests"][0];
    assert_eq!((&one["id"], &one["status_code"]), (&json!("a"), &json!(201)));
    assert!(one["headers"].as_array().unwrap().iter().any(|pair| pair["name"] == "location"));
    let made: Value = serde_json::from_slice(&STANDARD.decode(one["body"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(made["result"]["sys_created_by"], "interlock", "as the same caller");
    let two = &answer["serviced_requests"][1];
    assert_eq!((&two["status_code"], two.get("headers")), (&json!(400), None));
    assert_eq!(answer["unserviced_requests"], json!(["c"]), "no batch in a batch");
}

#[tokio::test]
async fn a_stack_is_one_item_without_serial_number_and_its_members_carry_them() {
    let lab = Lab::start().await;
    let stacks = lab.rows("cmdb_ci_ip_switch", "stack=true").await;
    let id = stacks[0]["sys_id"].as_str().unwrap();
    assert_eq!(stacks[0]["serial_number"], "");
    let item = lab.get(&format!("/api/now/cmdb/instance/cmdb_ci_ip_switch/{id}")).await;
    assert_eq!(item["attributes"]["model_id"]["display_value"], "Cisco Catalyst 9300 Switch");
    let members: Vec<&Value> = item["outbound_relations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|relation| relation["type"]["display_value"] == "Members::Member of")
        .collect();
    let device =
        lab.worlds.iter().flat_map(|world| world.devices()).find(|device| stacks[0]["name"] == device.hostname);
    assert_eq!(members.len(), device.unwrap().members.len());
    for member in &device.unwrap().members {
        let rows = lab.rows("cmdb_ci", &format!("serial_number={}", member.serial)).await;
        assert!(rows.len() == 1 && members.iter().any(|relation| relation["target"]["value"] == rows[0]["sys_id"]));
    }
    let clusters = lab.rows("cmdb_ci_cluster", "").await;
    let cluster = clusters[0]["sys_id"].as_str().unwrap();
    let nodes = lab.rows("cmdb_rel_ci", &format!("parent={cluster}^type.name=Cluster of::Cluster")).await;
    assert_eq!(nodes.len(), 2);
}

#[tokio::test]
async fn the_database_is_wrong_in_three_places_and_says_so() {
    let lab = Lab::start().await;
    for world in &lab.worlds {
        let flaws = world::cmdb::Cmdb::of(world).flaws.unwrap();
        let rows = async |index: usize| {
            let serial = &world.devices()[index].members[0].serial;
            lab.rows("cmdb_ci", &format!("serial_number={serial}")).await
        };
        assert_eq!(rows(flaws.duplicate).await.len(), 2);
        assert_eq!(rows(flaws.missing).await.len(), 0);
        assert_eq!(rows(flaws.retired).await[0]["install_status"], "7");
    }
    let devices = lab.worlds.iter().flat_map(|world| world.devices());
    let members: usize = devices.map(|device| device.members.len()).sum();
    assert_eq!(
        lab.rows("cmdb_ci", "serial_numberISNOTEMPTY").await.len(),
        members,
        "one too many and one too few a region"
    );
}

#[tokio::test]
async fn items_are_added_with_a_source_and_relations() {
    let lab = Lab::start().await;
    let path = "/api/now/cmdb/instance/cmdb_ci_ip_router";
    let attributes = json!({ "name": "new-router", "serial_number": "FCW2601A0B1" });
    assert_eq!(lab.call("interlock", Method::POST, path, Some(json!({ "attributes": attributes }))).await.0, 400);
    let kind = lab.rows("cmdb_rel_type", "name=Depends on::Used by").await[0]["sys_id"].clone();
    let target = lab.rows("cmdb_ci_ip_switch", "").await[0]["sys_id"].clone();
    let body = json!({ "attributes": attributes, "source": "Manual Entry", "outbound_relations": [{ "type": kind, "target": target }] });
    let (status, made) = lab.call("interlock", Method::POST, path, Some(body)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["result"]["outbound_relations"][0]["target"]["value"], target);
    let listed = lab.get(&format!("{path}?sysparm_query=name=new-router")).await;
    assert_eq!(listed[0]["name"], "new-router");
    assert_eq!(lab.call("interlock", Method::GET, "/api/now/cmdb/instance/incident", None).await.0, 400);
}

#[tokio::test]
async fn staged_rows_become_items_once() {
    let lab = Lab::start().await;
    let path = "/api/now/import/u_network_device_import";
    let send = async |name: &str, serial: &str| {
        let body = json!({ "u_name": name, "u_serial_number": serial, "u_class": "cmdb_ci_ip_switch" });
        let (status, answer) = lab.call("interlock", Method::POST, path, Some(body)).await;
        assert_eq!(status, 201, "{answer}");
        assert!(answer["import_set"].as_str().unwrap().starts_with("ISET"));
        answer["result"][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(send("a", "FCW2601A0B1").await, "inserted");
    assert_eq!(send("a", "FCW2601A0B1").await, "ignored");
    assert_eq!(send("b", "FCW2601A0B1").await, "updated");
    assert_eq!(send("b", "").await, "error");
    assert_eq!(lab.rows("cmdb_ci", "serial_number=FCW2601A0B1").await.len(), 1);
    let several = json!({ "records": [{ "u_name": "c", "u_serial_number": "FCW2601A0B2" }] });
    let (status, _) = lab.call("interlock", Method::POST, &format!("{path}/insertMultiple"), Some(several)).await;
    assert_eq!((status, lab.rows("cmdb_ci_netgear", "name=c").await.len()), (201, 1));
}
