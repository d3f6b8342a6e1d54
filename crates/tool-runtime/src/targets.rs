//! Facts about targets: the connector's live look-up, kept for 60 seconds (T6, T31). What the target system does not
//! know is refused, whatever the tool.

use std::sync::Arc;
use std::time::Duration;

use platform::policy::TargetFacts;
use platform::{Error, Json};

use crate::catalogue::RegisteredTool;
use crate::tool::ToolCx;

/// How long a looked-up fact is served again.
const FRESH: Duration = Duration::from_secs(60);
/// Most distinct targets one call may name.
const MOST: usize = 50;

#[derive(Clone)]
struct Known {
    facts: TargetFacts,
    read_at: i64,
}

/// Looks targets up and remembers them for a minute.
pub(crate) struct TargetDirectory {
    known: moka::sync::Cache<(String, &'static str, String), Known>,
}

impl Default for TargetDirectory {
    fn default() -> Self {
        Self { known: moka::sync::Cache::builder().max_capacity(50_000).time_to_live(FRESH).build() }
    }
}

impl TargetDirectory {
    /// What a tool's arguments name: (kind, id) pairs in the order of the tool's declaration.
    pub(crate) fn named(tool: &RegisteredTool, arguments: &Json) -> Vec<(&'static str, String)> {
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
        named.truncate(MOST + 1);
        named
    }

    /// Facts already known of all `named` targets, or `None` when one must be looked up.
    pub(crate) fn known(
        &self,
        tool: &RegisteredTool,
        named: &[(&'static str, String)],
        now: i64,
    ) -> Option<Arc<[TargetFacts]>> {
        named.iter().map(|(kind, id)| self.get(tool, kind, id, now)).collect::<Option<Vec<_>>>().map(Arc::from)
    }

    fn get(&self, tool: &RegisteredTool, kind: &'static str, id: &str, now: i64) -> Option<TargetFacts> {
        let known = self.known.get(&(tool.server.name.clone(), kind, id.to_owned()))?;
        let age_s = now - known.read_at;
        // The lab moves its clock: an old fact is old by the platform's time, not only by the cache's.
        (0..=60).contains(&age_s).then_some(TargetFacts { age_s, ..known.facts })
    }

    /// Looks up what is not known. `cx` carries the instance's credential.
    pub(crate) async fn look_up(
        &self,
        tool: &RegisteredTool,
        named: &[(&'static str, String)],
        cx: &ToolCx,
    ) -> Result<Arc<[TargetFacts]>, Error> {
        if named.len() > MOST {
            return Err(Error::new(
                platform::ErrorKind::InvalidInput,
                "too_many_targets",
                format!("A call may name at most {MOST} targets; split it."),
            ));
        }
        let mut all = Vec::with_capacity(named.len());
        for (kind, id) in named {
            let now = cx.clock.epoch_seconds();
            if let Some(facts) = self.get(tool, kind, id, now) {
                all.push(facts);
                continue;
            }
            let facts = tool.connector.look_up(cx, kind, id).await?;
            let known = Known { facts: facts.clone(), read_at: now };
            self.known.insert((tool.server.name.clone(), *kind, id.clone()), known);
            all.push(facts);
        }
        Ok(all.into())
    }
}
