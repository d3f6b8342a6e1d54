//! The connectors that exist, by the name that `[[server]]` uses.

use std::path::Path;
use std::sync::Arc;

use catalyst_center::CatalystCenter;
use platform::config::ServerConfig;
use platform::http::{OutboundObserver, TargetClient, TargetOptions};
use platform::{Error, ErrorKind, Result, SharedClock};
use servicenow::ServiceNow;
use tool_runtime::Connector;

/// The connector of one instance.
pub(crate) fn connect(
    server: &ServerConfig,
    clock: &SharedClock,
    observer: &Arc<dyn OutboundObserver>,
) -> Result<Arc<dyn Connector>> {
    match server.connector.as_str() {
        "catalyst-center" => Ok(Arc::new(CatalystCenter::new(target(server, observer)?, Arc::clone(clock)))),
        "servicenow" => {
            let field = server.plan_hash_field.as_deref();
            Ok(Arc::new(ServiceNow::new(target(server, observer)?, Arc::clone(clock), field)?))
        }
        other => Err(Error::new(
            ErrorKind::InvalidInput,
            "connector_unknown",
            format!(
                "The server `{}` names the connector `{other}`, which does not exist. There are: catalyst-center, servicenow.",
                server.name
            ),
        )),
    }
}

fn target(server: &ServerConfig, observer: &Arc<dyn OutboundObserver>) -> Result<TargetClient> {
    let base = server.target.clone().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidInput,
            "target_missing",
            format!("The server `{}` needs `target`, the base URL of its system.", server.name),
        )
    })?;
    let mut options = TargetOptions::new(server.name.clone(), base);
    options.ca_pem = server.ca_file.as_deref().map(read).transpose()?;
    options.pin_sha256 = server.pin_sha256.clone();
    TargetClient::observed(options, Arc::clone(observer))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        Error::new(ErrorKind::InvalidInput, "ca_file_unreadable", format!("{} cannot be read: {e}.", path.display()))
    })
}
