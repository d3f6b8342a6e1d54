//! Configuration items and people, as callers get them.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{Choice, Record, Reference};

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
