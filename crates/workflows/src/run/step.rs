//! One device, one direction: sent once, followed to its end, settled where nobody heard it, compared with what was predicted or
//! with what it was before. From the first byte to the known outcome nothing interrupts it: a wish to stop waits for the
//! device.

use std::time::Duration;

use change_control::State;
use change_control::model::attempt::Direction;
use change_control::model::change::Trouble;
use change_control::run::contract::{Follow, Followed, Sent, Settling, Try, Verified, Verify};
use workflow_api::{WorkflowContext, WorkflowError};

use super::calls::Calls;
use super::undo::PATIENCE_S;
use super::{LOOK_EVERY, Run, Stop, wish_to_stop};

/// Most tries of one step that certainly did not happen.
pub(super) const TRIES: u32 = 5;
/// Wait before a step is tried again that was not sent.
const AGAIN: Duration = Duration::from_secs(10);
/// Wait before a handle that was denied is looked for.
const LOST: Duration = Duration::from_secs(2);

/// Why a run stands still whose target does not say how far a step is.
const SILENT: &str = "the target does not answer, and is asked again";

/// What came of it.
pub(super) enum Stepped {
    /// It is what was predicted, or what it was before.
    Good,
    /// It is not.
    Bad {
        /// Why.
        trouble: Trouble,
    },
    /// Nothing happened on the device; it may be tried again once it was compared again.
    NotDone,
    /// The run has to stop here.
    Stopped(Stop),
}

/// What became of what was sent.
pub(super) enum Outcome {
    /// The target says that it ended; whether well, it says too.
    Ended {
        /// It says that it failed.
        failed: bool,
    },
    /// It certainly did not happen.
    NotDone {
        /// Why, where that is known.
        trouble: Option<Trouble>,
    },
    /// It was not let through.
    Refused {
        /// Why.
        trouble: Trouble,
    },
}

impl<C: WorkflowContext> Run<C> {
    /// Announces, sends and follows the forward step of a device, and compares.
    pub(super) async fn step(&mut self, device: &str) -> Result<Stepped, WorkflowError> {
        let calls = self.calls.shielded();
        let which = self.next_try(device, Direction::Forward);
        let outcome = self.sent(&calls, &which).await;
        if !matches!(outcome, Ok(Outcome::Refused { .. } | Outcome::NotDone { .. })) {
            self.written.push(device.to_owned());
        }
        let failed = match outcome? {
            Outcome::Ended { failed } => failed,
            Outcome::Refused { trouble } => {
                // Where the locks were lost, that is why; they are taken again, and the device is compared again.
                if !calls.look().await?.locked {
                    self.relock().await?;
                    return Ok(Stepped::NotDone);
                }
                return Ok(Stepped::Stopped(Stop::planned(trouble)));
            }
            Outcome::NotDone { trouble } => return self.not_done(&calls, &which, trouble).await,
        };
        while !calls.go(State::Verifying, "the step ended: the device is compared").await?.locked {
            self.relock().await?;
        }
        let verify = self.verify_of(device, Direction::Forward, failed);
        let mut held = false;
        loop {
            let last_call = self.is_last_call();
            match calls.verify(&Verify { last_call, ..verify.clone() }).await? {
                Verified::Good => {
                    if held {
                        calls.go(State::Verifying, "it could be compared").await?;
                    }
                    return Ok(Stepped::Good);
                }
                Verified::Bad { trouble, .. } => return Ok(Stepped::Bad { trouble }),
                Verified::Later { unreadable, trouble, again_in_ms } => {
                    let again = Duration::from_millis(again_in_ms);
                    let looked = if unreadable {
                        held = true;
                        calls.delayed("it cannot be compared now, and is read again", trouble.clone(), again).await?
                    } else {
                        calls.look().await?
                    };
                    if let Some(stop) = wish_to_stop(&looked) {
                        self.failed.push(device.to_owned());
                        return Ok(Stepped::Stopped(Stop { trouble, ..stop }));
                    }
                    calls.nudged(again).await?;
                }
            }
        }
    }

    /// A forward step that certainly did not happen: another try, unless there were many or it is too late.
    async fn not_done(
        &self,
        calls: &Calls<C>,
        which: &Try,
        trouble: Option<Trouble>,
    ) -> Result<Stepped, WorkflowError> {
        let said = trouble.is_some();
        let trouble = trouble.unwrap_or_else(|| {
            Trouble::new("step_not_taken", "The target never took the step up, by its own records.")
        });
        if (!said && which.number >= TRIES) || self.is_last_call() {
            return Ok(Stepped::Stopped(Stop::planned(trouble)));
        }
        if said {
            let why = "the target does not take the step now, and is asked again";
            let looked = calls.delayed(why, trouble, AGAIN).await?;
            if let Some(stop) = wish_to_stop(&looked) {
                return Ok(Stepped::Stopped(stop));
            }
            calls.nudged(AGAIN).await?;
        }
        Ok(Stepped::NotDone)
    }

    /// Sends an attempt, and finds out what became of it.
    pub(super) async fn sent(&self, calls: &Calls<C>, which: &Try) -> Result<Outcome, WorkflowError> {
        let working = match which.direction {
            Direction::Forward => State::Applying,
            Direction::Undo => State::Undoing,
        };
        let mut unclear = match calls.apply(which).await? {
            Sent::Accepted => false,
            Sent::Unclear => true,
            Sent::Refused { trouble } => return Ok(Outcome::Refused { trouble }),
            Sent::NotSent { trouble } => return Ok(Outcome::NotDone { trouble: Some(trouble) }),
        };
        let (mut waits, began) = (false, self.now_s());
        loop {
            let last_call = match which.direction {
                Direction::Forward => self.is_last_call(),
                // An undo is exempt from the window, and has its own patience.
                Direction::Undo => self.now_s() - began >= PATIENCE_S,
            };
            let follow = Follow { attempt: which.clone(), last_call };
            if unclear {
                match calls.settle(&follow).await? {
                    Settling::Accepted | Settling::Ended => unclear = false,
                    Settling::NotDone => {
                        if waits {
                            calls.go(working, "it is known: the step did not happen").await?;
                        }
                        return Ok(Outcome::NotDone { trouble: None });
                    }
                    Settling::Pending { again_in_ms, trouble } => {
                        let again = Duration::from_millis(again_in_ms);
                        if let Some(trouble) = trouble {
                            waits = true;
                            calls.delayed(SILENT, trouble, again).await?;
                        }
                        calls.nudged(again).await?;
                    }
                    Settling::Unknown { trouble } => {
                        waits = true;
                        calls.go_with(State::Parked, "the outcome of a step cannot be told", &trouble).await?;
                        calls.nudged(LOOK_EVERY).await?;
                    }
                }
                continue;
            }
            match calls.follow(&follow).await? {
                Followed::Running => {
                    if waits {
                        waits = false;
                        calls.go(working, "the target answers again").await?;
                    } else {
                        calls.look().await?;
                    }
                }
                ended @ (Followed::Succeeded | Followed::Failed) => {
                    if waits {
                        calls.go(working, "the outcome of the step is known").await?;
                    }
                    return Ok(Outcome::Ended { failed: matches!(ended, Followed::Failed) });
                }
                Followed::Unreadable { trouble, again_in_ms } => {
                    waits = true;
                    let again = Duration::from_millis(again_in_ms);
                    calls.delayed(SILENT, trouble, again).await?;
                    calls.nudged(again).await?;
                }
                Followed::Lost => {
                    unclear = true;
                    calls.nudged(LOST).await?;
                }
            }
        }
    }

    pub(super) fn next_try(&mut self, device: &str, direction: Direction) -> Try {
        let number = self.attempts.entry((device.to_owned(), direction)).or_default();
        *number += 1;
        Try { change: self.calls.change.clone(), device_id: device.to_owned(), direction, number: *number }
    }

    pub(super) fn verify_of(&self, device: &str, direction: Direction, failed: bool) -> Verify {
        let (change, device_id) = (self.calls.change.clone(), device.to_owned());
        Verify { change, device_id, direction, last_call: false, failed, before: false }
    }
}
