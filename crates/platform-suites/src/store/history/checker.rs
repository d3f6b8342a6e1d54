//! The search for an order: Wing and Gong's algorithm with Lowe's memory of what was tried (G. Lowe, "Testing for
//! linearizability", 2017), as Porcupine has it.
//!
//! Calls and answers stand in one list by time. A call that is not placed yet may be placed next if no answer stands before
//! it: whatever was answered before it was made comes first. When an answer is met whose call could not be placed, the last
//! choice was wrong.
//!
//! A call whose outcome is unknown has no answer: it may be placed at any time after it was made, or never. It is tried only
//! when no other call can come next, and only where one that should come next has to do with the same things: past all
//! others it can be moved without changing what anybody sees. Otherwise a few of them would make the search endless.

use std::collections::HashSet;
use std::fmt;

use platform::store::Op;

use super::model::Model;
use super::{Answer, Call, Event};

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

/// A place in the list, with the number of the event.
#[derive(Clone, Copy)]
enum Entry {
    Call(usize),
    Answer(usize),
}

/// What is tried next: the call at a place of the list, or one of those without an answer.
#[derive(Clone, Copy)]
enum Cursor {
    Listed(usize),
    Unknown(usize),
}

/// The entries that are left, as a list that gives back what was taken out in reverse order.
struct List {
    entries: Vec<Entry>,
    next: Vec<usize>,
    before: Vec<usize>,
    /// Where each event's answer stands.
    answers: Vec<usize>,
}

/// The list's head; entries are numbered from 1.
const HEAD: usize = 0;

impl List {
    fn of(events: &[Event]) -> Self {
        let mut timed = Vec::new();
        for (number, event) in events.iter().enumerate().filter(|(_, event)| event.answer != Answer::Unknown) {
            timed.push((event.called, number, Entry::Call(number)));
            timed.push((event.answered, number, Entry::Answer(number)));
        }
        timed.sort_by_key(|(time, ..)| *time);
        let mut answers = vec![HEAD; events.len()];
        let mut entries = vec![Entry::Answer(usize::MAX)];
        for (place, (_, number, entry)) in (1..).zip(timed) {
            if matches!(entry, Entry::Answer(_)) {
                answers[number] = place;
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
        self.take(self.answers[number]);
    }

    fn unlift(&mut self, place: usize, number: usize) {
        self.give_back(self.answers[number]);
        self.give_back(place);
    }
}

/// Whether the history is linearisable.
pub fn check(events: &[Event]) -> Result<(), Violation> {
    let mut search = Search::of(events);
    let mut furthest = Violation { explained: 0, stuck: search.stuck() };
    let mut cursor = search.first();
    while search.open > 0 {
        let tried = match cursor {
            Cursor::Listed(place) => match search.list.entries[place] {
                Entry::Call(number) => Some((number, Cursor::Listed(search.list.next[place]))),
                Entry::Answer(_) => {
                    cursor = Cursor::Unknown(0);
                    continue;
                }
            },
            Cursor::Unknown(at) => search.unknown.get(at).map(|number| (*number, Cursor::Unknown(at + 1))),
        };
        cursor = match tried {
            Some((number, otherwise)) => match search.place(cursor, number) {
                true => search.first(),
                false => otherwise,
            },
            None => {
                // Whatever may come next has been tried.
                if furthest.explained <= search.placed.len() {
                    furthest = Violation { explained: search.placed.len(), stuck: search.stuck() };
                }
                match search.take_back() {
                    Some(next) => next,
                    None => return Err(furthest),
                }
            }
        };
    }
    Ok(())
}

struct Search<'a> {
    events: &'a [Event],
    list: List,
    /// Calls without an answer.
    unknown: Vec<usize>,
    /// Calls with an answer that are not placed.
    open: usize,
    done: Vec<u64>,
    model: Model,
    tried: HashSet<u128>,
    placed: Vec<(Cursor, usize, Model)>,
}

impl<'a> Search<'a> {
    fn of(events: &'a [Event]) -> Self {
        let unknown: Vec<_> = (0..events.len()).filter(|number| events[*number].answer == Answer::Unknown).collect();
        Self {
            events,
            list: List::of(events),
            open: events.len() - unknown.len(),
            unknown,
            done: vec![0; events.len().div_ceil(64)],
            model: Model::new(),
            tried: HashSet::new(),
            placed: Vec::new(),
        }
    }

    fn first(&self) -> Cursor {
        Cursor::Listed(self.list.next[HEAD])
    }

    fn mark(&mut self, number: usize, done: bool) {
        let bit = 1 << (number % 64);
        if done {
            self.done[number / 64] |= bit;
        } else {
            self.done[number / 64] &= !bit;
        }
    }

    fn is_done(&self, number: usize) -> bool {
        self.done[number / 64] & (1 << (number % 64)) != 0
    }

    /// Places a call next, if its answer allows it and this has not been tried.
    fn place(&mut self, cursor: Cursor, number: usize) -> bool {
        if matches!(cursor, Cursor::Unknown(_)) && !self.matters(number) {
            return false;
        }
        let Some(after) = self.model.after(&self.events[number]) else { return false };
        self.mark(number, true);
        if !self.tried.insert(after.fingerprint(&self.done)) {
            self.mark(number, false);
            return false;
        }
        self.placed.push((cursor, number, std::mem::replace(&mut self.model, after)));
        if let Cursor::Listed(place) = cursor {
            self.list.lift(place, number);
            self.open -= 1;
        }
        true
    }

    /// Takes the last choice back, and says what is tried in its place.
    fn take_back(&mut self) -> Option<Cursor> {
        let (cursor, number, earlier) = self.placed.pop()?;
        self.model = earlier;
        self.mark(number, false);
        Some(match cursor {
            Cursor::Listed(place) => {
                self.list.unlift(place, number);
                self.open += 1;
                Cursor::Listed(self.list.next[place])
            }
            Cursor::Unknown(at) => Cursor::Unknown(at + 1),
        })
    }

    /// Whether a call without an answer may come next and changes something for one that should: for one that may come next
    /// itself, or for another one without an answer that does.
    fn matters(&self, number: usize) -> bool {
        let now = self.now();
        let may = |number: &usize| !self.is_done(*number) && self.events[*number].called < now;
        if !may(&number) {
            return false;
        }
        let mut reached: Vec<Things> = self.next_calls().map(|event| Things::of(&event.call)).collect();
        let mut left: Vec<usize> = self.unknown.iter().copied().filter(may).collect();
        loop {
            let touches = |number: &usize| {
                let things = Things::of(&self.events[*number].call);
                reached.iter().any(|other| other.meet(&things))
            };
            let (more, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(touches);
            if more.contains(&number) {
                return true;
            }
            if more.is_empty() {
                return false;
            }
            reached.extend(more.into_iter().map(|number| Things::of(&self.events[number].call)));
            left = rest;
        }
    }

    /// The time of the first answer that is left: what was called before it may come next.
    fn now(&self) -> u64 {
        let mut place = self.list.next[HEAD];
        while place != HEAD {
            if let Entry::Answer(number) = self.list.entries[place] {
                return self.events[number].answered;
            }
            place = self.list.next[place];
        }
        u64::MAX
    }

    /// Calls with an answer that may come next.
    fn next_calls(&self) -> impl Iterator<Item = &'a Event> {
        let mut place = self.list.next[HEAD];
        std::iter::from_fn(move || {
            let Entry::Call(number) = self.list.entries[place] else { return None };
            place = self.list.next[place];
            Some(&self.events[number])
        })
    }

    fn stuck(&self) -> Vec<Event> {
        self.next_calls().cloned().collect()
    }
}

/// What a call has to do with.
enum Things {
    /// Time decides about everything.
    All,
    /// Names; keys and intents decide about each other and are one thing.
    These(Vec<String>),
}

impl Things {
    fn of(call: &Call) -> Self {
        match call {
            Call::Advance(_) => Self::All,
            Call::Get(id) => Self::These(vec![format!("record {id}")]),
            Call::KeyState(..) => Self::These(vec!["calls".to_owned()]),
            Call::Transact(ops) => Self::These(
                ops.iter()
                    .map(|op| match op {
                        Op::Put { id, .. } | Op::Delete { id, .. } => format!("record {id}"),
                        Op::ConsumeOnce { id, .. } => format!("id {id}"),
                        Op::AddIfBelow { counter, .. } => format!("counter {counter}"),
                        Op::TakeLock { name, .. } | Op::KeepLock { name, .. } | Op::FreeLock { name, .. } => {
                            format!("lock {name}")
                        }
                        _ => "calls".to_owned(),
                    })
                    .collect(),
            ),
        }
    }

    fn meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::These(one), Self::These(other)) => one.iter().any(|name| other.contains(name)),
            _ => true,
        }
    }
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
    fn many_unknown_writes_do_not_make_the_search_endless() {
        // Forty that nobody ever sees, on forty other records, and a read that nothing explains.
        let elsewhere = |number: u64| {
            let (id, body) = (format!("other-{number}"), json!(number));
            let put = Op::Put { collection: THINGS, id, expect: Expect::Any, body, expires_at: None };
            event((number, number), Call::Transact(vec![put]), Answer::Unknown)
        };
        let mut events: Vec<_> = (0..40).map(elsewhere).collect();
        events.push(event((40, 40), write(7), Answer::Unknown));
        events.push(get(None, (41, 42)));
        events.push(get(Some((7, 1)), (43, 44)));
        check(&events).unwrap();
        events.push(get(Some((8, 2)), (45, 46)));
        assert_eq!(check(&events).unwrap_err().explained, 3);
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
