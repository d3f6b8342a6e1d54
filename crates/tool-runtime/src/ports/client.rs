//! The ports of one server, for change control: typed calls over [`Pipeline::call_port`], so that nobody writes a port's
//! arguments by hand. Every call has a request id of its own, and with it a record, a decision and, for a write, an intent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::artifacts::ArtifactKind;
use platform::context::{CallReferences, RequestId};
use platform::{CallContext, Error, Json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::change_records::{
    self, Advance, ApprovalRow, Conflict, Ticket, TicketClosing, TicketDraft, TicketFacts, TicketState,
};
use super::config_changer::{
    self, Handle, OpenIntent, Polled, ProvenTarget, SavedStartup, SealedLines, Settled, Staged, StepSpec,
};
use super::config_reader::{READ_LIVE, ReadLive, SealedConfig};
use super::state_probe::{CheckQuery, OBSERVE, Observation, Observe, Observed};
use super::template_source::{self, TemplateFacts};
use crate::artifacts::ArtifactReference;
use crate::pipeline::{CallRequest, Pipeline};

/// Longest time of a call; a tool's own timeout is shorter.
const LONGEST: Duration = Duration::from_secs(300);

/// The ports of one server, called for one principal. Cheap to clone.
#[derive(Clone)]
pub struct PortClient {
    pipeline: Arc<Pipeline>,
    cx: Arc<CallContext>,
    server: Arc<str>,
}

impl PortClient {
    /// `cx` says for whom, and by which references, without an idempotency key: that is `apply`'s own. Its request id and
    /// deadline are not used.
    pub fn new(pipeline: Arc<Pipeline>, cx: &CallContext, server: &str) -> Self {
        let references = CallReferences { idempotency_key: None, ..cx.references.clone() };
        let cx = Arc::new(CallContext { references, ..cx.clone() });
        Self { pipeline, cx, server: server.into() }
    }

    /// The ports of another server, called for the same principal by the same references.
    #[must_use]
    pub fn at(&self, server: &str) -> Self {
        Self { server: server.into(), ..self.clone() }
    }

    /// How long after its announcement a missing record of an attempt means that nothing happened (T20); nothing where the
    /// server changes no configurations.
    pub fn settle_time(&self) -> Option<Duration> {
        let catalogue = self.pipeline.visibility().catalogue();
        let ports = catalogue.server(&self.server)?.connector.ports();
        ports.config_changer.map(|changer| changer.settle_time())
    }

    /// Reads a running configuration from its device.
    pub async fn read_live(&self, device_id: &str) -> Result<SealedConfig, Error> {
        self.call(READ_LIVE, &ReadLive { device_id: device_id.to_owned() }).await
    }

    /// What a change may rest on about a device. Errors: `target_ambiguous`, `target_facts_stale`, `targets_not_loaded`,
    /// `target_unknown`.
    pub async fn prove_target(&self, device_id: &str) -> Result<ProvenTarget, Error> {
        self.call(config_changer::PROVE, &config_changer::Prove { device_id: device_id.to_owned() }).await
    }

    /// A committed version of a template; the newest where none is named.
    pub async fn template(&self, template_id: &str, version_id: Option<&str>) -> Result<TemplateFacts, Error> {
        let args = template_source::DescribeTemplate {
            template_id: template_id.to_owned(),
            version_id: version_id.map(str::to_owned),
        };
        self.call(template_source::DESCRIBE, &args).await
    }

    /// The lines that a step would enter.
    pub async fn render(&self, step: &StepSpec) -> Result<SealedLines, Error> {
        self.call(config_changer::RENDER, step).await
    }

    /// Commits a text in the project reserved for a change.
    pub async fn stage(&self, change: &str, device_id: &str, lines: &SealedLines) -> Result<Staged, Error> {
        let args =
            config_changer::Stage { device_id: device_id.to_owned(), change: change.to_owned(), lines: lines.clone() };
        self.call(config_changer::STAGE, &args).await
    }

    /// Starts a step. `call_id` is minted by the caller and written down before: it is the id of the intent, by which an
    /// attempt is settled whose answer never came. A repeat under the same `key` starts nothing.
    pub async fn apply(&self, call_id: RequestId, key: &str, step: &StepSpec) -> Result<Handle, Error> {
        let references = CallReferences { change: Some(step.change.clone()), idempotency_key: Some(key.to_owned()) };
        self.call_as(call_id, references, config_changer::APPLY, step).await
    }

    /// How far a step is.
    pub async fn poll(&self, device_id: &str, handle: &Handle) -> Result<Polled, Error> {
        let args = config_changer::Poll { device_id: device_id.to_owned(), handle: handle.clone() };
        self.call(config_changer::POLL, &args).await
    }

    /// What became of an attempt.
    pub async fn reconcile(&self, intent: &OpenIntent) -> Result<Settled, Error> {
        let args = config_changer::Reconcile { device_id: intent.step.device_id.clone(), intent: intent.clone() };
        self.call(config_changer::RECONCILE, &args).await
    }

    /// Makes the running configuration of a device the one that it starts with.
    pub async fn save_startup(&self, device_id: &str) -> Result<SavedStartup, Error> {
        self.call(config_changer::SAVE, &config_changer::SaveStartup { device_id: device_id.to_owned() }).await
    }

    /// Observes a device; `last_write_ms` is when it was last written to, milliseconds since the epoch.
    pub async fn observe(
        &self,
        device_id: &str,
        queries: &[CheckQuery],
        last_write_ms: Option<i64>,
    ) -> Result<Vec<Observation>, Error> {
        let args = Observe { device_id: device_id.to_owned(), queries: queries.to_vec(), last_write_ms };
        self.call::<Observed>(OBSERVE, &args).await.map(|seen| seen.observations)
    }

    /// Seals bytes that nobody may see, for ports of this server and for [`PortClient::open`]: the texts of a change before
    /// they are masked. Durable when this returns. Errors: `artifact_too_large`, `artifacts_unavailable`.
    pub async fn seal(&self, kind: ArtifactKind, media_type: &str, bytes: &[u8]) -> Result<ArtifactReference, Error> {
        self.pipeline.seal_for_ports(&self.cx, &self.server, kind, media_type, bytes).await
    }

    /// Opens what ports of this server, or [`PortClient::seal`], have sealed, for the platform's own work: it leaves the
    /// process masked or not at all. Errors: `artifact_not_found`, `artifact_damaged`, `artifacts_unavailable`.
    pub async fn open(&self, artifact: &ArtifactReference) -> Result<Vec<u8>, Error> {
        self.pipeline.open_of_ports(&self.server, &artifact.id).await
    }

    /// Opens the ticket of a change, once for a key; a repeat finds the first one and completes it.
    pub async fn open_ticket(&self, draft: &TicketDraft, key: &str) -> Result<Ticket, Error> {
        let args = change_records::OpenTicket { draft: draft.clone(), key: key.to_owned() };
        self.call(change_records::OPEN, &args).await
    }

    /// Reads the facts of a ticket.
    pub async fn read_ticket(&self, ticket: &str) -> Result<TicketFacts, Error> {
        self.call(change_records::READ, &change_records::OneTicket { ticket: ticket.to_owned() }).await
    }

    /// Reads the approvals of at most 50 tickets that changed at a time or later, milliseconds since the epoch.
    pub async fn approvals(&self, tickets: &[String], since_ms: i64) -> Result<Vec<ApprovalRow>, Error> {
        let args = change_records::ListApprovals { tickets: tickets.to_vec(), since_ms };
        self.call::<change_records::Approvals>(change_records::APPROVALS, &args).await.map(|found| found.approvals)
    }

    /// Moves a ticket towards a state; `closing` is needed where it is closed.
    pub async fn advance_ticket(
        &self,
        ticket: &str,
        to: TicketState,
        closing: Option<&TicketClosing>,
    ) -> Result<Advance, Error> {
        let args = change_records::AdvanceTicket { ticket: ticket.to_owned(), to, closing: closing.cloned() };
        self.call(change_records::ADVANCE, &args).await
    }

    /// Lets the ticket's system look for what stands against it.
    pub async fn ticket_conflicts(&self, ticket: &str) -> Result<Vec<Conflict>, Error> {
        let args = change_records::OneTicket { ticket: ticket.to_owned() };
        self.call::<change_records::Conflicts>(change_records::CONFLICTS, &args).await.map(|found| found.conflicts)
    }

    /// Attaches an artifact to a ticket.
    pub async fn attach_to_ticket(&self, ticket: &str, artifact: &ArtifactReference) -> Result<(), Error> {
        let args = change_records::AttachToTicket { ticket: ticket.to_owned(), artifact: artifact.clone() };
        self.call::<change_records::Attached>(change_records::ATTACH, &args).await.map(drop)
    }

    async fn call<R: DeserializeOwned>(&self, tool: &str, arguments: &impl Serialize) -> Result<R, Error> {
        self.call_as(RequestId::mint(), self.cx.references.clone(), tool, arguments).await
    }

    async fn call_as<R: DeserializeOwned>(
        &self,
        call_id: RequestId,
        references: CallReferences,
        tool: &str,
        arguments: &impl Serialize,
    ) -> Result<R, Error> {
        let cx = CallContext {
            request_id: call_id,
            references: references.clone(),
            deadline: Instant::now() + LONGEST,
            ..self.cx.as_ref().clone()
        };
        let arguments: Json = serde_json::to_value(arguments).map_err(Error::internal)?;
        let request = CallRequest { server: self.server.to_string(), tool: tool.to_owned(), arguments, references };
        let answer = self.pipeline.call_port(Arc::new(cx), request).await?;
        serde_json::from_value(answer.structured).map_err(Error::internal)
    }
}
