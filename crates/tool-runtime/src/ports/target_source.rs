//! Which devices a system knows, and what it knows of each: the target directory refreshes its index from these and joins
//! them by serial number (T17).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port_tool;
use crate::tool::{Tool, ToolCx, ToolSpec};

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
    /// A page of all devices, from position `offset`; 0 is the first one, and each page says where the next one begins.
    ///
    /// Rows with one id are put together: what an earlier one says stays, and a later one fills in what it leaves out. So a
    /// system that says serial numbers in one list and sites in another can go through both.
    async fn targets(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error>;
}

/// The port's tool.
pub const LIST_TARGETS: &str = "port_list_targets";

/// Most rows of one source: beyond it something is wrong with its paging.
const MOST_ROWS: usize = 200_000;

/// Nothing is asked.
#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// All rows of one source.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TargetList {
    /// The rows.
    pub(crate) rows: Vec<TargetRow>,
}

/// Its tools.
pub(crate) fn tools(port: &Arc<dyn TargetSource>) -> Vec<Arc<dyn Tool>> {
    let spec = ToolSpec::new::<Nothing, TargetList>(
        LIST_TARGETS,
        "List targets",
        "Reads all devices for the target directory of the platform.",
    )
    .timeout(Duration::from_secs(300));
    vec![port_tool(port, spec, |port, cx, Nothing {}| async move { all(port.as_ref(), &cx).await })]
}

async fn all(port: &dyn TargetSource, cx: &ToolCx) -> Result<TargetList, Error> {
    let (mut rows, mut offset) = (Vec::new(), 0);
    loop {
        let page = port.targets(cx, offset).await?;
        rows.extend(page.rows);
        match page.next {
            None => return Ok(TargetList { rows }),
            Some(next) if next > offset && rows.len() <= MOST_ROWS => offset = next,
            Some(_) => {
                let why = "The list of devices does not end; an operator finds the details in the log.";
                return Err(Error::new(ErrorKind::Upstream, "result_invalid", why)
                    .with_detail(format!("{} rows at position {offset}", rows.len())));
            }
        }
    }
}
