//! T31: the budget. The line under a clock of the test's own, then the leave that comes out of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Queue;
use super::{Budget, BudgetOptions, Claim, Class, Permit};
use crate::error::{Error, ErrorKind};

const LONG: Duration = Duration::from_secs(3600);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A line whose time the test moves.
struct Line {
    queue: Queue<&'static str>,
    began: Instant,
    now: Instant,
}

impl Line {
    fn new(calls_per_minute: u32, concurrency: u32) -> Self {
        let now = Instant::now();
        Self { queue: Queue::new(BudgetOptions { calls_per_minute, concurrency }), began: now, now }
    }

    fn elapsed(&self) -> Duration {
        self.now - self.began
    }

    fn enter(&mut self, class: Class, caller: &'static str) -> u64 {
        self.queue.enter(class, &Arc::from(caller), caller).unwrap()
    }

    /// Who goes now.
    fn go(&mut self) -> Vec<&'static str> {
        self.queue.dispatch(self.now)
    }

    /// Sends one request that takes no time, and says how long it waited.
    fn send(&mut self, class: Class) -> Duration {
        let (ticket, entered) = (self.enter(class, "x"), self.now);
        while self.go().is_empty() {
            self.now = self.queue.wakes_at(self.now).expect("time lets it go");
        }
        assert!(!self.queue.leave(ticket));
        self.queue.finished(self.now, true, None);
        self.now - entered
    }

    /// Lets all go that wait, one after the other, each taking no time: in which order they went.
    fn drain(&mut self) -> Vec<&'static str> {
        let mut order = Vec::new();
        loop {
            let gone = self.go();
            if gone.is_empty() {
                match self.queue.wakes_at(self.now) {
                    Some(at) => self.now = at,
                    None => return order,
                }
            }
            for who in gone {
                order.push(who);
                self.queue.finished(self.now, true, None);
            }
        }
    }
}

#[test]
fn t31_never_more_than_the_rate_within_any_minute_and_the_rate_is_used() {
    let mut line = Line::new(10, 10);
    let mut sent = Vec::new();
    for n in 0..35 {
        // An uneven stream: bursts and pauses.
        if n % 4 == 0 {
            line.now += seconds(7);
        }
        line.send(Class::Change);
        sent.push(line.elapsed());
    }
    for (at, time) in sent.iter().enumerate() {
        let within = sent[..=at].iter().filter(|earlier| **earlier + seconds(60) > *time).count();
        assert!(within <= 10, "{within} within the minute before {time:?}");
    }
    assert!(sent[34] < seconds(60 * 4), "{:?}", sent[34]);
}

#[test]
fn t31_the_reserve_holds_under_a_flood_of_agents() {
    let mut line = Line::new(100, 10);
    for n in 0..300 {
        line.enter(Class::Agent, if n % 2 == 0 { "one" } else { "other" });
    }
    let mut flooded = 0;
    loop {
        let gone = line.go().len();
        (0..gone).for_each(|_| line.queue.finished(line.now, true, None));
        flooded += gone;
        if gone == 0 {
            break;
        }
    }
    assert_eq!(flooded, 70, "the flood takes its share of the minute, and nothing of what is above");
    for (class, most) in [(Class::Person, 20), (Class::Change, 10)] {
        for _ in 0..most {
            assert_eq!(line.send(class), Duration::ZERO, "{class:?} does not wait");
        }
    }
    let change = line.enter(Class::Change, "late");
    assert!(line.go().is_empty() && line.queue.estimate(change, line.now) > seconds(59), "the whole rate is used now");
    assert!(line.queue.leave(change));
    let rest = line.drain();
    assert_eq!(rest.len(), 230, "and the agents get on at their share");
    assert!(line.elapsed() >= seconds(180), "{:?}", line.elapsed());
}

#[test]
fn t31_concurrency_has_the_same_reserve() {
    let mut line = Line::new(1000, 10);
    let mut under_way = 0;
    for (class, most) in [(Class::Background, 5), (Class::Agent, 7), (Class::Person, 9), (Class::Change, 10)] {
        let tickets: Vec<_> = (0..10).map(|_| line.enter(class, "x")).collect();
        under_way += line.go().len();
        assert_eq!(under_way, most, "{class:?}");
        let left = tickets.into_iter().filter(|ticket| line.queue.leave(*ticket)).count();
        assert!(left > 0, "the others wait");
    }
    line.enter(Class::Change, "x");
    assert!(line.go().is_empty() && line.queue.wakes_at(line.now).is_none(), "only an answer lets it go");
    line.queue.finished(line.now, true, None);
    assert_eq!(line.go(), ["x"]);
}

#[test]
fn t31_two_users_share_fairly_whatever_one_of_them_asks() {
    let mut line = Line::new(1000, 1);
    line.enter(Class::Change, "first");
    line.go();
    for _ in 0..50 {
        line.enter(Class::Person, "greedy");
    }
    for _ in 0..10 {
        line.enter(Class::Person, "modest");
    }
    line.queue.finished(line.now, true, None);
    let order = line.drain();
    let last = order.iter().rposition(|who| *who == "modest").unwrap();
    assert!((18..=20).contains(&last), "the ten of the modest one are served in turns, the last as number {last}");
    // One who comes again and again, always with one request, has no more turns than one who waits with many.
    for _ in 0..20 {
        line.enter(Class::Person, "patient");
    }
    let mut order = Vec::new();
    for _ in 0..10 {
        line.enter(Class::Person, "again");
        for _ in 0..2 {
            order.extend(line.go());
            line.queue.finished(line.now, true, None);
        }
    }
    assert!((9..=11).contains(&order.iter().filter(|who| **who == "again").count()), "{order:?}");
}

#[test]
fn t31_a_person_has_twice_the_turns_of_an_agent_and_nobody_starves() {
    let mut line = Line::new(1000, 1);
    line.enter(Class::Change, "first");
    line.go();
    for (class, caller, count) in
        [(Class::Background, "refresh", 10), (Class::Agent, "agent", 40), (Class::Person, "alice", 40)]
    {
        for _ in 0..count {
            line.enter(class, caller);
        }
    }
    line.queue.finished(line.now, true, None);
    let order = line.drain();
    let served = |who: &str| order[..49].iter().filter(|w| **w == who).count();
    assert!((27..=29).contains(&served("alice")), "{}", served("alice"));
    assert!((13..=15).contains(&served("agent")), "{}", served("agent"));
    assert!((6..=8).contains(&served("refresh")), "{}", served("refresh"));
}

#[test]
fn t31_a_change_passes_a_full_line() {
    let mut line = Line::new(1000, 1);
    line.enter(Class::Person, "first");
    line.go();
    for _ in 0..200 {
        line.enter(Class::Person, "alice");
    }
    let last = line.enter(Class::Change, "change");
    assert_eq!(line.queue.estimate(last, line.now), Duration::ZERO, "it waits for nobody but who is under way");
    line.queue.finished(line.now, true, None);
    assert_eq!(line.go(), ["change"]);
}

#[test]
fn t31_the_wait_is_foretold() {
    let mut line = Line::new(10, 10);
    for _ in 0..9 {
        line.send(Class::Person);
    }
    line.now += seconds(20);
    let first = line.enter(Class::Person, "bob");
    assert!(line.go().is_empty());
    let told = line.queue.estimate(first, line.now);
    assert!(told > seconds(40) && told <= seconds(41), "until the first of the nine is a minute old: {told:?}");
    // Nine more have room then; the one after them waits for another minute.
    let rest: Vec<_> = (0..9).map(|_| line.enter(Class::Person, "bob")).collect();
    assert_eq!(line.queue.estimate(rest[7], line.now), told);
    assert!(line.queue.estimate(rest[8], line.now) >= seconds(60));
    // By the number of those under way, where that is what is short.
    let mut line = Line::new(100_000, 10);
    for _ in 0..10 {
        line.enter(Class::Change, "x");
    }
    assert_eq!(line.go().len(), 10);
    for _ in 0..60 {
        line.enter(Class::Change, "x");
        line.queue.finished(line.now, true, Some(seconds(3)));
        assert_eq!(line.go().len(), 1);
    }
    let waiting: Vec<_> = (0..30).map(|_| line.enter(Class::Change, "x")).collect();
    let told: Vec<_> = [0, 10, 29].map(|at| line.queue.estimate(waiting[at], line.now).as_secs()).into();
    assert!(told[0] == 0 && (2..=3).contains(&told[1]) && (5..=6).contains(&told[2]), "{told:?}");
}

#[test]
fn t31_a_refusal_of_the_target_holds_everybody_back_until_its_time() {
    let mut line = Line::new(1000, 10);
    line.queue.refused(Some(seconds(20)), line.now);
    let change = line.enter(Class::Change, "c");
    assert!(line.go().is_empty());
    assert_eq!(line.queue.estimate(change, line.now), seconds(20));
    assert_eq!(line.drain(), ["c"]);
    assert_eq!(line.elapsed(), seconds(20));
    // Without a time of its own, the pause doubles; any other answer begins anew.
    for pause in [1, 2, 4] {
        line.queue.refused(None, line.now);
        assert_eq!(line.send(Class::Person), seconds(pause));
    }
    line.queue.accepted();
    line.queue.refused(None, line.now);
    assert_eq!(line.send(Class::Person), seconds(1));
}

#[test]
fn t31_leave_that_was_not_used_is_given_back_and_the_line_has_an_end() {
    let mut line = Line::new(1, 1);
    line.enter(Class::Person, "alice");
    assert_eq!(line.go().len(), 1);
    line.queue.finished(line.now, false, None);
    assert_eq!((line.send(Class::Person), line.send(Class::Person) > seconds(59)), (Duration::ZERO, true));
    for _ in 0..500 {
        line.enter(Class::Person, "greedy");
    }
    assert!(line.queue.enter(Class::Person, &Arc::from("greedy"), "").is_none());
    assert!(line.queue.enter(Class::Person, &Arc::from("modest"), "").is_some());
}

fn budget(calls_per_minute: u32, concurrency: u32) -> Budget {
    Budget::new(BudgetOptions { calls_per_minute, concurrency })
}

async fn acquire(budget: &Budget, class: Class, within: Duration) -> Result<Permit, Error> {
    budget.acquire(&Claim::new(class, "alice"), "cc", Instant::now() + within).await
}

/// Until so many wait.
async fn until_waiting(budget: &Budget, waiting: usize) {
    while budget.waiting() != waiting {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn t31_who_cannot_be_served_in_time_is_told_at_once_and_when_to_come_back() {
    let budget = budget(10, 10);
    for _ in 0..9 {
        acquire(&budget, Class::Person, LONG).await.unwrap().sends();
    }
    let busy = acquire(&budget, Class::Person, seconds(30)).await.err().unwrap();
    assert_eq!((busy.kind(), busy.code()), (ErrorKind::RateLimited, "target_busy"));
    // Not after 30 seconds: the minute has just begun.
    assert!((59..=61).contains(&busy.refusal().retry_after_s.unwrap()));
    assert_eq!(budget.waiting(), 0, "who was refused does not stand in the line");
    acquire(&budget, Class::Change, seconds(30)).await.unwrap().sends();
}

#[tokio::test]
async fn t31_the_time_in_the_line_is_told_truly() {
    let budget = budget(10, 1);
    let claim = Claim::new(Class::Person, "alice");
    let first = budget.acquire(&claim, "cc", Instant::now() + LONG).await.unwrap();
    let before = claim.queued();
    let began = Instant::now();
    let waiting = tokio::spawn({
        let (budget, claim) = (budget.clone(), claim.clone());
        async move { drop(budget.acquire(&claim, "cc", Instant::now() + LONG).await.unwrap()) }
    });
    until_waiting(&budget, 1).await;
    let stood = Instant::now();
    while stood.elapsed() < Duration::from_millis(20) {
        tokio::task::yield_now().await;
    }
    let stood = stood.elapsed();
    drop(first);
    waiting.await.unwrap();
    let queued = claim.queued() - before;
    assert!(stood <= queued + Duration::from_micros(1) && queued <= began.elapsed(), "{stood:?} {queued:?}");
}

#[tokio::test]
async fn t31_who_goes_away_leaves_the_line_and_gives_back_what_came_too_late() {
    let budget = budget(1000, 1);
    let first = acquire(&budget, Class::Person, LONG).await.unwrap();
    let waiting: Vec<_> = (0..5)
        .map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move { acquire(&budget, Class::Person, LONG).await.map(drop) })
        })
        .collect();
    until_waiting(&budget, 5).await;
    // The first of them is let go in the same moment in which it goes away.
    drop(first);
    waiting.iter().for_each(|task| task.abort());
    for task in waiting {
        drop(task.await);
    }
    until_waiting(&budget, 0).await;
    acquire(&budget, Class::Person, seconds(1)).await.unwrap().sends();
}

#[tokio::test]
async fn t31_outside_of_every_call_it_is_the_platform_that_sends() {
    assert_eq!(Claim::current().class(), Class::Background);
    let claim = Claim::new(Class::Person, "alice");
    let inside = claim.scope(async { (Claim::current().class(), Claim::current().caller().to_string()) }).await;
    assert_eq!(inside, (Class::Person, "alice".to_owned()));
    assert_eq!(Claim::current().class(), Class::Background);
}
