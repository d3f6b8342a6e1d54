//! Clients, health of sites, events, images, discovery, hardware: every list agrees with what it is a list of.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use world::{Family, Reachability};

use crate::client::Lab;

async fn data(lab: &Lab, path: &str) -> Value {
    let (status, body) = lab.call(Method::GET, &format!("/dna/data/api/v1{path}"), None).await;
    assert_eq!(status, StatusCode::OK, "{path} {body}");
    body
}

fn rows(body: &Value) -> &Vec<Value> {
    body["response"].as_array().unwrap()
}

#[tokio::test]
async fn clients_are_counted_paged_found_by_address_and_lost_with_their_port() {
    let lab = Lab::start(|_| {}).await;
    let total = data(&lab, "/clients/count").await["response"]["count"].as_u64().unwrap();
    let (mut seen, mut offset) = (std::collections::HashSet::new(), 1);
    loop {
        let page = data(&lab, &format!("/clients?limit=500&offset={offset}")).await;
        assert_eq!(page["page"]["count"], total);
        seen.extend(rows(&page).iter().map(|row| row["macAddress"].as_str().unwrap().to_owned()));
        if rows(&page).len() < 500 {
            break;
        }
        offset += 500;
    }
    assert_eq!(seen.len() as u64, total, "addresses are unique");
    let by_kind = async |kind: &str| {
        data(&lab, &format!("/clients/count?type={kind}")).await["response"]["count"].as_u64().unwrap()
    };
    assert_eq!(by_kind("Wired").await + by_kind("Wireless").await, total);
    let health = lab.get("/client-health").await;
    assert_eq!(health["response"][0]["scoreDetail"][0]["clientCount"], total);
    let switch = lab.switch();
    let on = data(&lab, &format!("/clients?connectedNetworkDeviceName={}&limit=500", switch.hostname)).await;
    let client = rows(&on)[0].clone();
    let (mac, port) =
        (client["macAddress"].as_str().unwrap(), client["connectedNetworkDevice"]["interfaceName"].as_str().unwrap());
    assert_eq!(client["connectedNetworkDevice"]["connectedNetworkDeviceId"], switch.id.to_string());
    let ports = lab.get(&format!("/interface/network-device/{}", switch.id)).await;
    let row = rows(&ports).iter().find(|row| row["portName"] == port).unwrap().clone();
    assert_eq!((&row["status"], row["vlanId"].as_str().unwrap() == "0"), (&json!("up"), false));
    assert_eq!(data(&lab, &format!("/clients/{mac}")).await["response"]["name"], client["name"]);
    let detail = lab.get(&format!("/client-detail?macAddress={mac}")).await;
    assert_eq!((&detail["detail"]["connectionStatus"], &detail["detail"]["port"]), (&json!("CONNECTED"), &json!(port)));
    let shut = lab.world.apply(switch, &format!("interface {port}\n shutdown"), world::Bend::default()).unwrap();
    assert!(shut.changed);
    assert_eq!(data(&lab, "/clients/count").await["response"]["count"], total - 1);
    let detail = lab.get(&format!("/client-detail?macAddress={mac}")).await;
    assert_eq!(detail["detail"]["connectionStatus"], "DISCONNECTED");
    let filter =
        json!({ "filters": [{ "key": "connectedNetworkDeviceName", "operator": "eq", "value": switch.hostname }] });
    let counted = lab.call(Method::POST, "/dna/data/api/v1/clients/query/count", Some(filter)).await.1;
    assert_eq!(counted["response"]["count"], rows(&on).len() - 1);
    for (path, expected) in
        [("/clients/00:00:00:00:00:00", 404), ("/clients?limit=501", 400), ("/clients?startTime=2&endTime=1", 400)]
    {
        let (status, body) = lab.call(Method::GET, &format!("/dna/data/api/v1{path}"), None).await;
        assert_eq!((status.as_u16(), body["response"][0]["errorCode"].is_number()), (expected, true), "{path} {body}");
    }
}

#[tokio::test]
async fn sites_sum_up_to_the_network_in_both_shapes() {
    let lab = Lab::start(|_| {}).await;
    let managed = lab.world.managed().count();
    let summaries = data(&lab, "/siteHealthSummaries?limit=500").await;
    let global = rows(&summaries).iter().find(|row| row["siteHierarchy"] == "Global").unwrap();
    assert_eq!(global["networkDeviceCount"], managed);
    assert_eq!(global["clientCount"], data(&lab, "/clients/count").await["response"]["count"]);
    let countries: usize = rows(&summaries)
        .iter()
        .filter(|row| row["siteHierarchy"].as_str().unwrap().matches('/').count() == 1)
        .map(|row| usize::try_from(row["networkDeviceCount"].as_u64().unwrap()).unwrap())
        .sum();
    assert_eq!(countries, managed, "every device stands in one country");
    let older = lab.get("/site-health?siteType=AREA&limit=50").await;
    let row = rows(&older).iter().find(|row| row["siteName"] == "Global").unwrap();
    assert_eq!(
        (&row["numberOfNetworkDevice"], &row["overallGoodDevices"]),
        (&json!(managed), &global["networkDeviceGoodHealthCount"])
    );
    let one = data(&lab, &format!("/siteHealthSummaries/{}", global["id"].as_str().unwrap())).await;
    assert_eq!(one["response"], *global);
    assert_eq!(lab.call(Method::GET, "/dna/intent/api/v1/site-health?limit=51", None).await.0, StatusCode::BAD_REQUEST);
    let id = global["id"].as_str().unwrap();
    assert_eq!(lab.get(&format!("/networkDevices/assignedToSite/count?siteId={id}")).await["response"]["count"], managed);
    let (_, second) = lab.call(Method::GET, "/dna/intent/api/v2/site?type=building", None).await;
    assert!(rows(&second).iter().all(|row| row["groupNameHierarchy"].as_str().unwrap().starts_with("Global/")));
}

#[tokio::test]
async fn an_issue_is_resolved_ignored_noted_and_seen_in_events() {
    let lab = Lab::start(|_| {}).await;
    let cut = lab.switch().id.to_string();
    lab.world.set_reachable(lab.switch(), false).unwrap();
    let before = lab.get("/issues").await;
    let list = data(&lab, "/assuranceIssues").await;
    assert_eq!(before["totalCount"], rows(&list).len().to_string());
    let ids: Vec<&str> = rows(&list).iter().take(2).map(|row| row["issueId"].as_str().unwrap()).collect();
    let path = "/dna/intent/api/v1/assuranceIssues";
    let body = json!({ "issueIds": [ids[0], "nonsense"] });
    let resolved = lab.call(Method::POST, &format!("{path}/resolve"), Some(body)).await.1;
    assert_eq!(resolved["response"], json!({ "successfulIssueIds": [ids[0]], "failureIssueIds": ["nonsense"] }));
    lab.call(Method::POST, &format!("{path}/ignore"), Some(json!({ "issueIds": [ids[1]] }))).await;
    assert_eq!(rows(&data(&lab, "/assuranceIssues").await).len(), rows(&list).len() - 2);
    assert_eq!(data(&lab, "/assuranceIssues/count?status=IGNORED").await["response"]["count"], 1);
    let noted = lab.call(Method::POST, &format!("{path}/{}/update", ids[0]), Some(json!({ "notes": "seen" }))).await.1;
    assert_eq!((&noted["response"]["notes"], &noted["response"]["status"]), (&json!("seen"), &json!("RESOLVED")));
    let series = lab.get("/event/event-series?limit=100&eventIds=NETWORK-DEVICES-2-105").await;
    let devices: Vec<&str> =
        series.as_array().unwrap().iter().map(|row| row["network"]["deviceId"].as_str().unwrap()).collect();
    assert!(devices.contains(&cut.as_str()), "{series}");
    assert_eq!(
        lab.call(Method::GET, "/dna/intent/api/v1/events", None).await.0,
        StatusCode::BAD_REQUEST,
        "tags is required"
    );
    lab.deployed(lab.world.devices().iter().find(|d| d.role == world::Role::Core).unwrap(), 3990).await;
    let (_, audit) = lab.call(Method::GET, "/dna/data/api/v1/event/event-series/audit-logs", None).await;
    assert!(audit[0]["description"].as_str().unwrap().contains("Deployemnt"), "{audit}");
}

#[tokio::test]
async fn images_cover_every_device_and_distribution_has_a_part_per_device() {
    let lab = Lab::start(|_| {}).await;
    let images = lab.get("/image/importation").await;
    let golden = lab.get("/image/importation?isTaggedGolden=true").await;
    let families: std::collections::HashSet<&str> =
        rows(&golden).iter().map(|row| row["family"].as_str().unwrap()).collect();
    assert_eq!(families.len(), rows(&golden).len(), "one golden image a family");
    let device = lab.switch();
    let image = rows(&images)
        .iter()
        .find(|row| row["family"] == device.platform.image && row["version"] == device.software_version)
        .unwrap();
    let other = rows(&images).iter().find(|row| row["family"] != device.platform.image).unwrap();
    let body = json!([{ "deviceUuid": device.id, "imageUuid": image["imageUuid"] }, { "deviceUuid": device.id, "imageUuid": other["imageUuid"] }]);
    let (status, accepted) = lab.call(Method::POST, "/dna/intent/api/v1/image/distribution", Some(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let id = accepted["response"]["taskId"].as_str().unwrap();
    let ended = lab.ended(id).await;
    assert!(
        ended["progress"].as_str().unwrap().ends_with("Success = 1, Failure = 1, Running = 0, Pending = 0, Total = 2"),
        "{ended}"
    );
    assert_eq!(rows(&lab.get(&format!("/task/{id}/tree")).await).len(), 3);
    assert_eq!(rows(&lab.get(&format!("/tasks?parentId={id}")).await).len(), 2);
    assert_eq!(lab.get(&format!("/networkDeviceImageUpdates/count?parentId={id}")).await["response"]["count"], 2);
    let tag = json!({ "imageId": other["imageUuid"], "siteId": "-1", "deviceRole": "ALL", "deviceFamilyIdentifier": other["family"] });
    lab.call(Method::POST, "/dna/intent/api/v1/image/importation/golden", Some(tag)).await;
    let again = lab.get(&format!("/image/importation?imageUuid={}", other["imageUuid"].as_str().unwrap())).await;
    assert_eq!(again["response"][0]["isTaggedGolden"], true);
}

#[tokio::test]
async fn a_discovery_finds_what_answers_in_its_range() {
    let lab = Lab::start(|_| {}).await;
    let in_range: Vec<_> = lab.world.devices().iter().take(20).collect();
    let list = format!("{}-{}", in_range[0].management_ip, in_range[19].management_ip);
    let body = json!({ "name": "d", "discoveryType": "RANGE", "ipAddressList": list, "snmpRWCommunity": "canary", "protocolOrder": "ssh" });
    let (_, accepted) = lab.call(Method::POST, "/dna/intent/api/v1/discovery", Some(body)).await;
    let task = lab.ended(accepted["response"]["taskId"].as_str().unwrap()).await;
    let id = task["progress"].as_str().unwrap().to_owned();
    let row = lab.get(&format!("/discovery/{id}")).await["response"].clone();
    assert_eq!(row["discoveryCondition"], "Complete");
    assert!(!row.to_string().contains("canary"), "credentials are not kept");
    let answering = in_range.iter().filter(|device| lab.world.reachability(device) == Reachability::Reachable).count();
    assert_eq!(lab.get(&format!("/discovery/{id}/network-device/count")).await["response"], answering);
    assert_eq!(rows(&lab.get(&format!("/discovery/{id}/network-device")).await).len(), answering);
    assert_eq!(rows(&lab.get(&format!("/discovery/{id}/job")).await).len(), 20);
    for (body, expected) in
        [(json!({ "name": "x" }), 400), (json!({ "name": "x", "ipAddressList": "10.0.0.9-10.0.0.1" }), 400)]
    {
        assert_eq!(lab.call(Method::POST, "/dna/intent/api/v1/discovery", Some(body)).await.0.as_u16(), expected);
    }
}

#[tokio::test]
async fn stacks_modules_neighbours_and_topology_agree() {
    let lab = Lab::start(|_| {}).await;
    let stack = lab.world.devices().iter().find(|device| device.members.len() > 1).unwrap();
    let shown = lab.get(&format!("/network-device/{}/stack", stack.id)).await["response"].clone();
    let serials: Vec<&str> =
        shown["stackSwitchInfo"].as_array().unwrap().iter().map(|row| row["serialNumber"].as_str().unwrap()).collect();
    assert_eq!(serials.join(", "), stack.serial_text());
    assert_eq!(
        lab.get(&format!("/network-device/module/count?deviceId={}", stack.id)).await["response"],
        serials.len()
    );
    let topology = lab.get("/topology/physical-topology").await["response"].clone();
    let link = topology["links"].as_array().unwrap().iter().find(|link| link["linkStatus"] == "up").unwrap().clone();
    for (own, port, far, far_port) in
        [("source", "startPortID", "target", "endPortName"), ("target", "endPortID", "source", "startPortName")]
    {
        let Some(id) = link[port].as_str() else { continue };
        let path = format!("/network-device/{}/interface/{id}/neighbor", link[own].as_str().unwrap());
        let neighbour = lab.get(&path).await["response"].clone();
        let far = lab.get(&format!("/network-device/{}", link[far].as_str().unwrap())).await["response"].clone();
        assert_eq!((&neighbour["neighborDevice"], &neighbour["neighborPort"]), (&far["hostname"], &link[far_port]));
    }
    let concerned = lab.get("/security-advisory/advisory").await["response"].clone();
    let first = concerned[0]["advisoryId"].as_str().unwrap();
    let devices = lab.get(&format!("/security-advisory/advisory/{first}/device")).await["response"].clone();
    assert_eq!(concerned[0]["deviceCount"], devices.as_array().unwrap().len());
    let id = devices[0].as_str().unwrap();
    let detail = lab.get(&format!("/compliance/{id}/detail?complianceType=PSIRT")).await;
    assert_eq!(detail["response"][0]["status"], "NON_COMPLIANT", "a concerned device does not comply");
    let points = lab.world.devices().iter().filter(|device| device.platform.family == Family::AccessPoint).count();
    assert_eq!(lab.get("/network-device/count?family=Unified%20AP").await["response"], points);
}
