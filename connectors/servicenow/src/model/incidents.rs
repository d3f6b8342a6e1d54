//! Incidents and journals, as callers get them.

use std::sync::LazyLock;

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

/// Those of the row, and more.
pub(crate) static INCIDENT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let more = [
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
    [INCIDENT_ROW, &more].concat()
});

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
