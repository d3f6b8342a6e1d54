//! Signing in, faults, attachments, and what a restart keeps.

use std::sync::Arc;

use platform::clock::AdjustableClock;
use reqwest::Method;
use serde_json::{Value, json};
use world::{Fault, Match};

use crate::client::{Lab, detail, http, worlds};

async fn token(lab: &Lab, form: &[(&str, &str)]) -> (u16, Value) {
    let answer = http().post(format!("{}/oauth_token.do", lab.running.url)).form(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn read(lab: &Lab, bearer: &str) -> (u16, Value) {
    let url = format!("{}/api/now/table/incident?sysparm_limit=1", lab.running.url);
    let answer = http().get(url).bearer_auth(bearer).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn tokens_come_by_three_grants_live_half_an_hour_and_are_renewed() {
    let lab = Lab::start().await;
    let client = [("client_id", "interlock"), ("client_secret", "pw-interlock")];
    let mut form = client.to_vec();
    form.push(("grant_type", "client_credentials"));
    let (status, own) = token(&lab, &form).await;
    assert_eq!((status, &own["token_type"], &own["expires_in"]), (200, &json!("Bearer"), &json!(1799)));
    assert!(own.get("refresh_token").is_none());
    form = client.to_vec();
    form.extend([("grant_type", "password"), ("username", "alice"), ("password", "pw-alice")]);
    let (_, hers) = token(&lab, &form).await;
    let bearer = hers["access_token"].as_str().unwrap();
    assert_eq!(read(&lab, bearer).await.0, 200);
    assert_eq!(read(&lab, hers["refresh_token"].as_str().unwrap()).await.0, 401, "a refresh token opens nothing");
    lab.clock.advance(1_800);
    let (status, body) = read(&lab, bearer).await;
    assert_eq!((status, &body["error"]["message"]), (401, &json!("User Not Authenticated")));
    form = client.to_vec();
    form.extend([("grant_type", "refresh_token"), ("refresh_token", hers["refresh_token"].as_str().unwrap())]);
    let (status, again) = token(&lab, &form).await;
    assert_eq!(status, 200);
    assert_eq!(read(&lab, again["access_token"].as_str().unwrap()).await.0, 200);
    for wrong in [
        vec![("grant_type", "client_credentials"), ("client_id", "interlock"), ("client_secret", "x")],
        vec![("grant_type", "implicit"), ("client_id", "interlock"), ("client_secret", "pw-interlock")],
    ] {
        let (status, body) = token(&lab, &wrong).await;
        assert!(status == 401 && body["error"].is_string(), "{body}");
    }
}

#[tokio::test]
async fn an_account_that_the_lab_adds_is_a_user_with_a_role() {
    let lab = Lab::with(|options| {
        let secret = platform::Secret::new("pw-second");
        options.accounts.set("second", Some(secret)).unwrap();
    })
    .await;
    let row = lab.insert("second", "incident", json!({ "short_description": "x" })).await;
    assert_eq!(row["sys_created_by"], "second");
    assert_eq!(lab.rows("sys_user", "user_name=second").await.len(), 1);
    assert_eq!(lab.call("nobody", Method::GET, "/api/now/table/incident", None).await.0, 401);
}

#[tokio::test]
async fn faults_are_worded_as_the_vendor_does() {
    let lab = Lab::start().await;
    let inject = |fault| lab.faults.inject("servicenow", Match::default(), Some(fault), 1);
    let path = "/api/now/table/incident?sysparm_limit=1";
    inject(Fault::Hibernating);
    let asleep = lab.send("interlock", Method::GET, path, None).await;
    assert_eq!(asleep.status(), 200);
    assert!(asleep.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(asleep.text().await.unwrap().contains("hibernating"));
    inject(Fault::RateLimited { retry_after_s: Some(7) });
    let many = lab.send("interlock", Method::GET, path, None).await;
    assert_eq!((many.status().as_u16(), many.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert!(many.headers().contains_key("x-ratelimit-limit") && many.headers().contains_key("x-ratelimit-rule"));
    assert_eq!(many.json::<Value>().await.unwrap()["error"]["message"], "Rate limit exceeded");
    inject(Fault::ServerError { status: 503 });
    assert_eq!(lab.call("interlock", Method::GET, path, None).await.0, 503);
    let form = [("grant_type", "client_credentials"), ("client_id", "interlock"), ("client_secret", "pw-interlock")];
    let bearer = token(&lab, &form).await.1["access_token"].as_str().unwrap().to_owned();
    inject(Fault::ExpiredToken);
    assert_eq!(read(&lab, &bearer).await.0, 401);
    assert_eq!(read(&lab, &bearer).await.0, 401, "it stays dead");
    let before = lab.rows("incident", "short_description=lost").await.len();
    lab.faults.inject(
        "servicenow",
        Match { method: Some("POST".to_owned()), ..Match::default() },
        Some(Fault::ReplyLost),
        1,
    );
    let lost =
        lab.request("interlock", Method::POST, "/api/now/table/incident").json(&json!({ "short_description": "lost" }));
    assert!(lost.send().await.is_err());
    assert_eq!((before, lab.rows("incident", "short_description=lost").await.len()), (0, 1), "done, without an answer");
}

#[tokio::test]
async fn a_rule_of_calls_per_hour_is_kept() {
    let lab = Lab::with(|options| options.calls_per_hour = Some(2)).await;
    let path = "/api/now/table/incident?sysparm_limit=1";
    assert_eq!(lab.call("interlock", Method::GET, path, None).await.0, 200);
    assert_eq!(lab.call("interlock", Method::GET, path, None).await.0, 200);
    let (status, body) = lab.call("interlock", Method::GET, path, None).await;
    assert_eq!((status, detail(&body)), (429, "Rate limit of 2 requests per hour for Table API exceeded"));
}

#[tokio::test]
async fn attachments_are_bytes_of_a_record() {
    let lab = Lab::start().await;
    let id = lab.insert("interlock", "incident", json!({ "short_description": "x" })).await["sys_id"].clone();
    let id = id.as_str().unwrap();
    let path = format!("/api/now/attachment/file?table_name=incident&table_sys_id={id}&file_name=plan.txt");
    let sent = lab.request("interlock", Method::POST, &path).header("content-type", "text/plain").body("vlan 12\n");
    let made = sent.send().await.unwrap();
    assert_eq!(made.status(), 201);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let row = made.json::<Value>().await.unwrap()["result"].clone();
    assert!(location.ends_with(row["sys_id"].as_str().unwrap()));
    assert_eq!((&row["size_bytes"], &row["content_type"]), (&json!("8"), &json!("text/plain")));
    let file = format!("/api/now/attachment/{}/file", row["sys_id"].as_str().unwrap());
    let answer = lab.send("alice", Method::GET, &file, None).await;
    assert!(answer.headers()["x-attachment-metadata"].to_str().unwrap().contains("plan.txt"));
    assert_eq!(answer.bytes().await.unwrap(), "vlan 12\n");
    let form = "--b\r\nContent-Disposition: form-data; name=\"table_name\"\r\n\r\nincident\r\n--b\r\nContent-Disposition: form-data; name=\"table_sys_id\"\r\n\r\nID\r\n--b\r\nContent-Disposition: form-data; name=\"uploadFile\"; filename=\"b.bin\"\r\nContent-Type: application/x-b\r\n\r\n\x01\x02\r\n\x03\r\n--b--\r\n";
    let upload = lab.request("interlock", Method::POST, "/api/now/attachment/upload");
    let upload = upload.header("content-type", "multipart/form-data; boundary=b").body(form.replace("ID", id));
    let second = upload.send().await.unwrap().json::<Value>().await.unwrap()["result"].clone();
    assert_eq!((&second["size_bytes"], &second["file_name"]), (&json!("5"), &json!("b.bin")));
    let listed = lab.get(&format!("/api/now/attachment?sysparm_query=table_sys_id={id}^ORDERBYfile_name")).await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["sys_id"]), (2, &row["sys_id"]));
    let big =
        lab.request("interlock", Method::POST, &path)
            .header("content-type", "text/plain")
            .body(vec![0_u8; (24 << 20) + 1]);
    assert_eq!(big.send().await.unwrap().status(), 413);
    let audrey = lab.request("audrey", Method::POST, &path).header("content-type", "text/plain").body("x");
    assert_eq!(audrey.send().await.unwrap().status(), 403, "read-only");
    let one = format!("/api/now/attachment/{}", row["sys_id"].as_str().unwrap());
    assert_eq!(lab.call("interlock", Method::DELETE, &one, None).await.0, 204);
    assert_eq!(lab.call("interlock", Method::GET, &file, None).await.0, 404);
}

#[tokio::test]
async fn a_restart_keeps_edits_deletions_numbers_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AdjustableClock::default());
    let lab = Lab::over(worlds(Some(folder.path()), &clock), clock.clone(), |_| {}).await;
    let made = lab.insert("interlock", "incident", json!({ "short_description": "kept", "work_notes": "Noted" })).await;
    let gone = lab.insert("interlock", "incident", json!({ "short_description": "gone" })).await;
    let seeded = lab.rows("incident", "active=true^ORDERBYnumber").await[0].clone();
    for row in [&gone, &seeded] {
        let path = format!("/api/now/table/incident/{}", row["sys_id"].as_str().unwrap());
        assert_eq!(lab.call("admin", Method::DELETE, &path, None).await.0, 204);
    }
    let form = [("grant_type", "client_credentials"), ("client_id", "interlock"), ("client_secret", "pw-interlock")];
    let bearer = token(&lab, &form).await.1["access_token"].as_str().unwrap().to_owned();
    lab.running.shutdown().await;
    let again = Lab::over(worlds(Some(folder.path()), &clock), clock, |_| {}).await;
    assert_eq!(read(&again, &bearer).await.0, 200);
    assert_eq!(again.rows("incident", "short_description=kept").await, std::slice::from_ref(&made));
    assert_eq!(
        again.rows("sys_journal_field", &format!("element_id={}", made["sys_id"].as_str().unwrap())).await.len(),
        1
    );
    for row in [&gone, &seeded] {
        assert_eq!(again.rows("incident", &format!("number={}", row["number"].as_str().unwrap())).await.len(), 0);
    }
    let next = again.insert("interlock", "incident", json!({ "short_description": "next" })).await;
    assert!(next["number"].as_str() > gone["number"].as_str(), "a number is never given twice");
}

#[tokio::test]
async fn a_death_between_an_approval_and_the_change_is_made_good_at_the_next_start() {
    let clock = Arc::new(AdjustableClock::default());
    let worlds = worlds(None, &clock);
    let lab = Lab::over(worlds.clone(), clock.clone(), |_| {}).await;
    let id = lab.change("normal").await;
    for to in ["-4", "-3"] {
        assert_eq!(lab.patch("interlock", "change_request", &id, json!({ "state": to })).await.0, 200);
    }
    lab.running.shutdown().await;
    let space = "servicenow/sysapproval_approver";
    let (key, mut row) = worlds[0].documents(space).remove(0);
    row["state"] = json!("approved");
    worlds[0].put_document(space, &key, row).unwrap();
    let again = Lab::over(worlds, clock, |_| {}).await;
    let change = &again.rows("change_request", &format!("sys_id={}", id.as_str().unwrap())).await[0];
    assert_eq!((&change["state"], &change["approval"]), (&json!("-2"), &json!("approved")));
}
