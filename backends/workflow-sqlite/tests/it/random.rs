//! Random bodies, signals and crashes: what a run comes to, and what it does to the world, does not depend on how often the
//! driver was cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use workflow_api::{Effect, RunState};
use workflow_suites::world::Begun;
use workflow_suites::{Bench, Op, Program, Script};

use crate::bench::SqliteBench;

/// Without values; [`numbered`] gives each activity its own.
fn op() -> impl Strategy<Value = Op> {
    let act = |effect| Op::Act { input: json!({ "do": "say" }), effect, timeout_ms: 60_000 };
    let flaky = Op::Act {
        input: json!({ "do": "fail", "times": 2 }),
        effect: Effect::Idempotent { attempts: 0 },
        timeout_ms: 60_000,
    };
    let leaf = prop_oneof![
        4 => Just(act(Effect::Idempotent { attempts: 0 })),
        2 => Just(flaky),
        3 => Just(Op::Try(vec![act(Effect::Once)])),
        2 => Just(Op::Sleep(1)),
        2 => Just(Op::signal("a")),
        // Nobody sends this one.
        1 => Just(Op::Signal("b".to_owned(), Some(1))),
        1 => Just(Op::Patched),
    ];
    leaf.prop_recursive(2, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(prop::collection::vec(inner.clone(), 1..3), 1..4).prop_map(Op::Join),
            prop::collection::vec(inner, 1..3).prop_map(Op::Shielded),
        ]
    })
}

/// Gives every activity a value of its own, and counts the signals that the script waits for.
fn numbered(script: &mut Script, acts: &mut usize, signals: &mut BTreeMap<String, usize>) {
    for op in script {
        match op {
            Op::Act { input, effect, .. } => {
                let class = if matches!(effect, Effect::Once) { "once" } else { "again" };
                input["value"] = json!(format!("{class} {acts}"));
                *acts += 1;
            }
            Op::Signal(name, None) => *signals.entry(name.clone()).or_default() += 1,
            Op::Try(inner) | Op::Shielded(inner) => numbered(inner, acts, signals),
            Op::Join(branches) => branches.iter_mut().for_each(|branch| numbered(branch, acts, signals)),
            _ => {}
        }
    }
}

/// Runs the script with a crash after each of these numbers of turns. What it noted, and what was begun.
async fn played(script: &Script, signals: &BTreeMap<String, usize>, crashes: &[u64]) -> (Vec<Value>, Vec<Begun>) {
    let mut bench = SqliteBench::new();
    bench.client().start("run", "scripted", serde_json::to_value(script).unwrap()).await.unwrap();
    for (name, count) in signals {
        for n in 0..*count {
            bench.client().signal("run", name, json!(format!("{name} {n}"))).await.unwrap();
        }
    }
    let over =
        async |bench: &SqliteBench| bench.client().describe("run").await.unwrap().unwrap().state != RunState::Running;
    for after in crashes {
        let mut turns = bench.engine().turns();
        let begun = *turns.borrow_and_update();
        while !over(&bench).await && *turns.borrow_and_update() < begun + after {
            turns.changed().await.unwrap();
        }
        bench.crash(Program::Current).await;
    }
    let run = bench.until("run", &|run| run.state != RunState::Running).await;
    assert_eq!(run.state, RunState::Completed, "{run:?}");
    let Some(Ok(Value::Array(notes))) = run.result else { panic!("{run:?}") };
    let begun = bench.world.begun();
    bench.end().await;
    (notes, begun)
}

fn sorted(notes: impl Iterator<Item = Value>) -> Vec<String> {
    let mut all: Vec<String> = notes.map(|note| note.to_string()).collect();
    all.sort();
    all
}

/// Which of several that run at a time is noted first, and which signal of a name whom reaches, is not said here.
fn is_interrupted(note: &Value) -> bool {
    note["error"]["error"] == json!("interrupted")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn t20_a_run_comes_to_the_same_however_often_its_driver_is_cut_off(
        script in prop::collection::vec(op(), 1..6),
        crashes in prop::collection::vec(1_u64..6, 1..4),
    ) {
        let (mut script, mut acts, mut signals) = (script, 0, BTreeMap::new());
        numbered(&mut script, &mut acts, &mut signals);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (calm, calm_begun) = runtime.block_on(played(&script, &signals, &[]));
        let (cut, cut_begun) = runtime.block_on(played(&script, &signals, &crashes));
        runtime.shutdown_timeout(Duration::from_secs(5));

        prop_assert_eq!(calm.iter().filter(|note| is_interrupted(note)).count(), 0);
        let lost = cut.iter().filter(|note| is_interrupted(note)).count();
        let all = sorted(calm.into_iter());
        let kept = sorted(cut.into_iter().filter(|note| !is_interrupted(note)));
        prop_assert_eq!(kept.len() + lost, all.len(), "a note is lost or doubled");
        let mut rest = all;
        for note in &kept {
            let place = rest.iter().position(|other| other == note);
            prop_assert!(place.is_some(), "{} is noted and was not before", note);
            rest.remove(place.unwrap());
        }
        prop_assert!(rest.iter().all(|note| note.starts_with("\"once")), "only what is never repeated may be lost: {:?}", rest);

        let values = |begun: &[Begun]| begun.iter().map(|begun| begun.value.clone()).collect::<BTreeSet<_>>();
        // A crash between the note of an attempt and its first act: nobody can know that it did nothing.
        let missed: Vec<_> = values(&calm_begun).difference(&values(&cut_begun)).cloned().collect();
        prop_assert!(missed.len() <= lost && missed.iter().all(|value| value.starts_with("once")), "{:?}", missed);
        prop_assert!(values(&cut_begun).is_subset(&values(&calm_begun)), "something else was begun");
        let mut keys = BTreeMap::new();
        for begun in &cut_begun {
            let key = keys.entry(begun.value.clone()).or_insert_with(|| begun.key.clone());
            prop_assert_eq!(&*key, &begun.key, "{} has two keys", begun.value);
            if begun.value.starts_with("once") {
                prop_assert_eq!(begun.attempt, 1, "{} was begun again", begun.value);
            }
        }
        let distinct: BTreeSet<_> = keys.values().collect();
        prop_assert_eq!(distinct.len(), keys.len(), "two activities share a key");
        let once = cut_begun.iter().filter(|begun| begun.value.starts_with("once"));
        prop_assert_eq!(once.clone().count(), once.map(|begun| &begun.value).collect::<BTreeSet<_>>().len());
    }
}
