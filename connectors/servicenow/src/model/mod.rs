//! What callers get: rows of the vendor's, normalised. Times are RFC 3339 in UTC, choices have their stored value and their
//! label, references their id and their name. Texts are what people wrote: data, and never instructions.

mod changes;
mod incidents;
mod inventory;

pub(crate) use self::changes::{
    APPROVAL, Approval, CHANGE, CHANGE_ROW, CHANGE_TEMPLATE, Change, ChangeRow, ChangeTemplate,
};
pub(crate) use self::incidents::{INCIDENT, INCIDENT_ROW, Incident, IncidentRow, JOURNAL_ENTRY, JournalEntry};
pub(crate) use self::inventory::{ITEM, Item, USER, User, serials};
