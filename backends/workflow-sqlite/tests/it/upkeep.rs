//! What is forgotten, what is restored, and what cannot be read.

use std::time::Duration;

use serde_json::json;
use workflow_api::{RunState, WorkflowError};
use workflow_suites::{Bench, Op, Program};

use crate::bench::{KEEP, SqliteBench};

fn ended(run: &workflow_api::RunSummary) -> bool {
    !matches!(run.state, RunState::Running | RunState::Parked)
}

#[tokio::test]
async fn finished_runs_are_forgotten_after_their_time_and_open_ones_never() {
    let mut bench = SqliteBench::new();
    for n in 0..120 {
        bench.client().start(&format!("old-{n}"), "scripted", json!([])).await.unwrap();
    }
    bench.client().start("open", "scripted", json!([Op::signal("a")])).await.unwrap();
    for n in 0..120 {
        bench.until(&format!("old-{n}"), &ended).await;
    }
    bench.advance(KEEP + Duration::from_secs(1));
    bench.client().start("new", "scripted", json!([])).await.unwrap();
    bench.until("new", &ended).await;
    bench.crash(Program::Current).await;
    bench.client().signal("open", "a", json!(1)).await.unwrap();
    bench.until("open", &ended).await;
    // Both are there, and purging ends before the driver lies down.
    let mut turns = bench.engine().turns();
    loop {
        turns.mark_unchanged();
        let left = bench.client().list(None, None, 500).await.unwrap().runs;
        if left.len() == 2 {
            assert_eq!(left.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["new", "open"]);
            break;
        }
        turns.changed().await.unwrap();
    }
    bench.end().await;
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    let events: i64 = file.query_row("SELECT count(DISTINCT run) FROM event", [], |row| row.get(0)).unwrap();
    assert_eq!(events, 2, "events go with their runs");
}

#[tokio::test]
async fn t24_open_runs_of_a_restored_journal_are_parked_and_a_cancellation_ends_them_where_they_stand() {
    let mut bench = SqliteBench::new();
    let script = json!([
        Op::Undo(json!({"do": "say", "value": "undo"})),
        Op::once(json!({"do": "wait", "value": "w"})),
        Op::act(json!({"do": "say", "value": "after"})),
    ]);
    bench.client().start("run", "scripted", script).await.unwrap();
    bench.client().start("sleeps", "scripted", json!([Op::Sleep(1000)])).await.unwrap();
    bench.client().start("done", "scripted", json!([])).await.unwrap();
    bench.world.begins("w").await;
    bench.until("done", &ended).await;
    bench.end().await;
    let clock: platform::SharedClock = bench.clock.clone();
    let parked = interlock_workflow_sqlite::void_after_restore(&bench.path(), &clock).unwrap();
    assert_eq!(parked, 2);
    // However often it starts, and whatever time it is.
    for _ in 0..2 {
        bench.begin(Program::Current);
        bench.advance(Duration::from_secs(3600));
        bench.client().signal("run", "a", json!(1)).await.unwrap();
        bench.client().start("sentinel", "scripted", json!([])).await.unwrap();
        bench.until("sentinel", &ended).await;
        for id in ["run", "sleeps"] {
            let run = bench.client().describe(id).await.unwrap().unwrap();
            assert_eq!(run.state, RunState::Parked, "{id}");
            assert!(run.parked_because.unwrap().contains("restored"));
        }
        bench.end().await;
    }
    bench.begin(Program::Current);
    bench.client().cancel("run", "looked at by hand").await.unwrap();
    let run = bench.client().describe("run").await.unwrap().unwrap();
    assert_eq!(run.result, Some(Err(WorkflowError::Cancelled("looked at by hand".to_owned()))));
    assert_eq!(run.state, RunState::Cancelled);
    assert_eq!(bench.world.values(), ["w"], "nothing acts on what was true at the backup");
    let nowhere = interlock_workflow_sqlite::void_after_restore(&bench.folder.path().join("none.db"), &clock).unwrap();
    assert_eq!(nowhere, 0);
}

#[tokio::test]
async fn a_journal_that_cannot_be_read_parks_its_run_and_no_other() {
    let mut bench = SqliteBench::new();
    for id in ["event", "done", "options", "fine"] {
        let script = match id {
            "options" => json!([Op::act(json!({"do": "wait", "value": "options"})), Op::signal("a")]),
            _ => json!([Op::act(json!({"do": "say", "value": id})), Op::signal("a")]),
        };
        bench.client().start(id, "scripted", script).await.unwrap();
    }
    for id in ["event", "done", "fine"] {
        bench.until(id, &|run| run.status.is_some()).await;
    }
    bench.world.begins("options").await;
    bench.end().await;
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    let damage = |sql: &str, id: &str| {
        let sql = format!("{sql} AND run = (SELECT key FROM run WHERE id = '{id}')");
        assert_eq!(file.execute(&sql, []).unwrap(), 1, "{sql}");
    };
    damage("UPDATE event SET kind = 'from the future' WHERE kind = 'start'", "event");
    damage("UPDATE event SET data = '{' WHERE kind = 'done'", "done");
    damage("UPDATE activity SET options = '{}' WHERE cmd = 0", "options");
    drop(file);
    bench.begin(Program::Current);
    for id in ["event", "done", "options", "fine"] {
        bench.client().signal(id, "a", json!(1)).await.unwrap();
    }
    for (id, why) in [("event", "from the future"), ("done", "unreadable"), ("options", "options")] {
        let run = bench.until(id, &|run| run.state == RunState::Parked).await;
        assert!(run.parked_because.as_deref().unwrap().contains(why), "{run:?}");
    }
    assert_eq!(bench.until("fine", &ended).await.result, Some(Ok(json!(["fine", 1]))));
}

#[tokio::test]
async fn a_signal_that_cannot_be_read_wakes_as_one_without_data() {
    let mut bench = SqliteBench::new();
    bench
        .client()
        .start("run", "scripted", json!([Op::act(json!({"do": "say", "value": "x"})), Op::signal("a")]))
        .await
        .unwrap();
    bench.until("run", &|run| run.status.is_some()).await;
    bench.end().await;
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    file.execute("INSERT INTO inbox (run, kind, name, data, held) SELECT key, 'signal', 'a', '{', 0 FROM run", [])
        .unwrap();
    drop(file);
    bench.begin(Program::Current);
    assert_eq!(bench.until("run", &ended).await.result, Some(Ok(json!(["x", null]))));
}

#[tokio::test]
async fn a_wait_that_is_over_leaves_no_timer() {
    let mut bench = SqliteBench::new();
    let limited = |name: &str| Op::Signal(name.to_owned(), Some(3_600_000));
    let script =
        json!([limited("a"), Op::First(vec![vec![Op::Sleep(7_200_000)], vec![limited("a")]]), Op::signal("b")]);
    bench.client().start("run", "scripted", script).await.unwrap();
    for n in 0..2 {
        bench.client().signal("run", "a", json!(n)).await.unwrap();
    }
    bench.until("run", &|run| run.status == Some(json!([0, 1, {"first": 1}]))).await;
    bench.end().await;
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    let timers: i64 = file.query_row("SELECT count(*) FROM timer", [], |row| row.get(0)).unwrap();
    assert_eq!(timers, 0);
}

#[tokio::test]
async fn more_bodies_than_are_kept_in_memory_all_go_on() {
    let bench = SqliteBench::new();
    let count = 300;
    for n in 0..count {
        let script = json!([Op::Uuid, Op::signal("a"), Op::act(json!({"do": "say", "value": "x"})), Op::signal("a")]);
        bench.client().start(&format!("run-{n}"), "scripted", script).await.unwrap();
    }
    for round in 0..2 {
        for n in 0..count {
            bench.client().signal(&format!("run-{n}"), "a", json!(round)).await.unwrap();
        }
    }
    for n in 0..count {
        let run = bench.until(&format!("run-{n}"), &ended).await;
        let Some(Ok(result)) = run.result else { panic!("{run:?}") };
        assert_eq!(result.as_array().unwrap()[1..], [json!(0), json!("x"), json!(1)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_written_parks_nothing_and_is_told_until_it_can() {
    let bench = SqliteBench::new();
    let script = json!([Op::once(json!({"do": "wait", "value": "w"})), Op::act(json!({"do": "say", "value": "x"}))]);
    bench.client().start("run", "scripted", script).await.unwrap();
    bench.world.begins("w").await;
    let mut trouble = bench.engine().trouble();
    // Somebody else writes for longer than a statement waits.
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.world.open("w");
    let said = trouble.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(said.contains("the end of an activity"), "{said}");
    assert_eq!(bench.client().describe("run").await.unwrap().unwrap().state, RunState::Running);
    file.execute_batch("ROLLBACK").unwrap();
    let run = bench.until("run", &ended).await;
    assert_eq!(run.result, Some(Ok(json!(["w", "x"]))));
    assert_eq!(bench.world.values(), ["w", "x"], "what was done is not done again for a result that was hard to write");
    trouble.wait_for(Option::is_none).await.unwrap();
}
