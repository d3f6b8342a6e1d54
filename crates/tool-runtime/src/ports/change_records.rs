//! The records of a change in the system that people plan changes in: ticket, approvals, conflicts, attachments (T16, T17).

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifacts::ArtifactReference;
use crate::tool::{Tool, ToolCx};

/// The states of a change request, in the words of ITIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Written.
    New,
    /// Being assessed.
    Assess,
    /// Waiting for approvals.
    Authorize,
    /// Approved, and its time is set.
    Scheduled,
    /// Being carried out.
    Implement,
    /// Carried out; being looked at.
    Review,
    /// Over.
    Closed,
    /// Given up.
    Canceled,
}

/// A change request to be opened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TicketDraft {
    /// `normal`, `standard`, `emergency`.
    pub kind: String,
    /// Template of a standard change.
    pub standard_template: Option<String>,
    /// One line.
    pub short_description: String,
    /// More.
    pub description: String,
    /// Planned start and end, milliseconds since the epoch.
    pub window_ms: Option<(i64, i64)>,
    /// The configuration items, by their ids.
    pub cis: Vec<String>,
    /// Hash of the plan, hexadecimal.
    pub plan_hash: String,
    /// The group that does the work.
    pub assignment_group: Option<String>,
    /// The person for whom it is opened, and the call that opens it: for a work note.
    pub on_behalf_of: String,
}

/// A change request, by its id and its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ticket {
    /// The system's id.
    pub id: String,
    /// `CHG0030001`.
    pub number: String,
}

/// What is read of a change request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TicketFacts {
    /// Which.
    pub ticket: Ticket,
    /// `normal`, `standard`, `emergency`.
    pub kind: String,
    /// Its state.
    pub state: TicketState,
    /// Approval as the system sums it up: `not requested`, `requested`, `approved`, `rejected`.
    pub approval: String,
    /// Planned start and end, milliseconds since the epoch.
    pub window_ms: Option<(i64, i64)>,
    /// Affected configuration items, by their ids, in order.
    pub cis: Vec<String>,
    /// What stands in the field of the plan's hash.
    pub plan_hash: Option<String>,
    /// Our idempotency key of the create.
    pub correlation_id: Option<String>,
    /// How often it was changed: a new count asks for another read, and proves nothing else.
    pub modifications: u64,
    /// When it was read, milliseconds since the epoch.
    pub read_at_ms: i64,
}

/// One approver's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRow {
    /// The row's id.
    pub id: String,
    /// The ticket's id.
    pub ticket_id: String,
    /// `requested`, `approved`, `rejected`, `not_required`, `cancelled`, ….
    pub state: String,
    /// Whose approval it is: user name.
    pub approver: String,
    /// Who last changed the row: user name. Only the approver's own act counts (T16).
    pub updated_by: String,
    /// When, milliseconds since the epoch.
    pub updated_at_ms: i64,
}

/// What became of a wish to move a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "advance", rename_all = "snake_case")]
pub enum Advance {
    /// It is there.
    Moved,
    /// The system moves it by itself, when this has happened.
    WaitsFor {
        /// In words.
        what: String,
    },
}

/// Something else that is planned for the same items at the same time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Conflict {
    /// The system's word for its sort.
    pub kind: String,
    /// The item.
    pub ci: Option<String>,
    /// The other change, by number, or the schedule, by name.
    pub with: String,
}

/// Keeps the records of changes.
#[async_trait]
pub trait ChangeRecords: Send + Sync + 'static {
    /// Opens a change request, once for a key: a repeat finds what the first one opened.
    async fn open(&self, cx: &ToolCx, draft: &TicketDraft, key: &str) -> Result<Ticket, Error>;

    /// Reads one.
    async fn read(&self, cx: &ToolCx, id: &str) -> Result<TicketFacts, Error>;

    /// Approval rows of tickets, changed since a time (milliseconds since the epoch).
    async fn approvals(&self, cx: &ToolCx, ids: &[String], since_ms: i64) -> Result<Vec<ApprovalRow>, Error>;

    /// Asks for a state, where the system allows it to be asked for.
    async fn advance(&self, cx: &ToolCx, id: &str, to: TicketState) -> Result<Advance, Error>;

    /// What stands against it.
    async fn conflicts(&self, cx: &ToolCx, id: &str) -> Result<Vec<Conflict>, Error>;

    /// Attaches an artifact.
    async fn attach(&self, cx: &ToolCx, id: &str, artifact: &ArtifactReference) -> Result<(), Error>;
}

/// Its tools.
pub(crate) fn tools(_port: &Arc<dyn ChangeRecords>) -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
