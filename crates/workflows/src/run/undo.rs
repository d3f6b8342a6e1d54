//! Back: what stopped a run decides whether what was written is undone, the last device first, or the run stands still with its
//! locks until a person wants something. An undo goes past what fails, and ends with what is left to do by hand.

use std::time::Duration;

use change_control::State;
use change_control::model::attempt::Direction;
use change_control::model::change::{CancelMode, DeviceState, RunResult, Trouble};
use change_control::model::plan::OnStop;
use change_control::run::contract::{Advance, Finish, Verified, Verify};
use workflow_api::{Json, WorkflowContext, WorkflowError};

use super::step::{Outcome, TRIES};
use super::{LOOK_EVERY, Run, Stop};

/// How long a device is waited for that cannot be read or written to while it is undone.
pub(super) const PATIENCE_S: i64 = 600;
/// Wait between two tries of an undo step that was not sent.
const AGAIN: Duration = Duration::from_secs(10);

/// What a person wants of a held run.
enum Wish {
    Resume,
    Undo,
}

impl<C: WorkflowContext> Run<C> {
    /// What follows a stop: nothing written, so it ends; or undo; or hold. Nothing where the run goes on.
    pub(super) async fn stopped(&mut self, stop: Stop) -> Result<Option<Json>, WorkflowError> {
        if self.touched.is_empty() {
            let end = Finish { trouble: Some(stop.trouble), ..self.calls.end(stop.unwritten, "nothing was written") };
            return self.calls.finish(end).await.map(Some);
        }
        let mut trouble = stop.trouble;
        let mut mode = stop.mode.unwrap_or(self.outline.on_stop);
        let without: Vec<&String> =
            self.touched.iter().filter(|device| !self.outline.undoable.contains(device)).collect();
        if stop.mode.is_none() && mode == OnStop::Undo && !without.is_empty() {
            trouble = Trouble {
                code: "undo_by_hand".to_owned(),
                message: format!("{} The plan has no undo for a device that was written to.", trouble.message),
                detail: serde_json::json!({ "devices": without, "because": trouble.code, "detail": trouble.detail }),
            };
            mode = OnStop::Hold;
        }
        if mode == OnStop::Hold {
            match self.held(&trouble).await? {
                Wish::Undo => {}
                Wish::Resume => {
                    self.checked = false;
                    return Ok(None);
                }
            }
        }
        self.calls = self.calls.shielded();
        self.undo(trouble).await.map(Some)
    }

    /// Stands still until a person wants something.
    async fn held(&self, trouble: &Trouble) -> Result<Wish, WorkflowError> {
        loop {
            let looked = self.calls.go_with(State::Held, "it waits for a person", trouble).await?;
            if looked.cancel == Some(CancelMode::Undo) {
                return Ok(Wish::Undo);
            }
            if looked.resume {
                return Ok(Wish::Resume);
            }
            self.calls.nudged(LOOK_EVERY).await?;
        }
    }

    /// Undoes every device that a forward step was announced for.
    async fn undo(&mut self, trouble: Trouble) -> Result<Json, WorkflowError> {
        let mut result = RunResult::Restored;
        for device in self.touched.clone().into_iter().rev() {
            self.begin_back(&device, &trouble).await?;
            match self.back(&device).await? {
                DeviceState::Restored | DeviceState::Skipped => {}
                DeviceState::RestoredWithDifferences if result == RunResult::Restored => {
                    result = RunResult::RestoredWithDifferences;
                }
                DeviceState::RestoredWithDifferences => {}
                _ => result = RunResult::NotRestored,
            }
        }
        while !self.calls.go_with(State::Undoing, "all devices were gone through", &trouble).await?.locked {
            self.relock().await?;
        }
        let (to, why) = match result {
            RunResult::NotRestored => (State::UndoFailed, "some device has to be put right by hand"),
            _ => (State::Undone, "what was written is undone"),
        };
        let end = Finish { result: Some(result), trouble: Some(trouble), ..self.calls.end(to, why) };
        self.calls.finish(end).await
    }

    /// Says that the device is next, under locks that are held.
    async fn begin_back(&mut self, device: &str, trouble: &Trouble) -> Result<(), WorkflowError> {
        loop {
            let step = Advance {
                trouble: Some(trouble.clone()),
                devices: vec![(device.to_owned(), DeviceState::Undoing)],
                ..self.calls.step(Some(State::Undoing), "what was written is undone")
            };
            if self.calls.advance(step).await?.locked {
                return Ok(());
            }
            self.relock().await?;
        }
    }

    /// One device back. What could not be done is told, and the others still get their turn.
    async fn back(&mut self, device: &str) -> Result<DeviceState, WorkflowError> {
        if !self.is_touched(device) {
            return self.left_alone(device).await;
        }
        let began = self.now_s();
        // A step that never reached the device leaves nothing to undo.
        let before = Verify { before: true, ..self.verify_of(device, Direction::Undo, false) };
        if matches!(self.compared_back(&before, began).await?, (DeviceState::Restored, _)) {
            return Ok(DeviceState::Restored);
        }
        if !self.outline.undoable.iter().any(|undoable| undoable == device) {
            return self.given_up(device, "The plan has no undo for this device.").await;
        }
        let mut silent_since = None;
        let failed = loop {
            let which = self.next_try(device, Direction::Undo);
            match self.sent(&self.calls, &which).await? {
                Outcome::Ended { failed } => break failed,
                Outcome::Refused { trouble } => {
                    if self.calls.look().await?.locked {
                        return self.given_up(device, &trouble.message).await;
                    }
                    self.relock().await?;
                    self.calls.go(State::Undoing, "its locks are held again").await?;
                    if !self.is_touched(device) {
                        return self.left_alone(device).await;
                    }
                }
                // It was settled, perhaps by a person and after days: another try, unless there were many.
                Outcome::NotDone { trouble: None } => {
                    if which.number >= TRIES {
                        return self.given_up(device, "The target never took the step up, by its own records.").await;
                    }
                    silent_since = None;
                }
                Outcome::NotDone { trouble: Some(trouble) } => {
                    let now = self.now_s();
                    if now - *silent_since.get_or_insert(now) >= PATIENCE_S {
                        return self.given_up(device, &trouble.message).await;
                    }
                    self.calls.nudged(AGAIN).await?;
                }
            }
        };
        let after = self.verify_of(device, Direction::Undo, failed);
        let began = self.now_s();
        match self.compared_back(&after, began).await? {
            (DeviceState::NotRestored, Some(trouble)) => self.given_up(device, &trouble.message).await,
            (state, _) => Ok(state),
        }
    }

    /// Compares with the configuration before; what cannot be read is waited for a while.
    async fn compared_back(
        &self,
        verify: &Verify,
        began: i64,
    ) -> Result<(DeviceState, Option<Trouble>), WorkflowError> {
        loop {
            let last_call = self.now_s() - began >= PATIENCE_S;
            let compared = match self.calls.verify(&Verify { last_call, ..verify.clone() }).await {
                Ok(compared) => compared,
                // The others still get their turn.
                Err(WorkflowError::Activity { code, message, .. }) => {
                    return Ok((DeviceState::NotRestored, Some(Trouble::new(&code, message))));
                }
                Err(error) => return Err(error),
            };
            match compared {
                Verified::Good => return Ok((DeviceState::Restored, None)),
                Verified::Bad { state, trouble } => return Ok((state, Some(trouble))),
                Verified::Later { again_in_ms, .. } => {
                    self.calls.look().await?;
                    self.calls.nudged(Duration::from_millis(again_in_ms)).await?;
                }
            }
        }
    }

    /// Whether an undo of the device is this run's: its locks were never lost, or a step has reached it.
    fn is_touched(&self, device: &str) -> bool {
        self.touched.iter().any(|touched| touched == device)
    }

    /// A device that was another holder's meanwhile, and that nothing of this run has reached.
    async fn left_alone(&self, device: &str) -> Result<DeviceState, WorkflowError> {
        let step = Advance {
            devices: vec![(device.to_owned(), DeviceState::Skipped)],
            ..self.calls.step(Some(State::Undoing), "nothing of this run has reached the device")
        };
        self.calls.advance(step).await?;
        Ok(DeviceState::Skipped)
    }

    async fn given_up(&self, device: &str, why: &str) -> Result<DeviceState, WorkflowError> {
        let step = Advance {
            devices: vec![(device.to_owned(), DeviceState::NotRestored)],
            trouble: Some(Trouble::new("not_restored", format!("{device} could not be undone. {why}"))),
            ..self.calls.step(Some(State::Undoing), "a device could not be undone")
        };
        self.calls.advance(step).await?;
        Ok(DeviceState::NotRestored)
    }

    pub(super) fn now_s(&self) -> i64 {
        self.calls.context.now().as_second()
    }
}
