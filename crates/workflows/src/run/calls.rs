//! The activities of a run, typed. All but [`change_control::run::contract::APPLY`] may be repeated without harm. What a target
//! refuses or does not answer is no error of theirs but an answer that the body decides about, so that an error means a store
//! that is away or a defect: steps that must not be left in the middle are repeated without end, the others for some minutes.

use std::time::Duration;

use change_control::model::change::Trouble;
use change_control::run::contract::{
    ADVANCE, APPLY, APPLY_S, Advance, BEGIN, Begun, Devices, ENTER, Entered, FINISH, FOLLOW, Finish, Follow, Followed,
    Looked, NUDGE, Of, RECHECK, Recheck, Rechecked, SAVE, SETTLE, Saved, Sent, Settling, Try, VERIFY, Verified, Verify,
};
use change_control::{ChangeId, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use workflow_api::{ActivityOptions, Json, WorkflowContext, WorkflowError};

/// Longest time of an activity that asks the target, for several devices one after another.
const ASKING: Duration = Duration::from_secs(600);
/// Longest time of one that only reads and writes the store.
const WRITING: Duration = Duration::from_secs(60);

/// Without end.
const ALWAYS: u32 = 0;
/// For some five minutes.
const A_WHILE: u32 = 30;

/// The activities, for one change.
#[derive(Clone)]
pub(super) struct Calls<C> {
    pub(super) context: C,
    pub(super) change: ChangeId,
}

impl<C: WorkflowContext> Calls<C> {
    /// The same, out of a cancellation's reach.
    pub(super) fn shielded(&self) -> Self {
        Self { context: self.context.shielded(), change: self.change.clone() }
    }

    async fn repeatable<R: DeserializeOwned>(
        &self,
        name: &'static str,
        input: &impl Serialize,
        (longest, attempts): (Duration, u32),
    ) -> Result<R, WorkflowError> {
        let options = ActivityOptions::idempotent(attempts, longest);
        let answer = self.context.activity(name, serde_json::to_value(input)?, options).await?;
        Ok(serde_json::from_value(answer)?)
    }

    fn of(&self) -> Of {
        Of { change: self.change.clone() }
    }

    pub(super) async fn begin(&self) -> Result<Begun, WorkflowError> {
        self.repeatable(BEGIN, &self.of(), (WRITING, ALWAYS)).await
    }

    pub(super) async fn enter(&self) -> Result<Entered, WorkflowError> {
        self.repeatable(ENTER, &self.of(), (ASKING, ALWAYS)).await
    }

    /// Waits for a nudge, at most so long.
    pub(super) async fn nudged(&self, at_most: Duration) -> Result<(), WorkflowError> {
        self.context.signal(NUDGE, Some(at_most)).await.map(drop)
    }

    /// Looks at the row, and keeps the locks.
    pub(super) async fn look(&self) -> Result<Looked, WorkflowError> {
        self.advance(self.step(None, "")).await
    }

    /// Moves, without more to tell.
    pub(super) async fn go(&self, to: State, why: &str) -> Result<Looked, WorkflowError> {
        self.advance(self.step(Some(to), why)).await
    }

    /// Moves, and says what is wrong: where it waits then, it waits for a person.
    pub(super) async fn go_with(&self, to: State, why: &str, trouble: &Trouble) -> Result<Looked, WorkflowError> {
        self.advance(Advance { trouble: Some(trouble.clone()), ..self.step(Some(to), why) }).await
    }

    /// Stands still, says why, and when it is tried again: nobody has to do anything.
    pub(super) async fn delayed(&self, why: &str, trouble: Trouble, again: Duration) -> Result<Looked, WorkflowError> {
        let again_in_ms = u64::try_from(again.as_millis()).ok();
        let step = self.step(Some(State::Held), why);
        self.advance(Advance { trouble: Some(trouble), again_in_ms, ..step }).await
    }

    pub(super) fn step(&self, to: Option<State>, why: &str) -> Advance {
        let (change, why) = (self.change.clone(), why.to_owned());
        Advance { change, to, why, trouble: None, again_in_ms: None, batch: None, devices: Vec::new() }
    }

    pub(super) async fn advance(&self, step: Advance) -> Result<Looked, WorkflowError> {
        self.repeatable(ADVANCE, &step, (WRITING, ALWAYS)).await
    }

    pub(super) async fn recheck(&self, devices: &[String], reach: usize) -> Result<Rechecked, WorkflowError> {
        let input = Recheck { change: self.change.clone(), devices: devices.to_vec(), reach };
        self.repeatable(RECHECK, &input, (ASKING, A_WHILE)).await
    }

    /// Sends, once. An end that nobody heard, or that came as an error, may have happened.
    pub(super) async fn apply(&self, which: &Try) -> Result<Sent, WorkflowError> {
        let options = ActivityOptions::discoverable(Duration::from_secs(APPLY_S));
        match self.context.activity(APPLY, serde_json::to_value(which)?, options).await {
            Ok(answer) => Ok(serde_json::from_value(answer)?),
            Err(WorkflowError::Interrupted { .. } | WorkflowError::Activity { .. }) => Ok(Sent::Unclear),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn settle(&self, follow: &Follow) -> Result<Settling, WorkflowError> {
        self.repeatable(SETTLE, follow, (ASKING, ALWAYS)).await
    }

    pub(super) async fn follow(&self, follow: &Follow) -> Result<Followed, WorkflowError> {
        self.repeatable(FOLLOW, follow, (ASKING, ALWAYS)).await
    }

    pub(super) async fn verify(&self, input: &Verify) -> Result<Verified, WorkflowError> {
        self.repeatable(VERIFY, input, (ASKING, A_WHILE)).await
    }

    pub(super) async fn save(&self, devices: &[String]) -> Result<Saved, WorkflowError> {
        let input = Devices { change: self.change.clone(), devices: devices.to_vec() };
        self.repeatable(SAVE, &input, (ASKING, A_WHILE)).await
    }

    /// The end of the run, and what the workflow ends with.
    pub(super) async fn finish(&self, end: Finish) -> Result<Json, WorkflowError> {
        let to = end.to;
        self.repeatable::<Json>(FINISH, &end, (WRITING, ALWAYS)).await?;
        Ok(serde_json::json!({ "state": to }))
    }

    pub(super) fn end(&self, to: State, why: &str) -> Finish {
        Finish { change: self.change.clone(), to, why: why.to_owned(), result: None, trouble: None }
    }
}
