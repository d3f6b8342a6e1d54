//! The guard rails (rule T8): what no policy may do, compiled into the binary and run against every bundle and every
//! remote engine before it answers its first question.
//!
//! [`cases`] lists a few thousand fixed questions, each with the rail it belongs to and the most that a policy may answer;
//! [`check`] asks an engine all of them. Nothing here knows Rego: an engine is a function from JSON to a decision.
//! Where next: `cases/mod.rs` for the questions.

mod cases;

use std::fmt;

use serde_json::Value;

pub use self::cases::cases;
use super::{Decision, Effect, Profile};
use crate::Json;
use crate::error::Error;

/// A promise that a policy is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rail {
    /// Every input, however broken, gets a decision that agrees with itself.
    EveryInputDecides,
    /// Groups that are not a list of strings allow nothing.
    IllTypedGroupsAllowNothing,
    /// No group and no profile allows `change`, `disruptive`, `control` without a verified step-up.
    NoWriteWithoutStepUp,
    /// Tickets, approvals, windows and factors that only a caller speaks of meet nothing.
    ClaimsProveNothing,
    /// `control` is denied to an agent and to a client's own credentials, whatever else is proven.
    ControlNeedsAPerson,
    /// What the risk table does not know is treated as `disruptive`.
    UnknownRiskIsDisruptive,
    /// A token that only the userinfo endpoint took opens `read` and `record` at most (T2).
    UserinfoReadsAndRecords,
    /// Outside `lab-open`, `change` and `disruptive` need a verified change grant.
    NoChangeWithoutGrant,
    /// A run steps up by approvers who passed a factor for it, and by nothing else; and no run governs.
    NoRunWithoutProof,
    /// The audit of others is closed to everyone, to administrators and to engineers alike: it takes a group of its own
    /// (T26).
    AuditIsReserved,
}

impl Rail {
    /// Every rail.
    pub const ALL: [Self; 10] = [
        Self::EveryInputDecides,
        Self::IllTypedGroupsAllowNothing,
        Self::NoWriteWithoutStepUp,
        Self::ClaimsProveNothing,
        Self::ControlNeedsAPerson,
        Self::UnknownRiskIsDisruptive,
        Self::UserinfoReadsAndRecords,
        Self::NoChangeWithoutGrant,
        Self::NoRunWithoutProof,
        Self::AuditIsReserved,
    ];

    /// The stable name that a refused activation shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EveryInputDecides => "every_input_decides",
            Self::IllTypedGroupsAllowNothing => "ill_typed_groups_allow_nothing",
            Self::NoWriteWithoutStepUp => "no_write_without_step_up",
            Self::ClaimsProveNothing => "claims_prove_nothing",
            Self::ControlNeedsAPerson => "control_needs_a_person",
            Self::UnknownRiskIsDisruptive => "unknown_risk_is_disruptive",
            Self::UserinfoReadsAndRecords => "userinfo_reads_and_records",
            Self::NoChangeWithoutGrant => "no_change_without_grant",
            Self::NoRunWithoutProof => "no_run_without_proof",
            Self::AuditIsReserved => "audit_is_reserved",
        }
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The most that a policy may answer to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Any decision.
    Any,
    /// Anything but `allow`.
    NotAllowed,
    /// `deny`.
    Denied,
}

/// One fixed question.
#[derive(Debug, Clone)]
pub struct Case {
    /// The rail it tests.
    pub rail: Rail,
    /// The decision input, as JSON because some are broken on purpose.
    pub input: Json,
    /// The most that may be answered.
    pub bound: Bound,
}

/// Names that a bundle mentions, so that an exemption for a group we never heard of is found as well. The engine collects
/// them from its sources and data; more names than the policy uses do no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Words that may name a group or a connector; sorted, without duplicates. The first 256 are also asked one by one.
    pub words: Vec<String>,
}

/// A case that the policy got wrong.
#[derive(Debug, Clone)]
pub struct Violation {
    /// The rail that holds the policy back.
    pub rail: Rail,
    /// What it answered, in one line.
    pub answer: String,
    /// The question, to reproduce it.
    pub input: Json,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, for {}", self.rail, self.answer, self.input)
    }
}

impl Case {
    /// Judges an engine's answer: nothing when it holds.
    pub fn judge(&self, answer: &Result<Decision, Error>) -> Option<Violation> {
        let violation = |rail, answer: String| Some(Violation { rail, answer, input: self.input.clone() });
        let decision = match answer {
            Ok(decision) => decision,
            Err(error) => {
                let why = error.detail().unwrap_or_else(|| error.message());
                return violation(Rail::EveryInputDecides, format!("no decision ({why})"));
            }
        };
        let too_much = match self.bound {
            Bound::Any => false,
            Bound::NotAllowed => decision.allow || decision.effect == Effect::Allow,
            Bound::Denied => decision.allow || decision.effect != Effect::Deny,
        };
        if too_much {
            return violation(self.rail, format!("answered {}", summary(decision)));
        }
        if let Some(contradiction) = contradiction(decision) {
            return violation(Rail::EveryInputDecides, format!("{contradiction}: {}", summary(decision)));
        }
        None
    }
}

/// How a decision disagrees with itself; nothing when it does not.
pub fn contradiction(decision: &Decision) -> Option<&'static str> {
    let all_met = decision.obligations.values().all(|obligation| obligation.met);
    match decision.effect {
        Effect::Allow if !decision.allow => Some("effect `allow` with `allow: false`"),
        Effect::Challenge | Effect::Deny if decision.allow => Some("`allow: true` with another effect"),
        Effect::Allow if !all_met => Some("allowed with an unmet obligation"),
        Effect::Challenge if all_met => Some("a challenge without an unmet obligation"),
        _ => None,
    }
}

fn summary(decision: &Decision) -> String {
    let effect = serde_json::to_value(decision.effect).unwrap_or(Value::Null);
    format!("allow={} effect={} [{}]", decision.allow, effect, decision.reasons.join(" "))
}

/// Cases without a decision after which an engine is asked no further.
const SILENT: usize = 50;

/// Asks `decide` every case and returns the violations, at most one per case, in the order of the cases. An engine that
/// left many cases without an answer is asked no further: there is nothing to learn, and each may have taken its full
/// time.
pub fn check(
    profile: Profile,
    vocabulary: &Vocabulary,
    mut decide: impl FnMut(&Json) -> Result<Decision, Error>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut silent = 0;
    for case in cases(profile, vocabulary) {
        let answer = decide(&case.input);
        silent += usize::from(answer.is_err());
        violations.extend(case.judge(&answer));
        if silent >= SILENT {
            break;
        }
    }
    violations
}

/// [`check`] for an engine that is asked over a network: one question after the other, up to `limit` violations.
pub async fn check_remote(
    profile: Profile,
    vocabulary: &Vocabulary,
    limit: usize,
    mut decide: impl AsyncFnMut(&Json) -> Result<Decision, Error>,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for case in cases(profile, vocabulary) {
        let answer = decide(&case.input).await;
        violations.extend(case.judge(&answer));
        if violations.len() >= limit {
            break;
        }
    }
    violations
}
