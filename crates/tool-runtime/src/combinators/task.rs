//! Vendor tasks: poll with growing pauses until there is a result or the wait is over.

use std::time::{Duration, Instant};

use platform::Error;

/// What one poll found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll<T> {
    /// Finished.
    Ready(T),
    /// Still at it; the last thing seen.
    Pending(T),
}

/// Polls until the work is finished or `until` is reached, and returns the last thing seen either way. Pauses grow from
/// 100 ms to 1 s.
pub async fn poll_until<T, F, Fut>(until: Instant, mut poll: F) -> Result<Poll<T>, Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Poll<T>, Error>>,
{
    let mut pause = Duration::from_millis(100);
    loop {
        let seen = poll().await?;
        let now = Instant::now();
        if matches!(seen, Poll::Ready(_)) || now >= until {
            return Ok(seen);
        }
        tokio::time::sleep(pause.min(until - now)).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}
