//! The driver: one loop on a thread of its own, because bodies stay on theirs. It takes what arrived, lets each run's body go
//! one event further, commits that, and only then begins what the body asked for.
//!
//! Nothing is asked of the file while nothing happens: the loop sleeps until it is woken or the next timer is due. Because
//! the clock may jump (a machine that slept, a lab that moves it), it looks at the clock, not at the file, a few times a
//! second while there is a timer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use platform::failpoint;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::attempts::Attempts;
use crate::body::{Definitions, Live, Origin};
use crate::context::Command;
use crate::error::JournalError;
use crate::journal::{Arrived, Journal, RunKey, Turn, happened};
use crate::trouble::Trouble;

/// Bodies that are kept in memory; the others are rebuilt from their journals when something happens to them.
const BODIES: usize = 128;
/// How often the clock is looked at while a timer is set.
const LOOK: Duration = Duration::from_millis(200);
/// How often the lease is renewed.
const RENEW: Duration = Duration::from_secs(20);
/// How often finished runs are looked for.
const PURGE: Duration = Duration::from_secs(3600);

pub(crate) struct Drive {
    pub(crate) journal: Journal,
    pub(crate) definitions: Definitions,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) wake: Arc<Notify>,
    pub(crate) stop: CancellationToken,
    pub(crate) turns: watch::Sender<u64>,
    pub(crate) trouble: Trouble,
    pub(crate) keep: Duration,
}

/// Why a run cannot go on just now.
enum Stuck {
    /// Its own trouble.
    Park(String),
    /// The file's.
    Journal(JournalError),
}

impl From<JournalError> for Stuck {
    fn from(error: JournalError) -> Self {
        match error {
            // The rows of one run, and no other's.
            JournalError::Unreadable(why) => Self::Park(why),
            JournalError::File(sqlite_file::FileError::Defect(why)) => {
                Self::Park(format!("the run's journal is unreadable: {why}"))
            }
            other => Self::Journal(other),
        }
    }
}

#[derive(Default)]
struct Bodies {
    kept: HashMap<RunKey, (u64, Live)>,
    uses: u64,
}

impl Bodies {
    fn keep(&mut self, run: RunKey, live: Live) {
        self.uses += 1;
        self.kept.insert(run, (self.uses, live));
        if self.kept.len() > BODIES
            && let Some(oldest) = self.kept.iter().min_by_key(|(_, (used, _))| *used).map(|(run, _)| *run)
        {
            self.kept.remove(&oldest);
        }
    }

    fn take(&mut self, run: RunKey) -> Option<Live> {
        self.kept.remove(&run).map(|(_, live)| live)
    }
}

impl Drive {
    /// Drives until it is told to stop, or the lease is lost.
    pub(crate) async fn run(self) {
        let mut bodies = Bodies::default();
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            ended = self.go_on(&mut bodies) => ended,
        };
        if let Err(error) = ended {
            self.trouble.report("the driver has stopped", &error);
            self.attempts.halt.cancel();
        }
    }

    async fn go_on(&self, bodies: &mut Bodies) -> Result<(), JournalError> {
        self.recover().await?;
        let mut failures = 0;
        let (mut renewed, mut purged) = (Instant::now(), None::<Instant>);
        loop {
            let looked = self.look(bodies).await;
            let due = match looked {
                Ok(Looked::Again) => {
                    failures = 0;
                    continue;
                }
                Ok(Looked::Idle { due }) => due,
                Err(JournalError::LeaseLost) => return Err(JournalError::LeaseLost),
                Err(error) => {
                    failures += 1;
                    self.trouble.report("what happened to workflows", &error);
                    Trouble::wait(failures).await;
                    continue;
                }
            };
            self.trouble.over();
            failures = 0;
            if renewed.elapsed() >= RENEW {
                self.trouble.insist("the lease", || self.journal.renew()).await?;
                renewed = Instant::now();
            }
            if purged.is_none_or(|at| at.elapsed() >= PURGE) {
                let keep = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
                let before = self.journal.now_ms().saturating_sub(keep);
                let more = self.trouble.insist("retention", || self.journal.purge(before)).await?;
                self.turns.send_modify(|turns| *turns += 1);
                if more {
                    // One step at a time: what happened meanwhile comes first.
                    continue;
                }
                purged = Some(Instant::now());
            }
            let upkeep = renewed + RENEW;
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.until(due) => {}
                () = tokio::time::sleep_until(upkeep) => {}
            }
        }
    }

    /// Ends when the clock says that it is time.
    async fn until(&self, due: Option<i64>) {
        let Some(due) = due else { return std::future::pending().await };
        loop {
            let left = due.saturating_sub(self.journal.now_ms());
            let Ok(left) = u64::try_from(left) else { return };
            if left == 0 {
                return;
            }
            tokio::time::sleep(LOOK.min(Duration::from_millis(left))).await;
        }
    }

    /// Goes on with the activities that a former driver left.
    async fn recover(&self) -> Result<(), JournalError> {
        let unfinished = self.trouble.insist("activities that have not ended", || self.journal.unfinished()).await?;
        let mut parked = HashSet::new();
        let mut tickets = Vec::new();
        for ticket in unfinished {
            let (run, why) = match ticket {
                Ok(ticket) if self.attempts.knows(&ticket.name) => {
                    tickets.push(ticket);
                    continue;
                }
                Ok(ticket) => (ticket.run, unknown_activity(&ticket.name)),
                Err(unreadable) => unreadable,
            };
            if parked.insert(run) {
                self.park(run, why).await?;
            }
        }
        for ticket in tickets.into_iter().filter(|ticket| !parked.contains(&ticket.run)) {
            self.attempts.launch(ticket);
        }
        Ok(())
    }

    async fn look(&self, bodies: &mut Bodies) -> Result<Looked, JournalError> {
        let (arrived, due) = self.journal.look().await?;
        let now = self.journal.now_ms();
        if due.is_some_and(|due| due <= now) && self.journal.fire(now).await? {
            return Ok(Looked::Again);
        }
        if arrived.is_empty() {
            return Ok(Looked::Idle { due });
        }
        let mut runs = HashSet::new();
        let mut turns = Vec::new();
        for arrived in arrived {
            // One event of each run at a time; its next ones wait for the next look.
            if !runs.insert(arrived.run) {
                continue;
            }
            let run = arrived.run;
            match self.turn(bodies, arrived).await {
                Ok(Some(turn)) => turns.push(turn),
                Ok(None) => {}
                Err(Stuck::Park(why)) => self.park(run, why).await?,
                Err(Stuck::Journal(error)) => return Err(error),
            }
        }
        // They share a commit: the file's writer groups what is queued.
        let commits = turns.into_iter().map(|(turn, live)| self.commit(turn, live));
        let committed = futures_util::future::join_all(commits).await;
        let mut trouble = None;
        for result in committed {
            match result {
                Ok(Some((run, live))) => bodies.keep(run, live),
                Ok(None) => {}
                Err(error) => trouble = Some(error),
            }
        }
        self.turns.send_modify(|turns| *turns += 1);
        trouble.map_or(Ok(Looked::Again), Err)
    }

    /// Lets a body go one event further, in memory.
    async fn turn(&self, bodies: &mut Bodies, arrived: Arrived) -> Result<Option<(Turn, Live)>, Stuck> {
        let run = arrived.run;
        let mut live = match bodies.take(run) {
            Some(live) => live,
            None => {
                let Some(origin) = self.journal.origin(run).await? else { return Ok(None) };
                self.rebuild(run, origin).await?
            }
        };
        let event = happened(&arrived.kind, arrived.cmd, arrived.name.as_deref(), arrived.data.as_deref());
        let at = self.journal.now_ms().max(live.last_at);
        let step = live.step(moment(at)?, event.map_err(Stuck::Park)?).map_err(Stuck::Park)?;
        let unknown = step.asked.iter().find_map(|(_, command)| match command {
            Command::Activity { name, .. } if !self.attempts.knows(name) => Some(*name),
            _ => None,
        });
        if let Some(name) = unknown {
            return Err(Stuck::Park(unknown_activity(name)));
        }
        let seq = live.next_seq;
        let (run_id, seed) = (live.origin.id.clone(), live.origin.seed.clone());
        let turn = Turn { run, run_id, seed, arrived, seq, at, step };
        Ok(Some((turn, live)))
    }

    async fn rebuild(&self, run: RunKey, origin: Origin) -> Result<Live, Stuck> {
        let mut live = Live::begin(&self.definitions, origin).map_err(Stuck::Park)?;
        loop {
            let page = self.journal.page(run, live.next_seq).await?;
            if page.is_empty() {
                break;
            }
            for event in page {
                live.next_seq = event.seq + 1;
                live.last_at = event.at;
                let replayed = match event.asked() {
                    Some(past) => live.replay_asked(past),
                    None => {
                        let was = happened(&event.kind, event.cmd, event.name.as_deref(), event.data.as_deref());
                        let at = moment(event.at)?;
                        was.and_then(|was| live.replay_happened(at, was))
                    }
                };
                replayed.map_err(Stuck::Park)?;
            }
        }
        live.replay_ahead().map_err(Stuck::Park)?;
        Ok(live)
    }

    /// Commits a turn and begins what it asked for. The body stays where it goes on.
    async fn commit(&self, turn: Turn, mut live: Live) -> Result<Option<(RunKey, Live)>, JournalError> {
        let (run, at, events) = (turn.run, turn.at, turn.events());
        let ended = turn.step.ended.is_some();
        let cancelled = (turn.arrived.kind == "cancel").then(|| turn.arrived.data.clone().unwrap_or_default());
        let (begun, stands) = self.journal.commit(turn).await?;
        failpoint::reach("journal.committed");
        if let Some(reason) = cancelled {
            self.attempts.cancel(run, &reason);
        }
        for ticket in begun {
            self.attempts.launch(ticket);
        }
        live.next_seq += events;
        live.last_at = at;
        Ok((stands && !ended).then_some((run, live)))
    }

    async fn park(&self, run: RunKey, why: String) -> Result<(), JournalError> {
        tracing::error!(run, why, "a workflow is parked");
        self.trouble.insist("parking a workflow", || self.journal.park(run, why.clone())).await?;
        self.turns.send_modify(|turns| *turns += 1);
        Ok(())
    }
}

enum Looked {
    /// Something happened: look again at once.
    Again,
    /// Nothing to do until it is woken, or until `due` in milliseconds.
    Idle { due: Option<i64> },
}

fn unknown_activity(name: &str) -> String {
    format!("this program knows no activity `{name}`")
}

fn moment(ms: i64) -> Result<Timestamp, Stuck> {
    Timestamp::from_millisecond(ms).map_err(|error| Stuck::Park(format!("the journal's time is unreadable: {error}")))
}
