//! One session per credential, shared by all calls: made once, renewed once, dropped with its version, and never asked
//! for again and again with a wrong password (T29).
#![cfg(test)]

use futures_util::future::join_all;
use platform::ErrorKind;
use serde_json::json;

use crate::lab::{Lab, PASSWORD};
use crate::road::Road;

const RENEW_S: i64 = 51 * 60;

#[tokio::test]
async fn many_calls_at_once_sign_in_once() {
    let lab = Lab::start().await;
    let calls = (0..40).map(|_| lab.read("list_devices", json!({"limit": 1})));
    assert_eq!(join_all(calls).await.len(), 40);
    assert_eq!(lab.logins(), 1);
}

#[tokio::test]
async fn a_session_is_renewed_before_it_runs_out_once_for_all() {
    let lab = Lab::start().await;
    lab.read("get_network_health", json!({})).await;
    lab.clock.advance(RENEW_S - 120);
    lab.read("get_network_health", json!({})).await;
    assert_eq!(lab.logins(), 1);
    lab.clock.advance(120);
    join_all((0..20).map(|_| lab.read("get_network_health", json!({})))).await;
    assert_eq!(lab.logins(), 2);
}

#[tokio::test]
async fn a_401_renews_the_session_once_for_all_and_the_calls_succeed() {
    let lab = Lab::start().await;
    lab.read("get_network_health", json!({})).await;
    lab.fault("/network-health", world::Fault::ExpiredToken, 1);
    join_all((0..20).map(|_| lab.read("get_network_health", json!({})))).await;
    assert_eq!(lab.logins(), 2);
}

#[tokio::test]
async fn a_second_401_is_the_answer() {
    let lab = Lab::start().await;
    lab.fault("/network-health", world::Fault::ExpiredToken, 2);
    let error = lab.call("get_network_health", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_rejected_credential"));
    assert_eq!(lab.logins(), 2);
}

#[tokio::test]
async fn t29_a_new_version_of_the_credential_drops_the_token() {
    let lab = Lab::start().await;
    lab.read("get_network_health", json!({})).await;
    let rotated = lab.cx_with(2, PASSWORD);
    lab.call_in(rotated, "get_network_health", json!({})).await.unwrap();
    assert_eq!(lab.logins(), 2);
    // A call that leased before the rotation uses the new session and does not bring the old one back.
    lab.read("get_network_health", json!({})).await;
    assert_eq!(lab.logins(), 2);
    // Nothing of the old session is left to fall back on when the new password is wrong.
    let wrong = lab.cx_with(3, "wrong-password");
    let error = lab.call_in(wrong, "get_network_health", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "target_rejected_credential");
    let old = lab.call("get_network_health", json!({})).await.unwrap_err();
    assert_eq!(old.code(), "target_rejected_credential");
    assert_eq!(lab.logins(), 3);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_a_minute_and_a_corrected_one_at_once() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    road.store_password("wrong-password").await;
    let calls = (0..40).map(|_| road.call("list_devices", json!({}), None));
    for result in join_all(calls).await {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "target_rejected_credential"));
        assert!(!format!("{error:?}").contains("wrong-password"));
    }
    assert_eq!(lab.logins(), 1, "an account is locked after a few wrong passwords");
    lab.clock.advance(61);
    road.call("list_devices", json!({}), None).await.unwrap_err();
    assert_eq!(lab.logins(), 2);
    road.store_password(PASSWORD).await;
    road.call("list_devices", json!({}), None).await.unwrap();
    assert_eq!(lab.logins(), 3);
}

#[tokio::test]
async fn a_credential_without_a_field_asks_nobody() {
    let lab = Lab::start().await;
    let mut cx = lab.cx();
    cx.lease = std::sync::Arc::new(tool_runtime::Lease::none());
    let error = lab.call_in(cx, "get_network_health", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "credential_incomplete");
    assert_eq!(lab.logins(), 0);
}
