//! What bodies are written with, above [`WorkflowContext`] and the same on every engine: activities with types, and the list
//! of what must be taken back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Json;
use crate::activity::ActivityOptions;
use crate::context::{WorkflowContext, WorkflowError};

/// Runs an activity whose input and result have types. Errors: the activity's, and `Failed` with `workflow_data_unreadable`
/// where one of them does not fit.
pub async fn act<C, I, O>(
    context: &C,
    name: &'static str,
    input: &I,
    options: ActivityOptions,
) -> Result<O, WorkflowError>
where
    C: WorkflowContext,
    I: Serialize + ?Sized,
    O: DeserializeOwned,
{
    let result = context.activity(name, serde_json::to_value(input)?, options).await?;
    Ok(serde_json::from_value(result)?)
}

/// A compensation that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncompensated {
    /// The activity.
    pub activity: &'static str,
    /// Its input: what it would have taken back.
    pub input: Json,
    /// Why it did not.
    pub error: WorkflowError,
}

/// What must be taken back when a body gives up, the last first. Push a compensation *before* the step that it takes back:
/// a step may act and fail.
#[derive(Debug, Default)]
pub struct Saga(Vec<(&'static str, Json, ActivityOptions)>);

impl Saga {
    /// With one more compensation, to be done before those that are there. It must do no harm where its step did not act.
    pub fn push(&mut self, activity: &'static str, input: Json, options: ActivityOptions) {
        self.0.push((activity, input, options));
    }

    /// Nothing must be taken back any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many compensations there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes back, out of a cancellation's reach. A failure stops nothing: all are tried, and those that failed come back in
    /// the order of their trial.
    pub async fn compensate<C: WorkflowContext>(&mut self, context: &C) -> Vec<Uncompensated> {
        let context = context.shielded();
        let mut failed = Vec::new();
        while let Some((activity, input, options)) = self.0.pop() {
            if let Err(error) = context.activity(activity, input.clone(), options).await {
                failed.push(Uncompensated { activity, input, error });
            }
        }
        failed
    }
}
