//! How rows become one device, and when they cannot (T17): who said what, whose word goes before, and the contradictions
//! that no rule of ours may settle.

use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::index::SourceKind;
use crate::ports::target_source::TargetRow;

/// A serial number as it is compared: without spaces around it, in capitals. Nothing for what is no serial number:
/// inventories fill the field with words like these.
pub(crate) fn normalised(serial: &str) -> Option<String> {
    let serial = serial.trim().to_ascii_uppercase();
    let no_serial = ["", "NULL", "NONE", "N/A", "NA", "UNKNOWN", "0"];
    (!no_serial.contains(&serial.as_str())).then_some(serial)
}

/// A row with who said it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) source: &'a str,
    pub(crate) kind: SourceKind,
    pub(crate) row: &'a TargetRow,
}

impl Said<'_> {
    pub(crate) fn claim(&self) -> Claim {
        Claim { source: self.source.to_owned(), id: self.row.id.clone() }
    }

    /// The operator's file first, then the system that manages the device, then records about it.
    fn rank(&self) -> u8 {
        match (self.kind, &self.row.ci) {
            (SourceKind::File, _) => 0,
            (SourceKind::Server, None) => 1,
            (SourceKind::Server, Some(_)) => 2,
        }
    }
}

/// Who claims a device, and as what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// Server instance, or `file` for the operator's own list.
    pub source: String,
    /// What it is called there.
    pub id: String,
}

/// What the rows of one device say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In their normal form, sorted: the same list whoever is asked, so that a lock on them is the same lock (T18).
    pub(crate) serials: Vec<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) redundancy_group: Option<String>,
    pub(crate) ci: Option<String>,
}

/// Puts rows together. What the operator's file says goes before what systems say.
pub(crate) fn compose(rows: &[Said<'_>]) -> Merged {
    let mut by_rank: Vec<_> = rows.iter().collect();
    by_rank.sort_by_key(|said| said.rank());
    let first = |pick: fn(&TargetRow) -> &Option<String>| by_rank.iter().find_map(|said| pick(said.row).clone());
    let mut serials: Vec<_> = rows.iter().flat_map(|s| &s.row.serials).filter_map(|s| normalised(s)).collect();
    serials.sort();
    serials.dedup();
    Merged {
        serials,
        hostname: first(|r| &r.hostname),
        site: first(|r| &r.site),
        role: first(|r| &r.role),
        redundancy_group: first(|r| &r.redundancy_group),
        ci: first(|r| &r.ci),
    }
}

/// Why sources do not agree about a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Two rows of one source claim the device.
    ClaimedTwice,
    /// Two controllers manage it.
    SeveralControllers,
    /// It has several configuration items.
    SeveralItems,
    /// Its configuration item is another device's too.
    SharedItem,
    /// It is said to be in several redundancy groups.
    SeveralGroups,
}

/// A contradiction that no rule of ours may settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ambiguity {
    /// Which.
    pub reason: Reason,
    /// The serial number, item or group that it is about.
    pub about: String,
    /// The parties.
    pub claims: Vec<Claim>,
}

/// Most parties that a refusal names.
const MOST_NAMED: usize = 8;

impl Ambiguity {
    fn new(reason: Reason, about: impl Into<String>, mut claims: Vec<Claim>) -> Self {
        claims.sort();
        claims.dedup();
        claims.truncate(MOST_NAMED);
        Self { reason, about: about.into(), claims }
    }

    pub(crate) fn shared_item(ci: &str, claims: Vec<Claim>) -> Self {
        Self::new(Reason::SharedItem, ci, claims)
    }

    /// The refusal.
    pub(crate) fn refusal(&self) -> Error {
        let about = &self.about;
        let what = match self.reason {
            Reason::ClaimedTwice => format!("Two rows of one source claim the serial number {about}"),
            Reason::SeveralControllers => format!("Two controllers manage the device with the serial number {about}"),
            Reason::SeveralItems => {
                format!("The device with the serial number {about} has several configuration items")
            }
            Reason::SharedItem => format!("The configuration item {about} belongs to several devices"),
            Reason::SeveralGroups => format!("The device is said to be in several redundancy groups ({about})"),
        };
        let parties: Vec<_> = self.claims.iter().map(|c| format!("`{}` ({})", c.source, c.id)).collect();
        Error::new(
            ErrorKind::Conflict,
            "target_ambiguous",
            format!("{what}: {}. It is not changed until its records agree; correct one of them.", parties.join(", ")),
        )
        .with_details(json!({ "reason": self.reason, "about": about, "claims": self.claims }))
    }
}

/// The first contradiction among rows of one device, the gravest first.
pub(crate) fn contradiction(rows: &[Said<'_>]) -> Option<Ambiguity> {
    if rows.len() < 2 {
        return None;
    }
    let serial = |said: &Said<'_>| said.row.serials.iter().find_map(|s| normalised(s)).unwrap_or_default();
    for (at, one) in rows.iter().enumerate() {
        if let Some(other) = rows[at + 1..].iter().find(|other| other.source == one.source) {
            let shared = other
                .row
                .serials
                .iter()
                .filter_map(|s| normalised(s))
                .find(|s| one.row.serials.iter().filter_map(|o| normalised(o)).any(|o| o == *s));
            let reason = if one.row.ci != other.row.ci { Reason::SeveralItems } else { Reason::ClaimedTwice };
            let about = shared.unwrap_or_else(|| serial(one));
            return Some(Ambiguity::new(reason, about, vec![one.claim(), other.claim()]));
        }
    }
    let controllers: Vec<_> =
        rows.iter().filter(|said| said.kind == SourceKind::Server && said.row.ci.is_none()).collect();
    if let [one, _, ..] = controllers.as_slice() {
        let claims = controllers.iter().map(|said| said.claim()).collect();
        return Some(Ambiguity::new(Reason::SeveralControllers, serial(one), claims));
    }
    let differing = |pick: fn(&TargetRow) -> &Option<String>| {
        let known: Vec<_> = rows.iter().filter(|said| pick(said.row).is_some()).collect();
        let first = known.first()?;
        known.iter().any(|said| pick(said.row) != pick(first.row)).then_some(known)
    };
    if let Some(known) = differing(|r| &r.ci) {
        let claims = known.iter().map(|said| said.claim()).collect();
        return Some(Ambiguity::new(Reason::SeveralItems, serial(known[0]), claims));
    }
    if let Some(known) = differing(|r| &r.redundancy_group) {
        let groups: Vec<_> = known.iter().filter_map(|said| said.row.redundancy_group.clone()).collect();
        let claims = known.iter().map(|said| said.claim()).collect();
        return Some(Ambiguity::new(Reason::SeveralGroups, groups.join(", "), claims));
    }
    None
}
