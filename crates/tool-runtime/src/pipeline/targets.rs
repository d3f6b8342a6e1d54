//! Targets: what the arguments name becomes verified facts before policy is asked. A target that the system does not
//! know is refused, and so is one that cannot be looked up.
//!
//! Devices come from the target directory where it covers their server. A read takes what the index knows, and looks up what it
//! does not know. `change` and above ask the device's own system where the index is older than a minute, and rest on nothing
//! that is contradicted, unread or old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::policy::{Risk, TargetFacts};
use platform::{CallContext, Error, ErrorKind, Json};

use super::validate::Validated;
use super::{Pipeline, lease};
use crate::artifacts::CallArtifacts;
use crate::catalogue::RegisteredTool;
use crate::connector::target_unknown;
use crate::targets::DEVICE;
use crate::targets::live::FRESH_S;
use crate::tool::ToolCx;

/// Most distinct targets one call may name.
const MOST: usize = 50;
/// A read takes older facts from the index only where the system itself does not answer, seconds.
const YOUNG_ENOUGH_S: i64 = crate::targets::STALE_S;
/// How long a change waits for an index that is being read.
const WAIT: Duration = Duration::from_secs(5);

pub(super) async fn load(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    call: &Validated,
) -> Result<Arc<[TargetFacts]>, Error> {
    let named = named(&call.tool, &call.arguments);
    if named.len() > MOST {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "too_many_targets",
            format!("A call may name at most {MOST} targets; split it."),
        ));
    }
    let mut looking = Looking { road, cx, call, look_up: None };
    let mut all = Vec::with_capacity(named.len());
    let covered = !named.is_empty() && road.directory.covers(&call.tool.server.name);
    for (kind, id) in &named {
        // An undo goes to the device that the run wrote to, whatever other systems say about it by now (T19); change control
        // compares its serial numbers with the plan's.
        let undo = cx.run.as_ref().is_some_and(|run| run.undo);
        let proof = (needs_proof(call.tool.risk) || call.tool.tool.spec().proven_targets) && !undo;
        all.push(match (covered && *kind == DEVICE, proof) {
            (false, _) => looking.up(kind, id).await?,
            (true, false) => looking.for_reading(id).await?,
            (true, true) => looking.for_change(id).await?,
        });
    }
    Ok(all.into())
}

/// What a tool's arguments name: (kind, id) pairs in the order of the tool's declaration.
fn named(tool: &RegisteredTool, arguments: &Json) -> Vec<(&'static str, String)> {
    let mut named = Vec::new();
    for target in tool.tool.spec().targets {
        match arguments.get(target.argument) {
            Some(Json::String(id)) => named.push((target.kind, id.clone())),
            Some(Json::Array(ids)) => {
                named.extend(ids.iter().filter_map(Json::as_str).map(|id| (target.kind, id.to_owned())));
            }
            _ => {}
        }
    }
    named
}

/// Whether a call of this class needs facts that are young and not contradicted (T6).
fn needs_proof(risk: Risk) -> bool {
    matches!(risk, Risk::Change | Risk::Disruptive | Risk::Control)
}

/// Looks targets up for one call; the credential is read when the first one is.
struct Looking<'a> {
    road: &'a Pipeline,
    cx: &'a Arc<CallContext>,
    call: &'a Validated,
    look_up: Option<ToolCx>,
}

impl Looking<'_> {
    fn now(&self) -> i64 {
        self.road.parts.clock.epoch_seconds()
    }

    /// Asks the target system itself.
    async fn up(&mut self, kind: &'static str, id: &str) -> Result<TargetFacts, Error> {
        let tool = &self.call.tool;
        if let Some(known) = self.road.live_facts.known(&tool.server.name, kind, id, self.now()) {
            return Ok(known);
        }
        let cx = match self.look_up.take() {
            Some(cx) => cx,
            None => self.context(lease::read_credential(self.road, tool).await?),
        };
        let facts = self.road.live_facts.look_up(tool, kind, id, &cx).await;
        self.look_up = Some(cx);
        facts
    }

    fn context(&self, lease: crate::connector::Lease) -> ToolCx {
        ToolCx {
            call: Arc::clone(self.cx),
            lease: Arc::new(lease),
            targets: Arc::from([]),
            deadline: self.cx.deadline.min(Instant::now() + self.call.tool.tool.spec().timeout),
            clock: Arc::clone(&self.road.parts.clock),
            secrets: Arc::default(),
            artifacts: CallArtifacts::none(),
            journal: None,
        }
    }

    async fn for_reading(&mut self, id: &str) -> Result<TargetFacts, Error> {
        let (directory, server) = (&self.road.directory, &self.call.tool.server.name);
        let indexed = directory.indexed(server, id, self.now());
        let young = directory.age_s(server, self.now()).is_some_and(|age_s| age_s <= YOUNG_ENOUGH_S);
        match indexed {
            Some(facts) if young => Ok(facts),
            indexed => match (self.up(DEVICE, id).await, indexed) {
                (Ok(live), _) => Ok(directory.joined(server, &live, self.now())),
                (Err(error), Some(facts)) if is_outage(&error) => Ok(facts),
                (Err(error), _) => Err(error),
            },
        }
    }

    async fn for_change(&mut self, id: &str) -> Result<TargetFacts, Error> {
        let (directory, server) = (&self.road.directory, &self.call.tool.server.name);
        let until = (Instant::now() + WAIT).min(self.cx.deadline);
        directory.made_usable(|| self.road.parts.clock.epoch_seconds(), until.into()).await;
        let just_read = directory.age_s(server, self.now()).is_some_and(|age_s| age_s <= FRESH_S);
        let live = match just_read && directory.indexed(server, id, self.now()).is_some() {
            true => None,
            false => match self.up(DEVICE, id).await {
                Ok(live) => Some(live),
                // What the index says then is checked for its age.
                Err(error) if is_outage(&error) && directory.indexed(server, id, self.now()).is_some() => None,
                Err(error) => return Err(error),
            },
        };
        let known = directory.for_change(server, id, live.as_ref(), self.now())?;
        known.ok_or_else(|| target_unknown(DEVICE, id))
    }
}

/// Whether the target system could not be asked, as opposed to what it answered.
fn is_outage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Upstream)
}
