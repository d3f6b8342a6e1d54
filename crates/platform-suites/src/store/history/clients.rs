//! Eight clients who work on a few things of one store, and what each of them remembers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use platform::Clock;
use platform::store::{Collection, Conflict, Expect, Op, OpResult, Store, TransactError};
use serde_json::json;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::{Answer, Call, Event, StandingClock};

/// The records that clients write.
pub(super) const THINGS: Collection = Collection { name: "history_things", indexes: &[] };
/// Everybody's keys are of one scope.
pub(super) const SCOPE: &str = "history";

/// After a call that a store refused because it is not there: so long, and so often at most.
const PAUSE: Duration = Duration::from_millis(10);
const REFUSED: u32 = 12_000;

/// How much is done.
#[derive(Debug, Clone)]
pub struct Load {
    /// Clients at a time.
    pub clients: usize,
    /// Calls of each that are answered.
    pub calls: usize,
    /// Decides what they ask for.
    pub seed: u64,
    /// Counts the answers while they come.
    pub answered: Arc<AtomicU64>,
}

impl Load {
    /// Eight clients with 200 calls each.
    pub fn seeded(seed: u64) -> Self {
        Self { clients: 8, calls: 200, seed, answered: Arc::default() }
    }
}

/// Lets clients work and returns what they asked and heard. Each uses one of `stores`, which are instances of one store that
/// read `clock`. A call that certainly did not happen (`store_unavailable`) is not in the history.
pub async fn record(stores: &[Arc<dyn Store>], clock: Arc<StandingClock>, load: Load) -> Vec<Event> {
    let time = Arc::new(AtomicU64::new(0));
    let clients = (0..load.clients).map(|number| {
        let client = Client {
            number,
            store: Arc::clone(&stores[number % stores.len()]),
            clock: Arc::clone(&clock),
            time: Arc::clone(&time),
            answered: Arc::clone(&load.answered),
            random: Random::new(load.seed.wrapping_add(number as u64)),
            made: 0,
            fences: Vec::new(),
            running: Vec::new(),
            seen: None,
            events: Vec::new(),
        };
        tokio::spawn(client.work(load.calls))
    });
    let mut events = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        events.extend(client.await.unwrap());
    }
    events
}

struct Client {
    number: usize,
    store: Arc<dyn Store>,
    clock: Arc<StandingClock>,
    time: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    random: Random,
    /// Numbers for what must be new.
    made: u64,
    /// Locks that it has or had, with their fences: it goes on believing in old ones.
    fences: Vec<(String, u64)>,
    /// Calls whose keys it reserved: key, call, and whether there is an intent.
    running: Vec<(String, String, bool)>,
    /// A record that it has seen, with its revision.
    seen: Option<(String, u64)>,
    events: Vec<Event>,
}

impl Client {
    async fn work(mut self, calls: usize) -> Vec<Event> {
        let mut refused = 0;
        while self.events.len() < calls {
            let call = self.next();
            let called = self.time.fetch_add(1, Ordering::SeqCst);
            let answer = self.ask(&call).await;
            let answered = self.time.fetch_add(1, Ordering::SeqCst);
            if let Some(answer) = answer {
                self.learn(&call, &answer);
                self.answered.fetch_add(1, Ordering::SeqCst);
                self.events.push(Event { client: self.number, call, called, answered, answer });
                yield_now().await;
            } else {
                refused += 1;
                assert!(refused < REFUSED, "the store does not come back");
                sleep(PAUSE).await;
            }
        }
        self.events
    }

    /// Nothing when it certainly did not happen.
    async fn ask(&self, call: &Call) -> Option<Answer> {
        match call {
            Call::Advance(seconds) => {
                self.clock.advance(*seconds);
                Some(Answer::Moved)
            }
            Call::Get(id) => self.store.get(THINGS, id).await.ok().map(Answer::Record),
            Call::KeyState(key, digest) => self.store.key_state(SCOPE, key, digest).await.ok().map(Answer::Key),
            Call::Transact(ops) => match self.store.transact(ops.clone()).await {
                Ok(results) => Some(Answer::Results(results)),
                Err(TransactError::Conflict { index, conflict }) => Some(Answer::Conflict(index, conflict)),
                Err(TransactError::Store(error)) => match error.code() {
                    "internal_error" => Some(Answer::Defect),
                    "store_outcome_unknown" => Some(Answer::Unknown),
                    _ => None,
                },
            },
        }
    }

    fn next(&mut self) -> Call {
        match self.random.below(100) {
            0..3 => Call::Advance(1 + self.random.below(30) as i64),
            3..15 => Call::Get(self.thing()),
            15..20 => Call::KeyState(self.random.name("long", 6), self.random.name("digest", 2)),
            20..45 => Call::Transact(self.puts()),
            45..70 => Call::Transact(self.reservation()),
            70..85 if !self.fences.is_empty() => Call::Transact(vec![self.held()]),
            _ if !self.running.is_empty() => Call::Transact(self.go_on()),
            _ => Call::Transact(self.reservation()),
        }
    }

    /// One record or two, on whatever is there, on what this client believes to be there, or on nothing.
    fn puts(&mut self) -> Vec<Op> {
        let seen = self.seen.take();
        let expect = match self.random.below(4) {
            0 => Expect::Any,
            1 => Expect::Absent,
            _ => seen.as_ref().map_or(Expect::Any, |(_, revision)| Expect::Revision(*revision)),
        };
        let id = seen.map_or_else(|| self.thing(), |(id, _)| id);
        if self.random.below(6) == 0 {
            return vec![Op::Delete { collection: THINGS, id, expect }];
        }
        let expires_at = (self.random.below(3) == 0).then(|| self.in_a_while());
        let mut ops = vec![Op::Put { collection: THINGS, id, expect, body: json!(self.new_number()), expires_at }];
        if self.random.below(4) == 0 {
            let (id, body) = (self.thing(), json!(self.new_number()));
            ops.push(Op::Put { collection: THINGS, id, expect: Expect::Any, body, expires_at: None });
        }
        ops
    }

    /// Some of what the pipeline takes in one transaction: a key, a one-time approval, a budget, a device's lock.
    fn reservation(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let which = 1 + self.random.below(15);
        if which & 1 != 0 {
            // A key that can expire is never completed: when exactly an expired one is forgotten is not told.
            let (kind, expires_at) = match self.random.below(2) {
                0 => ("long", i64::MAX),
                _ => ("short", self.in_a_while()),
            };
            ops.push(Op::ReserveKey {
                scope: SCOPE.to_owned(),
                key: self.random.name(kind, 6),
                digest: self.random.name("digest", 2),
                call_id: format!("call-{}", self.new_number()),
                expires_at,
            });
        }
        if which & 2 != 0 {
            let (id, expires_at) = (self.random.name("approval", 12), self.in_a_while());
            ops.push(Op::ConsumeOnce { namespace: "history", id, expires_at });
        }
        if which & 4 != 0 {
            ops.push(Op::AddIfBelow {
                counter: self.random.name("budget", 2),
                amount: 1 + self.random.below(3),
                limit: 40,
                window_ends_at: (self.clock.epoch_seconds() / 100 + 1) * 100,
            });
        }
        if which & 8 != 0 {
            let (holder, lease_until) = (format!("client-{}", self.number), self.in_a_while());
            ops.push(Op::TakeLock { name: self.random.name("device", 4), holder, lease_until });
        }
        ops
    }

    /// Something with a lock that it has, or had.
    fn held(&mut self) -> Op {
        let at = self.random.below(self.fences.len() as u64) as usize;
        let (name, fence) = self.fences[at].clone();
        match self.random.below(3) {
            0 => {
                if self.random.below(2) == 0 {
                    self.fences.swap_remove(at);
                }
                Op::FreeLock { name, fence }
            }
            _ => Op::KeepLock { name, fence, lease_until: self.in_a_while() },
        }
    }

    /// The next step of a call whose key it reserved.
    fn go_on(&mut self) -> Vec<Op> {
        let at = self.random.below(self.running.len() as u64) as usize;
        let (key, call_id, has_intent) = self.running.swap_remove(at);
        let scope = SCOPE.to_owned();
        if !has_intent {
            if self.random.below(3) == 0 {
                return vec![Op::ReleaseKey { scope, key }];
            }
            self.running.push((key, call_id.clone(), true));
            return vec![Op::OpenIntent { call_id, body: json!(null) }];
        }
        let outcomes = ["success", "failure", "not_started", "unknown"];
        let outcome = outcomes[self.random.below(4) as usize].to_owned();
        let mut ops = vec![Op::CloseIntent { call_id: call_id.clone(), outcome: outcome.clone() }];
        match outcome.as_str() {
            "success" => ops.push(Op::CompleteKey { scope, key, result: call_id.into_bytes() }),
            "unknown" => self.running.push((key, call_id, true)),
            _ => {
                // Whose key it is by now does not matter to one who gives it back.
                if self.random.below(2) == 0 {
                    ops.push(Op::ReleaseKey { scope, key });
                }
            }
        }
        ops
    }

    fn learn(&mut self, call: &Call, answer: &Answer) {
        match (call, answer) {
            (Call::Get(id), Answer::Record(Some(record))) => self.seen = Some((id.clone(), record.revision)),
            (Call::Transact(ops), Answer::Results(results)) => {
                for (op, result) in ops.iter().zip(results) {
                    match (op, result) {
                        (Op::TakeLock { name, .. }, OpResult::Fence(fence)) => {
                            self.fences.push((name.clone(), *fence));
                        }
                        (Op::ReserveKey { key, call_id, .. }, _) if key.starts_with("long") => {
                            self.running.push((key.clone(), call_id.clone(), false));
                        }
                        (Op::Put { id, .. }, OpResult::Revision(revision)) => {
                            self.seen = Some((id.clone(), *revision));
                        }
                        _ => {}
                    }
                }
            }
            // The number that stands is as good as one that was read.
            (Call::Transact(ops), Answer::Conflict(at, Conflict::Revision { current: Some(current) })) => {
                if let Some(Op::Put { id, .. } | Op::Delete { id, .. }) = ops.get(*at) {
                    self.seen = Some((id.clone(), *current));
                }
            }
            _ => {}
        }
    }

    fn thing(&mut self) -> String {
        self.random.name("thing", 5)
    }

    fn in_a_while(&mut self) -> i64 {
        self.clock.epoch_seconds() + 20 + self.random.below(80) as i64
    }

    fn new_number(&mut self) -> u64 {
        self.made += 1;
        self.made * 100 + self.number as u64
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }

    fn name(&mut self, kind: &str, of: u64) -> String {
        format!("{kind}-{}", self.below(of))
    }
}
