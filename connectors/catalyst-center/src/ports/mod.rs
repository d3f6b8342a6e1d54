//! What change control asks of Catalyst Center. One value implements the ports; each has its file.
//!
//! Where to go next: [`reader`] for live configurations, [`changer`] for render, apply and poll, [`staging`] for texts that
//! are committed ahead, [`reconcile`] for attempts whose end nobody heard, [`probe`] for observations,
//! [`templates`] for versions.

mod changer;
mod literal;
mod probe;
mod reader;
mod reconcile;
mod staging;
mod templates;

use std::sync::Arc;

use platform::Error;
use tool_runtime::{Ports, ToolCx};

use crate::client::Api;
use crate::model::Device;
use crate::tools::devices;
use crate::tools::target_source::Inventory;

/// The ports, over one API.
struct CenterPorts {
    api: Arc<Api>,
}

/// All of them.
pub(crate) fn all(api: &Arc<Api>) -> Ports {
    let ports = Arc::new(CenterPorts { api: Arc::clone(api) });
    Ports {
        config_reader: Some(Arc::clone(&ports) as _),
        config_changer: Some(Arc::clone(&ports) as _),
        template_source: Some(Arc::clone(&ports) as _),
        state_probe: Some(ports),
        target_source: Some(Arc::new(Inventory(Arc::clone(api)))),
        ..Ports::default()
    }
}

impl CenterPorts {
    /// A device, and the platform that its configuration is written in.
    async fn configured(&self, cx: &ToolCx, id: &str) -> Result<(Device, device_config::Platform), Error> {
        let device = devices::device(&self.api, cx, id).await?;
        let platform = devices::platform_of(&device)?;
        Ok((device, platform))
    }
}
