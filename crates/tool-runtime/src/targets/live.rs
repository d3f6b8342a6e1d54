//! Facts from the target system itself (T6): the connector's live look-up, kept for 60 seconds. What the target system does
//! not know is refused, whatever the tool. Next: `pipeline/targets.rs` for when a look-up is made at all.

use std::time::Duration;

use platform::Error;
use platform::policy::TargetFacts;

use crate::catalogue::RegisteredTool;
use crate::tool::ToolCx;

/// How long a looked-up fact is served again.
const FRESH: Duration = Duration::from_secs(60);
/// The same in seconds of the platform's clock.
pub(crate) const FRESH_S: i64 = 60;

#[derive(Clone)]
struct Known {
    facts: TargetFacts,
    read_at: i64,
}

/// Looks targets up and remembers them for a minute.
pub(crate) struct LiveFacts {
    known: moka::sync::Cache<(String, &'static str, String), Known>,
}

impl Default for LiveFacts {
    fn default() -> Self {
        Self { known: moka::sync::Cache::builder().max_capacity(50_000).time_to_live(FRESH).build() }
    }
}

impl LiveFacts {
    /// What was looked up within the last minute.
    pub(crate) fn known(&self, server: &str, kind: &'static str, id: &str, now: i64) -> Option<TargetFacts> {
        let known = self.known.get(&(server.to_owned(), kind, id.to_owned()))?;
        let age_s = now - known.read_at;
        // The lab moves its clock: an old fact is old by the platform's time, not only by the cache's.
        (0..=FRESH_S).contains(&age_s).then_some(TargetFacts { age_s, ..known.facts })
    }

    /// Looks up what is not known. `cx` carries the instance's credential.
    pub(crate) async fn look_up(
        &self,
        tool: &RegisteredTool,
        kind: &'static str,
        id: &str,
        cx: &ToolCx,
    ) -> Result<TargetFacts, Error> {
        let now = cx.clock.epoch_seconds();
        if let Some(facts) = self.known(&tool.server.name, kind, id, now) {
            return Ok(facts);
        }
        let facts = tool.connector.look_up(cx, kind, id).await?;
        let known = Known { facts: facts.clone(), read_at: now };
        self.known.insert((tool.server.name.clone(), kind, id.to_owned()), known);
        Ok(facts)
    }
}
