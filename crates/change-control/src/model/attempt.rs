//! One try to write to one device (T20): announced before anything is sent, and settled by the target's own records.

use serde::{Deserialize, Serialize};
use tool_runtime::ports::config_changer::{Handle, OpenIntent, StepSpec};

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What was planned.
    Forward,
    /// Back.
    Undo,
}

impl Direction {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Undo => "undo",
        }
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The change, for the index.
    pub change: String,
    /// The device.
    pub device_id: String,
    /// Which way.
    pub direction: Direction,
    /// 1 for the first of this device and direction.
    pub number: u32,
    /// The call that it was announced under.
    pub call_id: String,
    /// What it is to do.
    pub step: StepSpec,
    /// When it was announced, milliseconds since the epoch.
    pub announced_at_ms: i64,
    /// The vendor's names of it.
    pub handle: Option<Handle>,
    /// What is known about it.
    pub outcome: AttemptOutcome,
}

/// What is known about an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It is announced; perhaps it was sent.
    Open,
    /// The target accepted it; its end is not known.
    Accepted,
    /// The target says that it ended well.
    Succeeded {
        /// The target's words, masked.
        message: Option<String>,
    },
    /// The target says that it failed.
    Failed {
        /// The target's words, masked.
        message: Option<String>,
    },
    /// It certainly did not happen.
    NotDone,
    /// It cannot be told; a person settles it.
    Unknown {
        /// What was found; masked.
        evidence: platform::Json,
    },
}

impl Attempt {
    /// Id of an attempt's record; also the idempotency key of its call.
    pub fn id(change: &str, device_id: &str, direction: Direction, number: u32) -> String {
        format!("{change}|{device_id}|{}|{number}", direction.as_str())
    }

    /// Whether its outcome is known for good.
    pub const fn is_over(&self) -> bool {
        matches!(
            self.outcome,
            AttemptOutcome::Succeeded { .. } | AttemptOutcome::Failed { .. } | AttemptOutcome::NotDone
        )
    }

    /// As the target's records are asked about it.
    pub fn intent(&self) -> OpenIntent {
        OpenIntent {
            call_id: self.call_id.clone(),
            step: self.step.clone(),
            announced_at_ms: self.announced_at_ms,
            handle: self.handle.clone(),
        }
    }
}
