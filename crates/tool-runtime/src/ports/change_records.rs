//! The records of a change in the system that people plan changes in: ticket, approvals, conflicts, attachments (T16, T17).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port_tool;
use crate::artifacts::ArtifactReference;
use crate::tool::{SideEffect, TargetArgument, Tool, ToolCx, ToolSpec};

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
    /// How it is done, for people; the plan itself is the platform's.
    #[serde(default)]
    pub implementation_plan: String,
    /// How it is undone, for people.
    #[serde(default)]
    pub backout_plan: String,
    /// Planned start and end, milliseconds since the epoch.
    pub window_ms: Option<(i64, i64)>,
    /// The configuration items, by their ids.
    pub cis: Vec<String>,
    /// Hash of the plan, hexadecimal.
    pub plan_hash: String,
    /// The group that does the work.
    pub assignment_group: Option<String>,
    /// The person for whom it is opened: for a work note, which names the caller and the call besides.
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

/// How a change ended, for a ticket that is to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketClosing {
    /// In the system's three words.
    pub outcome: TicketOutcome,
    /// What was done, for people.
    pub notes: String,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketOutcome {
    /// As planned.
    Successful,
    /// Done, though not all as planned.
    SuccessfulWithIssues,
    /// Not done, or undone.
    Unsuccessful,
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
    /// Opens a change request, once for a key: a repeat finds what the first one opened, and completes it. What was opened is
    /// read back, and holds the draft's gated facts.
    async fn open(&self, cx: &ToolCx, draft: &TicketDraft, key: &str) -> Result<Ticket, Error>;

    /// Reads one.
    async fn read(&self, cx: &ToolCx, id: &str) -> Result<TicketFacts, Error>;

    /// Approval rows of tickets, changed since a time (milliseconds since the epoch).
    async fn approvals(&self, cx: &ToolCx, ids: &[String], since_ms: i64) -> Result<Vec<ApprovalRow>, Error>;

    /// Moves a ticket towards a state, step by step, as far as the system allows it to be asked for; then it says what the
    /// next step waits for. `closing` is needed for [`TicketState::Closed`].
    async fn advance(
        &self,
        cx: &ToolCx,
        id: &str,
        to: TicketState,
        closing: Option<&TicketClosing>,
    ) -> Result<Advance, Error>;

    /// Lets the system look for what stands against it, and reads what it found.
    async fn conflicts(&self, cx: &ToolCx, id: &str) -> Result<Vec<Conflict>, Error>;

    /// Attaches an artifact that the caller may read; one that is attached already stays as it is.
    async fn attach(&self, cx: &ToolCx, id: &str, artifact: &ArtifactReference) -> Result<(), Error>;
}

/// The tool behind [`ChangeRecords::open`].
pub const OPEN: &str = "port_open_ticket";
/// The tool behind [`ChangeRecords::read`].
pub const READ: &str = "port_read_ticket";
/// The tool behind [`ChangeRecords::approvals`].
pub const APPROVALS: &str = "port_list_approvals";
/// The tool behind [`ChangeRecords::advance`].
pub const ADVANCE: &str = "port_advance_ticket";
/// The tool behind [`ChangeRecords::conflicts`].
pub const CONFLICTS: &str = "port_find_ticket_conflicts";
/// The tool behind [`ChangeRecords::attach`].
pub const ATTACH: &str = "port_attach_to_ticket";

/// Arguments of [`OPEN`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct OpenTicket {
    pub(super) draft: TicketDraft,
    /// Names the ticket for ever: equal keys, one ticket.
    #[schemars(length(min = 1, max = 100))]
    pub(super) key: String,
}

/// Arguments of [`READ`] and [`CONFLICTS`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct OneTicket {
    /// The system's id of it.
    #[schemars(length(min = 1, max = 64))]
    pub(super) ticket: String,
}

/// Arguments of [`APPROVALS`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct ListApprovals {
    /// The system's ids.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 64)))]
    pub(super) tickets: Vec<String>,
    /// Changed at this time or later, milliseconds since the epoch.
    pub(super) since_ms: i64,
}

/// Result of [`APPROVALS`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Approvals {
    pub(super) approvals: Vec<ApprovalRow>,
}

/// Arguments of [`ADVANCE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct AdvanceTicket {
    /// The system's id of it.
    #[schemars(length(min = 1, max = 64))]
    pub(super) ticket: String,
    pub(super) to: TicketState,
    pub(super) closing: Option<TicketClosing>,
}

/// Result of [`CONFLICTS`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Conflicts {
    pub(super) conflicts: Vec<Conflict>,
}

/// Arguments of [`ATTACH`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct AttachToTicket {
    /// The system's id of it.
    #[schemars(length(min = 1, max = 64))]
    pub(super) ticket: String,
    pub(super) artifact: ArtifactReference,
}

/// Result of [`ATTACH`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Attached {
    /// It is there.
    pub(super) attached: bool,
}

/// The argument by which a port names its ticket, so that facts, policy and limits know it.
const TICKET: &[TargetArgument] = &[TargetArgument { argument: "ticket", kind: "change_request" }];
/// The same for several.
const TICKETS: &[TargetArgument] = &[TargetArgument { argument: "tickets", kind: "change_request" }];

/// Its tools. Those that write belong to the risk class `record`, though the state of a ticket is a gated fact: nobody but
/// the platform reaches a port, and the state that it asks for is an expected value (T17). None writes an approval.
pub(super) fn tools(port: &Arc<dyn ChangeRecords>) -> Vec<Arc<dyn Tool>> {
    let open = ToolSpec::new::<OpenTicket, Ticket>(
        OPEN,
        "Open a change's ticket",
        "Opens the ticket of a change, once for a key.",
    );
    let read = ToolSpec::new::<OneTicket, TicketFacts>(READ, "Read a change's ticket", "Reads the facts of a ticket.");
    let approvals = ToolSpec::new::<ListApprovals, Approvals>(
        APPROVALS,
        "Read approvals",
        "Reads the approvals of tickets, person by person.",
    );
    let advance = ToolSpec::new::<AdvanceTicket, Advance>(
        ADVANCE,
        "Move a change's ticket",
        "Moves a ticket towards a state as far as its system allows, and tells what it waits for.",
    );
    let conflicts = ToolSpec::new::<OneTicket, Conflicts>(
        CONFLICTS,
        "Look for conflicts",
        "Lets the ticket's system look for what stands against a change.",
    );
    let attach = ToolSpec::new::<AttachToTicket, Attached>(
        ATTACH,
        "Attach to a change's ticket",
        "Attaches an artifact to a ticket.",
    );
    let writes = |spec: ToolSpec| spec.effect(SideEffect::Discoverable).timeout(Duration::from_secs(90));
    vec![
        port_tool(port, writes(open), |port, cx, args: OpenTicket| async move {
            port.open(&cx, &args.draft, &args.key).await
        }),
        port_tool(
            port,
            read.targets(TICKET),
            |port, cx, args: OneTicket| async move { port.read(&cx, &args.ticket).await },
        ),
        port_tool(port, approvals.targets(TICKETS), |port, cx, args: ListApprovals| async move {
            Ok(Approvals { approvals: port.approvals(&cx, &args.tickets, args.since_ms).await? })
        }),
        port_tool(port, writes(advance).targets(TICKET), |port, cx, args: AdvanceTicket| async move {
            port.advance(&cx, &args.ticket, args.to, args.closing.as_ref()).await
        }),
        port_tool(port, writes(conflicts).targets(TICKET), |port, cx, args: OneTicket| async move {
            Ok(Conflicts { conflicts: port.conflicts(&cx, &args.ticket).await? })
        }),
        port_tool(port, writes(attach).targets(TICKET), |port, cx, args: AttachToTicket| async move {
            port.attach(&cx, &args.ticket, &args.artifact).await?;
            Ok(Attached { attached: true })
        }),
    ]
}
