//! T7, T25: what a tool brings back is bounded, checked and redacted; panics, timeouts and callers that go away leave a
//! record that tells the truth.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::artifacts::{ArtifactId, ArtifactKind};
use platform::audit::{Outcome, Phase};
use platform::{Error, ErrorKind};
use serde_json::json;
use tokio::sync::Notify;
use tool_runtime::pipeline::Limits;
use tool_runtime::{FollowUp, ToolOutput};

use crate::fixture::{Lab, PASSWORD, SERVER, cx, request};

#[tokio::test]
async fn a_result_that_is_too_large_or_of_another_shape_does_not_leave() {
    let lab = Lab::with_limits(Limits { max_result: 100, ..Limits::default() }).await;
    lab.target.answers("read_thing", json!({"said": {"x": "y".repeat(16 << 20)}}));
    let refusal = lab.call("read_thing", json!({})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Upstream, "result_too_large"));
    lab.target.answers("read_thing", json!({"said": "canary"}));
    let refusal = lab.call("read_thing", json!({})).await.unwrap_err();
    assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Upstream, "result_invalid"));
    assert!(!refusal.message().contains("canary") && !refusal.detail().unwrap().contains("canary"));
    assert_eq!(lab.last_record().outcome, Outcome::Failure);
}

#[tokio::test]
async fn t27_a_large_result_is_kept_as_it_would_have_been_shown() {
    let lab = Lab::with_limits(Limits { max_result: 100, ..Limits::default() }).await;
    lab.target.answers("read_thing", json!({"said": {"x": format!("{PASSWORD} {}", "y".repeat(100))}}));
    let answer = lab.call("read_thing", json!({})).await.unwrap();
    let id = answer.structured["artifact"]["id"].as_str().unwrap();
    assert_eq!(lab.last_record().facts["artifacts"], json!([id]));
    let kept = lab.sealed.open(&ArtifactId::parse(id).unwrap()).await.unwrap();
    assert_eq!(kept, json!({"said": {"x": format!("*** {}", "y".repeat(100))}}).to_string().into_bytes());
    lab.target.answers("read_thing", json!({"said": "y".repeat(200)}));
    assert_eq!(lab.refused("read_thing", json!({})).await, "result_invalid", "of another shape, whatever its size");
    let id = id.to_owned();
    lab.target.script("put_note", move |cx, _| {
        let id = id.clone();
        async move {
            let opened = cx.artifacts.read(&id).await?;
            ToolOutput::of(&json!({"said": {"whole": String::from_utf8_lossy(&opened.bytes)}}))
        }
    });
    assert_eq!(lab.refused("put_note", json!({})).await, "result_too_large", "what was read becomes no other artifact");
    assert_eq!(lab.artifacts.contents(), 1);
}

#[tokio::test]
async fn t27_a_reference_stays_as_it_is_where_a_credential_is_a_word_in_it() {
    use platform::secrets::SecretStore as _;
    let lab = Lab::new().await;
    let fields = [("username".to_owned(), "interlock".into()), ("password".to_owned(), PASSWORD.into())].into();
    lab.secrets.put(&format!("api/{SERVER}"), fields, None).await.unwrap();
    lab.target.script("read_thing", |cx, _| async move {
        let kept = cx.artifacts.put(ArtifactKind::Configuration, "text/plain", b"a text").await?;
        ToolOutput::of(&json!({"said": {"artifact": kept, "forged": {"uri": kept.uri}, "by": "interlock"}}))
    });
    let said = lab.call("read_thing", json!({})).await.unwrap().structured["said"].clone();
    let id = said["artifact"]["id"].as_str().unwrap();
    assert_eq!(said["artifact"]["uri"], format!("interlock://interlock/artifacts/{id}"));
    assert_eq!((&said["by"], &said["forged"]["uri"]), (&json!("***"), &json!(format!("***://***/artifacts/{id}"))));
}

#[tokio::test]
async fn t27_what_was_not_masked_is_opened_by_a_port_of_its_server_and_by_nobody_else() {
    let lab = Lab::new().await;
    lab.target.script("read_thing", |cx, _| async move {
        let kept =
            cx.artifacts.put_sealed_unmasked(ArtifactKind::Configuration, "text/plain", b"canary-secret").await?;
        ToolOutput::of(&json!({"said": {"id": kept.id}}))
    });
    let answer = lab.call("read_thing", json!({})).await.unwrap();
    let id = answer.structured["said"]["id"].as_str().unwrap().to_owned();
    for bytes in lab.artifacts.everything() {
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"), "sealed");
    }
    let wanted = id.clone();
    lab.target.script("port", move |cx, _| {
        let id = wanted.clone();
        async move {
            let opened = cx.artifacts.open_unmasked(&id).await?;
            assert_eq!(cx.artifacts.read(&id).await.map(drop).unwrap_err().code(), "artifact_not_found");
            ToolOutput::of(&json!({"said": {"bytes": opened.len()}}))
        }
    });
    let by_port = lab.road.call_port(Arc::new(cx()), request("port", json!({}))).await.unwrap();
    assert_eq!(by_port.structured, json!({"said": {"bytes": 13}}));
    assert_eq!(lab.last_record().facts["artifacts"], json!([id]));
    lab.target.script("read_cached", move |cx, _| {
        let id = id.clone();
        async move {
            cx.artifacts.open_unmasked(&id).await?;
            ToolOutput::of(&json!({"said": {}}))
        }
    });
    assert_eq!(lab.refused("read_cached", json!({})).await, "artifact_not_found");
}

#[tokio::test]
async fn t29_a_credential_that_the_target_echoes_is_masked_in_results_names_and_next_steps() {
    let lab = Lab::new().await;
    lab.target.script("read_thing", |cx, _| async move {
        let password = cx.lease.field("password")?.expose().to_owned();
        assert_eq!(password, PASSWORD);
        let structured = json!({"said": {"log": [format!("login {password} ok")], password.as_str(): 1}});
        Ok(ToolOutput {
            structured,
            follow_up: Some(FollowUp { tool: "read_thing".into(), arguments: json!({"text": password}) }),
        })
    });
    let answer = lab.call("read_thing", json!({})).await.unwrap();
    assert_eq!(answer.structured, json!({"said": {"log": ["login *** ok"], "***": 1}}));
    assert_eq!(answer.follow_up.unwrap().arguments, json!({"text": "***"}));
}

#[tokio::test]
async fn t29_a_credential_that_the_target_quotes_in_an_error_is_masked_too() {
    let lab = Lab::new().await;
    lab.target.fails("read_thing", || {
        Error::new(ErrorKind::Upstream, "target_failed", format!("refused {PASSWORD}"))
            .with_details(json!({"request": format!("p={PASSWORD}")}))
            .with_detail(format!("body: {PASSWORD}"))
    });
    let error = lab.call("read_thing", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.code(), error.message()), (ErrorKind::Upstream, "target_failed", "refused ***"));
    assert_eq!(error.refusal().details, Some(json!({"request": "p=***"})));
    assert_eq!(error.detail(), Some("body: ***"));
}

#[tokio::test]
async fn a_tool_that_panics_is_an_internal_error_with_a_closed_record() {
    let lab = Lab::new().await;
    lab.target.script("read_thing", |_, _| async { panic!("a defect with a canary") });
    let error = lab.call("read_thing", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Internal, "internal_error"));
    assert!(!error.to_string().contains("canary"));
    assert_eq!(lab.records(), [(Phase::Call, Outcome::Failure, Some("internal_error".to_owned()))]);
    lab.call("add_note", json!({})).await.unwrap();
}

#[tokio::test]
async fn a_read_ends_when_its_caller_stops_waiting_and_a_write_does_not() {
    let lab = Lab::new().await;
    lab.target.script("read_thing", |_, _| std::future::pending());
    let mut hurried = cx();
    hurried.deadline = Instant::now();
    let error = lab.call_as(hurried.clone(), "read_thing", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Timeout, "deadline_exceeded"));
    assert_eq!(lab.last_record().outcome, Outcome::Failure);
    hurried.request_id = cx().request_id;
    lab.target.script("add_note", |_, _| async {
        tokio::task::yield_now().await;
        Ok(ToolOutput { structured: json!({"said": {}}), follow_up: None })
    });
    lab.call_as(hurried, "add_note", json!({})).await.unwrap();
}

#[tokio::test]
async fn t25_a_dropped_read_leaves_an_unknown_record_and_a_dropped_write_finishes() {
    let lab = Arc::new(Lab::new().await);
    for tool in ["read_thing", "configure_device"] {
        lab.policy.swap(platform_suites::StaticPolicy::allowing());
        let (started, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signals = (Arc::clone(&started), Arc::clone(&go_on));
        lab.target.script(tool, move |_, _| {
            let (started, go_on) = signals.clone();
            async move {
                started.notify_one();
                go_on.notified().await;
                Ok(ToolOutput { structured: json!({"said": {}}), follow_up: None })
            }
        });
        let caller = {
            let lab = Arc::clone(&lab);
            tokio::spawn(async move { lab.call(tool, json!({})).await })
        };
        started.notified().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(60), lab.road.drain()).await.unwrap();
    }
    assert_eq!(
        lab.records(),
        [
            (Phase::Call, Outcome::Unknown, Some("call_dropped".to_owned())),
            (Phase::Intent, Outcome::Pending, None),
            (Phase::Outcome, Outcome::Success, None),
        ]
    );
}

#[tokio::test]
async fn t29_a_missing_credential_says_what_an_operator_has_to_do() {
    use platform::secrets::SecretStore as _;
    let lab = Lab::new().await;
    lab.secrets.delete(&format!("api/{SERVER}"), 1).await.unwrap();
    let error = lab.call("read_thing", json!({})).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "credential_missing"));
    assert_eq!(lab.runs(), 0);
}

#[tokio::test]
async fn t25_invented_names_are_kept_short_in_the_record_and_out_of_the_metrics() {
    let lab = Lab::new().await;
    let mut request = request(&"x".repeat(10_000), json!({}));
    request.server = "y".repeat(10_000);
    let error = lab.road.call(Arc::new(cx()), request).await.unwrap_err();
    assert_eq!(error.code(), "tool_unknown");
    let tool = lab.last_record().tool.unwrap();
    assert_eq!((tool.server.len(), tool.tool.len()), (128, 128));
    assert!(!lab.metrics.render().contains("yyyy") && lab.metrics.render().contains("tool_unknown"));
}
