//! Every kind of fault shows in what the client sees, and in nothing else.

use reqwest::StatusCode;
use serde_json::{Value, json};
use world::{Fault, Match, Reachability};

use crate::client::Lab;

const DEPLOY: &str = "POST /dna/intent/api/v2/template-programmer/template/deploy";

fn inject(lab: &Lab, part: &str, fault: Fault) {
    let matching = Match { request: Some(part.to_owned()), ..Match::default() };
    lab.faults.inject("catalyst-center", matching, Some(fault), 1);
}

async fn count(lab: &Lab) -> Result<reqwest::Response, reqwest::Error> {
    lab.send(reqwest::Method::GET, "/dna/intent/api/v1/network-device/count", None).await
}

#[tokio::test]
async fn faults_of_the_wire_show_once() {
    let mut lab = Lab::start(|_| {}).await;
    let part = "GET /dna/intent/api/v1/network-device/count";
    inject(&lab, part, Fault::RateLimited { retry_after_s: Some(7) });
    let answer = count(&lab).await.unwrap();
    assert_eq!(
        (answer.status(), answer.headers()["retry-after"].to_str().unwrap()),
        (StatusCode::TOO_MANY_REQUESTS, "7")
    );
    inject(&lab, part, Fault::RateLimited { retry_after_s: None });
    let answer = count(&lab).await.unwrap();
    assert!(answer.status() == StatusCode::TOO_MANY_REQUESTS && !answer.headers().contains_key("retry-after"));
    inject(&lab, part, Fault::ServerError { status: 502 });
    assert_eq!(count(&lab).await.unwrap().status(), StatusCode::BAD_GATEWAY);
    inject(&lab, part, Fault::Garbage);
    let answer = count(&lab).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.json::<Value>().await.is_err());
    inject(&lab, part, Fault::Truncation);
    assert!(count(&lab).await.unwrap().bytes().await.is_err(), "the body ends in its middle");
    inject(&lab, part, Fault::Hang { ms: 1 });
    assert!(count(&lab).await.is_err(), "a hang ends without an answer");
    inject(&lab, part, Fault::Latency { ms: 1, done: false });
    assert!(count(&lab).await.unwrap().status().is_success());
    inject(&lab, part, Fault::ExpiredToken);
    assert_eq!(count(&lab).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(count(&lab).await.unwrap().status(), StatusCode::UNAUTHORIZED, "the token stays dead");
    lab.sign_in().await;
    assert!(count(&lab).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_lost_reply_has_had_its_effect() {
    let lab = Lab::start(|_| {}).await;
    inject(&lab, DEPLOY, Fault::ReplyLost);
    assert!(lab.deploy(lab.switch(), 3101).await.is_err());
    let tasks = lab.get("/tasks").await;
    let id = tasks["response"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(lab.ended(&id).await["isError"], false);
    assert!(lab.world.running(lab.switch()).text().contains("vlan 3101\n"));
}

#[tokio::test]
async fn a_reply_that_is_held_back_has_had_its_effect_before_it_comes() {
    let lab = Lab::start(|_| {}).await;
    inject(&lab, DEPLOY, Fault::Latency { ms: 600_000, done: true });
    let acted = async {
        loop {
            let tasks = lab.get("/tasks").await;
            if let Some(id) = tasks["response"][0]["id"].as_str() {
                break id.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let id = tokio::select! {
        answer = lab.deploy(lab.switch(), 3102) => panic!("it is held back for ten minutes: {answer:?}"),
        id = acted => id,
    };
    assert_eq!(lab.ended(&id).await["isError"], false);
    assert!(lab.world.running(lab.switch()).text().contains("vlan 3102\n"));
}

#[tokio::test]
async fn faults_of_the_effect_lie_about_the_device() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let has = |line: &str| lab.world.running(device).text().contains(line);
    inject(&lab, DEPLOY, Fault::AcceptedNotApplied);
    let (_, deployment) = lab.deployed(device, 3201).await;
    assert!(deployment["status"] == "SUCCESS" && !has("vlan 3201\n"));
    inject(&lab, DEPLOY, Fault::HalfApplied);
    let (_, deployment) = lab.deployed(device, 3202).await;
    assert!(deployment["status"] == "SUCCESS" && has("vlan 3202\n") && !has("vlan 3202\n name"));
    inject(&lab, DEPLOY, Fault::LineRejected { line: 1 });
    let (_, deployment) = lab.deployed(device, 3203).await;
    assert!(deployment["status"] == "SUCCESS" && has("vlan 3203\n") && !has("vlan 3203\n name"));
    inject(&lab, DEPLOY, Fault::StaleCopy);
    let (_, deployment) = lab.deployed(device, 3204).await;
    assert!(deployment["status"] == "SUCCESS" && has("vlan 3204\n name TEST"));
    let copy = lab.get(&format!("/network-device/{}/config", device.id)).await;
    assert!(!copy["response"].as_str().unwrap().contains("vlan 3204\n"), "the controller's copy is old");
    inject(&lab, DEPLOY, Fault::ManagementLost);
    let (_, deployment) = lab.deployed(device, 3205).await;
    assert!(deployment["status"] == "SUCCESS" && has("vlan 3205\n"));
    assert_eq!(lab.world.reachability(device), Reachability::Unreachable);
}

#[tokio::test]
async fn a_hidden_task_is_not_to_be_found_while_its_effect_is_there() {
    let lab = Lab::start(|_| {}).await;
    inject(&lab, DEPLOY, Fault::TaskHidden);
    let body: Value = lab.deploy(lab.switch(), 3301).await.unwrap().json().await.unwrap();
    let id = body["response"]["taskId"].as_str().unwrap();
    for path in [format!("/dna/intent/api/v1/task/{id}"), format!("/dna/intent/api/v1/tasks/{id}")] {
        let answer = lab.send(reqwest::Method::GET, &path, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(lab.get("/tasks").await["response"], json!([]));
    while !lab.world.running(lab.switch()).text().contains("vlan 3301\n") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_fault_for_one_device_leaves_the_others_alone() {
    let lab = Lab::start(|_| {}).await;
    let device = lab.switch();
    let matching = Match { device: Some("other-device".to_owned()), ..Match::default() };
    lab.faults.inject("catalyst-center", matching, Some(Fault::AcceptedNotApplied), 1);
    lab.deployed(device, 3401).await;
    assert!(lab.world.running(device).text().contains("vlan 3401\n"));
    let matching = Match { device: Some(device.members[0].serial.clone()), ..Match::default() };
    lab.faults.inject("catalyst-center", matching, Some(Fault::AcceptedNotApplied), 1);
    lab.deployed(device, 3402).await;
    assert!(!lab.world.running(device).text().contains("vlan 3402\n"));
}
