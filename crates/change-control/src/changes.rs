//! What doors do with changes. One handle for all of it; each part of a change's life adds its own functions beside its
//! code.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use platform::audit::AuditLog;
use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, RunStep, TraceContext};
use platform::policy::PolicyEngine;
use platform::resource::{BaseUrl, Resource};
use platform::revocation::RunFloors;
use platform::{CallContext, Error, SharedClock};
use tool_runtime::Pipeline;
use tool_runtime::ports::PortClient;

use crate::book::ChangeBook;
use crate::gate::keys::GrantKeys;
use crate::model::change::{Change, ChangeId};

/// Starts the durable work of changes: an engine that this crate does not know (`server` wires it).
#[async_trait]
pub trait RunStarter: Send + Sync + 'static {
    /// Starts making the plan; once per change, whatever how often it is called.
    async fn plan(&self, change: &ChangeId) -> Result<(), Error>;

    /// Starts the run; once per change, whatever how often it is called.
    async fn start(&self, change: &ChangeId) -> Result<(), Error>;

    /// Says that the change's row is worth looking at.
    async fn nudge(&self, change: &ChangeId) -> Result<(), Error>;
}

/// What [`Changes`] is made of.
pub struct ChangeParts {
    /// Where changes are kept.
    pub book: ChangeBook,
    /// Time of day.
    pub clock: SharedClock,
    /// Public base URL: for the links that people get.
    pub base: BaseUrl,
    /// Policy: who may approve.
    pub policy: Arc<dyn PolicyEngine>,
    /// Audit.
    pub audit: Arc<dyn AuditLog>,
    /// Keys of grants.
    pub grants: GrantKeys,
    /// Whose runs are ended (T3).
    pub floors: Arc<dyn RunFloors>,
}

/// Changes, for doors and for the activities of runs.
pub struct Changes {
    pub(crate) parts: ChangeParts,
    /// Set once the road exists, which knows this crate's gate: they are made one after the other.
    road: OnceLock<Weak<Pipeline>>,
    starter: OnceLock<Arc<dyn RunStarter>>,
}

impl Changes {
    /// Over its parts. Until [`Changes::attach`], whatever needs the road is `changes_unavailable`.
    pub fn new(parts: ChangeParts) -> Arc<Self> {
        Arc::new(Self { parts, road: OnceLock::new(), starter: OnceLock::new() })
    }

    /// The road that ports are called on, and who starts runs. Once.
    pub fn attach(&self, road: &Arc<Pipeline>, starter: Arc<dyn RunStarter>) -> Result<(), Error> {
        let twice = || Error::internal("changes are attached twice");
        self.road.set(Arc::downgrade(road)).map_err(|_| twice())?;
        self.starter.set(starter).map_err(|_| twice())
    }

    /// Where changes are kept.
    pub fn book(&self) -> &ChangeBook {
        &self.parts.book
    }

    /// The road. Error: `changes_unavailable`, while the platform starts or stops.
    pub fn road(&self) -> Result<Arc<Pipeline>, Error> {
        self.road.get().and_then(Weak::upgrade).ok_or_else(unavailable)
    }

    /// Who starts runs. Error: `changes_unavailable`.
    pub fn starter(&self) -> Result<&Arc<dyn RunStarter>, Error> {
        self.starter.get().ok_or_else(unavailable)
    }

    /// The ports of the change's server, called in the name of its requester (T19). `step` says which step of the run calls;
    /// nothing while the change is planned.
    pub fn ports(&self, change: &Change, step: Option<RunStep>) -> Result<PortClient, Error> {
        let cx = CallContext {
            request_id: RequestId::mint(),
            client_request_id: None,
            trace: TraceContext::root(),
            principal: Arc::new(change.requester.principal()),
            resource: Resource::Platform,
            protocol: Protocol::Internal,
            source: LOCAL_SOURCE,
            references: CallReferences { change: Some(change.id.to_string()), idempotency_key: None },
            run: step,
            deadline: std::time::Instant::now(),
        };
        Ok(PortClient::new(self.road()?, &cx, &change.instance.name))
    }
}

fn unavailable() -> Error {
    Error::new(
        platform::ErrorKind::Unavailable,
        "changes_unavailable",
        "Changes cannot be worked on while the platform starts or stops. Try again in a moment.",
    )
}
