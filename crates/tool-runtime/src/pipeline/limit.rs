//! Limits: the coarse one per principal and source before anything costs much, and the rates that policy obliges.

use platform::context::Protocol;
use platform::policy::Obligation;
use platform::shared::{RateLimit, Taken};
use platform::{CallContext, Error, ErrorKind, Json};

use super::Pipeline;
use super::authorise::Authorised;

/// Probes per minute that one change makes of one device: a plan makes five, and is made anew every ten seconds while something
/// fails (T31's budget of the server holds beside it).
const OF_A_CHANGE: u32 = 60;

/// Per principal and per source address.
pub(super) async fn coarse(road: &Pipeline, cx: &CallContext) -> Result<(), Error> {
    let limits = &road.parts.limits;
    match &cx.run {
        // An undo is never held up by a rate (T19); and what a person calls meanwhile does not count against their runs.
        Some(run) if run.undo => return Ok(()),
        Some(run) => return take(road, &format!("run|{}", run.change), limits.per_principal).await,
        None => {}
    }
    take(road, &format!("principal|{}", cx.principal.key()), limits.per_principal).await?;
    take(road, &format!("source|{}", cx.source), limits.per_source).await
}

/// The `rate` obligation: `{per_minute}` per target, or per principal where the tool names none. What change control reads to
/// plan a change or to run it is counted for that change alone: people who look at the same device do not delay it, nor does
/// it use up what is theirs.
pub(super) async fn obliged(road: &Pipeline, cx: &CallContext, authorised: &Authorised) -> Result<(), Error> {
    let Some(limit) = authorised.decision().obligations.get("rate").and_then(rate_of) else { return Ok(()) };
    let change = own_change(cx);
    let (whose, limit) = match change {
        Some(change) => (format!("rate|{change}"), at_least(limit, OF_A_CHANGE)),
        None => ("rate".to_owned(), limit),
    };
    if authorised.targets().is_empty() {
        return take(road, &format!("{whose}|{}", authorised.subject()), limit).await;
    }
    for target in authorised.targets().iter() {
        take(road, &format!("{whose}|{}|{}|{}", authorised.server(), target.kind, target.id), limit).await?;
    }
    Ok(())
}

/// The change that change control itself makes this call for: its run, or planning, which has none. No door calls as
/// [`Protocol::Internal`], so that nobody else is counted so by naming a change.
fn own_change(cx: &CallContext) -> Option<&str> {
    match &cx.run {
        Some(run) => Some(&run.change),
        None if cx.protocol == Protocol::Internal => cx.references.change.as_deref(),
        None => None,
    }
}

fn at_least(limit: RateLimit, per_minute: u32) -> RateLimit {
    RateLimit { per_minute: limit.per_minute.max(per_minute), burst: limit.burst.max(per_minute) }
}

fn rate_of(obligation: &Obligation) -> Option<RateLimit> {
    let per_minute = obligation.parameters.get("per_minute").and_then(Json::as_u64)?;
    let per_minute = u32::try_from(per_minute).unwrap_or(u32::MAX).max(1);
    Some(RateLimit { per_minute, burst: per_minute })
}

async fn take(road: &Pipeline, key: &str, limit: RateLimit) -> Result<(), Error> {
    match road.parts.shared.take(key, limit).await? {
        Taken::Granted => Ok(()),
        Taken::Limited { retry_after } => {
            road.parts.metrics.rate_limited();
            let message = format!("Too many calls; {} per minute are allowed here. Wait and repeat.", limit.per_minute);
            Err(Error::new(ErrorKind::RateLimited, "rate_limited", message).with_retry_after(retry_after))
        }
    }
}
