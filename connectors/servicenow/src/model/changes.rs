//! Change requests and their approvals, as callers get them.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{Choice, Record, Reference};

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

/// Those of the row, and more.
pub(crate) static CHANGE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let more = [
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
    [CHANGE_ROW, &more].concat()
});

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

/// A template of standard changes.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ChangeTemplate {
    /// ServiceNow's `sys_id`: `template` elsewhere.
    pub id: String,
    /// Name.
    pub name: Option<String>,
    /// What its changes are about.
    pub short_description: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
}

pub(crate) const CHANGE_TEMPLATE: &[&str] = &["sys_id", "name", "short_description", "sys_updated_on"];

impl From<Record> for ChangeTemplate {
    fn from(r: Record) -> Self {
        Self {
            id: r.id(),
            name: r.owned("name"),
            short_description: r.owned("short_description"),
            updated_at: r.time("sys_updated_on"),
        }
    }
}
