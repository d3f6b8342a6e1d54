//! Signing in: by basic authentication and by OAuth, renewed once, and never tried again and again.
#![cfg(test)]

use platform::ErrorKind;
use serde_json::json;
use tool_runtime::Lease;

use crate::recorded::{Recorded, Reply};

const CLIENT: [(&str, &str); 2] = [("client_id", "interlock"), ("client_secret", "s3cret")];

fn token(name: &str) -> Reply {
    Reply::json(200, json!({"access_token": name, "token_type": "Bearer", "expires_in": 1799, "scope": "useraccount"}))
}

fn unauthorized() -> Reply {
    Reply::refused(401, "User Not Authenticated", "Required to provide Auth information")
}

fn nobody() -> Reply {
    Reply::rows(json!([]), 0)
}

#[tokio::test]
async fn basic_authentication_needs_no_request_of_its_own() {
    let lab = Recorded::with([nobody()]).await;
    lab.ask("list_users", json!({})).await.unwrap();
    let asked = lab.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, "Basic c3ZjLWludGVybG9jazpjb3JyZWN0LWhvcnNl");
}

#[tokio::test]
async fn a_refused_password_is_not_tried_again_for_a_minute() {
    let lab = Recorded::with([unauthorized()]).await;
    for _ in 0..3 {
        let error = lab.ask("list_users", json!({})).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_rejected_credential"));
    }
    assert_eq!(lab.asked().len(), 1, "accounts are locked after a few wrong passwords");
    lab.clock.advance(61);
    lab.then([nobody()]);
    lab.ask("list_users", json!({})).await.unwrap();
}

#[tokio::test]
async fn an_oauth_token_is_shared_and_renewed_before_it_ends() {
    let lab = Recorded::with([token("one"), nobody(), nobody(), token("two"), nobody()]).await;
    let ask = || lab.call(lab.cx_with(1, &CLIENT, None), "list_users", json!({}));
    ask().await.unwrap();
    ask().await.unwrap();
    lab.clock.advance(1_740);
    ask().await.unwrap();
    let asked = lab.asked();
    assert_eq!(asked[0].path, "/oauth_token.do");
    assert!(asked[0].body.contains("grant_type=client_credentials") && asked[0].body.contains("client_id=interlock"));
    let used: Vec<_> = asked.iter().map(|a| a.authorization.as_str()).collect();
    assert_eq!(used, ["", "Bearer one", "Bearer one", "", "Bearer two"]);
}

#[tokio::test]
async fn an_ended_token_is_renewed_once_and_a_second_refusal_is_final() {
    let lab = Recorded::with([token("one"), unauthorized(), token("two"), nobody()]).await;
    let ask = || lab.call(lab.cx_with(1, &CLIENT, None), "list_users", json!({}));
    ask().await.unwrap();
    lab.then([unauthorized(), token("three"), unauthorized()]);
    assert_eq!(ask().await.unwrap_err().code(), "target_rejected_credential");
    assert_eq!(lab.asked().len(), 7);
    assert_eq!(ask().await.unwrap_err().code(), "target_rejected_credential");
    assert_eq!(lab.asked().len(), 7, "it is remembered");
}

#[tokio::test]
async fn all_four_fields_mean_a_users_password_over_oauth() {
    let lab = Recorded::with([token("one"), nobody()]).await;
    let fields = [CLIENT[0], CLIENT[1], ("username", "svc"), ("password", "pass word")];
    lab.call(lab.cx_with(1, &fields, None), "list_users", json!({})).await.unwrap();
    let body = &lab.asked()[0].body;
    assert!(body.contains("grant_type=password") && body.contains("password=pass+word"), "{body}");
}

#[tokio::test]
async fn a_candidate_credential_is_tried_by_itself() {
    let lab = Recorded::with([nobody(), unauthorized(), nobody()]).await;
    lab.ask("list_users", json!({})).await.unwrap();
    let candidate = lab.cx_with(Lease::CANDIDATE, &[("username", "svc"), ("password", "new")], None);
    assert_eq!(lab.connector.verify_credential(&candidate).await.unwrap_err().code(), "target_rejected_credential");
    lab.ask("list_users", json!({})).await.unwrap();
}

#[tokio::test]
async fn t29_no_part_of_the_credential_stands_in_an_error() {
    let lab = Recorded::with([Reply::refused(401, "correct-horse", "s3cret"), Reply::page(500)]).await;
    let error = lab.ask("list_users", json!({})).await.unwrap_err();
    assert!(!format!("{error:?}").contains("correct-horse"));
}
