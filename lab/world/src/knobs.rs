//! The knobs of a simulated system that may be turned while it runs: how long asynchronous work takes, and how many calls
//! it takes a minute.
//!
//! Where next: [`crate::network_door`], which turns them.

use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long asynchronous work takes, in milliseconds of real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// From acceptance to the first sign of the work.
    pub start_ms: u64,
    /// From there to the end, shortest.
    pub least_ms: u64,
    /// From there to the end, longest.
    pub most_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { start_ms: 80, least_ms: 200, most_ms: 600 }
    }
}

/// The knobs of one system.
#[derive(Debug)]
pub struct Knobs {
    held: RwLock<(u32, Pace)>,
}

impl Knobs {
    /// Knobs at a position.
    pub fn new(calls_per_minute: u32, pace: Pace) -> Self {
        Self { held: RwLock::new((calls_per_minute, pace)) }
    }

    /// Calls per minute (real time) and path family before the system refuses more.
    pub fn calls_per_minute(&self) -> u32 {
        self.held.read().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How long work takes.
    pub fn pace(&self) -> Pace {
        self.held.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Turns what is given.
    pub fn turn(&self, calls_per_minute: Option<u32>, pace: Option<Pace>) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.0 = calls_per_minute.unwrap_or(held.0);
        held.1 = pace.unwrap_or(held.1);
    }

    /// `{"calls_per_minute": …, "pace": {…}}`.
    pub fn shown(&self) -> Value {
        json!({ "calls_per_minute": self.calls_per_minute(), "pace": self.pace() })
    }
}
