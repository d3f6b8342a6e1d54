//! Observing the state of devices, for the checks before and after a change. Every observation says when its source saw it;
//! one that is not later than the device's last write is stale.

use std::sync::Arc;

use async_trait::async_trait;
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tool::{Tool, ToolCx};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckQuery {
    /// `interfaces`, `neighbors`, `reachability`, ….
    pub name: String,
    /// More about it; an object.
    #[serde(default)]
    pub of: Json,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The query's name.
    pub name: String,
    /// What the source said, normalised.
    pub value: Json,
    /// When the source saw it, milliseconds since the epoch.
    pub source_at_ms: i64,
    /// Not later than the device's last write: it says nothing about what that write did.
    pub stale: bool,
}

/// Observes devices.
#[async_trait]
pub trait StateProbe: Send + Sync + 'static {
    /// Observes one device; `last_write_ms` is when it was last written to, milliseconds since the epoch.
    async fn observe(
        &self,
        cx: &ToolCx,
        device_id: &str,
        queries: &[CheckQuery],
        last_write_ms: Option<i64>,
    ) -> Result<Vec<Observation>, Error>;
}

/// Its tools.
pub(crate) fn tools(_port: &Arc<dyn StateProbe>) -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
