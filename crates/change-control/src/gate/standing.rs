//! What policy says of a change as a whole: who must approve it, and whether its run may still go on (T16, T18). The question
//! is the one that the road asks for each forward step.

use std::collections::BTreeSet;

use platform::context::{LOCAL_SOURCE, Protocol, RequestId};
use platform::policy::{
    ChangeFacts, Decision, DecisionInput, Effect, PrincipalFacts, Risk, ServerFacts, TargetFacts, ToolFacts,
};
use platform::{Error, ErrorKind, Json};
use tool_runtime::ports::config_changer::APPLY;

use super::invalid;
use super::verified::standing;
use crate::changes::Changes;
use crate::model::change::{ApproversNeeded, Change};
use crate::model::plan::{DevicePlan, PublicPlan};

impl Changes {
    /// Who must approve a planned change, and how many: policy is asked about the forward step of each device, and what holds
    /// for all of them together holds. Errors: `change_state` without a plan, `denied` where the requester may not change this
    /// at all, `policy_unavailable`, those of the store.
    pub async fn approvers_needed(&self, change: &Change) -> Result<ApproversNeeded, Error> {
        let plan = self.book().plan(&change.id).await?.ok_or_else(|| {
            Error::new(ErrorKind::Conflict, "change_state", format!("A change that is {} has no plan.", change.state))
        })?;
        let mut needed: Option<ApproversNeeded> = None;
        for device in &plan.devices {
            let decision = self.parts.policy.decide(&self.question(change, &plan, device, None)).await?;
            if decision.effect == Effect::Deny {
                return Err(denied(&decision));
            }
            let of_this = approvers(&decision).ok_or_else(|| invalid("policy names no approvers"))?;
            needed = Some(match needed {
                None => of_this,
                Some(before) => both(before, of_this),
            });
        }
        needed.ok_or_else(|| invalid("a plan without devices"))
    }

    /// Whether the run of a change may go on with forward steps: its grant verifies, nobody's account or group was ended, and
    /// the policy of now still allows every device of it. The window is the run's own question. Errors: what refuses it
    /// (`grant_invalid`, `grant_mismatch`, `grant_revoked`, `denied`), or what could not be asked (kind `Unavailable`).
    pub async fn still_allowed(&self, change: &Change) -> Result<(), Error> {
        let verified = self.verified(&change.id).await?;
        standing(self.parts.floors.as_ref(), &verified.grant)?;
        let facts = super::covers::facts(&verified);
        for device in &verified.plan.devices {
            let input = self.question(&verified.change, &verified.plan, device, Some(facts.clone()));
            let decision = self.parts.policy.decide(&input).await?;
            if !decision.allow {
                return Err(denied(&decision));
            }
        }
        Ok(())
    }

    /// Whether the requester or an approver has lost what the change rests on (T3), also before there is a grant.
    pub fn revoked_since(&self, change: &Change) -> bool {
        let floors = self.parts.floors.as_ref();
        match &change.grant {
            Some(signed) => standing(floors, &signed.grant).is_err(),
            None => {
                let requester = &change.requester;
                let (who, at) = (&requester.who, requester.token.issued_at);
                floors.is_ended(&who.issuer, &who.subject, &requester.groups, at)
            }
        }
    }

    /// The forward step of a device, as the road would ask about it.
    fn question(
        &self,
        change: &Change,
        plan: &PublicPlan,
        device: &DevicePlan,
        facts: Option<ChangeFacts>,
    ) -> DecisionInput {
        let principal = change.requester.principal();
        let risk = device.risk.max(Risk::Change);
        DecisionInput {
            groups: principal.groups.clone(),
            resource: plan.instance.connector.clone(),
            action: risk.action(),
            principal: PrincipalFacts::from(&principal),
            server: ServerFacts {
                name: plan.instance.name.clone(),
                connector: plan.instance.connector.clone(),
                environment: plan.instance.environment.clone(),
            },
            tool: ToolFacts { name: APPLY.to_owned(), risk },
            arguments: serde_json::json!({
                "device_id": device.device_id, "change": change.id, "carrier": device.carrier, "params": device.params,
            }),
            targets: vec![target(device)],
            change: facts,
            elevation: None,
            now: self.parts.clock.epoch_seconds(),
            source: LOCAL_SOURCE.to_string(),
            protocol: Protocol::Internal.as_str().to_owned(),
            request_id: RequestId::mint().to_string(),
        }
    }
}

fn target(device: &DevicePlan) -> TargetFacts {
    TargetFacts {
        kind: "device".to_owned(),
        id: device.device_id.clone(),
        name: device.hostname.clone(),
        serials: device.serials.clone(),
        site: device.site.clone(),
        role: device.role.clone(),
        redundancy_group: device.redundancy_group.clone(),
        ci: device.ci.clone(),
        source: "plan".to_owned(),
        age_s: 0,
    }
}

/// The obligation `approvers {groups, count}`.
fn approvers(decision: &Decision) -> Option<ApproversNeeded> {
    let named = &decision.obligations.get("approvers")?.parameters;
    let groups = named.get("groups")?.as_array()?;
    let groups: Option<Vec<String>> = groups.iter().map(|group| group.as_str().map(str::to_owned)).collect();
    let count = named.get("count").and_then(Json::as_u64)?;
    Some(ApproversNeeded { groups: groups?, count: u32::try_from(count).ok()?.max(1) })
}

/// What is enough for two devices: groups that may approve both, and the larger number.
fn both(one: ApproversNeeded, other: ApproversNeeded) -> ApproversNeeded {
    let groups: BTreeSet<String> = other.groups.into_iter().collect();
    let groups = one.groups.into_iter().filter(|group| groups.contains(group)).collect();
    ApproversNeeded { groups, count: one.count.max(other.count) }
}

fn denied(decision: &Decision) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "denied",
        "Policy does not allow this call for you. `explain_refusal` on the server `interlock` gives the reasons.",
    )
    .with_detail(decision.reasons.join(", "))
}
