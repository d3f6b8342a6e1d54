//! What stops a change, or never lets it begin: somebody else's hand, somebody who may not approve, an account that ended, a lock
//! that was lost. Each has its code, nothing reaches a device, and where two digests differ the audit has both.

use std::process::Command;

use platform::Json;
use reqwest::Method;
use serde_json::json;

use super::desk::{Desk, check, device, told, trouble};
use crate::caller::{Answer, CENTER, Caller, OWN};

/// A change that waits this long for its window.
const LATER_S: u64 = 3_600;

async fn untouched(desk: &Desk, wish: &super::desk::Wish, devices: &[String]) {
    for device in devices {
        assert_eq!(desk.times(device, wish).await, (0, 0), "nothing reached {device}");
    }
}

/// Its time comes.
async fn comes(desk: &Desk) {
    desk.caller.lab.advance(&desk.caller.http, i64::try_from(LATER_S).unwrap()).await;
}

#[tokio::test]
async fn t14_a_write_by_hand_is_told_how_it_is_planned() {
    let desk = Desk::open().await;
    let alice = desk.caller.lab.token("alice").await;
    let deployment = desk.caller.deployment(&alice, CENTER, &desk.switches[0], 701).await;
    let by_rest = desk.caller.rest(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((by_rest.status, by_rest.code()), (403, Some("change_required")), "{by_rest:?}");
    let by_mcp = desk.caller.mcp(&alice, CENTER, "deploy_template", &deployment).await;
    assert_eq!((by_mcp.status, by_mcp.code()), (200, Some("change_required")), "{by_mcp:?}");
    for next in [&by_rest.body["next"], &by_mcp.body["result"]["structuredContent"]["next"]] {
        assert_eq!((&next["tool"], &next["server"]), (&json!("plan_change"), &json!(OWN)), "{next}");
        let arguments = &next["arguments"];
        assert_eq!(arguments["server"], CENTER);
        assert_eq!(arguments["template_id"], deployment["template_id"]);
        assert_eq!(arguments["device_ids"], json!([desk.switches[0]]));
        assert_eq!(arguments["params"], deployment["params"]);
    }
    assert!(desk.entered(&desk.switches[0], 0).await.is_empty());

    // What it says can be done as it stands, with a title and a reason.
    let mut arguments = by_rest.body["next"]["arguments"].clone();
    arguments["title"] = json!("As the refusal says");
    arguments["reason"] = json!("A test of changes");
    let planned = desk.own("alice", "plan_change", &arguments).await;
    let id = planned.result()["change_id"].as_str().unwrap().to_owned();
    desk.reaches(&id, &["planned"]).await;
}

#[tokio::test]
async fn t15_one_character_that_changes_after_the_approval_stops_the_run() {
    let mut desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 711);
    let id = desk.approved(&wish, LATER_S).await;
    let hash = desk.view(&id).await["plan_hash"].as_str().unwrap().to_owned();

    // Somebody with a hand in the store: one character of the public plan, under the same hash.
    desk.lab().stop();
    let file = desk.caller.lab.state().join("store.db");
    let edit = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nn = c.execute(\"UPDATE record SET body = \
                replace(body, ?, ?) WHERE collection = 'change_plans'\", sys.argv[2:]).rowcount\nc.commit()\nprint(n)";
    let altered =
        Command::new("python3").args(["-c", edit]).arg(file).args([&*wish.name, "CHANCE711"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&altered.stdout).trim(), "1", "{altered:?}");
    desk.lab().start_again();
    // The simulated network was started again too; connections to the old one are dead.
    desk.caller.http = crate::caller::http();

    comes(&desk).await;
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "voided", "{}", told(&view));
    assert!(matches!(trouble(&view), "grant_mismatch" | "plan_altered"), "{}", told(&view));
    untouched(&desk, &wish, &devices).await;
    assert!(
        view["trouble"].to_string().contains(&hash),
        "the approved hash stands beside the other one: {}",
        told(&view)
    );
    on_record(&desk, &id, &[&hash]);
}

#[tokio::test]
async fn t18_a_template_version_that_is_committed_after_the_approval_stops_the_run() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 712);
    let id = desk.approved(&wish, LATER_S).await;
    commit_another_version(&desk).await;
    comes(&desk).await;
    let view = desk.ends(&id).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("stale"), "plan_stale"), "{}", told(&view));
    let detail = view["trouble"]["detail"].to_string();
    assert!(detail.contains("template_version"), "{detail}");
    untouched(&desk, &wish, &devices).await;
    has_both(&desk, &id, &view);
}

/// A colleague commits the template of the desk once more, at the controller itself.
async fn commit_another_version(desk: &Desk) {
    let center = &desk.caller.lab.ready.simulators[CENTER];
    let http = &desk.caller.http;
    let login = http.post(format!("{}/dna/system/api/v1/auth/token", center.url));
    let login = Answer::of(login.basic_auth(&center.username, Some(&center.password))).await;
    let token = login.body["Token"].as_str().unwrap();
    let commit = http
        .post(format!("{}/dna/intent/api/v1/template-programmer/template/version", center.url))
        .header("x-auth-token", token)
        .json(&json!({"templateId": desk.template, "comments": "Another one"}));
    let committed = Answer::of(commit).await;
    assert_eq!(committed.status, 202, "{committed:?}");
}

/// The change says both digests of what differs, and so does the audit record of its end.
fn has_both(desk: &Desk, id: &str, view: &Json) {
    let detail = &view["trouble"]["detail"];
    let both: Vec<&str> = ["planned", "found"].iter().filter_map(|name| detail[*name].as_str()).collect();
    assert!(both.len() == 2 && both[0] != both[1], "both digests: {detail}");
    on_record(desk, id, &both);
}

/// One record tells the end of the change, and says these words.
pub(super) fn on_record(desk: &Desk, id: &str, words: &[&str]) {
    let of_its_end = |record: &Json| record.to_string().contains("change.ended");
    let ends: Vec<String> = desk.audited(id).into_iter().filter(of_its_end).map(|record| record.to_string()).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert!(words.iter().all(|word| ends[0].contains(word)), "{words:?} in {ends:?}");
}

#[tokio::test]
async fn t18_a_configuration_that_is_edited_by_hand_after_the_approval_stops_the_run() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&devices, 713);
    let id = desk.approved(&wish, LATER_S).await;
    desk.by_hand(&devices[1], &["vlan 3713", "name BYHAND"]).await;
    comes(&desk).await;
    let view = desk.ends(&id).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("stale"), "plan_stale"), "{}", told(&view));
    untouched(&desk, &wish, &devices).await;
    has_both(&desk, &id, &view);
}

/// What an administrator does at the issuer, with a second factor given just now.
pub(super) async fn administers(caller: &Caller, path: &str) {
    let options = story::SignInOptions {
        issuer: caller.lab.ready.issuer.clone(),
        client_id: story::people::LAB_CLIENT.to_owned(),
        audience: format!("{}/admin", caller.lab.ready.issuer),
        mfa: true,
    };
    let token = story::access_token(&options, &caller.lab.person("ada"), &caller.lab.clock(), &|_| ()).await.unwrap();
    let url = format!("{}/admin{path}", caller.lab.ready.issuer);
    let request = caller.http.request(Method::POST, url).bearer_auth(token.token.expose()).json(&json!({}));
    let done = Answer::of(request).await;
    assert!((200..300).contains(&done.status), "{path}: {done:?}");
}

#[tokio::test]
async fn t3_a_requester_who_is_disabled_before_the_next_batch_stops_the_run_there() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&devices, 714);
    let id = desk.approved(&wish, LATER_S).await;
    // The first device takes its time, and meanwhile an administrator acts.
    let late = json!({"kind": "latency", "ms": 8_000});
    let slow = desk.fault(json!({"path": "/template/deploy/status/"}), late, 1).await;
    comes(&desk).await;
    while desk.met(slow).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    administers(&desk.caller, "/users/alice/disable").await;
    let view = ended_as(&desk, "bob", &id).await;
    assert_eq!(view["state"], "undone", "{}", told(&view));
    assert!(matches!(trouble(&view), "grant_revoked" | "requester_ended"), "{}", told(&view));
    let second = device(&view, &second_of(&desk, &view, &devices).await)["device_id"].as_str().unwrap().to_owned();
    assert_eq!(desk.times(&second, &wish).await, (0, 0), "the second device is never written to");
    for device in &devices {
        assert!(!desk.has(device, &wish).await, "{device} is what it was");
    }
}

/// The device that was not written to.
pub(super) async fn second_of(desk: &Desk, view: &Json, devices: &[String]) -> String {
    let mut untouched = Vec::new();
    for id in devices {
        if desk.entered(id, 0).await.is_empty() {
            untouched.push(id.clone());
        }
    }
    assert_eq!(untouched.len(), 1, "one device was written to, and one was not: {}", told(view));
    untouched.remove(0)
}

/// The same as `Desk::ends`, seen by somebody else.
pub(super) async fn ended_as(desk: &Desk, user: &str, id: &str) -> Json {
    for _ in 0..2_400 {
        let view = desk.own(user, "get_change", &json!({ "change_id": id })).await.result().clone();
        if super::desk::ENDS.contains(&view["state"].as_str().unwrap()) {
            return view;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it never ends");
}

#[tokio::test]
async fn t18_a_holder_that_is_paused_beyond_its_lease_looks_again_before_it_writes() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&devices, 715);
    let id = desk.approved(&wish, LATER_S).await;
    let late = json!({"kind": "latency", "ms": 3_000});
    let slow = desk.fault(json!({"path": "/template/deploy/status/"}), late, 1).await;
    comes(&desk).await;
    while desk.met(slow).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // The whole program stands still for an hour; only then may somebody else have had the devices.
    desk.caller.lab.pause(true);
    desk.caller.lab.advance(&desk.caller.http, 3_600).await;
    desk.by_hand(&devices[1], &["vlan 3715", "name BYHAND"]).await;
    desk.by_hand(&devices[0], &["vlan 3715", "name BYHAND"]).await;
    desk.caller.lab.pause(false);
    let view = desk.ends(&id).await;
    assert!(matches!(view["state"].as_str().unwrap(), "undone" | "undo_failed"), "{}", told(&view));
    let second = second_of(&desk, &view, &devices).await;
    assert!(!desk.has(&second, &wish).await, "a device that somebody else changed is not written to");
}

#[tokio::test]
async fn t18_a_device_whose_lease_ended_goes_to_the_next_change_and_the_first_one_writes_no_more_to_it() {
    let desk = Desk::open().await;
    let wanted = [desk.switches[0].clone(), desk.switches[1].clone()];
    let wish = desk.wish(&wanted, 719);
    let id = desk.planned(&wish).await;
    let order = super::troubled::in_order(&desk, &id).await;
    let other_wish = desk.wish(&order[1..], 720);
    let other = desk.submitted(&other_wish, 0).await;
    desk.submit(&id, 0).await;
    // The first device is written to, and cannot be read then: the run stands still and keeps its locks.
    let lost = json!("management_lost");
    desk.fault(json!({"path": "/v2/template-programmer/template/deploy", "device": order[0]}), lost, 1).await;
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    desk.reaches_by_the_clock(&id, &["held"]).await;
    assert_eq!(desk.decides("bob", "approve", &other).await, Ok(()));
    let mut waits = desk.view(&other).await;
    while trouble(&waits) != "device_locked" {
        assert!(matches!(waits["state"].as_str().unwrap(), "approved" | "scheduled"), "{}", told(&waits));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        waits = desk.view(&other).await;
    }
    assert!(waits["trouble"].to_string().contains(&id), "it names the holder: {}", told(&waits));
    assert_eq!(desk.times(&order[1], &other_wish).await, (0, 0), "the device is held");
    // As if the holder had been stopped for longer than its lease.
    desk.caller.lab.advance(&desk.caller.http, 3_600).await;
    let view = desk.ends(&other).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(desk.times(&order[1], &other_wish).await, (1, 0));
    // The first one finds out as soon as it can go on.
    let body = json!({"system": CENTER, "device": order[0], "reachable": true});
    desk.caller.lab.admin(&desk.caller.http, "/network/reach", Some(body)).await;
    let view = desk.ends(&id).await;
    assert_eq!((&view["state"], trouble(&view)), (&json!("undone"), "plan_stale"), "{}", told(&view));
    assert_eq!(desk.times(&order[1], &wish).await, (0, 0), "it never wrote to the device that it had lost");
    assert!(desk.has(&order[1], &other_wish).await, "and took nothing back from it");
    assert!(!desk.has(&order[0], &wish).await, "its own device is what it was");
    has_both(&desk, &id, &view);
}

#[tokio::test]
async fn t16_whoever_asked_for_a_change_cannot_approve_it_and_no_stranger_either() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 716);
    let id = desk.submitted(&wish, 0).await;
    assert_eq!(desk.decides("alice", "approve", &id).await, Err("approver_is_requester".to_owned()));
    let stranger = desk.decides("vic", "approve", &id).await;
    assert!(
        matches!(stranger.as_ref().map_err(String::as_str), Err("change_unknown" | "approver_not_allowed")),
        "{stranger:?}"
    );
    assert_eq!(desk.view(&id).await["state"], "submitted");
    assert_eq!(desk.decides("bob", "reject", &id).await, Ok(()));
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "rejected", "{}", told(&view));
    let late = desk.decides("ada", "approve", &id).await;
    assert_eq!(late, Err("change_state".to_owned()), "nobody approves what was rejected");
    untouched(&desk, &wish, &devices).await;
}

#[tokio::test]
async fn t16_no_program_approves_neither_by_a_tool_nor_by_an_answer_nor_by_its_own_credentials() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 717);
    let id = desk.submitted(&wish, 0).await;
    let caller = &desk.caller;
    let (bob, program) = (caller.lab.token("bob").await, caller.lab.automation_token(&caller.http).await);
    for token in [&bob, &program] {
        for server in [OWN, CENTER] {
            let names = caller.tools(token, server).await;
            assert!(names.iter().all(|name| !name.contains("approve") && !name.contains("decide")), "{names:?}");
        }
        for tool in ["approve_change", "decide_change"] {
            let answer = caller.rest(token, OWN, tool, &json!({"change_id": id})).await;
            assert_eq!((answer.status, answer.code()), (404, Some("tool_unknown")), "{answer:?}");
        }
        // A token opens no page, whatever is sent there.
        for (method, path) in [(Method::POST, "decision"), (Method::POST, "decide")] {
            let url = format!("{}/changes/{id}/{path}", caller.lab.url());
            let form = [("verdict", "approve"), ("reason", "Because"), ("csrf", "x")];
            let answer = Answer::of(caller.http.request(method.clone(), url).bearer_auth(token).form(&form)).await;
            assert!(answer.status != 200, "{method} {path}: {answer:?}");
        }
        // An answer to a question of MCP is no approval either: the submission stands where it stood.
        let params = json!({"name": "get_change", "arguments": {"change_id": id},
            "inputResponses": {"approve": {"action": "accept", "content": {"approve": true}}}, "requestState": "x"});
        let answer = Answer::of(caller.mcp_request(token, OWN, "tools/call", &params)).await;
        assert!(answer.status < 500, "{answer:?}");
    }
    // A password alone, and a factor that was given for something else, are not enough: see `super::factor`.
    let view = desk.view(&id).await;
    assert_eq!((&view["state"], &view["approvals"]), (&json!("submitted"), &json!([])), "{}", told(&view));
    untouched(&desk, &wish, &devices).await;
}

#[tokio::test]
async fn t14_a_call_that_names_an_approved_change_joins_its_run_and_executes_nothing_itself() {
    let desk = Desk::open().await;
    let devices = [desk.switches[0].clone()];
    let wish = desk.wish(&devices, 718);
    let id = desk.submitted(&wish, 0).await;
    let alice = desk.caller.lab.token("alice").await;
    let call = json!({"template_id": desk.template, "device_id": devices[0], "params": wish.arguments["params"]});
    let named = async |arguments: &Json| {
        let request =
            desk.caller.rest_request(&alice, CENTER, "deploy_template", arguments).header("interlock-change", &id);
        Answer::of(request).await
    };
    let early = named(&call).await;
    assert_eq!(early.code(), Some("change_not_approved"), "{early:?}");
    let mut other = call.clone();
    other["params"]["vlan_id"] = json!(719);
    let mismatch = named(&other).await;
    assert_eq!(mismatch.code(), Some("change_mismatch"), "{mismatch:?}");
    assert_eq!(desk.decides("bob", "approve", &id).await, Ok(()));
    let joined = named(&call).await;
    assert_eq!(joined.result()["change_id"], id.as_str(), "{joined:?}");
    let view = desk.ends(&id).await;
    assert_eq!(view["state"], "done", "{}", told(&view));
    assert_eq!(check(device(&view, &devices[0]), "live_equals_predicted", "forward"), "passed");
    assert_eq!(desk.times(&devices[0], &wish).await, (1, 0), "it is done once");
    let over = named(&call).await;
    assert_eq!(over.code(), Some("change_over"), "{over:?}");
}
