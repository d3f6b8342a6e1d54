//! Idempotency over the wire (T7): a key stands for one deployment; and long work is followed by its `Location` (T11).

use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller};

/// Rows of the simulated network that put this VLAN on this device.
async fn arrived(caller: &Caller, device: &str, vlan: u32) -> usize {
    let line = json!(format!("vlan {vlan}"));
    let rows = caller.lab.device_commands(&caller.http).await;
    let ours = |row: &&Json| row["device_id"] == device && row["lines"].as_array().unwrap().contains(&line);
    rows.iter().filter(ours).count()
}

#[tokio::test]
async fn t7_a_key_is_one_deployment_however_often_and_however_at_once_it_is_sent() {
    let caller = Caller::shared();
    let bob = caller.lab.token("bob").await;
    let device = caller.switches(&bob, CENTER).await.remove(2);
    let deployment = caller.deployment(&bob, CENTER, &device, 3010).await;
    caller.elevate("bob", CENTER, &deployment).await;
    let send = |arguments: Json, key: &'static str| {
        let request = caller.rest_request(&bob, CENTER, "deploy_template", &arguments);
        async move { Answer::of(request.header("idempotency-key", key)).await }
    };

    let first = send(deployment.clone(), "once").await;
    assert!(matches!(first.status, 200 | 202), "{first:?}");
    let second = send(deployment.clone(), "once").await;
    assert!(matches!(second.status, 200 | 202), "{second:?}");
    assert_eq!(first.result(), second.result());
    assert_ne!(first.request_id(), second.request_id());
    assert_eq!(arrived(&caller, &device, 3010).await, 1);

    let other = caller.deployment(&bob, CENTER, &device, 3011).await;
    let conflict = send(other, "once").await;
    assert_eq!((conflict.status, conflict.code()), (409, Some("idempotency_conflict")), "{conflict:?}");
    assert_eq!(arrived(&caller, &device, 3011).await, 0);

    // Eight at once: one of them deploys, the others wait for it or are told to.
    let at_once = caller.deployment(&bob, CENTER, &device, 3012).await;
    let mut calls = Vec::new();
    for _ in 0..8 {
        let request = caller.rest_request(&bob, CENTER, "deploy_template", &at_once).header("idempotency-key", "race");
        calls.push(tokio::spawn(Answer::of(request)));
    }
    let mut done = 0;
    for call in calls {
        let answer = call.await.unwrap();
        match (answer.status, answer.code()) {
            (200 | 202, None) => done += 1,
            (409, Some("idempotency_in_progress")) => {}
            _ => panic!("{answer:?}"),
        }
    }
    assert!(done >= 1);
    assert_eq!(arrived(&caller, &device, 3012).await, 1);

    // The key is the person's own: somebody else's same key is another one, and needs their own second factor.
    let alice = caller.lab.token("alice").await;
    let hers = caller.rest_request(&alice, CENTER, "deploy_template", &deployment).header("idempotency-key", "once");
    let hers = Answer::of(hers).await;
    assert_eq!((hers.status, hers.code()), (403, Some("step_up_required")), "{hers:?}");

    slow_work_is_accepted_and_followed_by_its_location(&caller, &bob, &device).await;
}

/// Part of the test above, because the second factor is passed once.
async fn slow_work_is_accepted_and_followed_by_its_location(caller: &Caller, bob: &str, device: &str) {
    let deployment = caller.deployment(bob, CENTER, device, 3013).await;
    let slow = json!({"system": CENTER, "match": {"path": "/template/deploy/status/"},
        "fault": {"kind": "latency", "ms": 6_000}, "times": 1});
    caller.lab.admin(&caller.http, "/faults", Some(slow)).await;
    let accepted = caller.rest(bob, CENTER, "deploy_template", &deployment).await;
    assert_eq!((accepted.status, &accepted.body["status"]), (202, &json!("accepted")), "{accepted:?}");
    assert_eq!(accepted.body["result"]["status"], "in_progress");
    let location = accepted.header("location");
    assert!(location.starts_with("/api/v1/mcp/catalyst-center/tools/get_deployment?"), "{location}");
    let followed = Answer::of(caller.http.get(format!("{}{location}", caller.lab.url())).bearer_auth(bob)).await;
    assert_eq!((followed.status, &followed.body["result"]["status"]), (200, &json!("success")), "{followed:?}");
    assert_eq!(arrived(caller, device, 3013).await, 1);
}
