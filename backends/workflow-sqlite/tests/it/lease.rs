//! One driver (T24): a second process is refused, and one whose lease was taken commits nothing.

use std::sync::Arc;

use interlock_workflow_sqlite::WorkflowEngine;
use platform::clock::AdjustableClock;
use serde_json::json;
use workflow_api::RunState;
use workflow_suites::{Bench, Op};

use crate::bench::SqliteBench;

#[tokio::test]
async fn t24_a_second_driver_of_the_file_is_refused() {
    let bench = SqliteBench::new();
    let refused = WorkflowEngine::open(&bench.path(), Arc::new(AdjustableClock::default())).unwrap_err();
    assert_eq!(refused.code(), "store_in_use");
}

#[tokio::test]
async fn t24_a_lease_of_another_machine_is_respected_until_it_ends() {
    let mut bench = SqliteBench::new();
    bench.end().await;
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    let until = platform::Clock::now(bench.clock.as_ref()).as_millisecond() + 30_000;
    file.execute("UPDATE lease SET host = 'elsewhere', owner = '7', expires_at = ?1", [until]).unwrap();
    drop(file);
    let refused = WorkflowEngine::open(&bench.path(), bench.clock.clone()).unwrap_err();
    assert_eq!(refused.code(), "store_in_use");
    assert!(refused.detail().unwrap().contains("7 on elsewhere"), "{refused:?}");
    bench.clock.advance(31);
    drop(WorkflowEngine::open(&bench.path(), bench.clock.clone()).unwrap());
}

#[tokio::test]
async fn t24_a_driver_whose_lease_was_taken_commits_nothing_more() {
    let mut bench = SqliteBench::new();
    let script = json!([Op::act(json!({"do": "wait", "value": "w"})), Op::act(json!({"do": "say", "value": "x"}))]);
    bench.client().start("run", "scripted", script).await.unwrap();
    bench.world.begins("w").await;
    // As another process would that was let in while this one was stopped.
    let file = rusqlite::Connection::open(bench.path()).unwrap();
    file.execute("UPDATE lease SET epoch = epoch + 1", []).unwrap();
    let count = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let before = ["event", "inbox", "activity", "run"].map(count);
    bench.world.open("w");
    bench.world.until(|world| world.ended() == ["w"]).await;
    for refused in [
        bench.client().signal("run", "a", json!(1)).await,
        bench.client().cancel("run", "late").await,
        bench.client().start("new", "scripted", json!([])).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.downcast_ref::<platform::Error>().unwrap().code(), "workflow_lease_lost");
    }
    bench.end().await;
    assert_eq!(["event", "inbox", "activity", "run"].map(count), before);
    drop(file);
    // The next one finds the attempt and goes on.
    bench.begin(workflow_suites::Program::Current);
    bench.until("run", &|run| run.state == RunState::Completed).await;
    assert_eq!(bench.world.values(), ["w", "w", "x"]);
}
