//! The grant (T19): what a run holds instead of a token. It is signed, and every use verifies it again.

use serde::{Deserialize, Serialize};

use super::approval::{Approval, PersonRef};
use super::change::Requester;
use super::submission::Window;

/// What a run may do, in whose name, until when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The change.
    pub change: String,
    /// Digest of the submission.
    pub submission: String,
    /// Hash of the plan.
    pub plan: String,
    /// Who asked: forward steps are called in this name, and policy is asked about it each time.
    pub requester: Requester,
    /// Who approved, and by which factor.
    pub approvals: Vec<Approval>,
    /// Server instance.
    pub server: String,
    /// Tools.
    pub tools: Vec<String>,
    /// Device ids.
    pub targets: Vec<String>,
    /// When forward steps may be made.
    pub window: Window,
    /// Most forward steps that write.
    pub writes: u32,
    /// How long after the last forward step undo steps may be made, seconds; at most a day.
    pub undo_for_s: u64,
    /// When it was given, milliseconds since the epoch.
    pub issued_at_ms: i64,
}

impl Grant {
    /// The people who approved.
    pub fn approvers(&self) -> impl Iterator<Item = &PersonRef> {
        self.approvals.iter().map(|approval| &approval.approver)
    }
}

/// A grant with its signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedGrant {
    /// The grant.
    pub grant: Grant,
    /// Version of the key.
    pub key: u32,
    /// Ed25519 signature over the RFC 8785 JSON of the grant, for the purpose `gate::keys::GRANT`; base64url.
    pub signature: String,
}
