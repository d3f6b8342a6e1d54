//! Step-up and change grant: unmet obligations become a refusal with the next step (T4, T11). What Rego reports as met
//! is verified again here for `disruptive` and `control`; this stage can only refuse.

use std::sync::Arc;

use platform::policy::{Effect, Risk};
use platform::principal::PrincipalKind;
use platform::{CallContext, Error, ErrorKind};

use super::Pipeline;
use super::authorise::Authorised;
use super::validate::Validated;

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
        if matches!(call.tool.risk, Risk::Disruptive | Risk::Control) && authorised.single_use().is_none() {
            return Err(step_up(road, cx, call).await?);
        }
        return Ok(authorised);
    }
    if unmet.contains(&"change") {
        return Err(change_required(road, &unmet));
    }
    if unmet.contains(&"step_up") {
        return Err(step_up(road, cx, call).await?);
    }
    Err(Error::new(
        ErrorKind::Unmet,
        "obligation_unmet",
        "Policy asks for something that this platform cannot offer yet. An operator has to look at the policy.",
    )
    .with_detail(unmet.join(", ")))
}

async fn step_up(road: &Pipeline, cx: &CallContext, call: &Validated) -> Result<Error, Error> {
    if cx.principal.kind != PrincipalKind::Person {
        return Ok(Error::new(
            ErrorKind::Unmet,
            "step_up_required",
            "This tool needs a person who passes a second factor; a client on its own cannot do that.",
        )
        .with_unmet("step_up", "A person signs in and makes the call."));
    }
    let (tool, server) = (&call.tool, &call.tool.server.name);
    let id = road.elevations.request(&cx.principal, server, tool.name(), tool.risk, &call.digest).await?;
    let url = format!("{}/elevate/{id}", road.parts.base);
    Ok(Error::new(
        ErrorKind::Unmet,
        "step_up_required",
        format!(
            "`{}` on `{server}` needs a fresh second factor. Open the link, pass it, and repeat the same call.",
            tool.name()
        ),
    )
    .with_unmet("step_up", "Open the link in a browser and pass the second factor; it then holds for 15 minutes.")
    .with_url(url))
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
