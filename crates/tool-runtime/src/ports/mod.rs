//! What change control needs of a target system. A connector implements these traits and hands them out by
//! [`crate::Connector::ports`]; the functions of each become tools that no list shows, so that every use of them goes
//! through the pipeline (T13): [`crate::Pipeline::call_port`].
//!
//! A port never lets an unmasked configuration out of the process: it comes back as a reference to a sealed artifact (T27).
//!
//! Where to go next: [`client`] to use them, [`config_reader`], [`config_changer`], [`state_probe`], [`template_source`], [`change_records`],
//! [`target_source`].

pub mod change_records;
pub mod client;
pub mod config_changer;
pub mod config_reader;
pub mod state_probe;
pub mod target_source;
pub mod template_source;

use std::sync::Arc;

use platform::Error;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::change_records::ChangeRecords;
pub use self::client::PortClient;
pub use self::config_changer::ConfigChanger;
pub use self::config_reader::ConfigReader;
pub use self::state_probe::StateProbe;
pub use self::target_source::TargetSource;
pub use self::template_source::TemplateSource;
use crate::combinators::single;
use crate::tool::{TargetArgument, Tool, ToolCx, ToolSpec};

/// The ports that a connector has.
#[derive(Default, Clone)]
pub struct Ports {
    /// Reads running configurations from devices.
    pub config_reader: Option<Arc<dyn ConfigReader>>,
    /// Changes configurations of devices.
    pub config_changer: Option<Arc<dyn ConfigChanger>>,
    /// Knows the templates that lines are rendered from.
    pub template_source: Option<Arc<dyn TemplateSource>>,
    /// Observes the state of devices.
    pub state_probe: Option<Arc<dyn StateProbe>>,
    /// Keeps the records of changes: tickets, approvals, conflicts.
    pub change_records: Option<Arc<dyn ChangeRecords>>,
    /// Knows which devices there are, for the target directory.
    pub target_source: Option<Arc<dyn TargetSource>>,
}

impl Ports {
    /// The tools behind the ports, none of them listed.
    pub(crate) fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let mut tools = Vec::new();
        tools.extend(self.config_reader.iter().flat_map(config_reader::tools));
        tools.extend(self.config_changer.iter().flat_map(config_changer::tools));
        tools.extend(self.template_source.iter().flat_map(template_source::tools));
        tools.extend(self.state_probe.iter().flat_map(state_probe::tools));
        tools.extend(self.change_records.iter().flat_map(change_records::tools));
        tools.extend(self.target_source.iter().flat_map(target_source::tools));
        tools
    }
}

/// The argument by which a port names its device, so that facts, policy and limits know it.
const DEVICE: &[TargetArgument] = &[TargetArgument { argument: "device_id", kind: "device" }];

/// An unlisted tool out of a function of a port.
fn port_tool<P, A, R, F, Fut>(port: &Arc<P>, spec: ToolSpec, function: F) -> Arc<dyn Tool>
where
    P: ?Sized + Send + Sync + 'static,
    A: DeserializeOwned + Send + 'static,
    R: Serialize + JsonSchema + 'static,
    F: Fn(Arc<P>, ToolCx, A) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Error>> + Send + 'static,
{
    single(port, ToolSpec { listed: false, ..spec }, function)
}
