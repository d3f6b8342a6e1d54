//! Rules about idempotency keys and intents (T7, T20).

use platform::store::{Conflict, Op};
use serde_json::json;

use super::Bench;

pub(super) async fn run(fresh: &impl Fn() -> Bench) {
    t7_a_key_answers_by_what_is_known_of_its_call(fresh()).await;
    t7_a_call_with_an_intent_is_never_executed_again(fresh()).await;
    t7_a_key_is_forgotten_only_when_nothing_is_unknown(fresh()).await;
    t20_an_intent_stands_until_it_is_closed(fresh()).await;
    t7_at_start_only_reservations_without_an_intent_are_released(fresh()).await;
}

fn reserve(key: &str, digest: &str, call_id: &str, expires_at: i64) -> Op {
    let (scope, key) = ("issuer|alice tool".to_owned(), key.to_owned());
    Op::ReserveKey { scope, key, digest: digest.into(), call_id: call_id.into(), expires_at }
}

fn complete(key: &str, result: &[u8]) -> Op {
    Op::CompleteKey { scope: "issuer|alice tool".into(), key: key.into(), result: result.to_vec() }
}

fn release(key: &str) -> Op {
    Op::ReleaseKey { scope: "issuer|alice tool".into(), key: key.into() }
}

fn open(call_id: &str) -> Op {
    Op::OpenIntent { call_id: call_id.into(), body: json!({"call": call_id}) }
}

fn close(call_id: &str, outcome: &str) -> Op {
    Op::CloseIntent { call_id: call_id.into(), outcome: outcome.into() }
}

fn unknown(call_id: &str) -> Conflict {
    Conflict::KeyOutcomeUnknown { call_id: call_id.into() }
}

async fn t7_a_key_answers_by_what_is_known_of_its_call(b: Bench) {
    let day = b.now() + 86_400;
    b.ok(reserve("k", "d", "call-1", day)).await;
    assert_eq!(b.refused(reserve("k", "d", "call-2", day)).await, Conflict::KeyInProgress);
    assert_eq!(b.refused(reserve("k", "other", "call-2", day)).await, Conflict::KeyMismatch);
    b.ok(release("k")).await;
    b.ok(reserve("k", "d", "call-2", day)).await;
    b.ok(complete("k", b"result")).await;
    let done = Conflict::KeyDone { result: b"result".to_vec() };
    assert_eq!(b.refused(reserve("k", "d", "call-3", day)).await, done);
    assert_eq!(b.refused(complete("k", b"another")).await, done);
    assert_eq!(b.refused(reserve("k", "other", "call-3", day)).await, Conflict::KeyMismatch);
    b.ok(release("k")).await;
    assert_eq!(b.refused(reserve("k", "d", "call-3", day)).await, done);
    let elsewhere = Op::ReserveKey {
        scope: "issuer|bob tool".into(),
        key: "k".into(),
        digest: "other".into(),
        call_id: "call-4".into(),
        expires_at: day,
    };
    b.ok(elsewhere).await;
}

async fn t7_a_call_with_an_intent_is_never_executed_again(b: Bench) {
    let day = b.now() + 86_400;
    for (key, outcome) in [("open", None), ("u", Some("unknown")), ("s", Some("success")), ("f", Some("failure"))] {
        b.ok(reserve(key, "d", key, day)).await;
        b.ok(open(key)).await;
        if let Some(outcome) = outcome {
            b.ok(close(key, outcome)).await;
        }
        assert_eq!(b.refused(reserve(key, "d", "again", day)).await, unknown(key));
        assert_eq!(b.refused(reserve(key, "x", "again", day)).await, Conflict::KeyMismatch);
        b.ok(release(key)).await;
        assert_eq!(b.refused(reserve(key, "d", "again", day)).await, unknown(key));
    }
    // What certainly did not start may be tried again.
    b.ok(reserve("n", "d", "n-1", day)).await;
    b.ok(open("n-1")).await;
    b.ok(close("n-1", "not_started")).await;
    b.ok(reserve("n", "d", "n-2", day)).await;
    // The usual end: intent and key are closed together, and the key answers with the result.
    b.ok(open("n-2")).await;
    b.store.transact(vec![close("n-2", "success"), complete("n", b"r")]).await.unwrap();
    let done = Conflict::KeyDone { result: b"r".to_vec() };
    assert_eq!(b.refused(reserve("n", "d", "n-3", day)).await, done);
}

async fn t7_a_key_is_forgotten_only_when_nothing_is_unknown(b: Bench) {
    let soon = b.now() + 50;
    for key in ["done", "running", "open", "unknown"] {
        b.ok(reserve(key, "d", key, soon)).await;
    }
    b.ok(complete("done", b"r")).await;
    b.ok(open("open")).await;
    b.ok(open("unknown")).await;
    b.ok(close("unknown", "unknown")).await;
    b.clock.advance(60);
    let day = b.now() + 86_400;
    b.ok(reserve("done", "new", "done-2", day)).await;
    b.ok(reserve("running", "new", "running-2", day)).await;
    assert_eq!(b.refused(reserve("open", "d", "open-2", day)).await, unknown("open"));
    assert_eq!(b.refused(reserve("unknown", "d", "unknown-2", day)).await, unknown("unknown"));
    // Once somebody has found out, the key is free.
    b.ok(close("unknown", "not_started")).await;
    b.ok(reserve("unknown", "d", "unknown-2", day)).await;
}

async fn t20_an_intent_stands_until_it_is_closed(b: Bench) {
    let handle = |call_id: &str| Op::SetHandle { call_id: call_id.into(), handle: json!({"task": 7}) };
    assert_eq!(b.refused(handle("a")).await, Conflict::NoIntent);
    assert_eq!(b.refused(close("a", "success")).await, Conflict::NoIntent);
    let opened_at = b.now();
    b.ok(open("b")).await;
    b.clock.advance(5);
    b.ok(open("a")).await;
    b.ok(handle("b")).await;
    let intents = b.store.open_intents().await.unwrap();
    let calls: Vec<_> = intents.iter().map(|intent| (intent.call_id.as_str(), intent.handle.clone())).collect();
    assert_eq!(calls, [("b", Some(json!({"task": 7}))), ("a", None)]);
    assert_eq!(intents[0].body, json!({"call": "b"}));
    assert!((opened_at..opened_at + 5).contains(&intents[0].opened_at), "{}", intents[0].opened_at);
    b.ok(close("b", "success")).await;
    assert_eq!(b.refused(close("b", "failure")).await, Conflict::NoIntent);
    assert_eq!(b.refused(handle("b")).await, Conflict::NoIntent);
    b.ok(close("a", "unknown")).await;
    assert!(b.store.open_intents().await.unwrap().is_empty());
    assert_eq!(b.refused(close("a", "unknown")).await, Conflict::NoIntent);
    b.ok(close("a", "failure")).await;
    assert_eq!(b.refused(close("a", "success")).await, Conflict::NoIntent);
}

async fn t7_at_start_only_reservations_without_an_intent_are_released(b: Bench) {
    let day = b.now() + 86_400;
    for key in ["lost-1", "lost-2", "open", "done"] {
        b.ok(reserve(key, "d", key, day)).await;
    }
    b.ok(open("open")).await;
    b.ok(complete("done", b"r")).await;
    assert_eq!(b.store.release_abandoned().await.unwrap(), 2);
    assert_eq!(b.store.release_abandoned().await.unwrap(), 0);
    b.ok(reserve("lost-1", "other", "again", day)).await;
    assert_eq!(b.refused(reserve("open", "d", "again", day)).await, unknown("open"));
    assert_eq!(b.refused(reserve("done", "d", "again", day)).await, Conflict::KeyDone { result: b"r".to_vec() });
}
