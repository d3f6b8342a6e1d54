//! Authorisation: the question, the answer, and the engine that answers (rules T6, T8, T9, T10).
//!
//! The input holds everything a decision may depend on, so that a recorded decision can be replayed exactly. Rego only
//! compares: calendars, tickets and approvals are loaded and verified in Rust first.

pub mod guard_rails;
mod profile;
mod risk;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use self::profile::Profile;
pub use self::risk::{Action, Risk, RiskTable};
use crate::Json;
use crate::error::Error;
use crate::principal::{Actor, Principal, PrincipalKind, TokenProof};

/// The decision input. Field names are the policy author's interface: `input.principal.groups`, `input.tool.risk`, …
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionInput {
    /// The caller's groups: the article's `input.groups`.
    pub groups: Vec<String>,
    /// The server's connector, for example `catalyst-center`: the article's `input.resource`.
    pub resource: String,
    /// The article's `input.action`, derived from the risk: `read`, `write`, `execute`, `admin`.
    pub action: Action,
    /// The caller.
    pub principal: PrincipalFacts,
    /// The server instance (T31).
    pub server: ServerFacts,
    /// The tool.
    pub tool: ToolFacts,
    /// Validated arguments, without references; values marked secret are replaced by a keyed hash.
    pub arguments: Json,
    /// Verified facts of the targets the arguments name.
    pub targets: Vec<TargetFacts>,
    /// The change whose grant was verified for this call; nothing when there is none. Never from the caller.
    pub change: Option<ChangeFacts>,
    /// A verified elevation that covers this call (T4); nothing when there is none.
    pub elevation: Option<ElevationFacts>,
    /// Time of the decision, seconds since the epoch. The only clock a policy may read.
    pub now: i64,
    /// The caller's address.
    pub source: String,
    /// `mcp`, `rest`, `page`, `internal`.
    pub protocol: String,
    /// Not part of a decision's identity; for the log.
    pub request_id: String,
}

/// The caller as policy sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrincipalFacts {
    /// Issuer identifier.
    pub issuer: String,
    /// Subject.
    pub subject: String,
    /// The claim people are counted by.
    pub person: String,
    /// Person or client.
    pub kind: PrincipalKind,
    /// OAuth client.
    pub client_id: String,
    /// `acr`.
    pub acr: Option<String>,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`.
    pub auth_time: Option<i64>,
    /// The issuer's entry says that more than one factor was used.
    pub mfa: bool,
    /// Actor chain; not empty when an agent acts for the person.
    pub act: Vec<Actor>,
    /// What proved the token: `signature`, `introspection`, `userinfo`.
    #[serde(default)]
    pub proof: TokenProof,
}

impl From<&Principal> for PrincipalFacts {
    fn from(p: &Principal) -> Self {
        Self {
            issuer: p.issuer.clone(),
            subject: p.subject.clone(),
            person: p.person.clone(),
            kind: p.kind,
            client_id: p.client_id.clone(),
            acr: p.acr.clone(),
            amr: p.amr.clone(),
            auth_time: p.auth_time,
            mfa: p.mfa,
            act: p.actors.clone(),
            proof: p.token.proof,
        }
    }
}

/// A server instance as policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Instance name, the last part of `/mcp/<name>`.
    pub name: String,
    /// Connector that serves it.
    pub connector: String,
    /// `production`, `test`, `lab`, … as configured.
    pub environment: String,
}

/// A tool as policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ToolFacts {
    /// Tool name without any aggregate prefix.
    pub name: String,
    /// The operator's risk class.
    pub risk: Risk,
}

/// A device or record that the arguments name, as the target's own system says it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// `device`, `site`, `template`, …
    pub kind: String,
    /// The target system's immutable id.
    pub id: String,
    /// Host name or title.
    pub name: String,
    /// Serial numbers (all members of a stack).
    pub serials: Vec<String>,
    /// Site hierarchy, `Global/USA/…`.
    pub site: Option<String>,
    /// Device role.
    pub role: Option<String>,
    /// Redundancy group, where known.
    pub redundancy_group: Option<String>,
    /// Configuration item, where known.
    pub ci: Option<String>,
    /// `live`, `index`, `file`.
    pub source: String,
    /// Seconds since the source was read.
    pub age_s: i64,
}

/// A change grant that the platform verified for this very call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeFacts {
    /// Change id.
    pub id: String,
    /// Grant expiry, seconds since the epoch.
    pub expires_at: i64,
    /// Number of distinct approvers.
    pub approvers: u32,
    /// The groups by which each of them approved, an entry each.
    #[serde(default)]
    pub approver_groups: Vec<Vec<String>>,
    /// The change's own run makes the call, and not a caller at a door.
    #[serde(default)]
    pub run: bool,
    /// How many of the approvers passed a second factor for this submission after its plan was shown to them (T16). In a
    /// run they stand for the step-up of somebody who is not there.
    #[serde(default)]
    pub proven_approvers: u32,
}

/// A verified elevation (T4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ElevationFacts {
    /// When the person passed the second factor, seconds since the epoch.
    pub authenticated_at: i64,
    /// End of the elevation, seconds since the epoch.
    pub expires_at: i64,
    /// Bound to this tool and these arguments, and used up by the call.
    pub single_use: bool,
}

/// What a decision amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allowed now.
    Allow,
    /// Permitted, but an obligation is unmet.
    Challenge,
    /// Not permitted.
    Deny,
}

/// One obligation of a decision: whether it is met, and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Obligation {
    /// Met by verified facts.
    pub met: bool,
    /// Parameters, for example `max_age_s`, `approvers`.
    #[serde(flatten)]
    pub parameters: BTreeMap<String, Json>,
}

/// The full decision document. A write needs all of it; a bare boolean is never enough for one (T8).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// True only when nothing is left to do.
    pub allow: bool,
    /// Allow, challenge or deny.
    pub effect: Effect,
    /// `grant:…`, `deny:…`, `unmet:…`; sorted.
    pub reasons: Vec<String>,
    /// By name: `step_up`, `change`, `rate`.
    pub obligations: BTreeMap<String, Obligation>,
    /// Until when the decision holds if nothing else changes, seconds since the epoch; absent = not cacheable (T9).
    pub valid_until: Option<i64>,
    /// The policy revision that answered.
    pub revision: String,
}

/// Which tools could ever be allowed or challenged for a caller (T10): one query per catalogue, not per tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VisibilityInput {
    /// Groups.
    pub groups: Vec<String>,
    /// Person or client.
    pub kind: PrincipalKind,
    /// Whether an agent acts for the person.
    pub acting: bool,
    /// What proved the token.
    #[serde(default)]
    pub proof: TokenProof,
    /// The catalogue.
    pub tools: Vec<CatalogueEntry>,
}

/// A tool of the catalogue, for a visibility query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CatalogueEntry {
    /// Server instance.
    pub server: ServerFacts,
    /// Tool.
    pub tool: ToolFacts,
    /// Article's action.
    pub action: Action,
}

/// Answers authorisation questions. `Err` is a denial of its own sort: the caller is refused with `policy_unavailable`.
#[async_trait]
pub trait PolicyEngine: Send + Sync + 'static {
    /// Decides one call.
    async fn decide(&self, input: &DecisionInput) -> Result<Decision, Error>;

    /// The (server name, tool name) pairs that are visible.
    async fn visible(&self, input: &VisibilityInput) -> Result<BTreeSet<(String, String)>, Error>;

    /// The active policy revision.
    fn revision(&self) -> String;
}
