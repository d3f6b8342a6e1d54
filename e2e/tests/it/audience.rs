//! Audience (T1): a token opens the resource it was issued for, and a refusal says where the resource describes itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::Json;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, EMEA, OWN};

/// The document that a challenge names, fetched.
async fn described(caller: &Caller, refused: &Answer) -> Json {
    let challenge = refused.header("www-authenticate");
    let url = challenge.split("resource_metadata=\"").nth(1).and_then(|rest| rest.split('"').next());
    let url = url.unwrap_or_else(|| panic!("no resource_metadata in {challenge:?}"));
    let document = Answer::of(caller.http.get(url)).await;
    assert_eq!(document.status, 200, "{url}: {document:?}");
    document.body
}

#[tokio::test]
async fn t1_a_token_for_one_server_opens_nothing_else() {
    let caller = Caller::shared();
    let center = caller.lab.ready.mcp[CENTER].clone();
    let token = caller.lab.token_for("alice", &center).await;
    assert!(caller.tools(&token, CENTER).await.contains("deploy_template"));

    let elsewhere = [
        (caller.mcp(&token, OWN, "whoami", &json!({})).await, caller.lab.ready.mcp[OWN].clone()),
        (caller.mcp(&token, EMEA, "list_devices", &json!({})).await, caller.lab.ready.mcp[EMEA].clone()),
        (caller.rest(&token, CENTER, "list_devices", &json!({})).await, format!("{}/api/v1", caller.lab.url())),
    ];
    for (refused, resource) in &elsewhere {
        assert_eq!((refused.status, refused.code()), (401, Some("token_audience")), "{refused:?}");
        let document = described(&caller, refused).await;
        assert_eq!(document["resource"], json!(resource), "RFC 9728: the document is about this very resource");
        assert_eq!(document["authorization_servers"], json!([caller.lab.ready.issuer]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    }
}

#[tokio::test]
async fn t1_the_documents_lead_from_a_bare_request_to_the_issuers_keys() {
    let caller = Caller::shared();
    let missing = Answer::of(caller.http.post(&caller.lab.ready.mcp[CENTER])).await;
    assert_eq!((missing.status, missing.code()), (401, Some("token_missing")), "{missing:?}");
    let challenge = missing.header("www-authenticate");
    assert!(!challenge.contains("error="), "RFC 6750 section 3.1: no error code without a token: {challenge}");
    let document = described(&caller, &missing).await;
    let issuer = document["authorization_servers"][0].as_str().unwrap();
    let found = Answer::of(caller.http.get(format!("{issuer}/.well-known/openid-configuration"))).await;
    assert_eq!(found.body["issuer"], json!(issuer));
    // RFC 8414 section 3.1 puts the well-known part before the path; clients try both.
    let inserted = format!("{}/.well-known/oauth-authorization-server/issuer", caller.lab.url());
    assert_eq!(Answer::of(caller.http.get(inserted)).await.body["issuer"], json!(issuer));
    let keys = Answer::of(caller.http.get(found.body["jwks_uri"].as_str().unwrap())).await;
    assert!(!keys.body["keys"].as_array().unwrap().is_empty());
    assert!(found.body["code_challenge_methods_supported"].as_array().unwrap().contains(&json!("S256")));
}

#[tokio::test]
async fn t1_forged_and_altered_tokens_are_refused_alike() {
    let caller = Caller::shared();
    let good = caller.lab.token("alice").await;
    let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let changed = |part: &str, change: &dyn Fn(&mut Json)| {
        let mut value: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        change(&mut value);
        URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let admin = changed(claims, &|c| c["groups"] = json!(["admin"]));
    let later = changed(claims, &|c| c["exp"] = json!(c["exp"].as_i64().unwrap() + 1));
    let unsigned = changed(header, &|h| h["alg"] = json!("none"));
    let symmetric = changed(header, &|h| h["alg"] = json!("HS256"));
    let foreign = changed(header, &|h| h["kid"] = json!("another"));
    let linked = changed(header, &|h| h["jku"] = json!("http://127.0.0.1:1/keys"));
    let forged = [
        format!("{header}.{admin}.{signature}"),
        format!("{header}.{later}.{signature}"),
        format!("{unsigned}.{admin}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{symmetric}.{claims}.{signature}"),
        format!("{foreign}.{claims}.{signature}"),
        format!("{linked}.{claims}.{signature}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}.x"),
        "x".repeat(9_000),
        String::from("not-a-token"),
    ];
    for token in &forged {
        for answer in
            [caller.rest(token, OWN, "whoami", &json!({})).await, caller.mcp(token, OWN, "whoami", &json!({})).await]
        {
            assert_eq!((answer.status, answer.code()), (401, Some("token_invalid")), "{token}: {answer:?}");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{answer:?}");
        }
    }
    let twice = caller.rest_request(&good, OWN, "whoami", &json!({})).header("authorization", format!("Bearer {good}"));
    let twice = Answer::of(twice).await;
    assert_eq!((twice.status, twice.code()), (400, Some("authorization_repeated")), "{twice:?}");
    assert_eq!(caller.rest(&good, OWN, "whoami", &json!({})).await.status, 200);
}
