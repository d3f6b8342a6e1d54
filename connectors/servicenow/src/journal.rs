//! The journal of a record: work notes and comments, which are written to the record and read elsewhere.

use platform::Error;
use tool_runtime::ToolCx;

use crate::client::Api;
use crate::model::{JOURNAL_ENTRY, JournalEntry};
use crate::query::{Query, Table};

/// Entries that are shown, the newest.
const MOST: u64 = 50;

static TABLE: Table =
    Table { name: "sys_journal_field", fields: &["element_id", "element", "value", "name", "sys_created_on"] };

/// The newest entries of a record, newest first; nothing where the platform's account may not read journals.
pub(crate) async fn newest(api: &Api, cx: &ToolCx, id: &str) -> Result<Option<Vec<JournalEntry>>, Error> {
    let query = Query::of(&TABLE)
        .is("element_id", Some(id))
        .one_of("element", ["work_notes", "comments"])
        .newest_first("sys_created_on")
        .build()?;
    match api.rows(cx, &TABLE, &query, JOURNAL_ENTRY, (0, MOST)).await {
        Ok(found) => Ok(Some(found.rows.into_iter().map(JournalEntry::from).collect())),
        Err(error) if error.code() == "target_forbidden" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a text stands in the journal of a record.
pub(crate) async fn holds(api: &Api, cx: &ToolCx, id: &str, text: &str) -> Result<bool, Error> {
    let query = Query::of(&TABLE).is("element_id", Some(id)).contains("value", Some(text)).build()?;
    Ok(!api.few(cx, &TABLE, &query, &["sys_id"]).await?.is_empty())
}
