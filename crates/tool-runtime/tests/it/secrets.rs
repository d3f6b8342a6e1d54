//! T27: an argument that is a secret is seen by its tool and by nobody else; a keyed hash stands in its place everywhere.

use platform::ErrorKind;
use platform::Json;
use platform::policy::Effect;
use platform::store::Op;
use serde_json::json;
use tool_runtime::Connector as _;

use crate::fixture::{Lab, SERVER, alice, decision};

const CANARY: &str = "canary-7f3a-hush";
const OTHER: &str = "canary-9b1c-hush";

fn arguments(password: &str) -> Json {
    json!({"device": "dev-1", "password": password, "data": {"enable": OTHER}})
}

/// Everything that the platform wrote down or asked about so far.
fn seen(lab: &Lab) -> String {
    let written: Vec<String> = lab.store.written().iter().map(|op| format!("{op:?}")).collect();
    let raw: Vec<Vec<u8>> = lab
        .store
        .written()
        .into_iter()
        .filter_map(|op| if let Op::CompleteKey { result, .. } = op { Some(result) } else { None })
        .collect();
    let raw = raw.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect::<String>();
    let asked = serde_json::to_string(&lab.policy.asked()).unwrap();
    format!("{:?}{written:?}{raw}{asked}{:?}", lab.audit.entries(), lab.recorded.all())
}

#[tokio::test]
async fn t27_the_tool_gets_the_secret_and_policy_audit_and_store_get_a_keyed_hash() {
    let lab = Lab::new().await;
    for tool in ["set_password", "try_password"] {
        let answer = lab.keyed("k-1", tool, arguments(CANARY)).await.unwrap();
        assert_eq!(answer.structured["length"], CANARY.len() + OTHER.len());
        assert_eq!(answer.structured["said"], "dev-1 has ***", "a result that repeats it is masked");
        let asked = lab.policy.asked().pop().unwrap().arguments;
        assert_eq!(asked["device"], "dev-1");
        for place in ["/password/secret_hmac", "/data/enable/secret_hmac"] {
            assert_eq!(asked.pointer(place).and_then(Json::as_str).map(str::len), Some(64), "{place}");
        }
        assert_eq!(lab.last_record().arguments, Some(asked));
    }
    let seen = seen(&lab);
    assert!(!seen.contains(CANARY) && !seen.contains(OTHER), "{seen}");
}

#[tokio::test]
async fn t27_the_hash_tells_equal_secrets_from_others_at_one_place_and_nothing_between_places() {
    let lab = Lab::new().await;
    let mut hashes = Vec::new();
    for (tool, password) in
        [("set_password", CANARY), ("set_password", CANARY), ("set_password", OTHER), ("try_password", CANARY)]
    {
        lab.call(tool, arguments(password)).await.unwrap();
        hashes.push(lab.policy.asked().pop().unwrap().arguments["password"]["secret_hmac"].clone());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert!(hashes[0] != hashes[2] && hashes[0] != hashes[3]);
    let asked = lab.policy.asked();
    assert_ne!(asked[2].arguments["password"], asked[2].arguments["data"]["enable"], "the same password elsewhere");
}

#[tokio::test]
async fn t27_a_repeat_is_known_by_the_hash_and_another_secret_under_its_key_is_a_conflict() {
    let lab = Lab::new().await;
    assert!(!lab.keyed("k-1", "set_password", arguments(CANARY)).await.unwrap().replayed);
    assert!(lab.keyed("k-1", "set_password", arguments(CANARY)).await.unwrap().replayed);
    let conflict = lab.keyed("k-1", "set_password", arguments("another-hush")).await.unwrap_err();
    assert_eq!(conflict.code(), "idempotency_conflict");
}

#[tokio::test]
async fn t27_no_refusal_failure_or_step_up_page_repeats_a_secret() {
    let lab = Lab::new().await;
    let mut said = Vec::new();
    let broken = json!({"device": "broken", "password": CANARY});
    let failed = lab.call("try_password", broken).await.unwrap_err();
    assert_eq!((failed.kind(), failed.message()), (ErrorKind::Upstream, "no login with ***"));
    said.push(format!("{:?} {:?}", failed.refusal(), failed.detail()));
    let invalid =
        lab.call("set_password", json!({"password": CANARY, "device": 1, "data": {"a": ""}})).await.unwrap_err();
    assert_eq!(invalid.code(), "invalid_arguments");
    said.push(format!("{:?} {:?}", invalid.refusal(), invalid.detail()));
    // By the operator's table nobody knows this one, so it is disruptive and needs a link.
    let refused = lab.call("reset_password", arguments(CANARY)).await.unwrap_err();
    assert_eq!(refused.code(), "step_up_required");
    let id = refused.refusal().url.as_ref().unwrap().rsplit('/').next().unwrap().to_owned();
    let shown = lab.road.elevations().find(&id).await.unwrap().shown;
    assert!(shown.iter().any(|line| line.name == "data.enable" && line.value == "(not shown)"), "{shown:?}");
    assert!(shown.iter().any(|line| line.name == "device" && line.value == "dev-1"), "{shown:?}");
    said.push(format!("{:?} {shown:?}", refused.refusal()));
    // The link is for this secret and no other.
    lab.elevate(&refused, &alice()).await.unwrap();
    assert_eq!(lab.refused("reset_password", arguments("another-hush")).await, "step_up_required");
    lab.call("reset_password", arguments(CANARY)).await.unwrap();
    lab.policy.decide_by(|_| decision(Effect::Deny, &[]));
    said.push(format!("{:?}", lab.call("set_password", arguments(CANARY)).await.unwrap_err().refusal()));
    let all = format!("{said:?}{}", seen(&lab));
    assert!(!all.contains(CANARY) && !all.contains(OTHER), "{all}");
}

#[tokio::test]
async fn t27_callers_read_write_only_in_the_schema_and_cannot_send_a_hash_themselves() {
    let lab = Lab::new().await;
    let catalogue = lab.road.visibility().catalogue();
    let tool = catalogue.server(SERVER).unwrap().tool("set_password").unwrap();
    assert!(tool.has_secret_arguments() && lab.target.tools().len() > 10);
    let password = &tool.published_input["properties"]["password"];
    assert_eq!(
        (&password["writeOnly"], &password["format"], &password["type"]),
        (&json!(true), &json!("password"), &json!("string"))
    );
    assert!(!tool.published_input.to_string().contains("x-interlock"));
    lab.call("set_password", arguments(CANARY)).await.unwrap();
    let known = lab.policy.asked().pop().unwrap().arguments["password"].clone();
    assert_eq!(lab.refused("set_password", json!({"device": "dev-1", "password": known})).await, "invalid_arguments");
}
