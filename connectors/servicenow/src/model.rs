//! What callers get: rows of the vendor's, normalised. Times are RFC 3339 in UTC, choices have their stored value and their
//! label, references their id and their name. Texts are what people wrote: data, and never instructions.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{Choice, Record, Reference};

/// An incident, as lists show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct IncidentRow {
    /// ServiceNow's `sys_id`.
    pub id: String,
    /// `INC` and digits: `incident` elsewhere.
    pub number: Option<String>,
    /// One line.
    pub short_description: Option<String>,
    /// 1 New, 2 In Progress, 3 On Hold, 6 Resolved, 7 Closed, 8 Canceled.
    pub state: Option<Choice>,
    /// 1 Critical to 5 Planning; ServiceNow calculates it from impact and urgency.
    pub priority: Option<Choice>,
    /// `network`, `hardware`, ….
    pub category: Option<String>,
    /// The group that works on it.
    pub assignment_group: Option<Reference>,
    /// The person who works on it.
    pub assigned_to: Option<Reference>,
    /// The person who has the trouble.
    pub caller: Option<Reference>,
    /// The configuration item.
    pub ci: Option<Reference>,
    /// When it was opened.
    pub opened_at: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
}

pub(crate) const INCIDENT_ROW: &[&str] = &[
    "sys_id",
    "number",
    "short_description",
    "state",
    "priority",
    "category",
    "assignment_group",
    "assigned_to",
    "caller_id",
    "cmdb_ci",
    "opened_at",
    "sys_updated_on",
];

impl From<Record> for IncidentRow {
    fn from(r: Record) -> Self {
        Self {
            id: r.id(),
            number: r.owned("number"),
            short_description: r.owned("short_description"),
            state: r.choice("state"),
            priority: r.choice("priority"),
            category: r.owned("category"),
            assignment_group: r.reference("assignment_group"),
            assigned_to: r.reference("assigned_to"),
            caller: r.reference("caller_id"),
            ci: r.reference("cmdb_ci"),
            opened_at: r.time("opened_at"),
            updated_at: r.time("sys_updated_on"),
        }
    }
}

/// An incident.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Incident {
    #[serde(flatten)]
    pub row: IncidentRow,
    /// What happened, at length.
    pub description: Option<String>,
    /// 1 High to 3 Low.
    pub impact: Option<Choice>,
    /// 1 High to 3 Low.
    pub urgency: Option<Choice>,
    /// Why it waits, where it is on hold.
    pub hold_reason: Option<Choice>,
    /// How it was resolved.
    pub close_code: Option<String>,
    /// What was done.
    pub close_notes: Option<String>,
    /// When it was resolved.
    pub resolved_at: Option<String>,
    /// Who opened it.
    pub opened_by: Option<Reference>,
    /// The key of the system that made it, where one did.
    pub correlation_id: Option<String>,
}

pub(crate) const INCIDENT: &[&str] = &[
    "sys_id",
    "number",
    "short_description",
    "state",
    "priority",
    "category",
    "assignment_group",
    "assigned_to",
    "caller_id",
    "cmdb_ci",
    "opened_at",
    "sys_updated_on",
    "description",
    "impact",
    "urgency",
    "hold_reason",
    "close_code",
    "close_notes",
    "resolved_at",
    "opened_by",
    "correlation_id",
];

impl From<Record> for Incident {
    fn from(r: Record) -> Self {
        Self {
            description: r.owned("description"),
            impact: r.choice("impact"),
            urgency: r.choice("urgency"),
            hold_reason: r.choice("hold_reason"),
            close_code: r.owned("close_code"),
            close_notes: r.owned("close_notes"),
            resolved_at: r.time("resolved_at"),
            opened_by: r.reference("opened_by"),
            correlation_id: r.owned("correlation_id"),
            row: r.into(),
        }
    }
}

/// A change request, as lists show it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangeRow {
    /// ServiceNow's `sys_id`.
    pub id: String,
    /// `CHG` and digits: `change_request` elsewhere.
    pub number: Option<String>,
    /// One line.
    pub short_description: Option<String>,
    /// `normal`, `standard`, `emergency`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// -5 New, -4 Assess, -3 Authorize, -2 Scheduled, -1 Implement, 0 Review, 3 Closed, 4 Canceled.
    pub state: Option<Choice>,
    /// `not requested`, `requested`, `approved`, `rejected`: ServiceNow's own sum of the approvals.
    pub approval: Option<String>,
    /// 2 High, 3 Moderate, 4 Low.
    pub risk: Option<Choice>,
    /// The group that does the work.
    pub assignment_group: Option<Reference>,
    /// The person who does the work.
    pub assigned_to: Option<Reference>,
    /// The configuration item that it is about first of all.
    pub ci: Option<Reference>,
    /// Planned start.
    pub start: Option<String>,
    /// Planned end.
    pub end: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
}

pub(crate) const CHANGE_ROW: &[&str] = &[
    "sys_id",
    "number",
    "short_description",
    "type",
    "state",
    "approval",
    "risk",
    "assignment_group",
    "assigned_to",
    "cmdb_ci",
    "start_date",
    "end_date",
    "sys_updated_on",
];

impl From<Record> for ChangeRow {
    fn from(r: Record) -> Self {
        Self {
            id: r.id(),
            number: r.owned("number"),
            short_description: r.owned("short_description"),
            kind: r.owned("type"),
            state: r.choice("state"),
            approval: r.owned("approval"),
            risk: r.choice("risk"),
            assignment_group: r.reference("assignment_group"),
            assigned_to: r.reference("assigned_to"),
            ci: r.reference("cmdb_ci"),
            start: r.time("start_date"),
            end: r.time("end_date"),
            updated_at: r.time("sys_updated_on"),
        }
    }
}

/// A change request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Change {
    #[serde(flatten)]
    pub row: ChangeRow,
    /// What is to be done, at length.
    pub description: Option<String>,
    /// Why.
    pub justification: Option<String>,
    /// How.
    pub implementation_plan: Option<String>,
    /// How to go back.
    pub backout_plan: Option<String>,
    /// How it is tested.
    pub test_plan: Option<String>,
    /// Who asked for it.
    pub requested_by: Option<Reference>,
    /// Whether ServiceNow found something that stands against its time.
    pub conflict_status: Option<String>,
    /// How it ended.
    pub close_code: Option<String>,
    /// What was done.
    pub close_notes: Option<String>,
    /// The key of the system that made it, where one did.
    pub correlation_id: Option<String>,
}

pub(crate) const CHANGE: &[&str] = &[
    "sys_id",
    "number",
    "short_description",
    "type",
    "state",
    "approval",
    "risk",
    "assignment_group",
    "assigned_to",
    "cmdb_ci",
    "start_date",
    "end_date",
    "sys_updated_on",
    "description",
    "justification",
    "implementation_plan",
    "backout_plan",
    "test_plan",
    "requested_by",
    "conflict_status",
    "close_code",
    "close_notes",
    "correlation_id",
];

impl From<Record> for Change {
    fn from(r: Record) -> Self {
        Self {
            description: r.owned("description"),
            justification: r.owned("justification"),
            implementation_plan: r.owned("implementation_plan"),
            backout_plan: r.owned("backout_plan"),
            test_plan: r.owned("test_plan"),
            requested_by: r.reference("requested_by"),
            conflict_status: r.owned("conflict_status"),
            close_code: r.owned("close_code"),
            close_notes: r.owned("close_notes"),
            correlation_id: r.owned("correlation_id"),
            row: r.into(),
        }
    }
}

/// An entry of a record's journal.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct JournalEntry {
    /// `work_notes` (for those who work on it) or `comments` (the caller reads them too).
    pub kind: Option<String>,
    /// What was written.
    pub text: Option<String>,
    /// User name.
    pub by: Option<String>,
    /// When.
    pub at: Option<String>,
}

pub(crate) const JOURNAL_ENTRY: &[&str] = &["element", "value", "sys_created_by", "sys_created_on"];

impl From<Record> for JournalEntry {
    fn from(r: Record) -> Self {
        Self {
            kind: r.owned("element"),
            text: r.owned("value"),
            by: r.owned("sys_created_by"),
            at: r.time("sys_created_on"),
        }
    }
}

/// A configuration item.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Item {
    /// ServiceNow's `sys_id`.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// Serial numbers.
    pub serials: Vec<String>,
    /// Class, for example `cmdb_ci_ip_switch`.
    pub class: Option<Choice>,
    /// Where it is.
    pub location: Option<Reference>,
    /// Address.
    pub ip_address: Option<String>,
    /// 1 Installed, 3 In maintenance, 6 In stock, 7 Retired, ….
    pub install_status: Option<Choice>,
    /// 1 Operational, 2 Non-operational, 6 Retired, ….
    pub operational_status: Option<Choice>,
    /// Who looks after it.
    pub support_group: Option<Reference>,
    /// When it was last changed.
    pub updated_at: Option<String>,
}

pub(crate) const ITEM: &[&str] = &[
    "sys_id",
    "name",
    "serial_number",
    "sys_class_name",
    "location",
    "ip_address",
    "install_status",
    "operational_status",
    "support_group",
    "sys_updated_on",
];

impl From<Record> for Item {
    fn from(r: Record) -> Self {
        Self {
            id: r.id(),
            name: r.owned("name"),
            serials: serials(&r),
            class: r.choice("sys_class_name"),
            location: r.reference("location"),
            ip_address: r.owned("ip_address"),
            install_status: r.choice("install_status"),
            operational_status: r.choice("operational_status"),
            support_group: r.reference("support_group"),
            updated_at: r.time("sys_updated_on"),
        }
    }
}

/// Serial numbers of an item: some discoveries list the members of a stack in one text.
pub(crate) fn serials(row: &Record) -> Vec<String> {
    let text = row.text("serial_number").unwrap_or_default();
    text.split([',', ';']).map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// A person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct User {
    /// ServiceNow's `sys_id`.
    pub id: String,
    /// User name: what `assigned_to` and `caller` take.
    pub user_name: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Whether the account is in use.
    pub active: bool,
    /// Job title.
    pub title: Option<String>,
    /// Department.
    pub department: Option<Reference>,
    /// Manager.
    pub manager: Option<Reference>,
}

pub(crate) const USER: &[&str] = &["sys_id", "user_name", "name", "email", "active", "title", "department", "manager"];

impl From<Record> for User {
    fn from(r: Record) -> Self {
        Self {
            id: r.id(),
            user_name: r.owned("user_name"),
            name: r.owned("name"),
            email: r.owned("email"),
            active: r.flag("active"),
            title: r.owned("title"),
            department: r.reference("department"),
            manager: r.reference("manager"),
        }
    }
}

/// One approver's row of a change request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Approval {
    /// `requested`, `approved`, `rejected`, `not_required`, `cancelled`, ….
    pub state: Option<String>,
    /// Whose approval it is.
    pub approver: Option<Reference>,
    /// The user who last changed the row.
    pub updated_by: Option<String>,
    /// When.
    pub updated_at: Option<String>,
}

pub(crate) const APPROVAL: &[&str] = &["state", "approver", "sys_updated_by", "sys_updated_on"];

impl From<Record> for Approval {
    fn from(r: Record) -> Self {
        Self {
            state: r.owned("state"),
            approver: r.reference("approver"),
            updated_by: r.owned("sys_updated_by"),
            updated_at: r.time("sys_updated_on"),
        }
    }
}
