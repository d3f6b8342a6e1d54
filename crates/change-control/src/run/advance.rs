//! How a change moves: each move is one transaction with the renewal of its locks, so that nobody moves who has lost them.

use platform::Error;

use super::contract::{Advance, Finish, Looked};
use super::locks;
use super::record::Stop;
use crate::changes::Changes;
use crate::model::change::{CancelMode, Change, DeviceState};
use crate::model::plan::{DevicePlan, PlannedUndo};
use crate::model::state::State;

impl Changes {
    /// See [`super::contract::ADVANCE`]. A move that was made already is not made again.
    pub(super) async fn advance_run(&self, step: Advance) -> Result<Looked, Error> {
        let (now, now_s) = (self.now_ms(), self.parts.clock.epoch_seconds());
        let stop = |change: &Change| match (step.to, &step.trouble) {
            (Some(to), Some(trouble)) if is_news(change, &step, to) && !change.state.is_terminal() => {
                Some(Stop { to, why: &step.why, trouble: Some(trouble) })
            }
            _ => None,
        };
        let edit = |with_locks: bool| {
            let step = &step;
            move |change: &mut Change| {
                if let Some(to) = step.to
                    && !change.state.is_terminal()
                {
                    moved(change, step, to, now)?;
                }
                let keep = if with_locks { locks::keep(change, now_s) } else { Vec::new() };
                Ok((looked(change, with_locks && !change.run.fences.is_empty()), keep))
            }
        };
        match self.update_on_record(&step.change, stop, edit(true)).await {
            Ok((looked, _)) => Ok(looked),
            // To stand still or to say why takes no lock.
            Err(refused) if locks::is_lost(&refused) && may_move_unlocked(step.to) => {
                Ok(self.update_on_record(&step.change, stop, edit(false)).await?.0)
            }
            Err(refused) if locks::is_lost(&refused) => {
                let change = self.book().get(&step.change).await?.change;
                Ok(looked(&change, false))
            }
            Err(refused) => Err(refused.into()),
        }
    }

    /// See [`super::contract::FINISH`]: the last state and the freed locks, together.
    pub(super) async fn finish_run(&self, end: Finish) -> Result<(), Error> {
        let now = self.now_ms();
        let plan = self.plan_to_run(&end.change).await?;
        let stop = |change: &Change| {
            let stop = Stop { to: end.to, why: &end.why, trouble: end.trouble.as_ref() };
            (!change.state.is_terminal()).then_some(stop)
        };
        let edit = |change: &mut Change| {
            let freed = locks::free(&change.run.fences);
            change.run.fences.clear();
            if !change.state.is_terminal() {
                change.trouble.clone_from(&end.trouble);
                change.run.result = end.result;
                change.run.parked_on = None;
                change.run.resume = None;
                change.run.resume_asked = false;
                change.run.goes_on_at_ms = None;
                for device in &plan.devices {
                    let progress = change.run.devices.get_mut(&device.device_id);
                    if let Some(progress) = progress.filter(|progress| progress.state == DeviceState::NotRestored) {
                        progress.by_hand = by_hand(device);
                    }
                }
                change.become_state(end.to, now, end.why.clone())?;
            }
            Ok(((), freed))
        };
        self.update_on_record(&end.change, stop, edit).await?;
        // What is kept about the change does not decide how it ended; whoever asks for it later has it put together then.
        if let Err(error) = self.assemble_evidence(&end.change).await {
            tracing::warn!(change = %end.change, code = error.code(), "evidence was not put together at the end of a run");
        }
        Ok(())
    }
}

/// Whether the step says something new: another state, or of a run that went on by itself, that it needs a person now.
fn is_news(change: &Change, step: &Advance, to: State) -> bool {
    change.state != to || (to == State::Held && step.again_in_ms.is_none() && change.run.goes_on_at_ms.is_some())
}

fn moved(change: &mut Change, step: &Advance, to: State, now: i64) -> Result<(), Error> {
    if is_news(change, step, to) {
        let from = change.state;
        change.become_state(to, now, step.why.clone())?;
        if from != to {
            change.run.resume = matches!(to, State::Held | State::Parked).then_some(from);
        }
        if from == State::Held {
            // Whoever asked it to go on has what they asked for.
            change.run.resume_asked = false;
        }
        if to == State::Held {
            // A wish to stand still is fulfilled; one to undo is not yet.
            change.cancel = change.cancel.take().filter(|cancel| cancel.mode == CancelMode::Undo);
        }
        if to != State::Parked {
            change.run.parked_on = None;
        }
    }
    let again = step.again_in_ms.filter(|_| to == State::Held);
    change.run.goes_on_at_ms = again.map(|ms| now.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)));
    change.trouble.clone_from(&step.trouble);
    if let Some(batch) = step.batch {
        change.run.batch = batch;
    }
    for (device, state) in &step.devices {
        let progress = change.run.devices.entry(device.clone()).or_insert_with(super::enter::waiting);
        progress.state = *state;
    }
    change.updated_at_ms = now;
    Ok(())
}

fn looked(change: &Change, locked: bool) -> Looked {
    Looked {
        state: change.state,
        locked,
        cancel: change.cancel.as_ref().map(|cancel| cancel.mode),
        resume: change.run.resume_asked,
    }
}

/// What somebody has to do on a device that could not be undone, masked: the lines of its undo, or where the plan has none,
/// what the change had done to it, read backwards.
fn by_hand(device: &DevicePlan) -> Vec<String> {
    match &device.undo {
        PlannedUndo::Generated { lines, .. } => lines.iter().map(|line| line.masked.clone()).collect(),
        PlannedUndo::None { reason } => {
            let done = device.diff.iter().filter_map(|line| match line.sign.as_str() {
                "+" => Some(format!("take out: {}", line.line)),
                "-" => Some(format!("put back: {}", line.line)),
                _ => None,
            });
            std::iter::once(format!("The plan had no undo: {reason}")).chain(done).collect()
        }
    }
}

const fn may_move_unlocked(to: Option<State>) -> bool {
    matches!(to, None | Some(State::Held | State::Parked))
}
