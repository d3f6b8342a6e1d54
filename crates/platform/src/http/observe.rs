//! The seam for outbound metrics: the telemetry of the process implements [`OutboundObserver`]; the clients call it once
//! for every attempt. See `crate::telemetry` for the counters behind it.

use std::time::Duration;

use http::{Method, StatusCode};

use super::budget::Class;

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A complete answer of any status.
    Status(StatusCode),
    /// No connection, or it broke before the answer was complete.
    Unreachable,
    /// No complete answer in time.
    Timeout,
    /// The answer's body was larger than allowed.
    TooLarge,
    /// Not sent: the circuit breaker is open.
    CircuitOpen,
}

impl Outcome {
    /// Stable name with few values, fit for a metric's label: the status class or the failure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status(status) => match status.as_u16() {
                100..=199 => "1xx",
                200..=299 => "2xx",
                300..=399 => "3xx",
                400..=499 => "4xx",
                _ => "5xx",
            },
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::CircuitOpen => "circuit_open",
        }
    }
}

/// One attempt, as an observer sees it. Never a path, header or body: those may hold secrets and have too many values.
#[derive(Debug, Clone)]
pub struct Outbound<'a> {
    /// The target's configured name, or `foreign`.
    pub target: &'a str,
    /// Method.
    pub method: &'a Method,
    /// How it ended.
    pub outcome: Outcome,
    /// 1 for the first attempt of a request, more for its retries.
    pub attempt: u32,
    /// From the first byte out to the last byte in; zero when nothing was sent.
    pub duration: Duration,
}

/// One request that a budget let go, or did not.
#[derive(Debug, Clone)]
pub struct Queued<'a> {
    /// The target's configured name.
    pub target: &'a str,
    /// On whose behalf.
    pub class: Class,
    /// How long it waited.
    pub waited: Duration,
    /// Whether it may be sent; otherwise it was refused with `target_busy`.
    pub granted: bool,
}

/// Hears of every outbound attempt. Called on the request's own task: must not block.
pub trait OutboundObserver: Send + Sync + 'static {
    /// One attempt ended.
    fn attempted(&self, outbound: &Outbound<'_>);

    /// One request left the line of its target's budget.
    fn queued(&self, queued: &Queued<'_>) {
        let _ = queued;
    }
}
