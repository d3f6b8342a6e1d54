//! Risk classes (rule T6): the operator's table decides, and what it does not name is `disruptive`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a call can do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Reads controllers and records.
    Read,
    /// Touches devices: show commands, path trace, discovery, resync.
    Probe,
    /// Tickets, notes, branches, pull requests.
    Record,
    /// Device configuration, controller intent.
    Change,
    /// Reload, image activation, delete; and everything the operator's table does not name.
    Disruptive,
    /// Approvals, gated ticket fields, policy, secrets, pins, risk.
    Control,
}

/// The article's action, as its RBAC rules compare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Reads.
    Read,
    /// Changes.
    Write,
    /// Acts on devices.
    Execute,
    /// Governs the platform.
    Admin,
}

impl Risk {
    /// All classes, in the order of the table.
    pub const ALL: [Self; 6] = [Self::Read, Self::Probe, Self::Record, Self::Change, Self::Disruptive, Self::Control];

    /// The class's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Probe => "probe",
            Self::Record => "record",
            Self::Change => "change",
            Self::Disruptive => "disruptive",
            Self::Control => "control",
        }
    }

    /// The article's action.
    pub const fn action(self) -> Action {
        match self {
            Self::Read => Action::Read,
            Self::Probe | Self::Disruptive => Action::Execute,
            Self::Record | Self::Change => Action::Write,
            Self::Control => Action::Admin,
        }
    }

    /// Whether a call of this class may change something, so that an intent must be durable before it runs.
    pub const fn is_write(self) -> bool {
        !matches!(self, Self::Read | Self::Probe)
    }
}

/// The operator's table: connector → tool → risk. A name that is missing is `disruptive`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RiskTable(BTreeMap<String, BTreeMap<String, Risk>>);

impl RiskTable {
    /// A table from (connector, tool, risk) rows; a later row replaces an earlier one.
    pub fn from_rows<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str, Risk)>) -> Self {
        let mut table = Self::default();
        for (connector, tool, risk) in rows {
            table.0.entry(connector.to_owned()).or_default().insert(tool.to_owned(), risk);
        }
        table
    }

    /// The risk of a connector's tool.
    pub fn risk(&self, connector: &str, tool: &str) -> Risk {
        self.0.get(connector).and_then(|tools| tools.get(tool)).copied().unwrap_or(Risk::Disruptive)
    }
}

#[cfg(test)]
mod tests {
    use super::{Risk, RiskTable};

    #[test]
    fn t6_an_unannotated_tool_is_disruptive() {
        let table = RiskTable::from_rows([("catalyst-center", "list_devices", Risk::Read)]);
        assert_eq!(table.risk("catalyst-center", "list_devices"), Risk::Read);
        assert_eq!(table.risk("catalyst-center", "never_heard_of"), Risk::Disruptive);
        assert_eq!(table.risk("github", "list_devices"), Risk::Disruptive);
    }
}
