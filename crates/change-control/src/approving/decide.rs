//! One decision about one submission (T16). It is weighed against the newest row, put on record as about to happen, weighed
//! once more in the transaction that keeps it, and put on record as what it came to. The last approval needed gives the
//! grant in the same transaction, and then the run is started.

use platform::audit::{AuditEntry, Outcome};
use platform::context::Protocol;
use platform::{CallContext, Error, ErrorKind};

use super::rules::{self, Present};
use super::{giving, ticket};
use crate::changes::Changes;
use crate::model::approval::Verdict;
use crate::model::change::{Change, ChangeId, Trouble};
use crate::model::plan::{PublicPlan, plan_hash};
use crate::model::state::State;

/// What a person decides, as the page took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub verdict: Verdict,
    /// Why, in the person's words.
    pub reason: String,
    /// Digest of the submission that was shown to them.
    pub submission: String,
    /// What their second factor was asked for; nothing when it was asked for something else.
    pub factor: Option<Factor>,
}

/// What a second factor was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Digest of the submission.
    pub submission: String,
    /// When the plan was shown, before it was asked for; milliseconds since the epoch.
    pub shown_at_ms: i64,
}

/// The codes after which an approval could never count: what was submitted is not there any more.
const VOIDING: [&str; 2] = ["plan_altered", "ticket_changed"];

impl Changes {
    /// Keeps one decision of the person of `cx`, who came by a page. Approvals complete, the change is `approved`, has its
    /// grant, and its run is started; one rejection ends it.
    ///
    /// Errors: `change_unknown`, those of [`rules::weigh`], `audit_unavailable`, `change_busy`. A refusal is on record; a plan or
    /// a ticket that is not what was submitted voids the change.
    pub async fn decide(&self, cx: &CallContext, id: &ChangeId, decision: Decision) -> Result<Change, Error> {
        let change = match self.seen(&cx.principal, id).await {
            Ok(kept) => kept.change,
            Err(error) => {
                let mut entry = self.entry_about(cx, action_of(decision.verdict), Outcome::Refused, id);
                entry.code = Some(error.code().to_owned());
                self.parts.audit.append(entry).await?;
                return Err(error);
            }
        };
        let plan = self.book().plan(id).await?.ok_or_else(|| Error::internal("a submitted change without a plan"))?;
        let decided = self.decide_about(cx, &change, &plan, &decision).await;
        let mut entry = self.entry_of(cx, &change, &decision, &plan)?;
        match &decided {
            Ok(after) => entry.facts.insert("state".into(), after.state.as_str().into()),
            Err(error) => {
                entry.outcome = Outcome::Refused;
                entry.code = Some(error.code().to_owned());
                error.refusal().details.clone().and_then(|both| entry.facts.insert("compared".into(), both))
            }
        };
        let recorded = self.parts.audit.append(entry).await;
        if let Err(error) = &decided
            && VOIDING.contains(&error.code())
        {
            self.void(&change, error).await?;
        }
        if let Err(error) = &decided
            && error.code() == rules::EXPIRED
        {
            Box::pin(self.expire(id)).await?;
        }
        let after = decided?;
        if after.state == State::Approved {
            self.start_run(id).await;
        }
        recorded?;
        Ok(after)
    }

    async fn decide_about(
        &self,
        cx: &CallContext,
        change: &Change,
        plan: &PublicPlan,
        decision: &Decision,
    ) -> Result<Change, Error> {
        if cx.protocol != Protocol::Page {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "approver_not_allowed",
                "A change is decided about on its page, and nowhere else.",
            ));
        }
        let gated = match change.submission.as_ref().and_then(|s| s.ticket.as_ref()) {
            Some(ticket) => Some(ticket::gated_digest(&self.read_ticket(change, ticket).await?)?),
            None => None,
        };
        let present = Present { plan: plan_hash(plan)?, gated, estimates: plan.estimates };
        let revision = self.parts.policy.revision();
        let now_ms = self.now_ms();
        let weigh = |change: &Change| rules::weigh(change, &present, &cx.principal, decision, &revision, now_ms);
        weigh(change)?;
        let mut intent = self.entry_of(cx, change, decision, plan)?;
        intent.outcome = Outcome::Pending;
        self.parts.audit.append(intent).await?;
        let keep = |change: &mut Change| {
            let approval = weigh(change)?;
            let (digest, who) = (approval.submission.clone(), approval.approver.name.clone());
            change.updated_at_ms = now_ms;
            change.approvals.push(approval);
            if decision.verdict == Verdict::Reject {
                change.become_state(State::Rejected, now_ms, format!("Rejected by {who}."))?;
                return Ok(((), Vec::new()));
            }
            let (submission, needed) = rules::open_submission(change)?;
            let given = giving::approvals_of(&change.approvals, &digest).len();
            if given >= usize::try_from(needed.count).unwrap_or(usize::MAX) {
                let grant = giving::grant(change, submission, &digest, plan, now_ms);
                change.grant = Some(self.parts.grants.sign(grant)?);
                change.become_state(State::Approved, now_ms, format!("Approved; the last approval is {who}'s."))?;
            }
            Ok(((), Vec::new()))
        };
        self.book().update(&change.id, keep).await.map(|((), after)| after)
    }

    fn entry_of(
        &self,
        cx: &CallContext,
        change: &Change,
        decision: &Decision,
        plan: &PublicPlan,
    ) -> Result<AuditEntry, Error> {
        let mut entry = self.entry_about(cx, action_of(decision.verdict), Outcome::Success, &change.id);
        entry
            .facts
            .insert("reason".into(), decision.reason.chars().take(rules::LONGEST_REASON).collect::<String>().into());
        entry.facts.insert("submission".into(), decision.submission.clone().into());
        entry.facts.insert("plan".into(), plan_hash(plan)?.into());
        entry.facts.insert("policy_revision".into(), self.parts.policy.revision().into());
        let person = &cx.principal;
        entry.facts.insert("acr".into(), person.acr.clone().into());
        entry.facts.insert("amr".into(), person.amr.clone().into());
        entry.facts.insert("auth_time".into(), person.auth_time.into());
        entry.facts.insert("shown_at_ms".into(), decision.factor.as_ref().map(|f| f.shown_at_ms).into());
        Ok(entry)
    }

    /// Ends a submission that is not what it was. That it moved on meanwhile is no harm: then somebody else ended it.
    async fn void(&self, change: &Change, error: &Error) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let trouble = Trouble {
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            detail: error.refusal().details.clone().unwrap_or_default(),
        };
        let void = |change: &mut Change| {
            change.become_state(State::Voided, now_ms, "What was submitted is not what stands now.")?;
            change.trouble = Some(trouble.clone());
            Ok(((), Vec::new()))
        };
        match self.book().update(&change.id, void).await {
            Err(error) if error.code() != "change_state" => Err(error),
            _ => Ok(()),
        }
    }

    /// Starts the run of an approved change. The decision stands whatever becomes of it: a start that fails is made up for by
    /// [`Changes::start_approved`].
    async fn start_run(&self, id: &ChangeId) {
        let started = match self.starter() {
            Ok(starter) => starter.start(id).await,
            Err(error) => Err(error),
        };
        if let Err(error) = started {
            tracing::warn!(change.id = %id, error.code = error.code(), "an approved change was not started; it will be");
        }
    }

    /// Starts the runs of all approved changes: after a start of the platform, which may have ended between an approval and
    /// the start of its run. Says how many there were.
    pub async fn start_approved(&self) -> Result<usize, Error> {
        let (mut count, mut after) = (0, None::<ChangeId>);
        loop {
            let page = self.book().in_state(State::Approved, after.as_ref(), 500).await?;
            for kept in &page {
                self.starter()?.start(&kept.change.id).await?;
            }
            count += page.len();
            after = page.last().map(|kept| kept.change.id.clone());
            if page.len() < 500 {
                return Ok(count);
            }
        }
    }
}

const fn action_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "change.approval",
        Verdict::Reject => "change.rejection",
    }
}
