//! The strict reading of what a policy answers (rule T8): all of the decision document, of the revision that was asked,
//! and in agreement with itself; anything else is no decision.

use std::collections::{BTreeMap, BTreeSet};

use platform::policy::guard_rails::contradiction;
use platform::policy::{Decision, Effect, Obligation};
use regorus::Value;
use serde::Deserialize;

/// Why an answer is no decision.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The policy has no answer for this input.
    #[error("the policy left the decision undefined")]
    Undefined,
    /// The answer has another shape.
    #[error("the answer is not a decision document: {0}")]
    Shape(String),
    /// The answer carries another revision than the one that was asked.
    #[error("the answer names revision `{0}`, which was not asked")]
    Revision(String),
    /// The answer contradicts itself.
    #[error("the answer contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// The document as a policy writes it. Unlike the platform's type it refuses members that it does not know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    allow: bool,
    effect: Effect,
    reasons: Vec<String>,
    obligations: BTreeMap<String, Obligation>,
    valid_until: Option<i64>,
    revision: String,
}

/// Reads a decision of the policy revision `asked`.
pub(crate) fn decision(value: &Value, asked: &str) -> Result<Decision, AnswerError> {
    if *value == Value::Undefined {
        return Err(AnswerError::Undefined);
    }
    let document: Document = read(value)?;
    if document.revision != asked {
        return Err(AnswerError::Revision(document.revision));
    }
    let Document { allow, effect, mut reasons, obligations, valid_until, revision } = document;
    reasons.sort_unstable();
    reasons.dedup();
    let decision = Decision { allow, effect, reasons, obligations, valid_until, revision };
    match contradiction(&decision) {
        Some(reason) => Err(AnswerError::Contradiction(reason)),
        None => Ok(decision),
    }
}

/// Reads the answer to a visibility query: (server name, tool name) pairs.
pub(crate) fn visible(value: &Value) -> Result<BTreeSet<(String, String)>, AnswerError> {
    if *value == Value::Undefined {
        return Err(AnswerError::Undefined);
    }
    read(value)
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, AnswerError> {
    let text = serde_json::to_string(value).map_err(|error| AnswerError::Shape(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| AnswerError::Shape(error.to_string()))
}
