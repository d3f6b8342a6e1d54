//! A bounded load: so many connections send the same request again and again until so many calls are done. A reply that
//! is not the expected success ends the measurement; a refusal must never be counted as a fast call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::Interval;

use crate::http::{Connection, find};

/// What is sent, and how a success looks.
pub(crate) struct Request {
    pub(crate) address: SocketAddr,
    /// The request once per caller; connections take them in turn.
    pub(crate) bytes: Vec<Vec<u8>>,
    /// What stands in the body of every success.
    pub(crate) marker: &'static [u8],
}

/// What a load took.
pub(crate) struct Taken {
    pub(crate) wall: Duration,
    /// Of each call, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
}

/// Runs `calls` calls over `connections` connections. With `every`, each connection asks that often, and a call that begins late
/// because the one before took too long counts from when it should have begun; without, it asks again at once.
pub(crate) async fn run(
    request: &Arc<Request>,
    connections: usize,
    calls: usize,
    every: Option<Duration>,
) -> Result<Taken> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(request.address).await?);
    }
    let left = Arc::new(AtomicUsize::new(calls));
    let started = Instant::now();
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(nth, connection)| {
            let first =
                every.unwrap_or_default() * u32::try_from(nth).unwrap_or(0) / u32::try_from(connections).unwrap_or(1);
            let pace = every.map(|every| tokio::time::interval_at((started + first).into(), every));
            tokio::spawn(one(Arc::clone(request), nth, connection, Arc::clone(&left), pace))
        })
        .collect();
    let mut latencies = Vec::with_capacity(calls);
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(Taken { wall: started.elapsed(), latencies })
}

async fn one(
    request: Arc<Request>,
    nth: usize,
    mut connection: Connection,
    left: Arc<AtomicUsize>,
    mut pace: Option<Interval>,
) -> Result<Vec<u64>> {
    let bytes = &request.bytes[nth % request.bytes.len()];
    let mut latencies = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
        let started = match &mut pace {
            Some(pace) => pace.tick().await.into_std(),
            None => Instant::now(),
        };
        let reply = connection.call(bytes).await?;
        latencies.push(u64::try_from(started.elapsed().as_nanos())?);
        if reply.status != 200 || find(reply.body, request.marker).is_none() {
            bail!("a call did not succeed ({}): {}", reply.status, String::from_utf8_lossy(reply.body));
        }
    }
    Ok(latencies)
}

/// The value below which `percent` of the sorted values lie (nearest rank), in microseconds.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).map_or(0.0, |nanos| *nanos as f64 / 1e3)
}

/// Times of one kind of question, milliseconds.
pub(crate) struct Asked {
    pub(crate) what: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Asked {
    /// Out of the nanoseconds of each.
    pub(crate) fn of(what: &'static str, mut took: Vec<u64>) -> Self {
        took.sort_unstable();
        Self { what, p50_ms: percentile(&took, 50) / 1e3, p99_ms: percentile(&took, 99) / 1e3 }
    }
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<u64> = (1..=100).map(|n| n * 1_000).collect();
        assert_eq!([50, 99, 100].map(|p| percentile(&values, p)), [50.0, 99.0, 100.0]);
        assert_eq!(percentile(&[7_000], 99), 7.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }
}
