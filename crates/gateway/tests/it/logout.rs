//! The back-channel logout door: a form with one logout token, on record when it was taken, counted when it was not.

use serde_json::json;

use crate::fixture::{Reply, Server};

const FORM: &str = "content-type: application/x-www-form-urlencoded";

async fn send(server: &Server, content_type: &str, body: &str) -> Reply {
    let (host, length) = (server.host(), format!("content-length: {}", body.len()));
    server.raw("POST", "/backchannel-logout", &[&host, content_type, &length], body.as_bytes()).await
}

#[tokio::test]
async fn t3_a_logout_is_on_record_before_the_issuer_hears_that_it_was_done() {
    let server = Server::start().await;
    let reply = send(&server, FORM, "x=1&logout_token=a%2Bgood%3Done").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let entries = server.audit.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].action, "token.signed_out");
    assert_eq!((&entries[0].facts["subject"], &entries[0].facts["session"]), (&json!("alice"), &json!(null)));
}

#[tokio::test]
async fn what_is_no_logout_token_is_refused_with_a_code_and_counted() {
    let server = Server::start().await;
    for (content_type, body) in [
        (FORM, "logout_token=another"),
        (FORM, ""),
        (FORM, "logout_token="),
        (FORM, "logout_token=a%2Bgood%3Done&logout_token=a%2Bgood%3Done"),
        ("content-type: application/json", r#"{"logout_token":"a+good=one"}"#),
        ("x: y", "logout_token=a%2Bgood%3Done"),
    ] {
        let reply = send(&server, content_type, body).await;
        assert_eq!(reply.problem(), (400, "logout_token_invalid".into()), "{body}");
    }
    assert!(server.audit.entries().is_empty());
    server.refusals.flush().await.unwrap();
    let entries = server.audit.entries();
    assert_eq!((entries[0].code.as_deref(), &entries[0].facts["count"]), (Some("logout_token"), &json!(6)));
    let reply = server.get("/backchannel-logout?logout_token=a%2Bgood%3Done", &[]).await;
    assert_eq!(reply.status, 405, "a link ends no session");
}
