//! Lease: the instance's credential, read just in time from `api/<instance>` and dropped with the call (T29).

use std::sync::Arc;

use platform::{Error, ErrorKind};

use super::Pipeline;
use super::validate::Validated;
use crate::catalogue::RegisteredTool;
use crate::connector::{CredentialKind, Lease};

/// Proof of the lease.
pub(super) struct Leased {
    lease: Arc<Lease>,
}

impl Leased {
    pub(super) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }
}

pub(super) async fn lease(road: &Pipeline, call: &Validated) -> Result<Leased, Error> {
    Ok(Leased { lease: Arc::new(read_credential(road, &call.tool).await?) })
}

/// Reads the credential of a tool's server instance.
pub(super) async fn read_credential(road: &Pipeline, tool: &RegisteredTool) -> Result<Lease, Error> {
    let kind = tool.connector.credential();
    if kind == CredentialKind::None {
        return Ok(Lease::none());
    }
    let path = format!("api/{}", tool.server.name);
    match road.parts.secrets.get(&path, None).await {
        Ok(secret) => {
            road.parts.metrics.secret("ok");
            Ok(Lease::new(kind, secret.version, secret.data))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            road.parts.metrics.secret("missing");
            Err(Error::new(
                ErrorKind::Unavailable,
                "credential_missing",
                format!(
                    "No credential is stored for the server `{}`. An operator adds it with `interlock secret put`.",
                    tool.server.name
                ),
            ))
        }
        Err(error) => {
            road.parts.metrics.secret("error");
            Err(error)
        }
    }
}
