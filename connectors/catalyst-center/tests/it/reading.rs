//! The read tools over the seeded world: everything is there, once, in the promised shape.
#![cfg(test)]

use std::collections::BTreeSet;

use futures_util::future::join_all;
use platform::{ErrorKind, Json};
use serde_json::json;
use world::{Family, Fault, Reachability, SiteKind};

use crate::lab::Lab;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn ids(rows: &[Json]) -> BTreeSet<String> {
    rows.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn all_pages_of_a_list_joined_are_the_whole_without_duplicates() {
    let lab = Lab::start().await;
    let world = &lab.world;
    let device = lab.device(Reachability::Reachable);
    let of_device = json!({"device_id": device.id.to_string()});
    for (tool, arguments, whole, limit) in [
        ("list_devices", json!({}), world.managed().count(), 7),
        ("list_devices", json!({}), world.managed().count(), 100),
        ("list_devices", json!({}), world.managed().count(), 500),
        ("list_sites", json!({}), world.sites().len(), 9),
        ("list_interfaces", of_device.clone(), world.interfaces(device).len(), 11),
        ("list_issues", json!({}), world.issues().len(), 3),
    ] {
        let rows = lab.all(tool, arguments.clone(), limit).await;
        assert_eq!(rows.len(), whole, "{tool}");
        assert_eq!(ids(&rows).len(), whole, "{tool}");
        let first = lab.read(tool, arguments).await;
        assert_eq!(first["total"], whole, "{tool}");
    }
}

#[tokio::test]
async fn a_page_that_ends_exactly_at_the_end_has_no_cursor() {
    let lab = Lab::start().await;
    let core = lab.all("list_devices", json!({"role": "CORE"}), 500).await.len();
    let exact = lab.read("list_devices", json!({"role": "CORE", "limit": core})).await;
    assert_eq!(exact["items"].as_array().unwrap().len(), core);
    assert_eq!(exact["next_cursor"], Json::Null);
    let short = lab.read("list_devices", json!({"role": "CORE", "limit": core - 1})).await;
    assert!(short["next_cursor"].is_string());
}

#[tokio::test]
async fn filters_narrow_and_take_wildcards() {
    let lab = Lab::start().await;
    let world = &lab.world;
    let unreachable = lab.all("list_devices", json!({"reachability": "Unreachable"}), 50).await;
    let expected = world.managed().filter(|d| world.reachability(d) == Reachability::Unreachable).count();
    assert!(expected > 0);
    assert_eq!(unreachable.len(), expected);
    assert!(unreachable.iter().all(|d| d["error"].is_string()), "why it cannot be reached is said");
    let device = lab.device(Reachability::Reachable);
    for (name, value) in [
        ("hostname", device.hostname.clone()),
        ("management_ip", device.management_ip.to_string()),
        ("serial", device.members[0].serial.clone()),
        ("hostname", format!("{}.*", device.hostname)),
    ] {
        let found = lab.all("list_devices", json!({ name: value }), 50).await;
        assert!(ids(&found).contains(&device.id.to_string()), "{name} {value}");
        assert!(found.len() < 20, "{name} {value}");
    }
    let routers = lab.all("list_devices", json!({"family": "Routers"}), 50).await;
    assert_eq!(routers.len(), world.managed().filter(|d| d.platform.family == Family::Router).count());
    let buildings = lab.all("list_sites", json!({"type": "building"}), 50).await;
    assert_eq!(buildings.len(), world.sites().iter().filter(|s| s.kind == SiteKind::Building).count());
    let path = buildings[0]["hierarchy"].as_str().unwrap();
    assert_eq!(lab.all("list_sites", json!({"hierarchy": path}), 50).await.len(), 1);
    let urgent = lab.all("list_issues", json!({"priority": "P1"}), 50).await;
    assert_eq!(urgent.len(), world.issues().iter().filter(|i| i.priority == "P1").count());
    let of_device = urgent[0]["device_id"].clone();
    assert_eq!(lab.all("list_issues", json!({"device_id": of_device}), 50).await.len(), 1);
    let nothing = lab.read("list_devices", json!({"hostname": "no-such-name"})).await;
    assert_eq!((nothing["items"].as_array().unwrap().len(), &nothing["next_cursor"]), (0, &Json::Null));
}

#[tokio::test]
async fn an_empty_filter_is_no_filter() {
    let lab = Lab::start().await;
    let all = lab.read("list_devices", json!({"hostname": "", "limit": 1})).await;
    assert_eq!(all["total"], lab.world.managed().count());
}

#[tokio::test]
async fn fields_select_members_and_unknown_ones_are_no_valid_arguments() {
    let lab = Lab::start().await;
    let page = lab.read("list_devices", json!({"fields": ["hostname", "serials"], "limit": 3})).await;
    for row in page["items"].as_array().unwrap() {
        assert_eq!(row.as_object().unwrap().keys().collect::<Vec<_>>(), ["hostname", "serials"]);
    }
    let schema = jsonschema::validator_for(&lab.tool("list_devices").spec().input).unwrap();
    assert!(!schema.is_valid(&json!({"fields": ["passwords"]})));
}

#[tokio::test]
async fn a_cursor_belongs_to_its_tool_and_its_arguments() {
    let lab = Lab::start().await;
    let page = lab.read("list_devices", json!({"role": "ACCESS", "limit": 2})).await;
    let cursor = page["next_cursor"].clone();
    let next = lab.read("list_devices", json!({"role": "ACCESS", "limit": 5, "cursor": cursor})).await;
    assert_eq!(next["items"].as_array().unwrap().len(), 5, "another page size is no other question");
    for (tool, arguments) in [
        ("list_devices", json!({"role": "CORE", "cursor": cursor})),
        ("list_devices", json!({"cursor": cursor})),
        ("list_devices", json!({"role": "ACCESS", "cursor": "garbage"})),
    ] {
        let error = lab.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "invalid_cursor"));
    }
    let of_devices = lab.read("list_devices", json!({"limit": 2})).await["next_cursor"].clone();
    let error = lab.call("list_sites", json!({"cursor": of_devices})).await.unwrap_err();
    assert_eq!(error.code(), "invalid_cursor");
}

#[tokio::test]
async fn templates_come_in_the_articles_shape() {
    let lab = Lab::start().await;
    let all = lab.read("get_all_templates", json!({})).await;
    assert_eq!(all["status"], "success");
    assert_eq!(all["count"], 9);
    assert_eq!(all["templates"].as_array().unwrap().len(), 9);
    let draft = all["templates"].as_array().unwrap().iter().find(|t| t["name"] == "uplink-draft").unwrap();
    assert_eq!(draft["latest_version"], Json::Null);
    let campus = lab.read("get_all_templates", json!({"project": "Campus Access"})).await;
    assert_eq!(campus["count"], 3);
    let vlan = lab.read("get_template", json!({"template_id": lab.template("access-vlan").await})).await;
    assert_eq!(vlan["language"], "JINJA");
    assert!(vlan["content"].as_str().unwrap().contains("vlan {{ vlan_id }}"));
    assert_eq!(vlan["parameters"][0]["name"], "vlan_id");
    assert_eq!(vlan["parameters"][0]["required"], true);
    let unknown = lab.call("get_template", json!({"template_id": NOBODY})).await.unwrap_err();
    assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::NotFound, "target_not_found"));
}

#[tokio::test]
async fn a_preview_shows_masked_lines_or_readable_mistakes() {
    let lab = Lab::start().await;
    let device = lab.device(Reachability::Reachable).id.to_string();
    let port = lab.template("interface-description").await;
    let hidden = json!({"interface": "Vlan1", "description": "x\nusername canary secret 0 C4N4RY-9"});
    let shown = lab.read("preview_template", json!({"template_id": port, "device_id": device, "params": hidden})).await;
    let lines = shown["lines"].as_str().unwrap();
    assert!(lines.contains("interface Vlan1") && lines.contains("username canary secret 0 <masked>"), "{lines}");
    assert!(!shown.to_string().contains("C4N4RY"));
    assert_eq!(shown["errors"], json!([]));
    let vlan = lab.template("access-vlan").await;
    let wrong =
        lab.read("preview_template", json!({"template_id": vlan, "device_id": device, "params": {"vlan_id": 7}})).await;
    assert_eq!(wrong["lines"], Json::Null);
    assert_eq!(wrong["errors"], json!(["vlan_name: Value for required parameter vlan_name is missing"]));
}

#[tokio::test]
async fn one_device_is_the_row_of_the_list() {
    let lab = Lab::start().await;
    let rows = lab.all("list_devices", json!({}), 500).await;
    let stack = rows.iter().find(|r| r["serials"].as_array().unwrap().len() > 1).unwrap();
    assert_eq!(stack["serials"].as_array().unwrap().len(), stack["platforms"].as_array().unwrap().len());
    let one = lab.read("get_device", json!({"device_id": stack["id"]})).await;
    assert_eq!(one["serials"], stack["serials"]);
    for id in [NOBODY, "count", "config", "../x"] {
        let unknown = lab.call("get_device", json!({"device_id": id})).await.unwrap_err();
        let expected = if id == NOBODY { "target_not_found" } else { "target_unknown" };
        assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::NotFound, expected), "{id}");
    }
}

#[tokio::test]
async fn t13_what_cannot_be_an_id_names_nothing_and_is_not_asked_for() {
    let lab = Lab::start().await;
    for id in ["..", "a/../b", "a\\b", "\u{1b}", "x\n", "%2e%2e", "task:", "task:..", "ü"] {
        for (tool, argument) in [("get_template", "template_id"), ("get_deployment", "deployment_id")] {
            let unknown = lab.call(tool, json!({ argument: id })).await.unwrap_err();
            assert_eq!((unknown.kind(), unknown.code()), (ErrorKind::NotFound, "target_not_found"), "{tool} {id:?}");
        }
    }
}

#[tokio::test]
async fn t6_a_target_is_looked_up_live_and_an_unknown_one_is_refused() {
    let lab = Lab::start().await;
    let device = lab.device(Reachability::Reachable);
    let facts = lab.connector.look_up(&lab.cx(), "device", &device.id.to_string()).await.unwrap();
    assert_eq!((facts.name.as_str(), facts.source.as_str()), (device.hostname.as_str(), "live"));
    assert_eq!(facts.serials.len(), device.members.len());
    assert_eq!(facts.role.as_deref(), Some(device.role.name()));
    for (kind, id) in [("device", NOBODY), ("device", "count"), ("device", "a/../b"), ("site", NOBODY)] {
        let error = lab.connector.look_up(&lab.cx(), kind, id).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "target_unknown"), "{kind} {id}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_masked_is_not_shown() {
    let lab = Lab::start().await;
    let point = lab.world.managed().find(|d| !d.has_configuration()).unwrap();
    let error = lab.call("get_device_config", json!({"device_id": point.id.to_string()})).await.unwrap_err();
    assert_eq!(error.code(), "platform_unsupported");
}

#[tokio::test]
async fn health_counts_every_device() {
    let lab = Lab::start().await;
    let health = lab.read("get_network_health", json!({})).await;
    assert_eq!(health["total_devices"], lab.world.managed().count());
    let categories = health["categories"].as_array().unwrap();
    let total: u64 = categories.iter().map(|c| c["total"].as_u64().unwrap()).sum();
    assert_eq!(total, lab.world.managed().count() as u64);
    assert!(health["score"].as_u64().unwrap() <= 100);
}

#[tokio::test]
async fn t31_how_long_a_list_is_is_asked_once_by_all_who_ask_at_the_same_time() {
    let lab = Lab::start().await;
    let count = "/network-device/count";
    lab.fault(count, Fault::Latency { ms: 0, done: false }, 1_000);
    let pages = (1..=20).map(|limit| lab.read("list_devices", json!({ "limit": limit })));
    let pages = join_all(pages).await;
    assert!(pages.iter().all(|page| page["total"] == pages[0]["total"] && page["total"].as_u64() > Some(200)));
    assert_eq!(lab.used(count), 1);
    lab.read("list_devices", json!({})).await;
    assert_eq!(lab.used(count), 2, "who asks later asks anew");
}

#[tokio::test]
async fn t31_what_the_one_who_asks_is_answered_is_the_answer_for_all_who_wait() {
    let lab = Lab::start().await;
    lab.fault("/network-device/count", Fault::ServerError { status: 500 }, 1);
    let failed = join_all((1..=20).map(|limit| lab.call("list_devices", json!({ "limit": limit })))).await;
    let codes: Vec<_> = failed.into_iter().map(|answer| answer.unwrap_err().code().to_owned()).collect();
    assert_eq!(codes, ["target_failed"; 20]);
    assert!(lab.read("list_devices", json!({})).await["total"].is_number());
}
