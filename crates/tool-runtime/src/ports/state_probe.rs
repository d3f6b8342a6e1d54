//! Observing the state of devices, for the checks before and after a change. Every observation says when its source saw it;
//! one that is not later than the device's last write is stale.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DEVICE, port_tool};
use crate::tool::{Tool, ToolCx, ToolSpec};

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

/// Arguments of [`OBSERVE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Observe {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
    /// What to look at.
    #[schemars(length(min = 1, max = 20))]
    pub(super) queries: Vec<CheckQuery>,
    /// When the device was last written to, milliseconds since the epoch.
    pub(super) last_write_ms: Option<i64>,
}

/// What was seen, in the order of the queries.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Observed {
    pub(super) observations: Vec<Observation>,
}

/// The tool behind [`StateProbe::observe`].
pub const OBSERVE: &str = "port_observe_device";

/// Its tools. Some queries ask the device itself, so that the operator's table holds all of them as a `probe` (T6).
pub(super) fn tools(port: &Arc<dyn StateProbe>) -> Vec<Arc<dyn Tool>> {
    let spec = ToolSpec::new::<Observe, Observed>(
        OBSERVE,
        "Observe a device",
        "Observes the state of one device, for the checks of change control.",
    )
    .targets(DEVICE)
    .timeout(Duration::from_secs(90));
    let observe = port_tool(port, spec, |port, cx, args: Observe| async move {
        let observations = port.observe(&cx, &args.device_id, &args.queries, args.last_write_ms).await?;
        Ok(Observed { observations })
    });
    vec![observe]
}
