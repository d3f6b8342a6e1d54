//! Tokens, envelopes, paging, filters, counts.

use std::collections::HashSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::client::Lab;

#[tokio::test]
async fn a_token_lives_one_hour_by_the_labs_clock_and_bad_credentials_are_401() {
    let mut lab = Lab::start(|_| {}).await;
    assert_eq!(lab.token("wrong").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(lab.bearer().split('.').count(), 3);
    lab.get("/network-device/count").await;
    lab.clock.advance(3599);
    lab.get("/network-device/count").await;
    lab.clock.advance(2);
    let (status, body) = lab.call(Method::GET, "/dna/intent/api/v1/network-device/count", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(body["response"]["errorCode"].is_string());
    lab.sign_in().await;
    lab.get("/network-device/count").await;
}

#[tokio::test]
async fn counts_are_the_rows_of_paging_and_of_the_topology() {
    let lab = Lab::start(|_| {}).await;
    for (list, count) in [
        (
            "/network-device?family=Unified%20AP",
            lab.get("/network-device/count?family=Unified%20AP").await["response"].clone(),
        ),
        ("/network-device?x=1", lab.get("/network-device/count").await["response"].clone()),
        ("/sites?x=1", lab.get("/sites/count").await["response"]["count"].clone()),
        ("/interface?x=1", lab.get("/interface/count").await["response"].clone()),
        ("/compliance?x=1", lab.get("/compliance/count").await["response"].clone()),
    ] {
        let (mut seen, mut offset) = (HashSet::new(), 1);
        loop {
            let page = lab.get(&format!("{list}&offset={offset}&limit=97")).await;
            let rows = page["response"].as_array().unwrap().clone();
            offset += 97;
            let last = rows.len() < 97;
            seen.extend(rows.into_iter().map(|row| row.to_string()));
            if last {
                break;
            }
        }
        assert_eq!(Some(seen.len() as u64), count.as_u64(), "{list}");
    }
    let topology = lab.get("/topology/physical-topology").await;
    assert_eq!(topology["response"]["nodes"].as_array().unwrap().len(), lab.world.managed().count());
    let issues = lab.get("/issues").await;
    assert_eq!(issues["totalCount"], issues["response"].as_array().unwrap().len().to_string());
}

#[tokio::test]
async fn limits_and_offsets_outside_their_bounds_are_400_and_unknown_things_404() {
    let lab = Lab::start(|_| {}).await;
    for (path, expected) in [
        ("/network-device?limit=501", 400),
        ("/network-device?limit=0", 400),
        ("/network-device?offset=0", 400),
        ("/network-device?limit=abc", 400),
        ("/sites?limit=501", 400),
        ("/network-device/00000000-0000-4000-8000-000000000000", 404),
        ("/network-device/nonsense", 404),
        ("/network-device/nonsense/config", 404),
        ("/network-device/serial-number/NOPE", 404),
        ("/network-device/ip-address/1.1.1.1", 404),
        ("/task/nope", 404),
        ("/template-programmer/template/nope", 404),
        ("/no-such-thing", 404),
    ] {
        let (status, body) = lab.call(Method::GET, &format!("/dna/intent/api/v1{path}"), None).await;
        assert_eq!(status.as_u16(), expected, "{path}");
        for field in ["errorCode", "message", "detail"] {
            assert!(body["response"][field].is_string(), "{path} {body}");
        }
        assert_eq!(body["version"], "1.0");
    }
    let (status, body) = lab.call(Method::GET, "/dna/data/api/v1/assuranceIssues?limit=501", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["response"][0]["errorCode"].is_number(), "the data API words errors as a list: {body}");
}

#[tokio::test]
async fn filters_take_wildcards_and_repeated_keys_and_an_unknown_id_is_a_null_row() {
    let lab = Lab::start(|_| {}).await;
    let switch = lab.switch();
    let hosts = lab.get("/network-device?hostname=sjc01-b1-.*").await;
    assert!(
        hosts["response"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["hostname"].as_str().unwrap().starts_with("sjc01-b1-"))
    );
    let roles = lab.get("/network-device?role=CORE&role=BORDER%20ROUTER").await;
    let seen: HashSet<&str> =
        roles["response"].as_array().unwrap().iter().map(|row| row["role"].as_str().unwrap()).collect();
    assert_eq!(seen, HashSet::from(["CORE", "BORDER ROUTER"]));
    let rows = lab.get(&format!("/network-device?id={},00000000-0000-4000-8000-000000000000", switch.id)).await;
    assert_eq!(rows["response"][0]["id"], switch.id.to_string());
    assert_eq!(rows["response"][1], Value::Null);
    let serial = &switch.members[0].serial;
    assert_eq!(
        lab.get(&format!("/network-device/serial-number/{serial}")).await["response"]["id"],
        switch.id.to_string()
    );
    assert_eq!(lab.get("/network-device/1/5").await["response"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn preview_renders_both_languages_and_names_what_is_missing() {
    let lab = Lab::start(|_| {}).await;
    let preview = async |name: &str, params: Value| {
        let body = serde_json::json!({ "templateId": lab.template(name).await, "params": params });
        lab.call(Method::PUT, "/dna/intent/api/v1/template-programmer/template/preview", Some(body)).await.1
    };
    let jinja = preview("ntp-servers", serde_json::json!({ "servers": ["10.1.1.1", "10.1.1.2"] })).await;
    assert_eq!(jinja["cliPreview"], "ntp server 10.1.1.1\nntp server 10.1.1.2\n");
    let velocity = preview("snmp-location", serde_json::json!({ "location": "Room 7" })).await;
    assert_eq!(velocity["cliPreview"], "snmp-server location Room 7\n");
    let missing = preview("access-vlan", serde_json::json!({ "vlan_id": 5 })).await;
    assert_eq!(missing["cliPreview"], Value::Null);
    assert!(missing["validationErrors"]["vlan_name"].is_string());
}

#[tokio::test]
async fn the_rate_limit_answers_429_in_the_fields_words() {
    let lab = Lab::start(|options| options.calls_per_minute = 3).await;
    for _ in 0..3 {
        lab.get("/network-device/count").await;
    }
    let (status, body) = lab.call(Method::GET, "/dna/intent/api/v1/network-device/count", None).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(body["response"]["message"].as_str().unwrap().starts_with("RateLimitContext{rate=3"));
    lab.get("/sites/count").await;
}
