//! After a write: the running configuration is what was predicted (after an undo: what it was before), volatile lines left out;
//! then what the plan checks beside it. Any difference is a failed device, with the device's own error lines. What was not
//! compared is told as such, and nothing is said of it.

use platform::context::RunStep;
use platform::{Error, Json};
use serde_json::json;
use tool_runtime::ports::state_probe::CheckQuery;

use super::contract::{Verified, Verify};
use super::health;
use super::recheck::UNREAD_MS;
use crate::changes::Changes;
use crate::model::attempt::Direction;
use crate::model::change::{Change, ChangeId, CheckResult, DeviceState, Trouble};
use crate::model::plan::{Check, DevicePlan, SealedDevice};
use crate::planning::LIVE_EQUALS_PREDICTED;
use crate::planning::{is_worth_repeating, trouble};

/// How long after a write an observation may be older than it, or a check not yet hold, before that is the result, milliseconds.
const PATIENCE_MS: i64 = 30_000;
/// How long an observation that is older than the write is waited for, milliseconds.
const STALE_MS: i64 = 180_000;
/// Wait before a check is made again, milliseconds.
const AGAIN_MS: u64 = 5_000;

/// What came of one check.
enum Checked {
    Now(CheckResult),
    Later { trouble: Trouble, unreadable: bool },
}

impl Changes {
    /// See [`super::contract::VERIFY`].
    pub(super) async fn verify_device(&self, input: Verify) -> Result<Verified, Error> {
        let change = self.book().get(&input.change).await?.change;
        let step = RunStep { change: change.id.to_string(), undo: input.direction == Direction::Undo, attempt: None };
        let live = self.compare_after(&change, &input.device_id, input.direction, Some(step.clone())).await;
        let live = match live {
            Ok(live) => live,
            Err(error) => return self.not_compared(&input, trouble(&error)).await,
        };
        match live.result.as_str() {
            "passed" => {}
            "not_compared" => {
                let why = unread(&live);
                if !input.last_call {
                    return Ok(Verified::Later { unreadable: true, trouble: why, again_in_ms: UNREAD_MS });
                }
                self.note_report(&input.change, &input.device_id, vec![live]).await?;
                return self.marked_bad(&input, not_seen(input.direction), why).await;
            }
            _ if input.before => {
                let why = Trouble::new("not_restored", "The device is not what it was before.");
                return Ok(Verified::Bad { state: DeviceState::Undoing, trouble: why });
            }
            _ => return self.is_different(&change, &input, live).await,
        }
        if input.direction == Direction::Undo {
            self.note_verified(&input, vec![live], DeviceState::Restored).await?;
            return Ok(Verified::Good);
        }
        let mut report = vec![live];
        let plan = self.plan_to_run(&input.change).await?;
        let planned = plan.devices.iter().find(|device| device.device_id == input.device_id);
        let planned = planned.ok_or_else(|| Error::internal("a device that is not in the plan"))?;
        let sealed = self.sealed_device(&change, &input.device_id).await?;
        for check in planned.checks.iter().filter(|check| check.name != LIVE_EQUALS_PREDICTED) {
            match self.check_now(&change, &input, &sealed, check, &step).await? {
                Checked::Now(result) => report.push(result),
                Checked::Later { trouble, unreadable } => {
                    return Ok(Verified::Later { unreadable, trouble, again_in_ms: AGAIN_MS });
                }
            }
        }
        let failed = report.iter().find(|result| result.result == "failed").cloned();
        let said = self.device_errors(&input).await?;
        match failed {
            Some(failed) => {
                let why = Trouble {
                    code: "check_failed".to_owned(),
                    message: format!("The check `{}` does not hold on {}.", failed.name, named(planned)),
                    detail: json!({"device_id": input.device_id, "check": failed.name, "detail": failed.detail,
                                   "device_errors": said}),
                };
                self.note_report(&input.change, &input.device_id, report).await?;
                self.marked_bad(&input, DeviceState::Failed, why).await
            }
            None if input.failed => {
                let why = Trouble {
                    code: "step_failed".to_owned(),
                    message: format!("The target says that the step on {} failed.", named(planned)),
                    detail: json!({"device_id": input.device_id, "device_errors": said}),
                };
                self.note_report(&input.change, &input.device_id, report).await?;
                self.marked_bad(&input, DeviceState::Failed, why).await
            }
            None => {
                self.note_verified(&input, report, DeviceState::Verified).await?;
                Ok(Verified::Good)
            }
        }
    }

    /// The configuration is another one.
    async fn is_different(&self, change: &Change, input: &Verify, live: CheckResult) -> Result<Verified, Error> {
        let said = self.device_errors(input).await?;
        let (state, code) = match input.direction {
            Direction::Forward if input.failed => (DeviceState::Failed, "step_failed"),
            Direction::Forward => (DeviceState::AppliedWithDifferences, "applied_with_differences"),
            Direction::Undo if input.failed => (DeviceState::NotRestored, "not_restored"),
            Direction::Undo => (DeviceState::RestoredWithDifferences, "restored_with_differences"),
        };
        let what = match input.direction {
            Direction::Forward => "what was predicted",
            Direction::Undo => "what it was before",
        };
        let why = Trouble {
            code: code.to_owned(),
            message: format!("{} is not {what} after the step of {}.", input.device_id, change.id),
            detail: json!({"device_id": input.device_id, "comparison": live.detail, "device_errors": said}),
        };
        self.note_report(&input.change, &input.device_id, vec![live]).await?;
        self.marked_bad(input, state, why).await
    }

    /// It was asked, and the answer is no: nothing is known of the device.
    async fn not_compared(&self, input: &Verify, why: Trouble) -> Result<Verified, Error> {
        let result = CheckResult {
            name: match input.direction {
                Direction::Forward => LIVE_EQUALS_PREDICTED,
                Direction::Undo => crate::planning::compare::LIVE_EQUALS_BASELINE,
            }
            .to_owned(),
            direction: input.direction,
            result: "not_compared".to_owned(),
            detail: json!({"code": why.code, "message": why.message}),
            source_at_ms: None,
            at_ms: self.now_ms(),
        };
        self.note_report(&input.change, &input.device_id, vec![result]).await?;
        self.marked_bad(input, not_seen(input.direction), why).await
    }

    async fn marked_bad(&self, input: &Verify, state: DeviceState, trouble: Trouble) -> Result<Verified, Error> {
        if input.before {
            return Ok(Verified::Bad { state, trouble });
        }
        self.note_verified(input, Vec::new(), state).await?;
        Ok(Verified::Bad { state, trouble })
    }

    /// One check of the plan beside the configuration.
    async fn check_now(
        &self,
        change: &Change,
        input: &Verify,
        sealed: &SealedDevice,
        check: &Check,
        step: &RunStep,
    ) -> Result<Checked, Error> {
        let written = change.run.devices.get(&input.device_id).and_then(|device| device.last_write_ms);
        let since = self.now_ms().saturating_sub(written.unwrap_or(i64::MIN));
        let query = CheckQuery { name: check.name.clone(), of: check.of.clone() };
        let ports = self.ports(change, Some(step.clone()))?;
        let result = |result: &str, detail: Json, source_at_ms: Option<i64>| {
            Checked::Now(CheckResult {
                name: check.name.clone(),
                direction: input.direction,
                result: result.to_owned(),
                detail,
                source_at_ms,
                at_ms: self.now_ms(),
            })
        };
        let seen = match ports.observe(&input.device_id, &[query], written).await {
            Ok(seen) => seen.into_iter().next(),
            Err(error) if is_worth_repeating(&error) && !input.last_call => {
                return Ok(Checked::Later { trouble: trouble(&error), unreadable: true });
            }
            Err(error) => {
                let detail = json!({"code": error.code(), "message": error.message()});
                return Ok(result("not_compared", detail, None));
            }
        };
        let Some(seen) = seen else {
            return Ok(result("not_compared", json!({"code": "nothing_observed"}), None));
        };
        if seen.stale {
            if since < STALE_MS && !input.last_call {
                let why = format!("What is known for the check `{}` is older than the write.", check.name);
                return Ok(Checked::Later { trouble: Trouble::new("observation_stale", why), unreadable: false });
            }
            return Ok(result("not_compared", json!({"code": "observation_stale"}), Some(seen.source_at_ms)));
        }
        let before = sealed.before.get(&check.name).unwrap_or(&Json::Null);
        let worse = health::worse(&check.name, before, &seen.value);
        let too_many = u64::try_from(worse.len()).unwrap_or(u64::MAX) > check.tolerance;
        if too_many && since < PATIENCE_MS && !input.last_call {
            let why = format!("The check `{}` does not hold so soon after the write.", check.name);
            return Ok(Checked::Later { trouble: Trouble::new("check_failed", why), unreadable: false });
        }
        let detail = json!({"worse": worse, "tolerance": check.tolerance});
        Ok(result(if too_many { "failed" } else { "passed" }, detail, Some(seen.source_at_ms)))
    }

    /// The device's own error lines of the last write.
    async fn device_errors(&self, input: &Verify) -> Result<Vec<String>, Error> {
        let change = self.book().get(&input.change).await?.change;
        Ok(change.run.devices.get(&input.device_id).map(|device| device.device_errors.clone()).unwrap_or_default())
    }

    async fn note_verified(&self, input: &Verify, report: Vec<CheckResult>, state: DeviceState) -> Result<(), Error> {
        self.note_progress(&input.change, &input.device_id, report, Some(state)).await
    }

    /// Adds results to a device's report; the same check of the same direction is replaced.
    pub(super) async fn note_report(
        &self,
        id: &ChangeId,
        device_id: &str,
        report: Vec<CheckResult>,
    ) -> Result<(), Error> {
        self.note_progress(id, device_id, report, None).await
    }

    async fn note_progress(
        &self,
        id: &ChangeId,
        device_id: &str,
        report: Vec<CheckResult>,
        state: Option<DeviceState>,
    ) -> Result<(), Error> {
        let now = self.now_ms();
        let edit = |change: &mut Change| {
            let device = change.run.devices.entry(device_id.to_owned()).or_insert_with(super::enter::waiting);
            for result in &report {
                device.report.retain(|old| (&old.name, old.direction) != (&result.name, result.direction));
                device.report.push(result.clone());
            }
            if let Some(state) = state {
                device.state = state;
            }
            change.updated_at_ms = now;
            Ok(((), Vec::new()))
        };
        self.book().update(id, edit).await.map(drop)
    }
}

/// What a device is of which nothing could be seen after a write.
const fn not_seen(direction: Direction) -> DeviceState {
    match direction {
        Direction::Forward => DeviceState::Failed,
        Direction::Undo => DeviceState::NotRestored,
    }
}

/// Why a comparison could not be made.
fn unread(result: &CheckResult) -> Trouble {
    let said = |name: &str| result.detail.get(name).and_then(Json::as_str).map(str::to_owned);
    let message = said("message").unwrap_or_else(|| "The device could not be read.".to_owned());
    let unread = Trouble::new("device_unread", message);
    match said("code") {
        Some(code) => Trouble { code, ..unread },
        None => unread,
    }
}

fn named(device: &DevicePlan) -> &str {
    if device.hostname.is_empty() { &device.device_id } else { &device.hostname }
}
