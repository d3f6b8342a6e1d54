//! Who calls, and what they may see and write: the instance's access rules over roles and groups.

use std::collections::BTreeSet;

use crate::records::{Records, Row};
use crate::schema::SCHEMA;

/// A signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Id of the user's row.
    pub(crate) user: String,
    /// Sign-in name: what stands in audit fields.
    pub(crate) user_name: String,
    roles: BTreeSet<String>,
    groups: BTreeSet<String>,
}

/// Tables that only administrators read.
const SECRET: [&str; 2] = ["sys_properties", "sys_user_has_role"];
/// Tables that everybody with a role writes, with those that extend them.
const WRITABLE: [&str; 11] = [
    "task",
    "cmdb",
    "cmdb_rel_ci",
    "task_ci",
    "task_cmdb_ci_service",
    "conflict",
    "sysapproval_approver",
    "sys_attachment",
    "kb_knowledge",
    "u_network_device_import",
    "sys_import_set",
];

impl Caller {
    /// The user of an account.
    pub(crate) fn of(records: &Records, user_name: &str) -> Option<Self> {
        let row = records.first("sys_user", "user_name", user_name)?;
        if row.get("active") == "false" || row.is_true("locked_out") {
            return None;
        }
        let named = |table: &str, link: &str, field: &str, of: &str| -> BTreeSet<String> {
            records.all(table, link, row.id()).map(|link| records.display(of, link.get(field))).collect()
        };
        Some(Self {
            user: row.id().to_owned(),
            user_name: user_name.to_owned(),
            roles: named("sys_user_has_role", "user", "role", "sys_user_role"),
            groups: named("sys_user_grmember", "user", "group", "sys_user_group"),
        })
    }

    /// The instance itself, for what follows from somebody's act.
    pub(crate) fn system() -> Self {
        Self {
            user: String::new(),
            user_name: "system".to_owned(),
            roles: BTreeSet::from(["admin".to_owned()]),
            groups: BTreeSet::new(),
        }
    }

    /// The instance itself, with the user's name in audit fields: what follows from the user's own act.
    pub(crate) fn with_all_rights(&self) -> Self {
        Self { user_name: self.user_name.clone(), ..Self::system() }
    }

    /// Whether the user has a role; administrators have all.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.is_admin() || self.roles.contains(role)
    }

    /// Whether the user administers the instance.
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.contains("admin")
    }

    fn reads_all(&self) -> bool {
        self.has("itil") || self.has("snc_read_only") || self.has("approver_user")
    }

    /// Whether the table may be queried at all.
    pub(crate) fn may_query(&self, table: &str) -> bool {
        self.is_admin() || !SECRET.contains(&table)
    }

    /// Whether the row shows to the user. Hidden rows are counted nevertheless.
    pub(crate) fn sees(&self, row: &Row) -> bool {
        if self.is_admin() {
            return true;
        }
        if row.is_true("u_confidential") && !self.groups.contains("Security") {
            return false;
        }
        self.reads_all() || self.is_own(row)
    }

    /// What people without a role see: themselves, their own tickets, published articles, and what describes tables.
    fn is_own(&self, row: &Row) -> bool {
        match row.table {
            "kb_knowledge" => row.get("workflow_state") == "published",
            "sys_user" => row.id() == self.user,
            "sys_dictionary" | "sys_choice" | "sys_db_object" => true,
            _ => ["caller_id", "requested_for", "opened_by"].iter().any(|field| row.get(field) == self.user),
        }
    }

    /// Whether the user may insert into the table.
    pub(crate) fn may_insert(&self, table: &str) -> bool {
        self.may_write(table) || (table == "incident" && !self.has("snc_read_only"))
    }

    /// Whether the user may change the row.
    pub(crate) fn may_update(&self, row: &Row) -> bool {
        self.may_write(row.table) || (row.table == "sysapproval_approver" && row.get("approver") == self.user)
    }

    /// Whether the user may remove the row: administrators, and who made it.
    pub(crate) fn may_delete(&self, row: &Row) -> bool {
        self.is_admin() || (self.may_write(row.table) && row.get("sys_created_by") == self.user_name)
    }

    fn may_write(&self, table: &str) -> bool {
        self.is_admin() || (self.has("itil") && WRITABLE.iter().any(|writable| SCHEMA.extends(table, writable)))
    }
}
