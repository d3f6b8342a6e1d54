//! A stored credential is replaced while it is used (T29): new, tried at the controller, switched, tried again, the old one
//! retired; by both doors, against the simulated controller, and across a kill -9 between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, OWN};
use crate::lab::Lab;

/// Another account at the controller, as its owner makes it.
async fn account(caller: &Caller, username: &str, password: Option<&str>) {
    let mut body = json!({"system": CENTER, "username": username});
    if let Some(password) = password {
        body["password"] = password.into();
    }
    caller.lab.admin(&caller.http, "/accounts", Some(body)).await;
}

fn fields(username: &str, password: &str) -> Json {
    json!({"server": CENTER, "fields": {"username": username, "password": password}})
}

async fn by(caller: &Caller, door: &str, token: &str, arguments: &Json) -> Answer {
    match door {
        "rest" => caller.rest(token, OWN, "rotate_credential", arguments).await,
        _ => caller.mcp(token, OWN, "rotate_credential", arguments).await,
    }
}

/// Calls, passes the second factor that a `control` tool asks for each time, and calls again.
async fn rotate(caller: &Caller, door: &str, token: &str, arguments: &Json) -> Answer {
    let refused = by(caller, door, token, arguments).await;
    assert_eq!(refused.code(), Some("step_up_required"), "{refused:?}");
    caller.lab.pass_second_factor(refused.link(), "ada").await.unwrap();
    by(caller, door, token, arguments).await
}

async fn version(caller: &Caller, ada: &str) -> u64 {
    let path = json!({"path": format!("api/{CENTER}")});
    let known = caller.rest(ada, OWN, "get_secret_metadata", &path).await;
    known.result()["current_version"].as_u64().unwrap_or_else(|| panic!("{known:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_a_credential_is_rotated_by_both_doors_and_calls_under_way_do_not_notice() {
    let caller = Arc::new(Caller::new(Arc::new(Lab::start())));
    let (ada, alice) = (caller.lab.token("ada").await, caller.lab.token("alice").await);
    let before = version(&caller, &ada).await;

    let wrong = rotate(&caller, "rest", &ada, &fields("interlock-2", "this password is nobody's")).await;
    assert_eq!(wrong.code(), Some("credential_rejected"), "{wrong:?}");
    assert_eq!(version(&caller, &ada).await, before, "nothing changed");

    let stop = Arc::new(AtomicBool::new(false));
    let using = tokio::spawn({
        let (caller, alice, stop) = (Arc::clone(&caller), alice.clone(), Arc::clone(&stop));
        async move {
            let mut calls = 0;
            while !stop.load(Ordering::Relaxed) {
                let answer = caller.rest(&alice, CENTER, "list_issues", &json!({})).await;
                assert_eq!(answer.status, 200, "a call during a rotation failed: {answer:?}");
                calls += 1;
            }
            calls
        }
    });
    for (number, door) in ["rest", "mcp"].into_iter().enumerate() {
        let (username, password) = (format!("interlock-{number}"), format!("another password, number {number}"));
        account(&caller, &username, Some(&password)).await;
        let done = rotate(&caller, door, &ada, &fields(&username, &password)).await;
        let due = before + 1 + number as u64;
        assert_eq!((&done.result()["version"], version(&caller, &ada).await), (&json!(due), due), "{door}: {done:?}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(using.await.unwrap() > 0);

    // The first account is not needed any more: the new one is really in force.
    account(&caller, "interlock", None).await;
    account(&caller, "interlock-0", None).await;
    let devices = caller.rest(&alice, CENTER, "list_devices", &json!({"limit": 1})).await;
    assert_eq!(devices.status, 200, "{devices:?}");
    let told = caller.lab.audit().iter().map(Json::to_string).collect::<String>();
    assert!(!told.contains("another password"), "a password stands in the audit");
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_a_rotation_that_was_killed_after_its_switch_is_finished_at_the_next_start() {
    let mut lab = Lab::start();
    let password = "the password of the killed rotation";
    let before = {
        let caller = Caller::new(Arc::new(lab));
        let ada = caller.lab.token("ada").await;
        let before = version(&caller, &ada).await;
        account(&caller, "interlock-2", Some(password)).await;
        let arguments = fields("interlock-2", password);
        let refused = by(&caller, "rest", &ada, &arguments).await;
        caller.lab.pass_second_factor(refused.link(), "ada").await.unwrap();
        // Each of the two sign-ins takes a while, so that the second one is under way when the version is there.
        let slow = json!({"system": CENTER, "match": {"path": "/dna/system/api/v1/auth/token"},
            "fault": {"kind": "latency", "ms": 3_000}, "times": 2});
        caller.lab.admin(&caller.http, "/faults", Some(slow)).await;
        let call = caller.rest_request(&ada, OWN, "rotate_credential", &arguments).send();
        let waiting = tokio::spawn(call);
        let until = Instant::now() + Duration::from_secs(30);
        while version(&caller, &ada).await == before {
            assert!(Instant::now() < until, "the switch never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        caller.lab.kill();
        assert!(waiting.await.unwrap().map_or(true, |answer| !answer.status().is_success()), "it was answered");
        lab = Arc::into_inner(caller.lab).unwrap();
        before
    };
    lab.start_again();
    let caller = Caller::new(Arc::new(lab));
    let settled = caller.lab.audit();
    let settled = settled.iter().find(|r| r["event"]["action"] == "credential.rotation_settled");
    assert_eq!(settled.unwrap()["interlock"]["finished"], true, "{settled:?}");
    let ada = caller.lab.token("ada").await;
    assert_eq!(version(&caller, &ada).await, before + 1);
    account(&caller, "interlock", None).await;
    let alice = caller.lab.token("alice").await;
    let devices = caller.rest(&alice, CENTER, "list_devices", &json!({"limit": 1})).await;
    assert_eq!(devices.status, 200, "{devices:?}");
    let (passes, said) = caller.lab.verify();
    assert!(passes, "{said}");
}
