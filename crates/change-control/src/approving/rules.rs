//! What a decision has to meet (T16): pure functions over the newest row. They are asked before the page offers a decision,
//! before one is recorded, and once more inside the transaction that keeps it.

use platform::principal::PrincipalKind;
use platform::{Error, ErrorKind, Principal};

use super::decide::{Decision, Factor};
use crate::model::approval::{Approval, PersonRef, Verdict};
use crate::model::change::{ApproversNeeded, Change, Requester};
use crate::model::plan::{Estimates, altered};
use crate::model::state::State;
use crate::model::submission::{Submission, Window};

/// A factor counts for one decision and this long, seconds.
pub const FACTOR_S: i64 = 15 * 60;
/// Longest reason, characters.
pub const LONGEST_REASON: usize = 1_000;
/// A submission waits at most this long for its end, milliseconds: what was planned longer ago is planned again.
pub const LONGEST_WINDOW_MS: i64 = 31 * 24 * 3_600_000;

/// What stands now beside the row that is decided about, read again for each decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Hash of the public plan as it is kept now.
    pub plan: String,
    /// Digest of the ticket's gated facts as they are now; nothing without a ticket.
    pub gated: Option<String>,
    /// How long it may take.
    pub estimates: Estimates,
}

/// The submission of a change that waits for decisions, and who has to make them. Error: `change_state`.
pub fn open_submission(change: &Change) -> Result<(&Submission, &ApproversNeeded), Error> {
    match (change.state, &change.submission, &change.approvers) {
        (State::Submitted, Some(submission), Some(needed)) => Ok((submission, needed)),
        _ => Err(Error::new(
            ErrorKind::Conflict,
            "change_state",
            format!("This change is {}; it does not wait for a decision.", change.state),
        )),
    }
}

/// Whether this person may decide about the change at all, whatever they have seen and by whatever factor.
/// Errors: `change_state`, `approver_not_allowed`, `approver_is_requester`, `approver_decided_already`, `submission_expired`.
pub fn may_decide(change: &Change, person: &Principal, now_ms: i64) -> Result<(), Error> {
    let (submission, needed) = open_submission(change)?;
    if person.kind != PrincipalKind::Person || !person.actors.is_empty() {
        return Err(not_allowed("Only a person decides about a change, in a session of their own and for themselves."));
    }
    let who = PersonRef::from(person);
    if is_requester(&change.requester, &who) {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "approver_is_requester",
            "You asked for this change, or acted for whoever did. Somebody else has to decide about it.",
        ));
    }
    if groups_of(needed, person).is_empty() {
        return Err(not_allowed("Policy lets other groups decide about this change."));
    }
    if change.approvals.iter().any(|a| a.approver.is_same_person(&who)) {
        return Err(Error::new(
            ErrorKind::Conflict,
            "approver_decided_already",
            "You have decided about this submission already. Each person counts once.",
        ));
    }
    if submission.window.not_after_ms <= now_ms {
        return Err(expired());
    }
    Ok(())
}

/// A decision that meets everything, as it will be kept. Errors: those of [`may_decide`], `submission_changed`,
/// `plan_altered`, `ticket_changed`, `second_factor_missing`, `reason_missing`.
pub fn weigh(
    change: &Change,
    present: &Present,
    person: &Principal,
    decision: &Decision,
    policy_revision: &str,
    now_ms: i64,
) -> Result<Approval, Error> {
    may_decide(change, person, now_ms)?;
    let (submission, needed) = open_submission(change)?;
    let digest = submission.digest()?;
    if decision.submission != digest {
        return Err(Error::new(
            ErrorKind::Conflict,
            "submission_changed",
            "What you were shown is not what is submitted now. Open the change again and read it.",
        ));
    }
    unaltered(submission, present)?;
    let auth_time = fresh_factor(person, decision.factor.as_ref(), &digest, now_ms)?;
    let reason = reason(&decision.reason)?;
    if decision.verdict == Verdict::Approve && !has_room(&submission.window, &present.estimates, now_ms) {
        return Err(expired());
    }
    Ok(Approval {
        approver: PersonRef::from(person),
        verdict: decision.verdict,
        reason,
        submission: digest,
        at_ms: now_ms,
        shown_at_ms: decision.factor.as_ref().map_or(now_ms, |f| f.shown_at_ms),
        acr: person.acr.clone(),
        amr: person.amr.clone(),
        auth_time,
        groups: groups_of(needed, person),
        policy_revision: policy_revision.to_owned(),
    })
}

/// What was submitted is what stands. Errors: `plan_altered`, `ticket_changed`, each with both digests.
pub fn unaltered(submission: &Submission, present: &Present) -> Result<(), Error> {
    if submission.plan != present.plan {
        return Err(altered().with_details(serde_json::json!({"expected": submission.plan, "found": present.plan})));
    }
    if submission.gated != present.gated {
        return Err(Error::new(
            ErrorKind::Conflict,
            "ticket_changed",
            "The ticket is not what it was when the change was submitted. Submit the change again with a new plan.",
        )
        .with_details(serde_json::json!({"expected": submission.gated, "found": present.gated})));
    }
    Ok(())
}

/// The factor's time, if it was given for this submission after the plan was shown. Issuers tell whole seconds; that it came
/// after the plan within the same second, the page knows: it asked the issuer for it after it had shown the plan.
fn fresh_factor(person: &Principal, factor: Option<&Factor>, digest: &str, now_ms: i64) -> Result<i64, Error> {
    let missing = |why: &str| Err(Error::new(ErrorKind::Unmet, "second_factor_missing", why));
    let Some(factor) = factor.filter(|f| f.submission == digest) else {
        return missing(
            "No second factor was given for this decision. Open the change, read it, and go on from there.",
        );
    };
    let Some(auth_time) = person.auth_time.filter(|_| person.mfa) else {
        return missing("The sign-in did not include a second factor.");
    };
    if auth_time < factor.shown_at_ms.div_euclid(1_000) {
        return missing("The second factor was given before the plan was shown. Give a new one.");
    }
    if now_ms.div_euclid(1_000) - auth_time > FACTOR_S {
        return missing("The second factor is too old for this decision. Give a new one.");
    }
    Ok(auth_time)
}

/// The requester by either claim, or anybody who acted for them (RFC 8693). An actor without an issuer is one of the
/// requester's own.
fn is_requester(requester: &Requester, who: &PersonRef) -> bool {
    let acted = requester.actors.iter().any(|actor| {
        let issuer = actor.issuer.as_ref().unwrap_or(&requester.who.issuer);
        *issuer == who.issuer && (actor.subject == who.subject || actor.subject == who.person)
    });
    acted || requester.who.is_same_person(who)
}

/// Those of the person's groups by which they may decide.
fn groups_of(needed: &ApproversNeeded, person: &Principal) -> Vec<String> {
    person.groups.iter().filter(|group| needed.groups.contains(group)).cloned().collect()
}

/// What a person writes about their act, without what cannot be read. Error: `reason_missing`.
pub fn reason(text: &str) -> Result<String, Error> {
    let text: String = text.chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "reason_missing",
            format!("Say why, in at most {LONGEST_REASON} characters. The reason is kept with the decision."),
        ));
    }
    Ok(text.to_owned())
}

/// Whether what is left of the window holds the change and its undo.
pub fn has_room(window: &Window, estimates: &Estimates, now_ms: i64) -> bool {
    let needed = i64::try_from(estimates.apply_s.saturating_add(estimates.undo_s)).unwrap_or(i64::MAX);
    let left = window.not_after_ms.saturating_sub(window.not_before_ms.max(now_ms));
    left >= needed.saturating_mul(1_000)
}

fn not_allowed(why: &str) -> Error {
    Error::new(ErrorKind::Forbidden, "approver_not_allowed", why)
}

/// The code of a decision that comes too late.
pub(super) const EXPIRED: &str = "submission_expired";

pub(super) fn expired() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "submission_expired",
        "The window of this change is over, or too short by now for the change and its undo. Plan it again.",
    )
}
