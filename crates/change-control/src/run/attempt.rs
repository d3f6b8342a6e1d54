//! Attempts (T20): announced before anything is sent, sent once, followed by the target's handle, and settled by the target's
//! own records where nobody heard the end. What cannot be told is never guessed: the run parks, and a person says what
//! happened.
//!
//! Sending is allowed only to the execution that wrote the attempt's row itself. An execution that finds a row there, after a
//! crash or from one that was taken for dead, sends nothing; and whoever settles an attempt without a row writes one first, so
//! that nobody sends under it later.

use platform::context::{RequestId, RunStep};
use platform::failpoint::reach;
use platform::store::Expect;
use platform::{Error, ErrorKind};
use serde_json::json;
use tool_runtime::ports::PortClient;
use tool_runtime::ports::config_changer::{Polled, Progress, Settled, StepSpec};

use super::contract::{Follow, Followed, Sent, Settling, Try};
use crate::book::ChangeBook;
use crate::changes::Changes;
use crate::model::attempt::{Attempt, AttemptOutcome, Direction};
use crate::model::change::{Change, Trouble};
use crate::model::plan::SealedDevice;
use crate::planning::trouble;

/// Wait after a target that does not answer, milliseconds.
pub(super) const SILENT_MS: u64 = 10_000;
/// Most that undo steps may lag behind the last forward step, seconds (T19).
const LONGEST_UNDO_S: u64 = 24 * 3600;
/// Polls of one activity: most steps end within them, and a journal holds one event for all.
const POLLS: u32 = 12;
/// Wait between two polls.
const POLL_EVERY: std::time::Duration = std::time::Duration::from_millis(1_000);

impl Changes {
    /// The ports for a step of a run. `attempt` is the announced one, for a call that writes.
    pub(super) fn step_ports(
        &self,
        change: &Change,
        direction: Direction,
        attempt: Option<String>,
    ) -> Result<PortClient, Error> {
        let step = RunStep { change: change.id.to_string(), undo: direction == Direction::Undo, attempt };
        self.ports(change, Some(step))
    }

    /// See [`super::contract::APPLY`].
    pub(super) async fn send_attempt(&self, which: Try) -> Result<Sent, Error> {
        let change = self.book().get(&which.change).await?.change;
        let step = self.step_of(&change, &which.device_id, which.direction).await?;
        let call_id = RequestId::mint();
        let attempt = Attempt {
            change: change.id.to_string(),
            device_id: which.device_id.clone(),
            direction: which.direction,
            number: which.number,
            call_id: call_id.to_string(),
            step: step.clone(),
            announced_at_ms: self.now_ms(),
            handle: None,
            outcome: AttemptOutcome::Open,
        };
        if !self.announce_attempt(&which, &attempt).await? {
            return Ok(Sent::Unclear);
        }
        reach("run.attempt_reserved");
        let id = id_of(&which);
        let ports = self.step_ports(&change, which.direction, Some(id.clone()))?;
        match ports.apply(call_id, &id, &step).await {
            Ok(handle) => {
                let edit = |attempt: &mut Attempt| {
                    if matches!(attempt.outcome, AttemptOutcome::Open) {
                        attempt.handle = Some(handle.clone());
                        attempt.outcome = AttemptOutcome::Accepted;
                    }
                };
                self.note_attempt(&id, edit).await?;
                Ok(Sent::Accepted)
            }
            Err(error) => {
                let sent = judged(&error);
                if !matches!(sent, Sent::Unclear) {
                    self.note_attempt(&id, |attempt| attempt.outcome = AttemptOutcome::NotDone).await?;
                }
                Ok(sent)
            }
        }
    }

    /// Writes the attempt down, and in the change that the device may be written to from now on; false when it stands there
    /// already.
    async fn announce_attempt(&self, which: &Try, attempt: &Attempt) -> Result<bool, Error> {
        let put = ChangeBook::put_attempt(attempt, Expect::Absent)?;
        let edit = |change: &mut Change| {
            let undo_for_s = change.grant.as_ref().map_or(0, |signed| signed.grant.undo_for_s).min(LONGEST_UNDO_S);
            if which.direction == Direction::Forward {
                let until = attempt.announced_at_ms.saturating_add(i64::try_from(undo_for_s * 1000).unwrap_or(0));
                change.run.undo_until_ms = Some(until);
            }
            let progress = change.run.devices.entry(which.device_id.clone()).or_insert_with(super::enter::waiting);
            progress.attempts.insert(which.direction, which.number);
            progress.last_write_ms = Some(attempt.announced_at_ms);
            change.updated_at_ms = attempt.announced_at_ms;
            Ok(((), vec![put.clone()]))
        };
        match self.book().update_where(&which.change, edit).await {
            Ok(_) => Ok(true),
            Err(crate::book::Refused::Condition { .. }) => Ok(false),
            Err(crate::book::Refused::Error(error)) => Err(error),
        }
    }

    /// See [`super::contract::SETTLE`].
    pub(super) async fn settle_attempt(&self, Follow { attempt: which, last_call }: Follow) -> Result<Settling, Error> {
        let change = self.book().get(&which.change).await?.change;
        let Some((attempt, _)) = self.book().attempt_at(&id_of(&which)).await? else {
            return self.never_announced(&change, &which).await;
        };
        let settled = match Box::pin(self.settled_row(&change, attempt.clone())).await {
            Ok(settled) => settled,
            Err(error) if last_call => {
                let evidence = json!({"why": "The target did not answer until the window had room only for the undo.",
                                      "code": error.code()});
                self.cannot_tell(&which, evidence).await?
            }
            Err(error) => {
                return Ok(Settling::Pending { again_in_ms: SILENT_MS, trouble: Some(trouble(&error)) });
            }
        };
        reach("run.outcome_known");
        Ok(match settled.outcome {
            AttemptOutcome::Accepted => Settling::Accepted,
            AttemptOutcome::Succeeded { .. } | AttemptOutcome::Failed { .. } => Settling::Ended,
            AttemptOutcome::NotDone => Settling::NotDone,
            AttemptOutcome::Open => Settling::Pending { again_in_ms: again(&settled), trouble: None },
            AttemptOutcome::Unknown { evidence } => {
                self.parked_on(&which).await?;
                Settling::Unknown {
                    trouble: Trouble {
                        code: "outcome_unknown".to_owned(),
                        message: format!(
                            "It cannot be told whether the {} step of {} took effect. Look at the device, then settle the change.",
                            which.direction.as_str(),
                            which.device_id
                        ),
                        detail: json!({"attempt": id_of(&which), "call_id": settled.call_id,
                                       "announced_at_ms": settled.announced_at_ms, "evidence": evidence}),
                    },
                }
            }
        })
    }

    /// No row: the process died before it wrote one, and so before it sent. A row that says so bars a late sender.
    async fn never_announced(&self, change: &Change, which: &Try) -> Result<Settling, Error> {
        let step = self.step_of(change, &which.device_id, which.direction).await?;
        let attempt = Attempt {
            change: change.id.to_string(),
            device_id: which.device_id.clone(),
            direction: which.direction,
            number: which.number,
            call_id: RequestId::mint().to_string(),
            step,
            announced_at_ms: self.now_ms(),
            handle: None,
            outcome: AttemptOutcome::NotDone,
        };
        Ok(if self.announce_attempt(which, &attempt).await? {
            Settling::NotDone
        } else {
            Settling::Pending { again_in_ms: 0, trouble: None }
        })
    }

    /// The attempt after the target was asked about it, if that was needed. Errors are the target's: it could not be asked.
    pub(super) async fn settled_row(&self, change: &Change, attempt: Attempt) -> Result<Attempt, Error> {
        let id = Attempt::id(&attempt.change, &attempt.device_id, attempt.direction, attempt.number);
        if !matches!(attempt.outcome, AttemptOutcome::Open | AttemptOutcome::Accepted) {
            return Ok(attempt);
        }
        let ports = self.step_ports(change, attempt.direction, Some(id.clone()))?;
        match ports.reconcile(&attempt.intent()).await? {
            Settled::Done { handle } => {
                let edit = |attempt: &mut Attempt| {
                    attempt.handle = Some(handle.clone());
                    if matches!(attempt.outcome, AttemptOutcome::Open) {
                        attempt.outcome = AttemptOutcome::Accepted;
                    }
                };
                let accepted = self.note_attempt(&id, edit).await?;
                // How it ended is read too: whoever waits for a device of it needs to know that nothing goes on there.
                match ports.poll(&attempt.device_id, &handle).await {
                    Ok(polled) => self.note_polled(&id, polled).await,
                    Err(_) => Ok(accepted),
                }
            }
            Settled::NotDone => self.note_attempt(&id, |attempt| attempt.outcome = AttemptOutcome::NotDone).await,
            Settled::Pending { .. } => Ok(attempt),
            Settled::Unknown { evidence } => {
                let edit = |attempt: &mut Attempt| {
                    attempt.outcome = AttemptOutcome::Unknown { evidence: evidence.clone() };
                };
                self.note_attempt(&id, edit).await
            }
        }
    }

    /// See [`super::contract::FOLLOW`].
    pub(super) async fn follow_attempt(&self, Follow { attempt: which, last_call }: Follow) -> Result<Followed, Error> {
        let change = self.book().get(&which.change).await?.change;
        let id = id_of(&which);
        let Some((attempt, _)) = self.book().attempt_at(&id).await? else {
            return Err(Error::internal("an accepted attempt without a record"));
        };
        if let Some(ended) = ended(&attempt) {
            return Ok(ended);
        }
        let Some(mut handle) = attempt.handle.clone() else { return Ok(Followed::Lost) };
        let ports = self.step_ports(&change, which.direction, Some(id.clone()))?;
        for round in 0..POLLS {
            if round > 0 {
                tokio::time::sleep(POLL_EVERY).await;
            }
            reach("run.polling");
            match ports.poll(&which.device_id, &handle).await {
                Ok(polled) => {
                    let known = polled.handle != handle || !matches!(polled.progress, Progress::Running);
                    handle = polled.handle.clone();
                    if known {
                        let attempt = self.note_polled(&id, polled).await?;
                        if let Some(ended) = ended(&attempt) {
                            reach("run.outcome_known");
                            return Ok(ended);
                        }
                    }
                }
                Err(error) if matches!(error.code(), "target_not_found" | "target_refused_arguments") => {
                    return Ok(Followed::Lost);
                }
                Err(_) if last_call => return Ok(Followed::Lost),
                Err(error) => {
                    return Ok(Followed::Unreadable { trouble: trouble(&error), again_in_ms: SILENT_MS });
                }
            }
        }
        Ok(Followed::Running)
    }

    async fn note_polled(&self, id: &str, polled: Polled) -> Result<Attempt, Error> {
        let now = self.now_ms();
        let attempt = self
            .note_attempt(id, |attempt| {
                attempt.handle = Some(polled.handle.clone());
                match &polled.progress {
                    Progress::Running => {}
                    Progress::Succeeded { message } => {
                        attempt.outcome = AttemptOutcome::Succeeded { message: message.clone() };
                    }
                    Progress::Failed { message } => {
                        attempt.outcome = AttemptOutcome::Failed { message: message.clone() };
                    }
                }
            })
            .await?;
        if ended(&attempt).is_some() {
            let id = crate::ChangeId::parse(&attempt.change)?;
            let edit = |change: &mut Change| {
                if let Some(progress) = change.run.devices.get_mut(&attempt.device_id) {
                    // What is observed from now on was seen after the write.
                    progress.last_write_ms = Some(now);
                    let lines = error_lines(&attempt.outcome);
                    if !lines.is_empty() {
                        progress.device_errors = lines;
                    }
                }
                Ok(((), Vec::new()))
            };
            self.book().update(&id, edit).await?;
        }
        Ok(attempt)
    }

    async fn cannot_tell(&self, which: &Try, evidence: platform::Json) -> Result<Attempt, Error> {
        let edit = |attempt: &mut Attempt| {
            attempt.outcome = AttemptOutcome::Unknown { evidence: evidence.clone() };
        };
        self.note_attempt(&id_of(which), edit).await
    }

    async fn parked_on(&self, which: &Try) -> Result<(), Error> {
        let id = id_of(which);
        let edit = |change: &mut Change| {
            change.run.parked_on = Some(id.clone());
            Ok(((), Vec::new()))
        };
        self.book().update(&which.change, edit).await.map(drop)
    }

    /// Changes an attempt's row; what a person or another execution wrote in between is kept in sight.
    pub(super) async fn note_attempt(&self, id: &str, edit: impl Fn(&mut Attempt)) -> Result<Attempt, Error> {
        use platform::store::{Conflict, TransactError};
        for _ in 0..8 {
            let (mut attempt, revision) =
                self.book().attempt_at(id).await?.ok_or_else(|| Error::internal("an attempt without a record"))?;
            let before = attempt.clone();
            edit(&mut attempt);
            if attempt == before {
                return Ok(attempt);
            }
            let put = ChangeBook::put_attempt(&attempt, Expect::Revision(revision))?;
            match self.book().store().transact(vec![put]).await {
                Ok(_) => return Ok(attempt),
                Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal("an attempt is being changed by others all the time"))
    }

    /// A device's part of the sealed plan.
    pub(super) async fn sealed_device(&self, change: &Change, device_id: &str) -> Result<SealedDevice, Error> {
        let plan = self.open_plan(change, &self.ports(change, None)?).await?;
        let device = plan.sealed_device(device_id).cloned();
        device.ok_or_else(|| Error::internal("a device that is not in the plan"))
    }

    /// The step of the sealed plan.
    pub(super) async fn step_of(
        &self,
        change: &Change,
        device_id: &str,
        direction: Direction,
    ) -> Result<StepSpec, Error> {
        let device = self.sealed_device(change, device_id).await?;
        match direction {
            Direction::Forward => Ok(device.forward),
            Direction::Undo => device.undo.ok_or_else(|| Error::internal("an undo that is not in the plan")),
        }
    }
}

fn id_of(which: &Try) -> String {
    Attempt::id(which.change.as_str(), &which.device_id, which.direction, which.number)
}

fn ended(attempt: &Attempt) -> Option<Followed> {
    match attempt.outcome {
        AttemptOutcome::Succeeded { .. } => Some(Followed::Succeeded),
        AttemptOutcome::Failed { .. } => Some(Followed::Failed),
        AttemptOutcome::NotDone | AttemptOutcome::Unknown { .. } => Some(Followed::Lost),
        AttemptOutcome::Open | AttemptOutcome::Accepted => None,
    }
}

/// When a pending attempt is worth another question, milliseconds.
fn again(attempt: &Attempt) -> u64 {
    // One that has a handle is followed; the others wait for the target's settle time.
    if attempt.handle.is_some() { 1_000 } else { 5_000 }
}

/// What a failed call of `apply` says. Only what certainly was not sent counts as such.
fn judged(error: &Error) -> Sent {
    let trouble = trouble(error);
    match error.kind() {
        _ if error.code() == "outcome_unknown" => Sent::Unclear,
        // The road ran dry before the call, or the target did not let us in: later may do.
        ErrorKind::RateLimited => Sent::NotSent { trouble },
        ErrorKind::Unavailable if NOT_SENT.contains(&error.code()) => Sent::NotSent { trouble },
        ErrorKind::Malformed
        | ErrorKind::InvalidInput
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::Unmet
        | ErrorKind::NotFound
        | ErrorKind::TooLarge => Sent::Refused { trouble },
        ErrorKind::Conflict if !error.code().starts_with("idempotency") => Sent::Refused { trouble },
        ErrorKind::Upstream if error.code() == "target_forbidden" => Sent::Refused { trouble },
        _ => Sent::Unclear,
    }
}

/// Unavailable, and certainly nothing was sent.
const NOT_SENT: [&str; 4] =
    ["target_circuit_open", "target_unreachable", "target_rejected_credential", "credential_incomplete"];

/// The device's own error lines in the target's words.
fn error_lines(outcome: &AttemptOutcome) -> Vec<String> {
    const MOST: usize = 20;
    let (message, failed) = match outcome {
        AttemptOutcome::Succeeded { message } => (message, false),
        AttemptOutcome::Failed { message } => (message, true),
        _ => return Vec::new(),
    };
    let lines = message.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty());
    let is_error = |line: &&str| failed || line.starts_with('%') || line.contains("Invalid input");
    lines.filter(is_error).take(MOST).map(str::to_owned).collect()
}
