//! The admin door into the network: cables, management, console, knobs; what is done there outlives a restart.

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{admin, http, start};
use interlock_lab_systems::RunningWorld;

const SYSTEM: &str = "catalyst-center";

async fn get(world: &RunningWorld, path: &str) -> Value {
    let (status, body) = admin(world, Method::GET, path, "door", Value::Null).await;
    assert_eq!(status, 200, "{path} {body}");
    body
}

async fn post(world: &RunningWorld, path: &str, body: Value) -> Value {
    let (status, answer) = admin(world, Method::POST, path, "door", body.clone()).await;
    assert_eq!(status, 200, "{path} {body} {answer}");
    answer
}

/// What the controller says about a device.
async fn seen(world: &RunningWorld, id: &str) -> Value {
    let url = &world.ready.simulators[SYSTEM].url;
    let token = http().post(format!("{url}/dna/system/api/v1/auth/token")).basic_auth("admin", Some("pw")).send().await;
    let token: Value = token.unwrap().json().await.unwrap();
    let request = http()
        .get(format!("{url}/dna/intent/api/v1/network-device/{id}"))
        .header("x-auth-token", token["Token"].as_str().unwrap());
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    body["response"].clone()
}

#[tokio::test]
async fn a_technician_pulls_cables_cuts_management_and_works_on_a_console() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let all = get(&world, &format!("/network/devices?system={SYSTEM}")).await;
    let row = all["devices"].as_array().unwrap().iter().find(|row| {
        row["role"] == "ACCESS"
            && row["platform"].as_str().unwrap().starts_with("C9300")
            && row["reachability"] == "Reachable"
    });
    let (id, serial) =
        (row.unwrap()["id"].as_str().unwrap().to_owned(), row.unwrap()["serials"][0].as_str().unwrap().to_owned());
    let links = get(&world, &format!("/network/links?system={SYSTEM}&device={serial}")).await;
    let uplinks: Vec<&Value> =
        links["links"].as_array().unwrap().iter().filter(|link| link["ends"][1]["device"] == id).collect();
    assert_eq!(uplinks.len(), 2);
    for link in &uplinks {
        let body = json!({ "system": SYSTEM, "device": serial, "port": link["ends"][1]["port"], "plugged": false });
        let after = post(&world, "/network/links", body).await;
        assert_eq!((&after["plugged"], &after["up"]), (&json!(false), &json!(false)));
    }
    assert_eq!(seen(&world, &id).await["reachabilityStatus"], "Unreachable");
    let lines = json!({ "system": SYSTEM, "device": serial, "lines": ["hostname lost"] });
    assert_eq!(admin(&world, Method::POST, "/network/console", "door", lines.clone()).await.0, 422);
    world.shutdown().await;
    let world = start(folder.path()).await;
    assert_eq!(seen(&world, &id).await["reachabilityStatus"], "Unreachable", "the cables are still pulled");
    for link in &uplinks {
        post(&world, "/network/links", json!({ "system": SYSTEM, "link": link["id"], "plugged": true })).await;
    }
    assert_eq!(seen(&world, &id).await["reachabilityStatus"], "Reachable");
    post(&world, "/network/reach", json!({ "system": SYSTEM, "device": serial, "reachable": false })).await;
    assert_eq!(seen(&world, &id).await["reachabilityStatus"], "Unreachable");
    post(&world, "/network/reach", json!({ "system": SYSTEM, "device": serial, "reachable": true })).await;
    let entered = post(&world, "/network/console", lines).await;
    assert_eq!((&entered["applied"]["changed"], &entered["device"]["unsaved"]), (&json!(true), &json!(true)));
    assert_eq!(seen(&world, &id).await["hostname"], "lost");
    let shown = post(
        &world,
        "/network/console",
        json!({ "system": SYSTEM, "device": "lost", "command": "show running-config | include hostname" }),
    )
    .await;
    assert_eq!(shown["output"], "hostname lost");
    for (path, body) in [
        ("/network/links", json!({ "system": SYSTEM, "plugged": false })),
        ("/network/links", json!({ "system": SYSTEM, "device": serial, "port": "Nowhere1", "plugged": false })),
        ("/network/reach", json!({ "system": "nobody", "device": serial, "reachable": true })),
        ("/network/console", json!({ "system": SYSTEM, "device": serial })),
        ("/knobs", json!({ "system": SYSTEM, "calls_per_minute": 0 })),
    ] {
        assert_eq!(admin(&world, Method::POST, path, "door", body.clone()).await.0, 422, "{path} {body}");
    }
    assert_eq!(admin(&world, Method::GET, "/knobs", "wrong", Value::Null).await.0, 401);
    world.shutdown().await;
}

#[tokio::test]
async fn the_knobs_change_the_speed_of_a_running_system() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let turned = post(
        &world,
        "/knobs",
        json!({ "system": SYSTEM, "calls_per_minute": 1, "pace": { "start_ms": 1, "least_ms": 1, "most_ms": 2 } }),
    )
    .await;
    assert_eq!(turned["pace"]["most_ms"], 2);
    assert_eq!(get(&world, "/knobs").await["knobs"]["catalyst-center-emea"]["pace"]["most_ms"], 600);
    let url = &world.ready.simulators[SYSTEM].url;
    let token: Value = http()
        .post(format!("{url}/dna/system/api/v1/auth/token"))
        .basic_auth("admin", Some("pw"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let count = || {
        http()
            .get(format!("{url}/dna/intent/api/v1/network-device/count"))
            .header("x-auth-token", token["Token"].as_str().unwrap())
            .send()
    };
    assert_eq!(count().await.unwrap().status(), 200);
    assert_eq!(count().await.unwrap().status(), 429);
    world.shutdown().await;
}
