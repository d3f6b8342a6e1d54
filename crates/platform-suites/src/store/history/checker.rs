//! The search for an order: Wing and Gong's algorithm with Lowe's memory of what was tried (G. Lowe, "Testing for
//! linearizability", 2017), as Porcupine has it.
//!
//! Calls and answers stand in one list by time. A call that is not placed yet may be placed next if no answer stands before
//! it: whatever was answered before it was made comes first. When an answer is met whose call could not be placed, the last
//! choice was wrong. A call whose outcome is unknown has no answer in the list: it may be placed at any time after it was
//! made, or never.

use std::collections::HashSet;
use std::fmt;

use super::model::Model;
use super::{Answer, Event};

/// No order explains the history.
#[derive(Debug)]
pub struct Violation {
    /// The longest order that was found, by its length.
    pub explained: usize,
    /// The calls that were under way where it ends, one of which has an answer that nothing explains.
    pub stuck: Vec<Event>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} calls can be put in an order; none of these can come next:", self.explained)?;
        self.stuck.iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}

/// A place in the list.
#[derive(Clone, Copy)]
enum Entry {
    Call(usize),
    Answer,
}

/// The entries that are left, as a list that gives back what was taken out in reverse order.
struct List {
    entries: Vec<Entry>,
    next: Vec<usize>,
    before: Vec<usize>,
    /// Where each event's answer stands, if it has one.
    answers: Vec<Option<usize>>,
}

/// The list's head; entries are numbered from 1.
const HEAD: usize = 0;

impl List {
    fn of(events: &[Event]) -> Self {
        let mut timed = Vec::new();
        for (number, event) in events.iter().enumerate() {
            timed.push((event.called, number, Entry::Call(number)));
            if event.answer != Answer::Unknown {
                timed.push((event.answered, number, Entry::Answer));
            }
        }
        timed.sort_by_key(|(time, ..)| *time);
        let mut answers = vec![None; events.len()];
        let mut entries = vec![Entry::Answer];
        for (place, (_, number, entry)) in (1..).zip(timed) {
            if matches!(entry, Entry::Answer) {
                answers[number] = Some(place);
            }
            entries.push(entry);
        }
        let count = entries.len();
        let next = (1..=count).map(|place| if place == count { HEAD } else { place }).collect();
        let before = (0..count).map(|place| place.checked_sub(1).unwrap_or(count - 1)).collect();
        Self { entries, next, before, answers }
    }

    fn take(&mut self, place: usize) {
        let (before, next) = (self.before[place], self.next[place]);
        self.next[before] = next;
        self.before[next] = before;
    }

    fn give_back(&mut self, place: usize) {
        let (before, next) = (self.before[place], self.next[place]);
        self.next[before] = place;
        self.before[next] = place;
    }

    /// Takes a call out, and its answer.
    fn lift(&mut self, place: usize, number: usize) {
        self.take(place);
        if let Some(answer) = self.answers[number] {
            self.take(answer);
        }
    }

    fn unlift(&mut self, place: usize, number: usize) {
        if let Some(answer) = self.answers[number] {
            self.give_back(answer);
        }
        self.give_back(place);
    }
}

/// Whether the history is linearisable.
pub fn check(events: &[Event]) -> Result<(), Violation> {
    let mut list = List::of(events);
    let mut open = events.iter().filter(|event| event.answer != Answer::Unknown).count();
    let mut done = vec![0_u64; events.len().div_ceil(64)];
    let mut model = Model::new();
    let mut tried = HashSet::new();
    let mut placed: Vec<(usize, usize, Model)> = Vec::new();
    let mut furthest: Option<Violation> = None;
    let mut place = list.next[HEAD];
    while open > 0 {
        let candidate = match list.entries[place] {
            Entry::Call(number) if place != HEAD => Some(number),
            _ => None,
        };
        if let Some(number) = candidate {
            let after = model.after(&events[number]);
            let fresh = after.filter(|after| {
                done[number / 64] |= 1 << (number % 64);
                let fresh = tried.insert(after.fingerprint(&done));
                done[number / 64] &= !(1 << (number % 64));
                fresh
            });
            match fresh {
                Some(after) => {
                    placed.push((place, number, std::mem::replace(&mut model, after)));
                    done[number / 64] |= 1 << (number % 64);
                    list.lift(place, number);
                    open -= usize::from(list.answers[number].is_some());
                    place = list.next[HEAD];
                }
                None => place = list.next[place],
            }
            continue;
        }
        // An answer, or the end: whatever may come next has been tried.
        if furthest.as_ref().is_none_or(|known| known.explained < placed.len()) {
            furthest = Some(Violation { explained: placed.len(), stuck: stuck(&list, events) });
        }
        let Some((taken, number, earlier)) = placed.pop() else { break };
        model = earlier;
        done[number / 64] &= !(1 << (number % 64));
        list.unlift(taken, number);
        open += usize::from(list.answers[number].is_some());
        place = list.next[taken];
    }
    match furthest {
        Some(violation) if open > 0 => Err(violation),
        _ => Ok(()),
    }
}

/// The calls before the first answer that is left.
fn stuck(list: &List, events: &[Event]) -> Vec<Event> {
    let mut stuck = Vec::new();
    let mut place = list.next[HEAD];
    while place != HEAD {
        let Entry::Call(number) = list.entries[place] else { break };
        stuck.push(events[number].clone());
        place = list.next[place];
    }
    stuck
}

#[cfg(test)]
mod tests {
    use platform::store::{Conflict, Expect, Op, OpResult, Record};
    use serde_json::json;

    use super::super::clients::THINGS;
    use super::super::{Answer, Call, Event};
    use super::check;

    fn event(times: (u64, u64), call: Call, answer: Answer) -> Event {
        Event { client: 0, call, called: times.0, answered: times.1, answer }
    }

    fn put(body: u64, revision: u64, times: (u64, u64)) -> Event {
        event(times, write(body), Answer::Results(vec![OpResult::Revision(revision)]))
    }

    fn write(body: u64) -> Call {
        let (id, body) = ("r".to_owned(), json!(body));
        Call::Transact(vec![Op::Put { collection: THINGS, id, expect: Expect::Any, body, expires_at: None }])
    }

    fn get(body: Option<(u64, u64)>, times: (u64, u64)) -> Event {
        let record = |(body, revision)| Record { id: "r".to_owned(), revision, body: json!(body), expires_at: None };
        event(times, Call::Get("r".to_owned()), Answer::Record(body.map(record)))
    }

    #[test]
    fn an_order_must_keep_to_the_times() {
        // The read overlaps both writes: either value may be seen, but a value that was seen does not go back.
        let writes = [put(7, 1, (0, 3)), put(8, 2, (4, 9))];
        let with = |reads: &[Event]| check(&[&writes[..], reads].concat());
        with(&[get(Some((7, 1)), (5, 6)), get(Some((8, 2)), (7, 8))]).unwrap();
        with(&[get(Some((8, 2)), (5, 6)), get(Some((8, 2)), (7, 8))]).unwrap();
        with(&[get(Some((8, 2)), (5, 6)), get(Some((7, 1)), (7, 8))]).unwrap_err();
        with(&[get(None, (1, 2))]).unwrap();
        let violation = with(&[get(None, (5, 6))]).unwrap_err();
        assert_eq!(violation.explained, 2, "both writes, and then no read of nothing: {violation}");
        with(&[get(Some((7, 1)), (10, 11))]).unwrap_err();
    }

    #[test]
    fn a_later_choice_can_undo_an_earlier_one() {
        // Placed greedily, the write that was called first comes first; only the other order explains the reads.
        let (one, other) = (put(7, 2, (0, 9)), put(8, 1, (1, 8)));
        check(&[one.clone(), other.clone(), get(Some((8, 1)), (2, 3)), get(Some((7, 2)), (4, 5))]).unwrap();
        check(&[one, other, get(Some((7, 2)), (2, 3)), get(Some((8, 1)), (4, 5))]).unwrap_err();
    }

    #[test]
    fn an_unknown_write_may_stand_at_any_later_time_or_never() {
        let unknown = event((0, 1), write(7), Answer::Unknown);
        check(&[unknown.clone(), get(None, (2, 3)), get(Some((7, 1)), (4, 5))]).unwrap();
        check(&[unknown.clone(), get(None, (2, 3)), get(None, (4, 5))]).unwrap();
        check(&[unknown.clone(), get(Some((7, 1)), (2, 3)), get(None, (4, 5))]).unwrap_err();
        check(&[get(Some((7, 1)), (2, 3)), Event { called: 4, ..unknown }]).unwrap_err();
    }

    #[test]
    fn a_refusal_must_be_the_one_that_the_moment_gives() {
        let refused = |current| event((4, 5), write(9), Answer::Conflict(0, Conflict::Revision { current }));
        check(&[put(7, 1, (0, 3)), refused(Some(1))]).unwrap_err();
        let absent = Call::Transact(vec![Op::Put {
            collection: THINGS,
            id: "r".to_owned(),
            expect: Expect::Absent,
            body: json!(9),
            expires_at: None,
        }]);
        let told = |current| event((4, 5), absent.clone(), Answer::Conflict(0, Conflict::Revision { current }));
        check(&[put(7, 1, (0, 3)), told(Some(1))]).unwrap();
        check(&[put(7, 1, (0, 3)), told(Some(2))]).unwrap_err();
    }
}
