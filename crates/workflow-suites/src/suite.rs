//! The rules, one function each. `waits` are proven by the order of what a run notes, never by time.

use std::time::Duration;

use serde_json::json;
use workflow_api::{Effect, Json, RunState, RunSummary, WorkflowError};

use crate::Bench;
use crate::script::{Op, Program, Script};

const DAY_MS: u64 = 86_400_000;

/// Every rule, each on an engine over an empty journal.
pub async fn suite<B: Bench>(mut fresh: impl AsyncFnMut() -> B) {
    rule("a_run_does_what_its_body_says", a_run_does_what_its_body_says(fresh().await)).await;
    rule("an_error_of_the_body_is_the_end_of_the_run", an_error_of_the_body_is_the_end_of_the_run(fresh().await)).await;
    rule(
        "an_idempotent_activity_is_repeated_under_one_key",
        an_idempotent_activity_is_repeated_under_one_key(fresh().await),
    )
    .await;
    rule("what_is_not_idempotent_is_begun_once", what_is_not_idempotent_is_begun_once(fresh().await)).await;
    rule(
        "t20_a_crash_burns_an_attempt_of_what_is_idempotent",
        t20_a_crash_burns_an_attempt_of_what_is_idempotent(fresh().await),
    )
    .await;
    rule(
        "t20_what_a_crash_cut_off_is_interrupted_and_never_begun_again",
        t20_what_a_crash_cut_off_is_interrupted_and_never_begun_again(fresh().await),
    )
    .await;
    rule(
        "t20_a_time_limit_leaves_an_activity_that_is_not_idempotent_open",
        t20_a_time_limit_leaves_an_activity_that_is_not_idempotent_open(fresh().await),
    )
    .await;
    rule(
        "t20_a_defect_of_an_activity_leaves_it_open_too",
        t20_a_defect_of_an_activity_leaves_it_open_too(fresh().await),
    )
    .await;
    rule("a_cancellation_reaches_what_waits", a_cancellation_reaches_what_waits(fresh().await)).await;
    rule(
        "a_cancellation_is_heard_after_the_running_activity_has_acknowledged",
        a_cancellation_is_heard_after_the_running_activity_has_acknowledged(fresh().await),
    )
    .await;
    rule(
        "an_activity_that_does_not_look_keeps_its_result",
        an_activity_that_does_not_look_keeps_its_result(fresh().await),
    )
    .await;
    rule("a_shield_keeps_activities_sleeps_and_signals", a_shield_keeps_activities_sleeps_and_signals(fresh().await))
        .await;
    rule("a_cancellation_survives_a_crash", a_cancellation_survives_a_crash(fresh().await)).await;
    rule("compensation_goes_backwards_past_failures", compensation_goes_backwards_past_failures(fresh().await)).await;
    rule("signals_come_in_order_from_before_the_wait", signals_come_in_order_from_before_the_wait(fresh().await)).await;
    rule("a_signal_may_be_late_and_is_kept", a_signal_may_be_late_and_is_kept(fresh().await)).await;
    rule(
        "the_first_of_several_is_the_one_that_stands_first",
        the_first_of_several_is_the_one_that_stands_first(fresh().await),
    )
    .await;
    rule("what_the_others_had_begun_goes_on_unheard", what_the_others_had_begun_goes_on_unheard(fresh().await)).await;
    rule("a_join_brings_all", a_join_brings_all(fresh().await)).await;
    rule("t8_a_sleep_of_days_survives_a_crash", t8_a_sleep_of_days_survives_a_crash(fresh().await)).await;
    rule(
        "identifiers_and_times_are_the_same_in_a_replay",
        identifiers_and_times_are_the_same_in_a_replay(fresh().await),
    )
    .await;
    rule(
        "a_patch_is_for_runs_that_reach_it_first_with_the_new_program",
        a_patch_is_for_runs_that_reach_it_first_with_the_new_program(fresh().await),
    )
    .await;
    rule(
        "a_body_that_strays_is_parked_until_its_program_is_back",
        a_body_that_strays_is_parked_until_its_program_is_back(fresh().await),
    )
    .await;
    rule("what_a_program_does_not_know_is_parked", what_a_program_does_not_know_is_parked(fresh().await)).await;
    rule("a_body_that_panics_is_parked", a_body_that_panics_is_parked(fresh().await)).await;
    rule("runs_that_have_ended_hear_nothing", runs_that_have_ended_hear_nothing(fresh().await)).await;
    rule("lists_are_paged_the_newest_first", lists_are_paged_the_newest_first(fresh().await)).await;
}

/// Names the rule that is tried: a wait that does not end tells by itself which one it was.
#[expect(clippy::print_stdout, reason = "the test harness shows it where a rule is broken")]
async fn rule(name: &str, rule: impl Future<Output = ()>) {
    println!("{name}");
    rule.await;
}

fn say(value: &str) -> Json {
    json!({ "do": "say", "value": value })
}

fn wait(value: &str) -> Json {
    json!({ "do": "wait", "value": value })
}

async fn start<B: Bench>(bench: &B, id: &str, script: Script) {
    bench.client().start(id, "scripted", serde_json::to_value(script).unwrap()).await.unwrap();
}

async fn signal<B: Bench>(bench: &B, id: &str, name: &str, data: Json) {
    bench.client().signal(id, name, data).await.unwrap();
}

async fn end<B: Bench>(bench: &B, id: &str) -> RunSummary {
    bench.until(id, &|run| matches!(run.state, RunState::Completed | RunState::Failed | RunState::Cancelled)).await
}

/// Runs a script to its end and returns what it noted.
async fn noted<B: Bench>(bench: &B, id: &str, script: Script) -> Json {
    start(bench, id, script).await;
    let run = end(bench, id).await;
    assert_eq!(run.state, RunState::Completed, "{run:?}");
    run.result.unwrap().unwrap()
}

async fn notes<B: Bench>(bench: &B, id: &str, all: Json) {
    bench.until(id, &|run| run.status.as_ref() == Some(&all)).await;
}

async fn parked<B: Bench>(bench: &B, id: &str, because: &str) {
    let run = bench.until(id, &|run| run.state == RunState::Parked).await;
    let why = run.parked_because.unwrap();
    assert!(why.contains(because), "{why}");
}

fn cancelled(reason: &str) -> Json {
    json!({ "error": WorkflowError::Cancelled(reason.to_owned()) })
}

fn interrupted(intent: Option<&str>) -> Json {
    let intent = intent.map(str::to_owned);
    json!({ "error": WorkflowError::Interrupted { activity: "suite.act".to_owned(), intent } })
}

fn failed(code: &str, message: &str) -> Json {
    let (activity, code, message) = ("suite.act".to_owned(), code.to_owned(), message.to_owned());
    json!({ "error": WorkflowError::Activity { activity, code, message } })
}

/// Activities, signals, status and result; starting an id that is there does nothing.
pub async fn a_run_does_what_its_body_says<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::act(say("one")), Op::signal("a"), Op::act(say("two"))]).await;
    notes(&bench, "run", json!(["one"])).await;
    bench.client().start("run", "scripted", json!([])).await.unwrap();
    signal(&bench, "run", "a", json!({"go": true})).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Completed);
    assert_eq!(run.result, Some(Ok(json!(["one", {"go": true}, "two"]))));
    assert_eq!(run.workflow, "scripted");
    assert_eq!(bench.world().values(), ["one", "two"]);
    assert_eq!(bench.client().describe("nobody").await.unwrap(), None);
}

/// A body's error is the run's.
pub async fn an_error_of_the_body_is_the_end_of_the_run<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::Fail("gave_up".to_owned())]).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Failed);
    let error = WorkflowError::Failed { code: "gave_up".to_owned(), message: "As the script says.".to_owned() };
    assert_eq!(run.result, Some(Err(error)));
}

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

/// Sleeps, signals, and what would begin next.
pub async fn a_cancellation_reaches_what_waits<B: Bench>(bench: B) {
    start(&bench, "sleeps", vec![Op::Try(vec![Op::Sleep(DAY_MS)]), Op::act(say("never"))]).await;
    start(&bench, "listens", vec![Op::Try(vec![Op::signal("a")]), Op::Sleep(1)]).await;
    for id in ["sleeps", "listens"] {
        bench.client().cancel(id, "enough").await.unwrap();
        bench.client().cancel(id, "a second reason").await.unwrap();
        let run = end(&bench, id).await;
        assert_eq!(run.state, RunState::Cancelled);
        assert_eq!(run.result, Some(Err(WorkflowError::Cancelled("enough".to_owned()))));
        assert_eq!(run.status, Some(json!([cancelled("enough"), cancelled("enough")])));
    }
    assert!(bench.world().begun().is_empty());
}

/// While the activity goes on, nobody in the body hears of the cancellation: an undo that began now would race with it.
pub async fn a_cancellation_is_heard_after_the_running_activity_has_acknowledged<B: Bench>(bench: B) {
    let script = vec![Op::Join(vec![
        vec![Op::Try(vec![Op::Sleep(DAY_MS)])],
        vec![Op::Try(vec![Op::once(json!({"do": "yield", "value": "y"}))])],
        vec![Op::Shielded(vec![Op::signal("a")]), Op::Try(vec![Op::act(say("new"))])],
    ])];
    start(&bench, "run", script).await;
    bench.world().begins("y").await;
    bench.client().cancel("run", "stop").await.unwrap();
    signal(&bench, "run", "a", json!("seen")).await;
    notes(&bench, "run", json!(["seen"])).await;
    bench.world().open("y");
    let run = end(&bench, "run").await;
    let stop = cancelled("stop");
    assert_eq!(run.status, Some(json!(["seen", stop, stop, stop, "joined"])));
    assert_eq!(bench.world().values(), ["y"], "nothing began after the cancellation");
}

/// It ends as it ends; the next await is cancelled.
pub async fn an_activity_that_does_not_look_keeps_its_result<B: Bench>(bench: B) {
    start(&bench, "run", vec![Op::once(wait("w")), Op::act(say("never"))]).await;
    bench.world().begins("w").await;
    bench.client().cancel("run", "stop").await.unwrap();
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(run.status, Some(json!(["w", cancelled("stop")])));
    assert_eq!(bench.world().values(), ["w"]);
}

/// Undo, release and report need all three.
pub async fn a_shield_keeps_activities_sleeps_and_signals<B: Bench>(bench: B) {
    let script = vec![
        Op::Try(vec![Op::signal("a")]),
        Op::Shielded(vec![
            Op::act(say("undo")),
            Op::Sleep(DAY_MS),
            Op::Signal("a".to_owned(), Some(DAY_MS)),
            Op::signal("b"),
        ]),
    ];
    start(&bench, "run", script).await;
    bench.client().cancel("run", "stop").await.unwrap();
    notes(&bench, "run", json!([cancelled("stop"), "undo"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!([cancelled("stop"), "undo", "slept"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!([cancelled("stop"), "undo", "slept", "no signal"])).await;
    signal(&bench, "run", "b", json!("go")).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Completed, "a body that has dealt with it may end well");
}

/// What was cancelled stays so: an activity that is repeated after the crash hears of it.
pub async fn a_cancellation_survives_a_crash<B: Bench>(mut bench: B) {
    let script = vec![Op::Join(vec![
        vec![Op::Try(vec![Op::act(json!({"do": "yield", "value": "y"}))])],
        vec![Op::Shielded(vec![Op::signal("a")])],
    ])];
    start(&bench, "run", script).await;
    bench.world().begins("y").await;
    bench.client().cancel("run", "stop").await.unwrap();
    signal(&bench, "run", "a", json!("seen")).await;
    notes(&bench, "run", json!(["seen"])).await;
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.status, Some(json!(["seen", cancelled("stop"), "joined"])));
    assert_eq!(bench.world().values(), ["y"], "a cancelled activity is not begun again");
}

/// The last first, all of them, those that failed by name, and out of a cancellation's reach.
pub async fn compensation_goes_backwards_past_failures<B: Bench>(bench: B) {
    let script = vec![
        Op::Undo(say("first")),
        Op::Undo(json!({"do": "fail", "value": "second"})),
        Op::Undo(say("third")),
        Op::Sleep(DAY_MS),
    ];
    start(&bench, "run", script).await;
    bench.client().cancel("run", "stop").await.unwrap();
    let run = end(&bench, "run").await;
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(bench.world().values(), ["third", "second", "first"]);
    let mut left = failed("suite_failed", "As the script says.");
    left["uncompensated"] = json!("second");
    assert_eq!(run.status, Some(json!([cancelled("stop"), left])));
}

/// First in, first out, per name.
pub async fn signals_come_in_order_from_before_the_wait<B: Bench>(mut bench: B) {
    let script = vec![
        Op::act(wait("w")),
        Op::signal("a"),
        Op::signal("a"),
        Op::signal("b"),
        Op::signal("a"),
        Op::Signal("a".to_owned(), Some(0)),
    ];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    for (name, data) in [("a", json!(1)), ("b", Json::Null), ("a", json!(2)), ("nobody", json!(0)), ("a", json!(3))] {
        signal(&bench, "run", name, data).await;
    }
    bench.crash(Program::Current).await;
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["w", 1, 2, null, 3, "no signal"]))));
}

/// A limit that ended first is over; the signal waits for the next one who asks.
pub async fn a_signal_may_be_late_and_is_kept<B: Bench>(bench: B) {
    let limited = || Op::Signal("a".to_owned(), Some(DAY_MS));
    start(&bench, "run", vec![Op::act(say("x")), limited(), Op::signal("b"), limited(), limited()]).await;
    // With this note, the limit is in the journal.
    notes(&bench, "run", json!(["x"])).await;
    bench.advance(Duration::from_millis(DAY_MS));
    notes(&bench, "run", json!(["x", "no signal"])).await;
    signal(&bench, "run", "a", json!(1)).await;
    signal(&bench, "run", "b", json!(2)).await;
    signal(&bench, "run", "a", json!(3)).await;
    assert_eq!(end(&bench, "run").await.result, Some(Ok(json!(["x", "no signal", 2, 1, 3]))));
}

/// Bias by order; a loser takes nothing.
pub async fn the_first_of_several_is_the_one_that_stands_first<B: Bench>(bench: B) {
    let script = vec![
        Op::act(wait("w")),
        Op::First(vec![vec![Op::Sleep(DAY_MS)], vec![Op::signal("b")], vec![Op::signal("a")]]),
        Op::signal("a"),
    ];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    signal(&bench, "run", "a", json!("a")).await;
    signal(&bench, "run", "b", json!("b")).await;
    bench.world().open("w");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["w", "b", {"first": 1}, "a"]))));
}

/// A dropped activity is not stopped, and its end troubles nobody.
pub async fn what_the_others_had_begun_goes_on_unheard<B: Bench>(mut bench: B) {
    let script =
        vec![Op::First(vec![vec![Op::once(wait("w"))], vec![Op::signal("a")]]), Op::signal("a"), Op::act(say("end"))];
    start(&bench, "run", script).await;
    bench.world().begins("w").await;
    signal(&bench, "run", "a", json!(1)).await;
    notes(&bench, "run", json!([1, {"first": 1}])).await;
    bench.world().open("w");
    bench.world().until(|world| world.ended() == ["w"]).await;
    bench.crash(Program::Current).await;
    signal(&bench, "run", "a", json!(2)).await;
    assert_eq!(end(&bench, "run").await.result, Some(Ok(json!([1, {"first": 1}, 2, "end"]))));
}

/// All of them, also those that end in another order.
pub async fn a_join_brings_all<B: Bench>(mut bench: B) {
    let branch = |value: &str| vec![Op::act(wait(value)), Op::act(say("then"))];
    start(&bench, "run", vec![Op::Join(vec![branch("x"), branch("y"), branch("z")])]).await;
    for value in ["x", "y", "z"] {
        bench.world().begins(value).await;
    }
    for (value, all) in [("z", json!(["z", "then"])), ("x", json!(["z", "then", "x", "then"]))] {
        bench.world().open(value);
        notes(&bench, "run", all).await;
    }
    bench.crash(Program::Current).await;
    bench.world().open("y");
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["z", "then", "x", "then", "y", "then", "joined"]))));
}

/// Friday to Sunday: timers follow the clock that the platform follows.
pub async fn t8_a_sleep_of_days_survives_a_crash<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::Now, Op::Sleep(2 * DAY_MS), Op::Now]).await;
    bench.until("run", &|run| run.status.is_some()).await;
    bench.advance(Duration::from_millis(DAY_MS));
    bench.crash(Program::Current).await;
    let run = bench.client().describe("run").await.unwrap().unwrap();
    assert_eq!(run.state, RunState::Running);
    bench.advance(Duration::from_millis(DAY_MS));
    let run = end(&bench, "run").await;
    let Some(Ok(result)) = run.result else { panic!("{run:?}") };
    let slept = result[2].as_i64().unwrap() - result[0].as_i64().unwrap();
    assert!(slept >= 2 * DAY_MS as i64, "{slept}");
}

/// What a body drew before a crash is what it draws again.
pub async fn identifiers_and_times_are_the_same_in_a_replay<B: Bench>(mut bench: B) {
    let script = vec![Op::Uuid, Op::Now, Op::signal("a"), Op::Uuid, Op::Now];
    start(&bench, "run", script.clone()).await;
    start(&bench, "other", script).await;
    let before = bench.until("run", &|run| run.status.is_some()).await.status.unwrap();
    bench.crash(Program::Current).await;
    let mut all = Vec::new();
    for id in ["run", "other"] {
        signal(&bench, id, "a", Json::Null).await;
        all.push(end(&bench, id).await.result.unwrap().unwrap());
    }
    assert_eq!(all[0][0], before[0]);
    assert_eq!(all[0][1], before[1]);
    let ids = [&all[0][0], &all[0][3], &all[1][0], &all[1][3]];
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "{ids:?}");
    }
    assert!(all[0][4].as_i64() >= all[0][1].as_i64());
}

/// How a body changes while runs wait.
pub async fn a_patch_is_for_runs_that_reach_it_first_with_the_new_program<B: Bench>(mut bench: B) {
    bench.crash(Program::Older).await;
    start(&bench, "before", vec![Op::Patched, Op::act(say("x")), Op::signal("a"), Op::Patched]).await;
    start(&bench, "beyond", vec![Op::act(say("x")), Op::signal("a"), Op::Patched, Op::signal("a"), Op::Patched]).await;
    for id in ["before", "beyond"] {
        notes(&bench, id, json!(["x"])).await;
    }
    bench.crash(Program::Current).await;
    for id in ["before", "beyond"] {
        signal(&bench, id, "a", json!(1)).await;
    }
    let (old, new) = (json!({"patched": false}), json!({"patched": true}));
    assert_eq!(end(&bench, "before").await.result, Some(Ok(json!([old, "x", 1, old]))));
    notes(&bench, "beyond", json!(["x", 1, new])).await;
    bench.crash(Program::Current).await;
    signal(&bench, "beyond", "a", json!(2)).await;
    assert_eq!(end(&bench, "beyond").await.result, Some(Ok(json!(["x", 1, new, 2, new]))));
}

/// Parked, with the place; nobody else is held up; what arrives is kept.
pub async fn a_body_that_strays_is_parked_until_its_program_is_back<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::act(say("x")), Op::signal("a"), Op::signal("a")]).await;
    notes(&bench, "run", json!(["x"])).await;
    bench.crash(Program::Other).await;
    signal(&bench, "run", "a", json!(1)).await;
    parked(&bench, "run", "suite.act").await;
    signal(&bench, "run", "a", json!(2)).await;
    start(&bench, "other", Vec::new()).await;
    notes(&bench, "other", json!("changed")).await;
    bench.advance(Duration::from_secs(2));
    assert_eq!(end(&bench, "other").await.result, Some(Ok(json!("changed"))));
    assert_eq!(bench.client().describe("run").await.unwrap().unwrap().state, RunState::Parked);
    bench.crash(Program::Current).await;
    let run = end(&bench, "run").await;
    assert_eq!(run.result, Some(Ok(json!(["x", 1, 2]))));
    assert_eq!(run.parked_because, None);
    assert_eq!(bench.world().values(), ["x"]);
}

/// A kind, an activity: neither is guessed, neither blocks.
pub async fn what_a_program_does_not_know_is_parked<B: Bench>(bench: B) {
    bench.client().start("kind", "nobody", Json::Null).await.unwrap();
    start(&bench, "activity", vec![Op::act(say("x")), Op::ActUnknown]).await;
    parked(&bench, "kind", "nobody").await;
    parked(&bench, "activity", "suite.unknown").await;
    assert_eq!(noted(&bench, "run", vec![Op::act(say("goes on"))]).await, json!(["goes on"]));
}

/// And others go on.
pub async fn a_body_that_panics_is_parked<B: Bench>(mut bench: B) {
    start(&bench, "run", vec![Op::act(say("x")), Op::Panic]).await;
    parked(&bench, "run", "as the script says").await;
    bench.crash(Program::Current).await;
    parked(&bench, "run", "as the script says").await;
    assert_eq!(noted(&bench, "other", vec![Op::act(say("y"))]).await, json!(["y"]));
    assert_eq!(bench.world().values(), ["x", "y"]);
}

/// Nothing happens, and nobody is told otherwise.
pub async fn runs_that_have_ended_hear_nothing<B: Bench>(bench: B) {
    assert_eq!(noted(&bench, "run", vec![Op::act(say("x"))]).await, json!(["x"]));
    let before = bench.client().describe("run").await.unwrap();
    for id in ["run", "nobody"] {
        signal(&bench, id, "a", Json::Null).await;
        bench.client().cancel(id, "too late").await.unwrap();
    }
    bench.client().start("run", "scripted", json!([])).await.unwrap();
    assert_eq!(noted(&bench, "next", vec![Op::act(say("y"))]).await, json!(["y"]));
    assert_eq!(bench.client().describe("run").await.unwrap(), before);
    assert_eq!(bench.client().describe("nobody").await.unwrap(), None);
}

/// All, and by state.
pub async fn lists_are_paged_the_newest_first<B: Bench>(bench: B) {
    for n in 0..5 {
        noted(&bench, &format!("done-{n}"), Vec::new()).await;
    }
    start(&bench, "waits", vec![Op::signal("a")]).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = bench.client().list(None, after.as_deref(), 4).await.unwrap();
        seen.extend(page.runs.into_iter().map(|run| run.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["waits", "done-4", "done-3", "done-2", "done-1", "done-0"]);
    let running = bench.client().list(Some(RunState::Running), None, 500).await.unwrap();
    assert_eq!(running.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["waits"]);
    assert_eq!(running.next, None);
    let done = bench.client().list(Some(RunState::Completed), None, 2).await.unwrap();
    assert_eq!(done.runs.len(), 2);
    for limit in [0, 501] {
        assert!(bench.client().list(None, None, limit).await.is_err(), "{limit}");
    }
}
