//! Host, Origin and request ids: the platform answers under its own names, and its ids are its own.

use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, OWN};

#[tokio::test]
async fn another_host_name_is_refused_on_every_door() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    for path in ["/", "/healthz", "/mcp/interlock", "/api/v1/mcp/interlock/tools", "/issuer/jwks", "/elevate/x"] {
        let url = format!("{}{path}", caller.lab.url());
        for host in ["attacker.example", "127.0.0.1", "localhost:1"] {
            let answer = Answer::of(caller.http.get(&url).bearer_auth(&alice).header("host", host)).await;
            assert_eq!((answer.status, answer.code()), (403, Some("host_not_allowed")), "{path} {host}: {answer:?}");
            answer.request_id();
        }
    }
}

#[tokio::test]
async fn a_foreign_origin_is_refused_and_our_own_and_none_are_not() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    for origin in ["https://attacker.example", "null", "http://127.0.0.1:1"] {
        for request in [
            caller.rest_request(&alice, OWN, "whoami", &json!({})),
            caller.mcp_request(&alice, CENTER, "tools/list", &json!({})),
        ] {
            let answer = Answer::of(request.header("origin", origin)).await;
            assert_eq!((answer.status, answer.code()), (403, Some("origin_not_allowed")), "{origin}: {answer:?}");
        }
    }
    let own = caller.rest_request(&alice, OWN, "whoami", &json!({})).header("origin", caller.lab.url());
    assert_eq!(Answer::of(own).await.status, 200);
}

#[tokio::test]
async fn request_ids_are_minted_and_a_callers_own_never_takes_their_place() {
    let caller = Caller::shared();
    let alice = caller.lab.token("alice").await;
    let ours = caller.rest_request(&alice, OWN, "whoami", &json!({})).header("x-request-id", "doors-own-id");
    let ours = Answer::of(ours).await.request_id();
    assert_ne!(ours, "doors-own-id");
    let records = caller.lab.records_of(&ours);
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["interlock"]["client_request_id"], "doors-own-id");
    for path in ["/healthz", "/nothing-here", "/issuer/jwks", "/issuer/nothing", "/errors/step_up_required"] {
        Answer::of(caller.http.get(format!("{}{path}", caller.lab.url()))).await.request_id();
    }
}
