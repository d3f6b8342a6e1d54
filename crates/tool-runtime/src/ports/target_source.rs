//! Which devices a system knows, and what it knows of each: the target directory refreshes its index from these and joins
//! them by serial number (T17).

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tool::{Tool, ToolCx};

/// What one system knows of a device. A stack is one device with several serial numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetRow {
    /// The system's immutable id: a device id of a controller, the `sys_id` of a configuration item.
    pub id: String,
    /// Serial numbers, of all members of a stack.
    pub serials: Vec<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Site hierarchy, `Global/USA/…`.
    pub site: Option<String>,
    /// Role in the network.
    pub role: Option<String>,
    /// Redundancy group.
    pub redundancy_group: Option<String>,
    /// Configuration item: set by a source that is a CMDB.
    pub ci: Option<String>,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TargetPage {
    /// The rows.
    pub rows: Vec<TargetRow>,
    /// Where the next page begins; nothing after the last one.
    pub next: Option<u64>,
}

/// Knows devices.
#[async_trait]
pub trait TargetSource: Send + Sync + 'static {
    /// A page of all devices, from position `offset`.
    async fn targets(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error>;
}

/// Its tools.
pub(crate) fn tools(_port: &Arc<dyn TargetSource>) -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
