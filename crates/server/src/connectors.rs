//! The connectors that exist, by the name that `[[server]]` uses.

use std::sync::Arc;

use catalyst_center::CatalystCenter;
use platform::config::ServerConfig;
use platform::http::{OutboundObserver, TargetClient};
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
        "catalyst-center" => {
            Ok(Arc::new(CatalystCenter::new(TargetClient::configured(server, observer)?, Arc::clone(clock))))
        }
        "servicenow" => {
            let (target, field) = (TargetClient::configured(server, observer)?, server.plan_hash_field.as_deref());
            Ok(Arc::new(ServiceNow::new(target, Arc::clone(clock), field)?))
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
