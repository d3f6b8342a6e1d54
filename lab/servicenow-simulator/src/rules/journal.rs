//! Journal fields: what is written into `comments` and `work_notes` of a record becomes a row of `sys_journal_field`.

use super::Fail;
use crate::caller::Caller;
use crate::records::{Records, Row, new_id};

/// Writes notes of a record.
pub(super) fn write(
    records: &mut Records,
    caller: &Caller,
    row: &Row,
    notes: &[(&'static str, String)],
) -> Result<(), Fail> {
    for (element, value) in notes {
        let now = records.now_text();
        let note = Row::empty("sys_journal_field")
            .with("sys_id", new_id())
            .with("name", row.table)
            .with("element", *element)
            .with("element_id", row.id())
            .with("value", value.as_str())
            .with("sys_created_on", now.as_str())
            .with("sys_created_by", caller.user_name.as_str());
        records.put(note)?;
    }
    Ok(())
}
