//! What the vendor does wrong, and what callers read then. Writes whose end cannot be told are never called failures.
#![cfg(test)]

use std::time::Duration;

use platform::ErrorKind;
use serde_json::json;
use world::Fault;

use crate::deploying::vlan;
use crate::lab::{Lab, QUICK};
use crate::road::Road;

const HEALTH: &str = "/network-health";
const DEPLOY: &str = "/template/deploy";

async fn short(attempt: Duration) -> Lab {
    Lab::with(QUICK, |options| options.attempt_timeout = attempt).await
}

#[tokio::test]
async fn what_passes_by_itself_is_repeated_for_reads() {
    let lab = Lab::start().await;
    for fault in [
        Fault::RateLimited { retry_after_s: Some(0) },
        Fault::ServerError { status: 502 },
        Fault::Truncation,
        Fault::ReplyLost,
    ] {
        lab.fault(HEALTH, fault, 1);
        lab.read("get_network_health", json!({})).await;
    }
    assert_eq!(lab.used(HEALTH), 4);
}

#[tokio::test]
async fn what_stays_has_a_code_and_a_sentence() {
    let lab = short(Duration::from_millis(300)).await;
    lab.read("get_network_health", json!({})).await;
    for (fault, kind, code) in [
        (Fault::RateLimited { retry_after_s: None }, ErrorKind::RateLimited, "target_rate_limited"),
        (Fault::RateLimited { retry_after_s: Some(3_600) }, ErrorKind::RateLimited, "target_rate_limited"),
        (Fault::ServerError { status: 500 }, ErrorKind::Upstream, "target_failed"),
        (Fault::ServerError { status: 503 }, ErrorKind::Upstream, "target_failed"),
        (Fault::Hang { ms: 600_000 }, ErrorKind::Timeout, "target_timeout"),
        (Fault::Garbage, ErrorKind::Upstream, "target_garbled"),
        (Fault::ReplyLost, ErrorKind::Unavailable, "target_connection_lost"),
        (Fault::Truncation, ErrorKind::Unavailable, "target_connection_lost"),
    ] {
        lab.fault(HEALTH, fault, 100);
        let error = lab.call("get_network_health", json!({})).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code), "{fault:?}");
        let waits = matches!(fault, Fault::RateLimited { retry_after_s: Some(_) }).then_some(3_600);
        assert_eq!(error.refusal().retry_after_s, waits, "{fault:?}");
        lab.faults.inject("catalyst-center", world::Match { path: Some(HEALTH.into()), ..Default::default() }, None, 0);
    }
}

#[tokio::test]
async fn t20_a_deployment_whose_reply_does_not_come_is_unknown_and_its_key_is_never_used_again() {
    for fault in [
        Fault::ReplyLost,
        Fault::Truncation,
        Fault::Garbage,
        Fault::Hang { ms: 600_000 },
        Fault::ServerError { status: 500 },
    ] {
        let lab = short(Duration::from_millis(300)).await;
        let road = Road::over(&lab).await;
        let arguments = vlan(&lab).await;
        lab.fault(DEPLOY, fault, 1);
        let error = road.call("deploy_template", arguments.clone(), Some("k-1")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "outcome_unknown"), "{fault:?}");
        assert_eq!(road.open_intents().await.len(), 1, "{fault:?}");
        let again = road.call("deploy_template", arguments, Some("k-1")).await.unwrap_err();
        assert_eq!(again.code(), "outcome_unknown", "{fault:?}");
        assert_eq!(lab.used(DEPLOY), 1, "sent once: {fault:?}");
    }
}

#[tokio::test]
async fn t20_a_deployment_that_was_refused_or_never_sent_is_a_plain_failure() {
    let lab = short(Duration::from_millis(300)).await;
    let road = Road::over(&lab).await;
    let arguments = vlan(&lab).await;
    for (path, fault, code) in [
        (DEPLOY, Fault::RateLimited { retry_after_s: None }, "target_rate_limited"),
        ("/template/version/", Fault::Hang { ms: 600_000 }, "target_timeout"),
        ("/template/version/", Fault::Garbage, "target_garbled"),
        ("/template/version/", Fault::ServerError { status: 500 }, "target_failed"),
    ] {
        lab.fault(path, fault, 1);
        let error = road.call("deploy_template", arguments.clone(), None).await.unwrap_err();
        assert_eq!(error.code(), code, "{path} {fault:?}");
        assert!(road.open_intents().await.is_empty(), "{path} {fault:?}");
    }
    // The same target answers again, and nothing of the attempts above has reached the device.
    let result = road.call("deploy_template", arguments, None).await.unwrap().structured;
    assert_eq!(result["devices"].as_array().unwrap().len(), 1, "{result}");
}

#[tokio::test]
async fn a_401_on_the_deployment_itself_is_repeated_after_renewal_and_deploys_once() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let arguments = vlan(&lab).await;
    lab.fault(DEPLOY, Fault::ExpiredToken, 1);
    let result = road.call("deploy_template", arguments, None).await.unwrap().structured;
    assert_eq!(result["status"], "success");
    assert_eq!(lab.logins(), 2);
}

#[tokio::test]
async fn t20_an_accepted_deployment_is_in_progress_whatever_its_polls_answer() {
    for fault in [
        Fault::ServerError { status: 500 },
        Fault::Garbage,
        Fault::RateLimited { retry_after_s: None },
        Fault::TaskHidden,
    ] {
        let lab = Lab::start().await;
        let road = Road::over(&lab).await;
        let arguments = vlan(&lab).await;
        let path = if fault == Fault::TaskHidden { DEPLOY } else { "/api/v1/task/" };
        lab.fault(path, fault, 1);
        let answer = road.call("deploy_template", arguments, None).await.unwrap();
        assert_eq!(answer.structured["status"], "in_progress", "{fault:?}");
        assert!(answer.follow_up.is_some());
        assert!(answer.structured["deployment_id"].as_str().unwrap().starts_with("task:"));
        let followed = road.call("get_deployment", answer.follow_up.unwrap().arguments, None).await;
        match fault {
            // The vendor denies the task it named: that is no verdict about the device.
            Fault::TaskHidden => assert_eq!(followed.unwrap_err().code(), "target_not_found"),
            _ => assert_eq!(followed.unwrap().structured["status"], "success", "{fault:?}"),
        }
    }
}

#[tokio::test]
async fn a_half_applied_deployment_is_told_by_the_configuration_and_not_by_the_vendor() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let arguments = vlan(&lab).await;
    lab.fault(DEPLOY, Fault::HalfApplied, 1);
    let result = road.call("deploy_template", arguments.clone(), None).await.unwrap().structured;
    assert_eq!(result["status"], "success", "the vendor says so");
    let config = road.call("get_device_config", json!({"device_id": arguments["device_id"]}), None).await.unwrap();
    let config = config.structured["config"].as_str().unwrap().to_owned();
    assert!(config.contains("vlan 3917") && !config.contains("INTERLOCK_PROOF"));
}

#[tokio::test]
async fn a_login_that_fails_for_other_reasons_is_no_wrong_password() {
    let lab = Lab::with(QUICK, |options| options.retry.max_attempts = 1).await;
    lab.faults.inject("catalyst-center", world::Match::default(), None, 0);
    lab.fault("/auth/token", Fault::ServerError { status: 500 }, 1);
    let error = lab.call("get_network_health", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "target_failed");
    lab.read("get_network_health", json!({})).await;
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_a_deployment_did_not_happen() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let arguments = vlan(&lab).await;
    road.call("get_device", json!({"device_id": arguments["device_id"]}), None).await.unwrap();
    lab.running.shutdown().await;
    let error = road.call("deploy_template", arguments, None).await.unwrap_err();
    assert_eq!(error.code(), "target_unreachable");
    assert!(road.open_intents().await.is_empty());
}
