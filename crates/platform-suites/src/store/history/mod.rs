//! What many callers see of a store at a time, and whether one at a time could have seen the same (rule T7).
//!
//! [`record`] lets eight clients work on a few things of one store, through one or several instances of it, and writes down
//! when each call was made and answered. [`check`] looks for an order of the calls that keeps to these times and in which a
//! store without any concurrency gives the same answers: then, and only then, the history is linearisable. Time is part of
//! it: the clock is moved by calls like any other.
//!
//! Where next: `clients` for what the clients do, `checker` for the search, `model` for the store without concurrency,
//! `planted` for stores with a defect that the search must find.

mod checker;
mod clients;
mod model;
#[cfg(test)]
mod planted;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use platform::Clock;
use platform::store::{Conflict, Op, OpResult, Record};

pub use self::checker::{Violation, check};
pub use self::clients::{Load, record};

/// A clock that stands still until somebody moves it, so that a history holds everything that decides an answer.
#[derive(Debug)]
pub struct StandingClock(AtomicI64);

impl StandingClock {
    /// One that stands at a fixed second.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(START)))
    }

    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Where time stands at the beginning of a history, seconds since the epoch.
const START: i64 = 2_000_000_000;

/// What a client asked for.
#[derive(Debug, Clone)]
pub enum Call {
    /// A transaction.
    Transact(Vec<Op>),
    /// One record.
    Get(String),
    /// What is known about an idempotency key: key and digest.
    KeyState(String, String),
    /// Time goes on by seconds.
    Advance(i64),
}

/// What it heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// All operations took effect.
    Results(Vec<OpResult>),
    /// None did, because of this one.
    Conflict(usize, Conflict),
    /// None did, because no caller may ask for that.
    Defect,
    /// A record.
    Record(Option<Record>),
    /// A key.
    Key(Option<Conflict>),
    /// Time has gone on.
    Moved,
    /// The store failed and could not tell: all of it took effect at some time since, or nothing ever will.
    Unknown,
}

/// One call with its times, counted in calls and answers.
#[derive(Debug, Clone)]
pub struct Event {
    /// Who.
    pub client: usize,
    /// What.
    pub call: Call,
    /// When it was made.
    pub called: u64,
    /// When it was answered; an [`Answer::Unknown`] never was.
    pub answered: u64,
    /// How it was answered.
    pub answer: Answer,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} - {}] client {}: ", self.called, self.answered, self.client)?;
        write!(f, "{:?} -> {:?}", self.call, self.answer)
    }
}
