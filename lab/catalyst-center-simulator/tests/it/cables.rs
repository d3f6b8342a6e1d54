//! A pulled cable shows everywhere: interfaces, topology, neighbours, issues, reachability, health, clients, paths; and so
//! does its return.

use reqwest::Method;
use serde_json::{Value, json};
use world::{Device, Family, Link, Reachability};

use crate::client::Lab;

fn rows(body: &Value) -> &Vec<Value> {
    body["response"].as_array().unwrap()
}

fn uplinks<'a>(lab: &'a Lab, device: &'a Device) -> Vec<&'a Link> {
    let above = |link: &&Link| {
        let far = link.ends[usize::from(link.ends[0].0 == device.index)].0;
        lab.world.devices()[far].role == world::Role::Distribution
    };
    lab.world.links_of(device).filter(above).collect()
}

/// Access points that hang on a switch.
fn points<'a>(lab: &'a Lab, switch: &Device) -> Vec<&'a Device> {
    let far = |link: &Link| &lab.world.devices()[link.ends[usize::from(link.ends[0].0 == switch.index)].0];
    lab.world.links_of(switch).map(far).filter(|device| device.platform.family == Family::AccessPoint).collect()
}

async fn issues_of(lab: &Lab, device: &Device, status: &str) -> Vec<(String, String)> {
    let path = format!("/dna/data/api/v1/assuranceIssues?networkDeviceId={}&status={status}", device.id);
    let body = lab.call(Method::GET, &path, None).await.1;
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows(&body).iter().map(|row| (text(row, "name"), text(row, "summary"))).collect()
}

async fn path(lab: &Lab, from: &Device, to: &Device) -> Value {
    let body = json!({ "sourceIP": from.management_ip.to_string(), "destIP": to.management_ip.to_string() });
    let started = lab.call(Method::POST, "/dna/intent/api/v1/flow-analysis", Some(body)).await.1;
    lab.ended(started["response"]["taskId"].as_str().unwrap()).await;
    let id = started["response"]["flowAnalysisId"].as_str().unwrap();
    lab.get(&format!("/flow-analysis/{id}")).await["response"].clone()
}

#[tokio::test]
async fn a_pulled_uplink_shows_everywhere_and_its_return_resolves_the_issue() {
    let lab = Lab::start(|_| {}).await;
    let switch = lab.switch();
    let core =
        lab.world.devices().iter().find(|device| device.role == world::Role::Core && device.campus == switch.campus);
    let core = core.unwrap();
    let [first, second] = uplinks(&lab, switch)[..] else { panic!("an access switch has two uplinks") };
    let before = path(&lab, switch, core).await;
    assert_eq!(
        (&before["request"]["status"], before["networkElementsInfo"].as_array().unwrap().len()),
        (&json!("COMPLETED"), 3)
    );
    let through = before["networkElementsInfo"][1]["id"].as_str().unwrap().to_owned();
    let (pulled, kept) =
        if through == lab.world.devices()[first.ends[0].0].id.to_string() { (first, second) } else { (second, first) };
    lab.clock.advance(60);
    lab.world.unplug(pulled).unwrap();

    let port = &pulled.ends[1].1;
    let shown =
        lab.get(&format!("/interface/network-device/{}/interface-name?name={port}", switch.id)).await["response"]
            .clone();
    assert_eq!((&shown["adminStatus"], &shown["status"]), (&json!("UP"), &json!("down")));
    let status = lab.world.exec(switch, "show ip interface brief").unwrap();
    let line = status.lines().find(|line| line.starts_with(port.as_str())).unwrap();
    assert!(line.ends_with("down"), "{line}");
    let topology = lab.get("/topology/physical-topology").await["response"].clone();
    let link =
        topology["links"].as_array().unwrap().iter().find(|row| row["id"] == pulled.id.to_string()).unwrap().clone();
    assert_eq!(link["linkStatus"], "down");
    let found = issues_of(&lab, switch, "ACTIVE").await;
    assert!(found.iter().any(|(name, told)| name == "interface_down" && told.contains(port)), "{found:?}");
    let health = lab.get(&format!("/device-detail?identifier=uuid&searchBy={}", switch.id)).await;
    assert_eq!(health["response"]["overallHealth"], 4);
    assert_eq!(lab.world.reachability(switch), Reachability::Reachable, "one path is left");
    let after = path(&lab, switch, core).await;
    assert_ne!(after["networkElementsInfo"][1]["id"], through, "the path leads around");

    let below = points(&lab, switch);
    assert!(!below.is_empty());
    let clients = async || {
        lab.call(Method::GET, "/dna/data/api/v1/clients/count", None).await.1["response"]["count"].as_u64().unwrap()
    };
    let many = clients().await;
    lab.world.unplug(kept).unwrap();
    for device in below.iter().chain([&switch]) {
        let row = lab.get(&format!("/network-device/{}", device.id)).await["response"].clone();
        assert_eq!(row["reachabilityStatus"], "Unreachable", "{}", device.hostname);
        let found = issues_of(&lab, device, "ACTIVE").await;
        assert!(found.iter().any(|(name, _)| name == "network_device_unreachable"), "{found:?}");
    }
    assert!(clients().await < many, "their clients are gone");
    let broken = path(&lab, switch, core).await;
    assert_eq!(broken["request"]["status"], "FAILED");
    assert!(lab.deployed(switch, 3995).await.1["status"] == "FAILURE", "nothing reaches it");

    lab.clock.advance(60);
    lab.world.plug(kept).unwrap();
    lab.world.plug(pulled).unwrap();
    for device in below.iter().chain([&switch]) {
        let active = issues_of(&lab, device, "ACTIVE").await;
        assert!(!active.iter().any(|(name, _)| name == "network_device_unreachable"), "{active:?}");
        let over = issues_of(&lab, device, "RESOLVED").await;
        assert!(over.iter().any(|(name, _)| name == "network_device_unreachable"), "{over:?}");
    }
    let over = issues_of(&lab, switch, "RESOLVED").await;
    assert!(over.iter().any(|(name, told)| name == "interface_down" && told.contains(port)), "{over:?}");
    assert_eq!(clients().await, many);
    assert_eq!(path(&lab, switch, core).await["request"]["status"], "COMPLETED");
}
