//! The waiting line of one target's budget, without a clock or a lock of its own: time comes in as an argument, so that tests
//! need not wait. Used by `mod`, which wakes those whose turn it is.
//!
//! *Rate*: at most so many requests are sent within any minute, and *concurrency*: so many at once. Of both, each class of
//! callers reaches only its share, so that what is left above it is the reserve of those before it.
//!
//! *Order*: changes first; among the others each caller has a turn as often as its class weighs (start-time fair queueing: a
//! caller's next request bears the tag of its last one plus the inverse of its weight, and the smallest tag goes first). So a
//! caller with a thousand requests waits longer than one with two, and nobody waits for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::BudgetOptions;
use super::claim::Class;

/// The span over which requests are counted.
const MINUTE: Duration = Duration::from_secs(60);
/// Requests within such a span are counted together: the window has at most 600 entries at any rate.
const GRAIN: Duration = Duration::from_millis(100);
/// Most that wait, over all callers.
const MOST_WAITING: usize = 2_000;
/// Most that wait of one caller.
const MOST_OF_ONE: usize = 500;
/// What one request of a caller with the weight 1 costs; a multiple of all weights.
const COST: u64 = 120;
/// How long a request is thought to take before any was measured.
const FIRST_GUESS: Duration = Duration::from_millis(200);
/// The first pause after a 429 without `Retry-After`; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause that we choose, and longest that a target may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_ASKED: Duration = Duration::from_secs(600);

/// One that waits.
#[derive(Debug)]
struct Waiter<W> {
    ticket: u64,
    wake: W,
}

/// All that waits of one caller in one class.
#[derive(Debug)]
struct Flow<W> {
    class: Class,
    caller: Arc<str>,
    /// When its next request's turn is, in virtual time.
    tag: u64,
    waiting: VecDeque<Waiter<W>>,
}

/// The line. `W` is what wakes a waiter.
#[derive(Debug)]
pub(super) struct Queue<W> {
    options: BudgetOptions,
    in_flight: u32,
    /// How many were sent in each grain of the last minute, the oldest first.
    sent: VecDeque<(Instant, u32)>,
    sent_in_all: u32,
    paused_until: Option<Instant>,
    /// How many 429 in a row came without a time.
    refusals: u32,
    flows: Vec<Flow<W>>,
    virtual_time: u64,
    next_ticket: u64,
    takes: Duration,
}

impl<W> Queue<W> {
    pub(super) fn new(options: BudgetOptions) -> Self {
        Self {
            options,
            in_flight: 0,
            sent: VecDeque::new(),
            sent_in_all: 0,
            paused_until: None,
            refusals: 0,
            flows: Vec::new(),
            virtual_time: 0,
            next_ticket: 0,
            takes: FIRST_GUESS,
        }
    }

    /// Joins the line; the ticket is for leaving it. Nothing where the line is full.
    pub(super) fn enter(&mut self, class: Class, caller: &Arc<str>, wake: W) -> Option<u64> {
        let waiting: usize = self.flows.iter().map(|flow| flow.waiting.len()).sum();
        if waiting >= MOST_WAITING {
            return None;
        }
        let ticket = self.next_ticket;
        let known = self.flows.iter_mut().find(|flow| flow.class == class && flow.caller == *caller);
        match known {
            Some(flow) if flow.waiting.len() >= MOST_OF_ONE => return None,
            Some(flow) => flow.waiting.push_back(Waiter { ticket, wake }),
            None => {
                let tag = self.virtual_time + COST / class.weight();
                let waiting = VecDeque::from([Waiter { ticket, wake }]);
                self.flows.push(Flow { class, caller: Arc::clone(caller), tag, waiting });
            }
        }
        self.next_ticket += 1;
        Some(ticket)
    }

    /// Leaves the line. Whether it still stood there.
    pub(super) fn leave(&mut self, ticket: u64) -> bool {
        let Some((at, place)) = self.find(ticket) else { return false };
        self.flows[at].waiting.remove(place);
        if self.flows[at].waiting.is_empty() {
            self.flows.remove(at);
        }
        true
    }

    fn find(&self, ticket: u64) -> Option<(usize, usize)> {
        let place = |flow: &Flow<W>| flow.waiting.iter().position(|w| w.ticket == ticket);
        self.flows.iter().enumerate().find_map(|(at, flow)| place(flow).map(|place| (at, place)))
    }

    /// Lets go who may go now: their requests count as sent.
    pub(super) fn dispatch(&mut self, now: Instant) -> Vec<W> {
        self.forget(now);
        let mut go = Vec::new();
        while let Some(at) = self.next(now) {
            let flow = &mut self.flows[at];
            let Some(waiter) = flow.waiting.pop_front() else { break };
            if flow.class != Class::Change {
                self.virtual_time = self.virtual_time.max(flow.tag);
            }
            flow.tag = self.virtual_time + COST / flow.class.weight();
            if flow.waiting.is_empty() {
                self.flows.remove(at);
            }
            self.in_flight += 1;
            self.count_sent(now);
            go.push(waiter.wake);
        }
        go
    }

    /// Whose turn it is.
    fn next(&self, now: Instant) -> Option<usize> {
        if self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        let may = |class: Class| {
            self.in_flight < class.share_of(self.options.concurrency)
                && self.sent_in_all < class.share_of(self.options.calls_per_minute)
        };
        let turn = |flow: &Flow<W>| {
            let ticket = flow.waiting.front().map(|w| w.ticket);
            // Changes among themselves: who came first.
            if flow.class == Class::Change { (0, ticket) } else { (1 + flow.tag, ticket) }
        };
        let allowed = self.flows.iter().enumerate().filter(|(_, flow)| may(flow.class));
        allowed.min_by_key(|(_, flow)| turn(flow)).map(|(at, _)| at)
    }

    /// A request is over. `used`: whether it was sent at all; `took`: how long the target took, where it answered.
    pub(super) fn finished(&mut self, granted_at: Instant, used: bool, took: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(took) = took {
            // An eighth of each new one: one that hangs does not make everybody despair.
            self.takes = self.takes * 7 / 8 + took / 8;
        }
        if !used && let Some(grain) = self.sent.iter_mut().rfind(|(at, count)| *at <= granted_at && *count > 0) {
            grain.1 -= 1;
            self.sent_in_all -= 1;
        }
    }

    /// The target said that it is asked too often: nobody goes before `after`, or before a pause of ours.
    pub(super) fn refused(&mut self, after: Option<Duration>, now: Instant) {
        let pause = match after {
            Some(after) => after.min(LONGEST_ASKED),
            None => (FIRST_PAUSE * 2_u32.saturating_pow(self.refusals.min(10))).min(LONGEST_PAUSE),
        };
        self.refusals = if after.is_none() { self.refusals + 1 } else { 0 };
        self.paused_until = Some(self.paused_until.map_or(now + pause, |until| until.max(now + pause)));
    }

    /// The target answered anything else.
    pub(super) fn accepted(&mut self) {
        self.refusals = 0;
    }

    /// When time alone lets somebody go who waits; nothing where only an answer can.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        if self.flows.is_empty() {
            return None;
        }
        if let Some(until) = self.paused_until.filter(|until| now < *until) {
            return Some(until);
        }
        let waits = |flow: &Flow<W>| self.sent_in_all >= flow.class.share_of(self.options.calls_per_minute);
        let oldest = self.sent.front().filter(|_| self.flows.iter().any(waits));
        oldest.map(|(at, _)| *at + GRAIN + MINUTE)
    }

    /// How long one that waits will wait, as far as it can be told.
    pub(super) fn estimate(&self, ticket: u64, now: Instant) -> Duration {
        let Some((at, place)) = self.find(ticket) else { return Duration::ZERO };
        let own = &self.flows[at];
        let before = |other: &Flow<W>| match (own.class, other.class) {
            (Class::Change, Class::Change) => other.waiting.len(),
            (Class::Change, _) => 0,
            (_, Class::Change) => other.waiting.len(),
            // Turns of the other while this one has as many as it needs.
            (mine, theirs) => {
                let turns = (place as u64 + 1) * theirs.weight() / mine.weight();
                other.waiting.len().min(usize::try_from(turns).unwrap_or(usize::MAX))
            }
        };
        let others: usize = self.flows.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, f)| before(f)).sum();
        let needed = u32::try_from(others + place + 1).unwrap_or(u32::MAX);
        let pause = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        pause.max(self.window_opens(own.class, needed, now)).max(self.answers_come(own.class, needed))
    }

    /// Until so many more may be sent under the rate of a class.
    fn window_opens(&self, class: Class, needed: u32, now: Instant) -> Duration {
        let most = class.share_of(self.options.calls_per_minute);
        let mut over = (self.sent_in_all + needed).saturating_sub(most);
        for (at, count) in &self.sent {
            if over == 0 {
                return Duration::ZERO;
            }
            if *count >= over {
                return (*at + GRAIN + MINUTE).saturating_duration_since(now);
            }
            over -= count;
        }
        if over == 0 { Duration::ZERO } else { MINUTE * (1 + (over - 1) / most) }
    }

    /// Until so many more may be under way: whole rounds of answers, the last one not counted.
    fn answers_come(&self, class: Class, needed: u32) -> Duration {
        let most = class.share_of(self.options.concurrency);
        let over = (self.in_flight + needed).saturating_sub(most);
        self.takes * (over.saturating_sub(1) / most)
    }

    fn count_sent(&mut self, now: Instant) {
        match self.sent.back_mut() {
            Some((at, count)) if now < *at + GRAIN => *count += 1,
            _ => self.sent.push_back((now, 1)),
        }
        self.sent_in_all += 1;
    }

    /// What is a minute old does not count any more.
    fn forget(&mut self, now: Instant) {
        while let Some((at, count)) = self.sent.front().copied()
            && at + GRAIN + MINUTE <= now
        {
            self.sent_in_all -= count;
            self.sent.pop_front();
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.flows.iter().map(|flow| flow.waiting.len()).sum()
    }
}
