//! The world process: admin door, ports, memory.

use std::net::SocketAddr;
use std::path::Path;

use catalyst_center_simulator::Pace;
use interlock_lab_systems::{InstanceOptions, RunningWorld, System, WorldProcessOptions, start_world};
use platform::Secret;
use serde_json::{Value, json};
use world::Region;

#[expect(clippy::disallowed_methods, reason = "a test speaks to its own socket without the platform's client")]
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

pub(crate) async fn start(folder: &Path) -> RunningWorld {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let instance = |name: &str, system| InstanceOptions {
        name: name.to_owned(),
        system,
        listen: any,
        username: "admin".to_owned(),
        password: Secret::new("pw"),
    };
    start_world(WorldProcessOptions {
        state_dir: folder.to_owned(),
        clock_file: folder.join("clock"),
        instances: vec![
            instance("catalyst-center", System::CatalystCenter(Region::AmerApj)),
            instance("catalyst-center-emea", System::CatalystCenter(Region::Emea)),
            instance("servicenow", System::ServiceNow),
        ],
        admin_listen: any,
        admin_token: Secret::new("door"),
        devices: 300,
        seed: 1,
        pace: Pace::default(),
    })
    .await
    .unwrap()
}

pub(crate) async fn admin(
    world: &RunningWorld,
    method: reqwest::Method,
    path: &str,
    token: &str,
    body: Value,
) -> (u16, Value) {
    let request = http().request(method, format!("{}{path}", world.ready.admin)).bearer_auth(token);
    let answer = request.json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn the_admin_door_needs_its_token_and_moves_clock_and_faults() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let post = reqwest::Method::POST;
    assert_eq!(admin(&world, post.clone(), "/clock", "wrong", json!({ "advance_s": 5 })).await.0, 401);
    let (status, body) = admin(&world, post.clone(), "/clock", "door", json!({ "advance_s": 5 })).await;
    assert_eq!((status, &body["offset_s"]), (200, &json!(5)));
    assert_eq!(admin(&world, post.clone(), "/clock", "door", json!({ "advance_s": -5 })).await.0, 422);
    let fault = json!({ "system": "catalyst-center-emea", "match": "POST /dna/system", "fault": { "kind": "server_error", "status": 500 }, "times": 1 });
    assert_eq!(admin(&world, post.clone(), "/faults", "door", fault).await.0, 200);
    let refused = json!({ "system": "nobody", "fault": "garbage" });
    assert_eq!(admin(&world, post.clone(), "/faults", "door", refused).await.0, 422);
    let token = |name: &str| {
        let url = format!("{}/dna/system/api/v1/auth/token", world.ready.simulators[name].url);
        http().post(url).basic_auth("admin", Some("pw")).send()
    };
    assert_eq!(token("catalyst-center").await.unwrap().status(), 200);
    assert_eq!(token("catalyst-center-emea").await.unwrap().status(), 500);
    assert_eq!(token("catalyst-center-emea").await.unwrap().status(), 200);
    let (_, list) = admin(&world, reqwest::Method::GET, "/faults", "door", Value::Null).await;
    assert_eq!((&list["faults"][0]["left"], &list["faults"][0]["used"]), (&json!(0), &json!(1)));
    let (_, rows) = admin(&world, reqwest::Method::GET, "/device-commands", "door", Value::Null).await;
    assert_eq!(rows["commands"], json!([]));
    assert_eq!(admin(&world, post, "/shutdown", "door", json!({})).await.0, 200);
    world.asked_to_stop().await;
    world.shutdown().await;
}

#[tokio::test]
async fn accounts_are_added_and_removed_at_the_admin_door_and_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let post = reqwest::Method::POST;
    let account = |username: &str, password: Value| {
        let body = json!({ "system": "catalyst-center", "username": username, "password": password });
        admin(&world, post.clone(), "/accounts", "door", body)
    };
    let url = world.ready.simulators["catalyst-center"].url.clone();
    let sign_in = |username: &'static str, password: &'static str| {
        let url = format!("{url}/dna/system/api/v1/auth/token");
        async move {
            let answer = http().post(url).basic_auth(username, Some(password)).send().await.unwrap();
            let body: Value = answer.json().await.unwrap();
            body["Token"].as_str().map(str::to_owned)
        }
    };
    let reads = |token: String| {
        let url = format!("{url}/dna/intent/api/v1/network-device/count");
        async move { http().get(url).header("x-auth-token", token).send().await.unwrap().status().as_u16() }
    };
    assert!(sign_in("second", "pw-2").await.is_none());
    let (status, body) = account("second", json!("pw-2")).await;
    assert_eq!((status, &body["accounts"]), (200, &json!(["admin", "second"])));
    let token = sign_in("second", "pw-2").await.unwrap();
    assert!(sign_in("admin", "pw").await.is_some() && sign_in("second", "pw").await.is_none());
    assert_eq!(reads(token.clone()).await, 200);
    account("second", Value::Null).await;
    assert!(sign_in("second", "pw-2").await.is_none());
    assert_eq!(reads(token).await, 401, "the session of an account that is gone");
    account("admin", json!("changed")).await;
    let unknown = json!({ "system": "nobody", "username": "x", "password": "y" });
    assert_eq!(admin(&world, post.clone(), "/accounts", "door", unknown).await.0, 422);
    let (_, all) = admin(&world, reqwest::Method::GET, "/accounts", "door", Value::Null).await;
    assert_eq!(
        all["accounts"],
        json!({"catalyst-center": ["admin"], "catalyst-center-emea": ["admin"], "servicenow": ["admin"]})
    );
    assert!(sign_in("admin", "changed").await.is_some());
    world.shutdown().await;
    let again = start(folder.path()).await;
    assert!(sign_in("admin", "pw").await.is_none() && sign_in("admin", "changed").await.is_some());
    again.shutdown().await;
}

#[tokio::test]
async fn a_folder_used_again_keeps_its_ports_and_clock() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    let (urls, door) = (serde_json::to_value(&first.ready.simulators).unwrap(), first.ready.admin.clone());
    admin(&first, reqwest::Method::POST, "/clock", "door", json!({ "advance_s": 60 })).await;
    first.shutdown().await;
    let second = start(folder.path()).await;
    assert_eq!((serde_json::to_value(&second.ready.simulators).unwrap(), &second.ready.admin), (urls, &door));
    let (_, clock) = admin(&second, reqwest::Method::GET, "/clock", "door", Value::Null).await;
    assert_eq!(clock["offset_s"], 60);
    second.shutdown().await;
}

#[tokio::test]
async fn a_person_decides_about_a_change_at_the_admin_door() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    let url = world.ready.simulators["servicenow"].url.clone();
    let call = async |method: reqwest::Method, path: String, body: Value| {
        let request = http().request(method, format!("{url}{path}")).basic_auth("admin", Some("pw")).json(&body);
        request.send().await.unwrap().json::<Value>().await.unwrap()["result"].clone()
    };
    let new = json!({ "short_description": "x", "assignment_group": "Network" });
    let change = call(reqwest::Method::POST, "/api/now/table/change_request".to_owned(), new).await;
    let path = format!("/api/now/table/change_request/{}", change["sys_id"].as_str().unwrap());
    for state in ["-4", "-3"] {
        assert_eq!(call(reqwest::Method::PATCH, path.clone(), json!({ "state": state })).await["state"], state);
    }
    let decide = |approver: &str, token: &'static str| {
        let body =
            json!({ "system": "servicenow", "change": change["number"], "approver": approver, "state": "approved" });
        admin(&world, reqwest::Method::POST, "/approvals", token, body)
    };
    assert_eq!(decide("ada", "wrong").await.0, 401);
    assert_eq!(decide("alice", "door").await.0, 422, "she was not asked");
    assert_eq!(decide("ada", "door").await.0, 200);
    let serial = call(reqwest::Method::GET, path, json!({})).await;
    assert_eq!((&serial["state"], &serial["sys_updated_by"]), (&json!("-2"), &json!("ada")));
    world.shutdown().await;
}

#[tokio::test]
async fn serial_numbers_of_both_controllers_are_items_of_the_ticket_system() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(folder.path()).await;
    for center in ["catalyst-center", "catalyst-center-emea"] {
        let base = &world.ready.simulators[center].url;
        let token = http().post(format!("{base}/dna/system/api/v1/auth/token")).basic_auth("admin", Some("pw"));
        let token: Value = token.send().await.unwrap().json().await.unwrap();
        let devices = http().get(format!("{base}/dna/intent/api/v1/network-device?limit=1"));
        let devices = devices.header("x-auth-token", token["Token"].as_str().unwrap()).send().await.unwrap();
        let device = devices.json::<Value>().await.unwrap()["response"][0].clone();
        let serial = device["serialNumber"].as_str().unwrap();
        let url = &world.ready.simulators["servicenow"].url;
        let items =
            http().get(format!("{url}/api/now/table/cmdb_ci?serial_number={serial}")).basic_auth("admin", Some("pw"));
        let items = items.send().await.unwrap().json::<Value>().await.unwrap()["result"].clone();
        assert_eq!((items.as_array().unwrap().len(), &items[0]["name"]), (1, &device["hostname"]));
    }
    world.shutdown().await;
}
