//! How many appends a second, by hand: `cargo test -p interlock-audit-log -- --ignored --nocapture appends_per_second`.

use std::time::Instant;

use platform::audit::AuditLog;

use crate::fixture::{Fixture, tool_call};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn appends_per_second() {
    for writers in [1, 64, 256] {
        let fixture = Fixture::new();
        let (log, _) = fixture.open();
        let each = if writers == 1 { 500 } else { 20_000 / writers };
        let before = log.stats();
        let begun = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move {
                    for _ in 0..each {
                        log.append(tool_call("alice", "a-request-of-the-bench")).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let (elapsed, after) = (begun.elapsed().as_secs_f64(), log.stats());
        let (records, commits) = (after.records - before.records, after.commits - before.commits);
        println!(
            "{writers} writers: {:.0} appends/s, {:.1} records a commit",
            records as f64 / elapsed,
            records as f64 / commits as f64
        );
        log.close().await.unwrap();
    }
}
