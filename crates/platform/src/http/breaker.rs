//! The circuit breaker of one target: after a row of failures nothing is sent for a while, then one request goes ahead
//! as a probe. Used by `target`; time comes in as an argument so that tests need not wait.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a target counts as down.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row (no connection, no answer in time, 5xx) that open the circuit; 0 never opens it.
    pub failures: u32,
    /// How long nothing is sent.
    pub open_for: Duration,
}

impl Default for BreakerOptions {
    /// Five failures in a row, ten seconds.
    fn default() -> Self {
        Self { failures: 5, open_for: Duration::from_secs(10) }
    }
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing,
}

/// One target's breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    options: BreakerOptions,
    state: Mutex<State>,
}

/// Leave to send one request. Dropping it without [`Permit::report`] (the caller went away) says nothing about the
/// target; a probe then passes to the next request.
#[derive(Debug)]
#[must_use]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    reported: bool,
}

impl Breaker {
    pub(super) fn new(options: BreakerOptions) -> Self {
        Self { options, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// How long nothing is sent any more, where that is so.
    pub(super) fn open_for(&self, now: Instant) -> Option<Duration> {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Open { until } if now < until => Some(until - now),
            _ => None,
        }
    }

    /// Leave to send, or how long to wait before asking again.
    pub(super) fn acquire(&self, now: Instant) -> Result<Permit<'_>, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now < until => return Err(until - now),
            State::Open { .. } => {
                *state = State::Probing;
                true
            }
            State::Probing => return Err(Duration::from_secs(1)),
        };
        Ok(Permit { breaker: self, probe, reported: false })
    }
}

impl Permit<'_> {
    /// Says how the request went. Late answers to requests from before the circuit opened change nothing.
    pub(super) fn report(mut self, healthy: bool, now: Instant) {
        self.reported = true;
        let mut state = self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner);
        let options = &self.breaker.options;
        let next = match (&*state, healthy) {
            (State::Closed { .. }, true) => State::Closed { failures: 0 },
            (State::Closed { failures }, false) if options.failures == 0 || failures + 1 < options.failures => {
                State::Closed { failures: failures + 1 }
            }
            (State::Probing, true) if self.probe => State::Closed { failures: 0 },
            (State::Closed { .. }, false) => State::Open { until: now + options.open_for },
            (State::Probing, false) if self.probe => State::Open { until: now + options.open_for },
            _ => return,
        };
        *state = next;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.reported {
            *self.breaker.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Open { until: Instant::now() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Breaker, BreakerOptions};

    fn breaker() -> Breaker {
        Breaker::new(BreakerOptions { failures: 3, open_for: Duration::from_secs(10) })
    }

    fn fail(breaker: &Breaker, now: Instant) {
        breaker.acquire(now).unwrap().report(false, now);
    }

    #[test]
    fn only_failures_in_a_row_open_the_circuit() {
        let (breaker, now) = (breaker(), Instant::now());
        for _ in 0..10 {
            fail(&breaker, now);
            fail(&breaker, now);
            breaker.acquire(now).unwrap().report(true, now);
        }
        (0..3).for_each(|_| fail(&breaker, now));
        assert_eq!(breaker.acquire(now).unwrap_err(), Duration::from_secs(10));
        assert_eq!(breaker.acquire(now + Duration::from_secs(4)).unwrap_err(), Duration::from_secs(6));
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let (breaker, now) = (breaker(), Instant::now());
        (0..3).for_each(|_| fail(&breaker, now));
        let later = now + Duration::from_secs(10);
        let probe = breaker.acquire(later).unwrap();
        assert!(breaker.acquire(later).is_err(), "a second request while the probe is out");
        probe.report(false, later);
        assert_eq!(breaker.acquire(later).unwrap_err(), Duration::from_secs(10));
        let again = later + Duration::from_secs(10);
        breaker.acquire(again).unwrap().report(true, again);
        let (one, other) = (breaker.acquire(again), breaker.acquire(again));
        assert!(one.is_ok() && other.is_ok());
    }

    #[test]
    fn an_abandoned_probe_passes_to_the_next_request() {
        let (breaker, now) = (breaker(), Instant::now());
        (0..3).for_each(|_| fail(&breaker, now));
        let later = now + Duration::from_secs(10);
        drop(breaker.acquire(later).unwrap());
        assert!(breaker.acquire(later).is_ok());
    }

    #[test]
    fn an_answer_from_before_the_circuit_opened_does_not_close_it() {
        let (breaker, now) = (breaker(), Instant::now());
        let slow = breaker.acquire(now).unwrap();
        (0..3).for_each(|_| fail(&breaker, now));
        slow.report(true, now);
        assert!(breaker.acquire(now).is_err());
    }
}
