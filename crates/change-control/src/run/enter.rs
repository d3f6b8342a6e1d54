//! How a run begins: what it needs of the plan, its window, and its locks.

use std::collections::BTreeSet;

use platform::Error;
use platform::store::Op;

use super::contract::{Begun, Entered, Of, Outline};
use super::locks::{self, Taken};
use super::record::Stop;
use crate::changes::Changes;
use crate::model::attempt::Attempt;
use crate::model::change::{Change, ChangeId, DeviceProgress, DeviceState, Trouble};
use crate::model::plan::{PlannedUndo, PublicPlan};
use crate::model::state::State;

/// Longest wait before the row is looked at without a nudge, milliseconds.
const LONGEST_WAIT_MS: u64 = 3_600_000;
/// How often a device that somebody else holds is asked for, milliseconds.
const BUSY_MS: u64 = 5_000;

impl Changes {
    /// See [`super::contract::BEGIN`].
    pub(super) async fn begin_run(&self, Of { change: id }: Of) -> Result<Begun, Error> {
        let plan = self.plan_to_run(&id).await?;
        let now = self.now_ms();
        let edit = |change: &mut Change| {
            if change.state == State::Approved {
                for device in &plan.devices {
                    change.run.devices.entry(device.device_id.clone()).or_insert_with(waiting);
                }
                change.become_state(State::Scheduled, now, "approved: its run waits for its window and its devices")?;
            }
            Ok((change.state, Vec::new()))
        };
        let (state, change) = self.book().update(&id, edit).await?;
        if state.is_terminal() {
            return Ok(Begun::Ended { state });
        }
        let submission = change.submission.as_ref().ok_or_else(|| Error::internal("a run without a submission"))?;
        let undoable = plan.devices.iter().filter(|d| matches!(d.undo, PlannedUndo::Generated { .. }));
        Ok(Begun::Run {
            outline: Outline {
                batches: plan.order.clone(),
                undoable: undoable.map(|device| device.device_id.clone()).collect(),
                max_fail_percentage: plan.max_fail_percentage,
                on_stop: plan.on_stop,
                save_startup: plan.save_startup,
                soak_s: plan.soak_s,
                not_after_ms: submission.window.not_after_ms,
                undo_s: plan.estimates.undo_s,
            },
        })
    }

    /// See [`super::contract::ENTER`]. The same activity takes locks again that a run has lost.
    pub(super) async fn enter_run(&self, Of { change: id }: Of) -> Result<Entered, Error> {
        let change = self.book().get(&id).await?.change;
        if change.state.is_terminal() {
            return Ok(Entered::Ended);
        }
        if change.state == State::Scheduled
            && let Some(early) = self.not_yet(&change).await?
        {
            return Ok(early);
        }
        if !change.run.fences.is_empty() && self.still_locked(&change).await? {
            return self.note_entered(&id, None).await;
        }
        let plan = self.plan_to_run(&id).await?;
        match self.take_locks(&id, &locks::names(&plan)).await? {
            Taken::Busy { lock, holder, lease_until } => {
                self.tell_busy(&id, &lock, &holder, lease_until).await?;
                Ok(Entered::Wait { again_in_ms: BUSY_MS })
            }
            Taken::All(fences) => {
                // Whoever held a lock before may have left something under way: that is settled first (T18).
                if let Some(left) = self.settle_others(&id, &plan).await? {
                    self.free_locks(&fences).await?;
                    self.tell_busy(&id, &left.device_id, &left.change, 0).await?;
                    return Ok(Entered::Wait { again_in_ms: BUSY_MS });
                }
                self.note_entered(&id, Some(fences)).await
            }
        }
    }

    /// Before its window it waits, after it it expires, and a wish to stop ends it here.
    async fn not_yet(&self, change: &Change) -> Result<Option<Entered>, Error> {
        let window = change.submission.as_ref().ok_or_else(|| Error::internal("a run without a submission"))?.window;
        let now = self.now_ms();
        let end = if change.cancel.is_some() {
            (State::Cancelled, "cancelled before it began")
        } else if now >= window.not_after_ms {
            (State::Expired, "its window ended before it began")
        } else if now < window.not_before_ms {
            let left = u64::try_from(window.not_before_ms - now).unwrap_or_default();
            return Ok(Some(Entered::Wait { again_in_ms: left.min(LONGEST_WAIT_MS) }));
        } else {
            return Ok(None);
        };
        let edit = |change: &mut Change| {
            if change.state == State::Scheduled {
                change.become_state(end.0, now, end.1)?;
            }
            Ok(((), Vec::new()))
        };
        let stop = |change: &Change| {
            (change.state == State::Scheduled).then_some(Stop { to: end.0, why: end.1, trouble: None })
        };
        self.update_on_record(&change.id, stop, edit).await?;
        Ok(Some(Entered::Ended))
    }

    /// Writes the numbers of fresh locks down and keeps the locks for a whole lease, in one transaction.
    async fn note_entered(
        &self,
        id: &ChangeId,
        fences: Option<std::collections::BTreeMap<String, u64>>,
    ) -> Result<Entered, Error> {
        let (now, now_s) = (self.now_ms(), self.parts.clock.epoch_seconds());
        let edit = |change: &mut Change| {
            if change.state.is_terminal() {
                return Ok((Entered::Ended, fences.as_ref().map(locks::free).unwrap_or_default()));
            }
            if let Some(fences) = &fences {
                change.run.fences.clone_from(fences);
            }
            if change.state == State::Scheduled {
                change.trouble = None;
                change.become_state(State::Checking, now, "its devices are locked")?;
            }
            let keep: Vec<Op> = locks::keep(change, now_s);
            Ok((Entered::Locked, keep))
        };
        match self.book().update_where(id, edit).await {
            Ok((entered, _)) => Ok(entered),
            Err(refused) if locks::is_lost(&refused) => Ok(Entered::Wait { again_in_ms: 0 }),
            Err(refused) => Err(refused.into()),
        }
    }

    pub(super) async fn still_locked(&self, change: &Change) -> Result<bool, Error> {
        use platform::store::TransactError;
        match self.book().store().transact(locks::keep(change, self.parts.clock.epoch_seconds())).await {
            Ok(_) => Ok(true),
            Err(TransactError::Conflict { .. }) => Ok(false),
            Err(TransactError::Store(error)) => Err(error),
        }
    }

    /// Says in the change who holds what it waits for.
    async fn tell_busy(&self, id: &ChangeId, lock: &str, holder: &str, lease_until: i64) -> Result<(), Error> {
        let trouble = Trouble {
            code: "device_locked".to_owned(),
            message: format!("A device of this change is held by {holder}. The run waits until it is free."),
            detail: serde_json::json!({"lock": lock, "holder": holder, "lease_until_s": lease_until}),
        };
        let edit = |change: &mut Change| {
            // The lease's end moves with every renewal; only a new holder is news.
            let known = change.trouble.as_ref().is_some_and(|t| t.code == trouble.code && t.message == trouble.message);
            if !known && !change.state.is_terminal() {
                change.trouble = Some(trouble.clone());
            }
            Ok(((), Vec::new()))
        };
        self.book().update(id, edit).await.map(drop)
    }

    /// Settles what earlier holders of these devices left open, by the target's own records; the first one that cannot be
    /// told now, if any. A device is known by its serial numbers, as its locks are: the earlier holder may have reached it by
    /// another server.
    async fn settle_others(&self, id: &ChangeId, plan: &PublicPlan) -> Result<Option<Attempt>, Error> {
        let mine: BTreeSet<&String> = plan.devices.iter().flat_map(|device| &device.serials).collect();
        for outcome in ["open", "accepted", "unknown"] {
            for attempt in self.book().attempts_that_are(outcome).await? {
                if attempt.change == id.as_str() {
                    continue;
                }
                let other = ChangeId::parse(&attempt.change)?;
                let theirs = self.plan_to_run(&other).await?;
                let device = theirs.devices.iter().find(|device| device.device_id == attempt.device_id);
                if !device.is_some_and(|device| device.serials.iter().any(|serial| mine.contains(serial))) {
                    continue;
                }
                let other = self.book().get(&other).await?.change;
                let settled = Box::pin(self.settled_row(&other, attempt.clone())).await?;
                if !settled.is_over() {
                    return Ok(Some(attempt));
                }
            }
        }
        Ok(None)
    }

    /// The public plan of a change that has one.
    pub(super) async fn plan_to_run(&self, id: &ChangeId) -> Result<PublicPlan, Error> {
        self.book().plan(id).await?.ok_or_else(|| Error::internal("a run without a plan"))
    }
}

/// A device before anything was done to it.
pub(super) fn waiting() -> DeviceProgress {
    DeviceProgress {
        state: DeviceState::Waiting,
        attempts: std::collections::BTreeMap::new(),
        last_write_ms: None,
        report: Vec::new(),
        device_errors: Vec::new(),
        by_hand: Vec::new(),
    }
}
