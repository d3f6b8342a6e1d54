//! Activities and how often they are begun (T20).

use serde_json::json;
use workflow_api::{Effect, Json};

use super::play::{end, failed, interrupted, noted, say, start, wait};
use crate::Bench;
use crate::script::{Op, Program};

/// Failures that may pass are repeated within the attempts; the key is one, and no other activity's.
pub async fn an_idempotent_activity_is_repeated_under_one_key<B: Bench>(bench: B) {
    let fail = |value: &str, times: u64| json!({ "do": "fail", "value": value, "times": times });
    let script = vec![
        Op::act(fail("twice", 2)),
        Op::Try(vec![Op::act(fail("often", 9))]),
        Op::Try(vec![Op::act(json!({"do": "fail", "value": "for good"}))]),
    ];
    let error = failed("suite_failed", "As the script says.");
    assert_eq!(noted(&bench, "run", script).await, json!(["twice", error, error]));
    let begun = bench.world().begun();
    let values: Vec<_> = begun.iter().map(|begun| (begun.value.as_str(), begun.attempt)).collect();
    let want = [("twice", 1), ("twice", 2), ("twice", 3), ("often", 1), ("often", 2), ("often", 3), ("for good", 1)];
    assert_eq!(values, want);
    let key_of = |value: &str| {
        let mut keys: Vec<_> = begun.iter().filter(|b| b.value == value).map(|b| b.key.clone()).collect();
        keys.dedup();
        assert_eq!(keys.len(), 1, "{value} has one key");
        keys.remove(0)
    };
    assert_ne!(key_of("twice"), key_of("often"));
}

/// The engine never repeats what is not idempotent, whatever its error says.
pub async fn what_is_not_idempotent_is_begun_once<B: Bench>(bench: B) {
    let fail = |value: &str| json!({ "do": "fail", "value": value, "times": 9 });
    let script = vec![Op::Try(vec![Op::once(fail("once"))]), Op::Try(vec![Op::discoverable(fail("discoverable"))])];
    let error = failed("suite_failed", "As the script says.");
    assert_eq!(noted(&bench, "run", script).await, json!([error, error]));
    assert_eq!(bench.world().values(), ["once", "discoverable"]);
}

/// What ran when the process died counts as an attempt; after the last one the activity has failed.
pub async fn t20_a_crash_burns_an_attempt_of_what_is_idempotent<B: Bench>(mut bench: B) {
    let once = Op::Act { input: wait("lost"), effect: Effect::Idempotent { attempts: 1 }, timeout_ms: 60_000 };
    start(&bench, "run", vec![Op::act(wait("kept")), Op::Try(vec![once])]).await;
    bench.world().begins("kept").await;
    bench.crash(Program::Current).await;
    let world = bench.world().clone();
    world.until(|world| world.begun().iter().any(|begun| begun.attempt == 2)).await;
    world.open("kept");
    world.begins("lost").await;
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    let Some(Ok(result)) = run.result else { panic!("{run:?}") };
    assert_eq!(result[0], json!("kept"));
    assert_eq!(result[1]["error"]["detail"]["code"], json!("activity_attempts_spent"), "{result}");
    let begun = world.begun();
    assert_eq!(world.values(), ["kept", "kept", "lost"]);
    assert_eq!(begun[0].key, begun[1].key, "a repeat after a crash has the same key");
}

/// An activity that is not idempotent, begun and not heard to end, comes back with its announcement.
pub async fn t20_what_a_crash_cut_off_is_interrupted_and_never_begun_again<B: Bench>(mut bench: B) {
    let script = vec![
        Op::Try(vec![Op::discoverable(json!({"do": "intend", "value": "deploy 7"}))]),
        Op::Try(vec![Op::once(wait("silent"))]),
        Op::act(say("after")),
    ];
    start(&bench, "run", script).await;
    // The announcement is durable before the activity goes on, and the world hears of it then.
    bench.world().until(|world| world.announced() == ["deploy 7"]).await;
    bench.crash(Program::Current).await;
    bench.world().begins("silent").await;
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!([interrupted(Some("deploy 7")), interrupted(None), "after"]))));
    assert_eq!(bench.world().values(), ["deploy 7", "silent", "after"]);
}

/// A limit that ends first says nothing about what was done.
pub async fn t20_a_time_limit_leaves_an_activity_that_is_not_idempotent_open<B: Bench>(bench: B) {
    let act = |input: Json, effect| Op::Act { input, effect, timeout_ms: 50 };
    let script = vec![
        Op::Try(vec![act(json!({"do": "intend", "value": "x"}), Effect::Discoverable)]),
        Op::Try(vec![act(wait("idempotent"), Effect::Idempotent { attempts: 2 })]),
    ];
    let notes = noted(&bench, "run", script).await;
    assert_eq!(notes[0], interrupted(Some("x")));
    assert_eq!(notes[1]["error"]["detail"]["code"], json!("activity_timeout"));
    assert_eq!(bench.world().values(), ["x", "idempotent", "idempotent"]);
}

/// Nobody knows how far a panic let it come.
pub async fn t20_a_defect_of_an_activity_leaves_it_open_too<B: Bench>(bench: B) {
    let panic = |value: &str| json!({ "do": "panic", "value": value });
    let script = vec![Op::Try(vec![Op::once(panic("once"))]), Op::Try(vec![Op::act(panic("idempotent"))])];
    let notes = noted(&bench, "run", script).await;
    assert_eq!(notes[0], interrupted(None));
    assert_eq!(notes[1]["error"]["detail"]["code"], json!("activity_panicked"));
    assert_eq!(bench.world().values(), ["once", "idempotent", "idempotent", "idempotent"]);
}
