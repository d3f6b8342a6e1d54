//! Every route of the table answers, and errors are worded as the controller words them.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::Lab;

#[tokio::test]
async fn every_route_of_the_table_answers() {
    let lab = Lab::start(|_| {}).await;
    let switch = lab.switch();
    lab.deployed(switch, 3999).await;
    let ports = lab.get(&format!("/interface/network-device/{}", switch.id)).await["response"].clone();
    let (_, clients) = lab.call(Method::GET, "/dna/data/api/v1/clients?limit=1", None).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let things = [
        ("{device}", switch.id.to_string()),
        ("{address}", switch.management_ip.to_string()),
        ("{serial}", switch.members[0].serial.clone()),
        ("{site}", lab.world.sites()[0].id.to_string()),
        ("{interface}", text(&ports[0]["id"])),
        ("{port}", text(&ports[0]["portName"])),
        ("{client}", text(&clients["response"][0]["macAddress"])),
        ("{template}", lab.template("access-vlan").await),
        ("{project}", text(&lab.get("/projects").await["response"][0]["id"])),
        ("{task}", text(&lab.get("/tasks").await["response"][0]["id"])),
    ];
    let mut known = 0;
    for line in include_str!("../routes.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(wanted), Some(method), Some(path)) = (words.next(), words.next(), words.next()) else {
            panic!("{line}")
        };
        let path = things.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
        let method: Method = method.parse().unwrap();
        let body = (method != Method::GET).then(|| json!({}));
        let answer = lab.send(method.clone(), &path, body).await.unwrap();
        let status = answer.status();
        let told = answer.text().await.unwrap();
        assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{line}");
        assert!(!told.contains("No resource found for "), "{line} {told}");
        assert!(!status.is_server_error(), "{line} {told}");
        assert!(wanted != "200" || status == StatusCode::OK, "{line} {status} {told}");
        known += 1;
    }
    assert!(known >= 104, "{known}");
}

#[tokio::test]
async fn the_archive_holds_two_files_a_device_and_downloads_are_masked() {
    let lab = Lab::start(|_| {}).await;
    let switch = lab.switch();
    let files = lab.get(&format!("/networkDeviceConfigFiles?networkDeviceId={}", switch.id)).await["response"].clone();
    let kinds: Vec<&str> = files.as_array().unwrap().iter().map(|row| row["fileType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["RUNNINGCONFIG", "STARTUPCONFIG"]);
    let path =
        format!("/dna/intent/api/v1/networkDeviceConfigFiles/{}/downloadMasked", files[0]["id"].as_str().unwrap());
    let text = lab.send(Method::POST, &path, Some(json!({}))).await.unwrap().text().await.unwrap();
    assert!(text.contains(&format!("hostname {}\n", switch.hostname)) && text.contains("enable secret 9 *****\n"));
    for secret in
        lab.world.running(switch).text().lines().filter_map(|line| line.split_once("$9$").map(|(_, secret)| secret))
    {
        assert!(!text.contains(secret), "a secret in the masked file");
    }
}
