//! Progress while a call waits: a caller that asked for it hears once a second that its call still runs, so that its own
//! timer does not give up on a slow target. Tools do not report steps; what is told is the time.

use std::pin::pin;
use std::time::Duration;

use mcp::progress::{Progress, ProgressReport};
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);

/// Waits for `work`, and reports meanwhile where anybody listens.
pub(super) async fn reporting<T>(progress: &Progress, what: &str, work: impl Future<Output = T>) -> T {
    reporting_every(EVERY, progress, what, work).await
}

async fn reporting_every<T>(every: Duration, progress: &Progress, what: &str, work: impl Future<Output = T>) -> T {
    if !progress.is_wanted() {
        return work.await;
    }
    let started = Instant::now();
    let mut ticks = tokio::time::interval_at(started + every, every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => {
                let seconds = started.elapsed().as_secs_f64();
                let message = Some(format!("`{what}` has been running for {seconds:.0} s"));
                progress.report(ProgressReport { progress: seconds, total: None, message });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp::progress::{Progress, ProgressReport};
    use tokio::sync::mpsc;

    use super::reporting_every;

    #[tokio::test]
    async fn a_waiting_caller_hears_rising_progress_until_the_end() {
        let (send, mut heard) = mpsc::unbounded_channel::<ProgressReport>();
        let progress = Progress::to(move |report| drop(send.send(report)));
        // The work ends with the third report, so that the test waits for nothing else.
        let work = async {
            let mut reports = Vec::new();
            while reports.len() < 3 {
                reports.extend(heard.recv().await);
            }
            reports
        };
        let reports = reporting_every(Duration::from_millis(1), &progress, "deploy", work).await;
        assert!(reports.windows(2).all(|two| two[0].progress < two[1].progress), "{reports:?}");
        assert!(reports[0].message.as_deref().is_some_and(|m| m.contains("`deploy`")));
    }

    #[tokio::test]
    async fn who_did_not_ask_hears_nothing() {
        assert_eq!(reporting_every(Duration::ZERO, &Progress::default(), "deploy", async { 7 }).await, 7);
    }
}
