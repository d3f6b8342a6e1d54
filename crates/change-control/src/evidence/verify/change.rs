//! What a change has to be in itself: its states follow each other, the plan is the one of its hash, people approved exactly this
//! submission, the grant holds only that, and nothing was sent beyond it.

use std::collections::{BTreeMap, BTreeSet};

use platform::canonical;
use platform::keys::PublicKey;

use super::log::Log;
use super::{Checks, read};
use crate::evidence::account::{
    APPROVALS, ATTEMPTS, Account, CHANGE, DEVICES, GRANT, PLAN, SUBMISSION, Sent, Submitted,
};
use crate::evidence::archive::Files;
use crate::evidence::manifest::Manifest;
use crate::gate::keys::GRANT as SIGNED_FOR;
use crate::model::approval::{Approval, Verdict};
use crate::model::attempt::Direction;
use crate::model::change::DeviceProgress;
use crate::model::grant::SignedGrant;
use crate::model::plan::{PlannedUndo, PublicPlan, plan_hash};
use crate::model::state::State;

pub(super) fn examine(files: &Files, manifest: &Manifest, keys: &[PublicKey], log: &Log, checks: &mut Checks) {
    let account: Account = match read(files, CHANGE) {
        Ok(Some(account)) => account,
        Ok(None) => return checks.failed("states", format!("`{CHANGE}` is missing.")),
        Err(wrong) => return checks.failed("states", wrong),
    };
    states(&account, manifest, checks);
    let plan = planned(files, &account, checks);
    let submitted = submitted(files, &account, checks);
    let approvals = approved(files, &account, submitted.as_ref(), checks);
    let grant = granted(files, &account, submitted.as_ref(), &approvals, keys, checks);
    attempted(files, plan.as_ref(), grant.as_ref(), log, checks);
}

fn states(account: &Account, manifest: &Manifest, checks: &mut Checks) {
    let mut wrong = Vec::new();
    if account.id != manifest.change || account.state != manifest.state {
        wrong.push("The account is of another change than the manifest.".to_owned());
    }
    let mut at: Option<State> = None;
    for step in &account.history {
        let follows = at.map_or(step.to == State::Planning, |before| before.may_become(step.to));
        if !follows {
            let before = at.map_or("nothing", State::as_str);
            wrong.push(format!("A change cannot become {} after {before}.", step.to));
        }
        at = Some(step.to);
    }
    if at != Some(account.state) || !account.state.is_terminal() {
        wrong.push(format!("Its history does not end where it is said to have ended, {}.", account.state));
    }
    checks.settle(
        "states",
        wrong,
        format!("{} states, each of which may follow the one before", account.history.len()),
    );
}

fn planned(files: &Files, account: &Account, checks: &mut Checks) -> Option<PublicPlan> {
    match (read::<PublicPlan>(files, PLAN), &account.plan_hash) {
        (Ok(Some(plan)), Some(hash)) => {
            let found = plan_hash(&plan).unwrap_or_default();
            if found != *hash || plan.change != account.id.as_str() {
                checks.failed("plan", format!("The public plan has the hash {found}, and the change names {hash}."));
                return None;
            }
            checks.passed("plan", format!("the public plan has the hash {hash}"));
            return Some(plan);
        }
        (Ok(None), None) => checks.not_checked("plan", "No plan came of it."),
        (Ok(Some(_)), None) => checks.failed("plan", "There is a plan that the change does not name."),
        (Ok(None), Some(_)) => checks.failed("plan", format!("`{PLAN}` is missing.")),
        (Err(wrong), _) => checks.failed("plan", wrong),
    }
    None
}

fn submitted(files: &Files, account: &Account, checks: &mut Checks) -> Option<Submitted> {
    let was = went_through(account, State::Submitted);
    match read::<Submitted>(files, SUBMISSION) {
        Ok(Some(submitted)) => {
            let mut wrong = Vec::new();
            if submitted.submission.digest().ok().as_ref() != Some(&submitted.digest) {
                wrong.push("The digest of the submission is not the one that is named.".to_owned());
            }
            if account.plan_hash.as_ref() != Some(&submitted.submission.plan) {
                wrong.push("What was handed in is another plan.".to_owned());
            }
            if !was {
                wrong.push("There is a submission of a change that was never handed in.".to_owned());
            }
            checks.settle("submission", wrong, format!("it binds the plan, and has the digest {}", submitted.digest));
            return Some(submitted);
        }
        Ok(None) if was => checks.failed("submission", format!("`{SUBMISSION}` is missing.")),
        Ok(None) => checks.not_checked("submission", "It was never handed in for approval."),
        Err(wrong) => checks.failed("submission", wrong),
    }
    None
}

fn approved(files: &Files, account: &Account, submitted: Option<&Submitted>, checks: &mut Checks) -> Vec<Approval> {
    let decisions: Vec<Approval> = match read(files, APPROVALS) {
        Ok(decisions) => decisions.unwrap_or_default(),
        Err(wrong) => {
            checks.failed("approvals", wrong);
            return Vec::new();
        }
    };
    let mut wrong = Vec::new();
    let actors: BTreeSet<&str> = account.requester.actors.iter().map(|actor| actor.subject.as_str()).collect();
    for (at, decision) in decisions.iter().enumerate() {
        let who = &decision.approver;
        if submitted.is_none_or(|submitted| submitted.digest != decision.submission) {
            wrong.push(format!("What {} decided about is another submission.", who.name));
        }
        if decision.verdict == Verdict::Reject {
            continue;
        }
        if who.is_same_person(&account.requester.who) || actors.contains(who.subject.as_str()) {
            wrong.push(format!("{} asked for the change and approved it.", who.name));
        }
        if decision.auth_time < decision.shown_at_ms.div_euclid(1_000) {
            wrong.push(format!("{} passed no factor after the plan was shown.", who.name));
        }
        if decisions.iter().take(at).any(|other| other.approver.is_same_person(who)) {
            wrong.push(format!("{} decided twice.", who.name));
        }
        let needed = account.approvers.iter().flat_map(|needed| &needed.groups);
        if !needed.clone().any(|group| decision.groups.contains(group)) {
            wrong.push(format!("{} is in none of the groups that had to approve.", who.name));
        }
    }
    let approvals: Vec<Approval> = decisions.into_iter().filter(|d| d.verdict == Verdict::Approve).collect();
    let needed = account.approvers.as_ref().map_or(1, |needed| needed.count);
    if went_through(account, State::Approved) && u32::try_from(approvals.len()).unwrap_or(u32::MAX) < needed {
        wrong.push(format!("It needed {needed} approvals and has {}.", approvals.len()));
    }
    match (wrong.is_empty(), approvals.is_empty()) {
        (true, true) => checks.not_checked("approvals", "Nobody approved it, and nothing says that somebody did."),
        _ => {
            let by: Vec<&str> = approvals.iter().map(|approval| approval.approver.name.as_str()).collect();
            let right = format!("{} of {needed}, each of this submission, by {}", approvals.len(), by.join(", "));
            checks.settle("approvals", wrong, right);
        }
    }
    approvals
}

fn granted(
    files: &Files,
    account: &Account,
    submitted: Option<&Submitted>,
    approvals: &[Approval],
    keys: &[PublicKey],
    checks: &mut Checks,
) -> Option<SignedGrant> {
    let was = went_through(account, State::Approved);
    let signed: SignedGrant = match read(files, GRANT) {
        Ok(Some(signed)) => signed,
        Ok(None) if was => {
            checks.failed("grant", format!("`{GRANT}` is missing."));
            return None;
        }
        Ok(None) => {
            checks.not_checked("grant", "It was not approved, so that there is none.");
            return None;
        }
        Err(wrong) => {
            checks.failed("grant", wrong);
            return None;
        }
    };
    let mut wrong = Vec::new();
    let grant = &signed.grant;
    let binds = submitted.is_some_and(|s| s.digest == grant.submission && s.submission.window == grant.window);
    if grant.change != account.id.as_str() || !binds || account.plan_hash.as_ref() != Some(&grant.plan) {
        wrong.push("The grant is for something else than what was handed in.".to_owned());
    }
    if grant.approvals != approvals || grant.requester != account.requester {
        wrong.push("The grant names other people than those who asked and approved.".to_owned());
    }
    let bytes = canonical::to_bytes(grant).unwrap_or_default();
    if keys.is_empty() && wrong.is_empty() {
        checks.not_checked("grant", "It binds submission and approvals; no public key is at hand for its signature.");
        return Some(signed);
    }
    if !keys.is_empty() && !keys.iter().any(|key| key.verifies(SIGNED_FOR, &bytes, &signed.signature)) {
        wrong.push("The grant is signed by no key that is relied on.".to_owned());
    }
    checks.settle("grant", wrong, "signed, for this submission and these approvals");
    Some(signed)
}

fn attempted(files: &Files, plan: Option<&PublicPlan>, grant: Option<&SignedGrant>, log: &Log, checks: &mut Checks) {
    let sent: Vec<Sent> = match read(files, ATTEMPTS) {
        Ok(sent) => sent.unwrap_or_default(),
        Err(wrong) => return checks.failed("attempts", wrong),
    };
    let devices: BTreeMap<String, DeviceProgress> = match read(files, DEVICES) {
        Ok(devices) => devices.unwrap_or_default(),
        Err(wrong) => return checks.failed("attempts", wrong),
    };
    let mut wrong = Vec::new();
    for (device, progress) in &devices {
        for (direction, count) in &progress.attempts {
            let there = sent.iter().filter(|s| s.device_id == *device && s.direction == *direction);
            if there.count() < usize::try_from(*count).unwrap_or(usize::MAX) {
                wrong.push(format!("{device} has {count} attempts {}, and fewer are here.", direction.as_str()));
            }
        }
    }
    for attempt in &sent {
        let device = &attempt.device_id;
        if grant.is_none_or(|signed| !signed.grant.targets.contains(device)) {
            wrong.push(format!("{device} was written to and is not in the grant."));
        }
        let planned = plan.and_then(|plan| plan.device(device)).and_then(|planned| match attempt.direction {
            Direction::Forward => Some(&planned.carrier),
            Direction::Undo => match &planned.undo {
                PlannedUndo::Generated { carrier, .. } => Some(carrier),
                PlannedUndo::None { .. } => None,
            },
        });
        if planned != Some(&attempt.carrier) {
            wrong.push(format!("What was sent to {device} is not what the plan holds."));
        }
        // One that was announced and never sent has no call.
        let never_sent = attempt.handle.is_none();
        let called = log.calls.get(&attempt.call_id).map_or(0, Vec::len);
        if log.there && called == 0 && !never_sent {
            wrong.push(format!("The audit log has no call {} to {device}.", attempt.call_id));
        }
    }
    match (wrong.is_empty(), sent.is_empty()) {
        (true, true) => checks.passed("attempts", "no device was written to"),
        _ => checks.settle("attempts", wrong, format!("{} writes, each planned, granted and on record", sent.len())),
    }
}

fn went_through(account: &Account, state: State) -> bool {
    account.history.iter().any(|step| step.to == state)
}
