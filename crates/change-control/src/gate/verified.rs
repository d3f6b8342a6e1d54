//! The grant of a change, verified with everything that it binds: its signature, the public plan by its hash, the submission
//! by its digest, the requester, and every approval as a person's own act (T15, T16, T19).

use platform::Error;
use platform::revocation::RunFloors;
use platform::{ErrorKind, canonical};

use super::{invalid, mismatch};
use crate::changes::Changes;
use crate::model::approval::{Approval, Verdict};
use crate::model::change::{Change, ChangeId, Requester};
use crate::model::grant::Grant;
use crate::model::plan::{PublicPlan, plan_hash};

/// A change whose grant holds.
pub(super) struct Verified {
    pub(super) change: Change,
    pub(super) plan: PublicPlan,
    pub(super) grant: Grant,
    /// Approvals that count.
    pub(super) proven: Vec<Approval>,
}

impl Changes {
    /// Reads the change and verifies its grant. The clock, the window and the run floor are not looked at. Errors:
    /// `change_unknown`, `grant_invalid`, `grant_mismatch`, those of the store.
    pub(super) async fn verified(&self, id: &ChangeId) -> Result<Verified, Error> {
        let change = self.book().get(id).await?.change;
        let signed = change.grant.as_ref().ok_or_else(|| invalid("the change has no grant"))?;
        let grant = self.parts.grants.verify(signed).await?.clone();
        let plan = self.book().plan(id).await?.ok_or_else(|| invalid("the plan is gone"))?;
        same("change", &grant.change, id.as_str())?;
        same("plan", &grant.plan, &plan_hash(&plan)?)?;
        same("change of the plan", id.as_str(), &plan.change)?;
        same("plan of the change", &grant.plan, change.plan.as_ref().map_or("", |plan| &plan.hash))?;
        let submission = change.submission.as_ref().ok_or_else(|| invalid("the change has no submission"))?;
        same("submission", &grant.submission, &submission.digest()?)?;
        same("plan of the submission", &grant.plan, &submission.plan)?;
        same("server", &grant.server, &plan.instance.name)?;
        if grant.window != submission.window {
            let digest = |window| canonical::digest_hex(&window);
            return Err(mismatch("window", &digest(grant.window)?, &digest(submission.window)?));
        }
        if grant.requester != change.requester {
            let digest = |requester: &Requester| canonical::digest_hex(requester);
            return Err(mismatch("requester", &digest(&grant.requester)?, &digest(&change.requester)?));
        }
        let proven = proven(&grant);
        Ok(Verified { change, plan, grant, proven })
    }
}

fn same(what: &'static str, approved: &str, found: &str) -> Result<(), Error> {
    if approved == found { Ok(()) } else { Err(mismatch(what, approved, found)) }
}

/// The approvals that count (T16): of this submission, by a factor that was passed after the plan was shown, each by another
/// person, and none by the requester or by somebody who acted for them.
fn proven(grant: &Grant) -> Vec<Approval> {
    let mut proven: Vec<Approval> = Vec::new();
    for approval in &grant.approvals {
        let approver = &approval.approver;
        let acted = |actor: &platform::principal::Actor| {
            let issuer = actor.issuer.as_ref().unwrap_or(&grant.requester.who.issuer);
            *issuer == approver.issuer && (actor.subject == approver.subject || actor.subject == approver.person)
        };
        let counts = approval.verdict == Verdict::Approve
            && approval.submission == grant.submission
            && approval.auth_time >= approval.shown_at_ms.div_euclid(1000)
            && approval.auth_time > 0
            && !approver.is_same_person(&grant.requester.who)
            && !grant.requester.actors.iter().any(acted)
            && !proven.iter().any(|other| other.approver.is_same_person(approver));
        if counts {
            proven.push(approval.clone());
        }
    }
    proven
}

/// Whether the account of the requester or of somebody who approved was ended since, or has lost a group that the grant rests
/// on (T3). Error: `grant_revoked`.
pub(super) fn standing(floors: &dyn RunFloors, grant: &Grant) -> Result<(), Error> {
    let requester = &grant.requester;
    let asked = requester.token.issued_at;
    let mut ended =
        floors.is_ended(&requester.who.issuer, &requester.who.subject, &requester.groups, asked).then_some("requester");
    for approval in &grant.approvals {
        let (who, at) = (&approval.approver, approval.at_ms.div_euclid(1000));
        if floors.is_ended(&who.issuer, &who.subject, &approval.groups, at) {
            ended = Some("approver");
        }
    }
    match ended {
        None => Ok(()),
        Some(whose) => Err(Error::new(
            ErrorKind::Forbidden,
            "grant_revoked",
            "Somebody on whom the change rests has lost the account or the group for it, or their runs were ended. The run \
             does nothing more but what undoes it.",
        )
        .with_details(serde_json::json!({ "whose": whose }))),
    }
}
