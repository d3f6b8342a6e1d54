//! Changes for a client that declares tasks (T22): planning and running are each a task that it polls, with the methods of the
//! protocol. A task only waits: that it is stopped is on record, and stops no change.

use std::time::Duration;

use platform::Json;
use serde_json::json;

use super::desk::{Desk, told};
use crate::caller::{Answer, DESK, OWN};
use crate::mcp_endpoints::modern;

/// A client of somebody's.
struct Client<'d> {
    desk: &'d Desk,
    user: &'static str,
}

impl Client<'_> {
    async fn asks(&self, server: &str, method: &str, name: &str, params: Json) -> Answer {
        // Tokens end when the clock is moved; a new one is asked for then.
        let token = self.desk.caller.lab.token(self.user).await;
        let answer = modern(&self.desk.caller, &token, server, method, name, params.clone()).await;
        if answer.status != 401 {
            return answer;
        }
        self.desk.caller.lab.forget_tokens().await;
        let token = self.desk.caller.lab.token(self.user).await;
        modern(&self.desk.caller, &token, server, method, name, params).await
    }

    async fn calls(&self, tool: &str, arguments: &Json) -> Json {
        let answer = self.asks(OWN, "tools/call", tool, json!({"name": tool, "arguments": arguments})).await;
        assert!(answer.body.get("error").is_none(), "{answer:?}");
        answer.body["result"].clone()
    }

    async fn task(&self, method: &str, id: &str) -> Answer {
        self.asks(OWN, method, id, json!({ "taskId": id })).await
    }

    /// Polls until the task is not `working` any more.
    async fn waits_for(&self, id: &str) -> Json {
        for _ in 0..1_200 {
            let answer = self.task("tasks/get", id).await;
            let seen = &answer.body["result"];
            if seen["status"] != "working" {
                assert_eq!(seen["status"], "completed", "{answer:?}");
                return seen["result"]["structuredContent"].clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it never ends");
    }
}

/// The id of a task that was just begun.
fn begun(result: &Json) -> String {
    assert_eq!((&result["resultType"], &result["status"]), (&json!("task"), &json!("working")), "{result}");
    result["taskId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn t22_a_plan_and_a_run_are_tasks_that_are_polled_and_a_task_that_is_stopped_stops_no_change() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 771);
    let (alice, bob) = (Client { desk: &desk, user: "alice" }, Client { desk: &desk, user: "bob" });

    // Planning: begun at once, read by nobody else and nowhere else, and ended by the plan.
    let late = json!({"kind": "latency", "ms": 3_000});
    desk.fault(json!({"path": "/network-device-poller/cli/read-request"}), late, 1).await;
    let planning = begun(&alice.calls("plan_change", &wish.arguments).await);
    for strange in [
        bob.task("tasks/get", &planning).await,
        bob.task("tasks/cancel", &planning).await,
        alice.asks(DESK, "tasks/get", &planning, json!({ "taskId": planning })).await,
    ] {
        assert_eq!(strange.body["error"]["code"], -32602, "{strange:?}");
    }
    let polled = alice.task("tasks/get", &planning).await;
    assert_eq!(polled.body["result"]["status"], "working", "{polled:?}");
    let records = desk.caller.lab.records_of(&polled.request_id());
    assert!(records.iter().any(|r| r["interlock"]["tool"] == "get_change"), "a question is a call: {records:?}");
    let planned = alice.waits_for(&planning).await;
    assert_eq!((&planned["state"], &planned["status"]), (&json!("planned"), &json!("waiting")), "{planned}");
    let id = planned["change_id"].as_str().unwrap().to_owned();
    // Its end is kept, and so it stays, whatever becomes of the change.
    let again = alice.task("tasks/get", &planning).await;
    assert_eq!(again.body["result"]["result"]["structuredContent"], planned, "{again:?}");

    // What waits for a person is no task.
    let submitted = alice.calls("submit_change", &json!({ "change_id": id })).await;
    assert_ne!(submitted["resultType"], "task", "{submitted}");
    assert_eq!(submitted["structuredContent"]["state"], "submitted", "{submitted}");

    // The run: a task of whoever asks how it goes, stopped by the client, and the change goes on.
    let status = json!({"path": "/template/deploy/status/"});
    let slow = desk.fault(status, json!({"kind": "latency", "ms": 6_000}), 1).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    while desk.met(slow).await == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let running = begun(&alice.calls("get_change", &json!({ "change_id": id })).await);
    let stopped = alice.task("tasks/cancel", &running).await;
    assert!(stopped.body.get("error").is_none(), "{stopped:?}");
    let records = desk.caller.lab.records_of(&stopped.request_id());
    assert_eq!(records.len(), 1, "{records:?}");
    let event = &records[0]["event"];
    assert_eq!((&event["action"], &event["code"]), (&json!("task.cancel"), &json!("task_not_cancellable")), "{event}");
    let told_so = alice.task("tasks/get", &running).await;
    assert_eq!(told_so.body["result"]["status"], "working", "it says honestly that it goes on: {told_so:?}");
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0));
    let ended = alice.waits_for(&running).await;
    assert_eq!((&ended["state"], &ended["status"]), (&json!("done"), &json!("success")), "{ended}");
}

#[tokio::test]
async fn t22_a_change_that_is_followed_as_a_task_is_stopped_by_its_own_tool() {
    let desk = Desk::open().await;
    let wish = desk.wish(&desk.switches[..1], 772);
    let alice = Client { desk: &desk, user: "alice" };
    let id = desk.approved(&wish, 3_600).await;
    let waiting = begun(&alice.calls("get_change", &json!({ "change_id": id })).await);
    let cancel = json!({"change_id": id, "mode": "hold", "reason": "Not today"});
    let cancelled = alice.calls("cancel_change", &cancel).await;
    assert_eq!(cancelled["structuredContent"]["state"], "cancelled", "{cancelled}");
    let ended = alice.waits_for(&waiting).await;
    assert_eq!((&ended["state"], &ended["status"]), (&json!("cancelled"), &json!("ended")), "{ended}");
    assert_eq!(desk.times(&desk.switches[0], &wish).await, (0, 0));
}
