//! What an approval binds (T15): the plan's hash, the ticket, the window, and what of the ticket must not change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A plan handed in for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Hash of the public plan.
    pub plan: String,
    /// The ticket that goes with it.
    pub ticket: Option<String>,
    /// Digest of the ticket's gated facts (T17); nothing without a ticket.
    pub gated: Option<String>,
    /// When it may run.
    pub window: Window,
}

/// When something may run, milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Not before.
    pub not_before_ms: i64,
    /// Over by then, its undo included.
    pub not_after_ms: i64,
}

impl Submission {
    /// SHA-256 of its RFC 8785 JSON, hexadecimal: what approvals and grants name.
    pub fn digest(&self) -> Result<String, platform::Error> {
        platform::canonical::digest_hex(self)
    }
}
