//! A person's act (T16): one approval or rejection of one submission, with the factor that was passed for it.

use platform::Principal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person, as approvals and requesters are compared: by issuer and the claim that people are counted by (T2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRef {
    /// Issuer identifier.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The claim by which people are counted.
    pub person: String,
    /// What to call them.
    pub name: String,
}

impl PersonRef {
    /// Whether both are the same human being: one of the two claims is enough.
    pub fn is_same_person(&self, other: &Self) -> bool {
        self.issuer == other.issuer && (self.person == other.person || self.subject == other.subject)
    }
}

impl From<&Principal> for PersonRef {
    fn from(p: &Principal) -> Self {
        Self { issuer: p.issuer.clone(), subject: p.subject.clone(), person: p.person.clone(), name: p.name.clone() }
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may happen.
    Approve,
    /// It may not.
    Reject,
}

/// One person's decision about one submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub approver: PersonRef,
    /// What.
    pub verdict: Verdict,
    /// Why, in the person's words.
    pub reason: String,
    /// Digest of the submission.
    pub submission: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// When the plan was shown before the factor was passed, milliseconds since the epoch.
    pub shown_at_ms: i64,
    /// `acr` of the sign-in.
    pub acr: Option<String>,
    /// `amr` of it.
    pub amr: Vec<String>,
    /// `auth_time` of it, seconds since the epoch: after the plan was shown.
    pub auth_time: i64,
    /// The groups by which policy let this person approve.
    pub groups: Vec<String>,
    /// Revision of the policy that said so.
    pub policy_revision: String,
}
