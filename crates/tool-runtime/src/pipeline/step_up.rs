//! Step-up and change grant: unmet obligations become a refusal with the next step (T4, T11). What Rego reports as met
//! is verified again here for `disruptive` and `control`; this stage can only refuse.

use std::sync::Arc;

use platform::policy::{Effect, Risk};
use platform::principal::PrincipalKind;
use platform::{CallContext, Error, ErrorKind, Json};
use serde_json::json;

use super::authorise::{Authorised, STEP_UP};
use super::validate::Validated;
use super::{Pipeline, change};
use crate::change_gate::Covered;
use crate::elevation::{ELEVATION_S, shown, single_use};

/// The code of the refusal.
const CODE: &str = "step_up_required";
/// The way to meet it without an elevation.
const FRESH_TOKEN: &str = "fresh_token";

pub(super) async fn require(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    call: &Validated,
    authorised: Authorised,
) -> Result<Authorised, Error> {
    let decision = authorised.decision();
    let consistent = decision.allow == (decision.effect == Effect::Allow);
    let unmet: Vec<&str> = decision.obligations.iter().filter(|(_, o)| !o.met).map(|(name, _)| name.as_str()).collect();
    if decision.allow && consistent && unmet.is_empty() {
        // A guard of our own (T8): whatever a policy says, these never run without a single-use elevation.
        let risk = authorised.covered().map_or(call.tool.risk, |c| call.tool.risk.max(c.risk));
        match authorised.covered() {
            Some(covered) => proven(road, risk, covered)?,
            None if single_use(risk) && authorised.single_use().is_none() => {
                return Err(step_up(road, cx, call, &authorised).await?);
            }
            None => {}
        }
        return Ok(authorised);
    }
    if unmet.contains(&"change") {
        let refusal = change_required(road, &unmet);
        return Err(change::with_next(road, cx, call, &authorised, refusal));
    }
    if unmet.contains(&STEP_UP) {
        return Err(step_up(road, cx, call, &authorised).await?);
    }
    Err(Error::new(
        ErrorKind::Unmet,
        "obligation_unmet",
        "Policy asks for something that this platform cannot offer yet. An operator has to look at the policy.",
    )
    .with_detail(unmet.join(", ")))
}

/// The same guard for a run (T8, T16): nobody is there to pass a second factor, and the approvers have passed one. How many
/// it takes at least, whatever policy says; and the clock is read again.
fn proven(road: &Pipeline, risk: Risk, covered: &Covered) -> Result<(), Error> {
    let at_least = match risk {
        Risk::Read | Risk::Probe | Risk::Record => return Ok(()),
        Risk::Change => 1,
        Risk::Disruptive => 2,
        // Governing is a person's own act, whoever approved what.
        Risk::Control => u32::MAX,
    };
    if covered.facts.proven_approvers < at_least {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "grant_invalid",
            "The change's grant does not hold: its signature, its approvals or its key are not what they have to be.",
        )
        .with_detail(format!("{} proven approvers of {at_least}", covered.facts.proven_approvers)));
    }
    if covered.until.is_some_and(|until| road.parts.clock.epoch_seconds() >= until) {
        return Err(Error::new(
            ErrorKind::Unmet,
            "grant_expired",
            "The time in which the change may do this is over, or has not begun.",
        ));
    }
    Ok(())
}

async fn step_up(road: &Pipeline, cx: &CallContext, call: &Validated, authorised: &Authorised) -> Result<Error, Error> {
    if cx.principal.kind != PrincipalKind::Person {
        return Ok(Error::new(
            ErrorKind::Unmet,
            CODE,
            "This tool needs a person who passes a second factor; a client on its own cannot do that.",
        )
        .with_unmet(STEP_UP, "A person signs in and makes the call."));
    }
    let wanted = call.wanted();
    let shown = shown::of_call(authorised.targets(), &call.arguments, &call.tool.published_input);
    let id = road.elevations.request(cx, &wanted, shown).await?;
    let how = match single_use(wanted.risk) {
        true => "Open the link in a browser and pass the second factor; it is then good for this one call.",
        false => "Open the link in a browser and pass the second factor; it then holds for 15 minutes.",
    };
    Ok(Error::new(
        ErrorKind::Unmet,
        CODE,
        format!(
            "`{}` on `{}` needs a fresh second factor. Open the link, pass it, and repeat the same call.",
            wanted.tool, wanted.server
        ),
    )
    .with_unmet(STEP_UP, how)
    .with_url(format!("{}/elevate/{id}", road.parts.base))
    .with_details(json!({ "by": by(authorised, wanted.risk), "max_age_s": ELEVATION_S })))
}

/// By what the step-up can be met: `elevation` always, `fresh_token` where policy says that a token with a fresh second
/// factor is enough. For one call it never is (T4), whatever policy says.
fn by(authorised: &Authorised, risk: Risk) -> Vec<&'static str> {
    let parameters = authorised.decision().obligations.get(STEP_UP).map(|o| &o.parameters);
    let named = parameters.and_then(|p| p.get("by")).and_then(Json::as_array);
    let token = named.is_some_and(|by| by.iter().any(|way| way == FRESH_TOKEN)) && !single_use(risk);
    if token { vec!["elevation", FRESH_TOKEN] } else { vec!["elevation"] }
}

fn change_required(road: &Pipeline, unmet: &[&str]) -> Error {
    let mut refusal = Error::new(
        ErrorKind::Unmet,
        "change_required",
        "This call changes the network and needs an approved change that covers it.",
    )
    .with_url(format!("{}/errors/change_required", road.parts.base));
    for obligation in unmet {
        let message = match *obligation {
            "change" => "An approved change whose plan holds exactly this step.",
            "step_up" => "A fresh second factor.",
            _ => "See the policy.",
        };
        refusal = refusal.with_unmet(*obligation, message);
    }
    refusal
}
