//! Reading a device's running configuration, from the device itself and now (T15, T18).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DEVICE, port_tool};
use crate::artifacts::ArtifactReference;
use crate::tool::{Tool, ToolCx, ToolSpec};

/// A running configuration, sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SealedConfig {
    /// The target system's id of the device.
    pub device_id: String,
    /// `ios-xe`, `nx-os`, `ios-xr`, `asa`.
    pub platform: String,
    /// The unmasked text.
    pub artifact: ArtifactReference,
    /// When the device was read, by the platform's clock, milliseconds since the epoch.
    pub read_at_ms: i64,
    /// The time that the source itself gives for what it said, milliseconds since the epoch.
    pub source_at_ms: Option<i64>,
    /// SHA-256 of the canonical form, hexadecimal: volatile lines removed, order kept.
    pub sha256: String,
    /// The source had masked secrets before we saw them: a changed secret cannot be noticed.
    pub secrets_unseen: bool,
}

/// Reads running configurations.
#[async_trait]
pub trait ConfigReader: Send + Sync + 'static {
    /// Reads the running configuration of a device from the device itself; a stored copy is never an answer.
    async fn read_live(&self, cx: &ToolCx, device_id: &str) -> Result<SealedConfig, Error>;
}

/// Arguments of [`READ_LIVE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct ReadLive {
    /// The target system's id of the device.
    #[schemars(length(min = 1, max = 64))]
    pub(super) device_id: String,
}

/// The tool behind [`ConfigReader::read_live`].
pub const READ_LIVE: &str = "port_read_live_config";

/// Its tools. Reading touches the device, so that the operator's table holds it as a `probe` (T6).
pub(super) fn tools(port: &Arc<dyn ConfigReader>) -> Vec<Arc<dyn Tool>> {
    let spec = ToolSpec::new::<ReadLive, SealedConfig>(
        READ_LIVE,
        "Read a running configuration",
        "Reads the running configuration of one device from the device itself, for change control.",
    )
    .targets(DEVICE)
    .timeout(Duration::from_secs(90));
    let read_live =
        port_tool(port, spec, |port, cx, args: ReadLive| async move { port.read_live(&cx, &args.device_id).await });
    vec![read_live]
}
