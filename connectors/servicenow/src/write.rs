//! Storing: creates that happen once, updates that can be found again, and notes that say who did it.
//!
//! A create carries the key of its call as `correlation_id`, which is looked up before the create and again when its reply
//! was lost (T20). An update carries the call's id in its work note, which is looked up in the same way. Whatever is left
//! unclear is handed on as the error it was, and the pipeline says `outcome_unknown`.

use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json, canonical};
use serde_json::Map;
use tool_runtime::ToolCx;

use crate::client::{Api, parameters};
use crate::error::is_ambiguous;
use crate::journal;
use crate::query::{Query, Table};
use crate::record::Record;
use crate::resolve::is_sys_id;

/// Fields to store.
pub(crate) type Fields = Map<String, Json>;

/// Adds a field, if there is a value.
pub(crate) fn set(body: &mut Fields, field: &str, value: Option<String>) {
    if let Some(value) = value {
        body.insert(field.to_owned(), value.into());
    }
}

/// A row that a create left, and whether it was this call's.
pub(crate) struct Created {
    pub(crate) row: Record,
    pub(crate) existed: bool,
}

/// The key of a create by a person or an agent: their own idempotency key, bound to who they are and what they call, since
/// two people may think of the same one; or the call's id.
pub(crate) fn key_of(cx: &ToolCx, tool: &str) -> Result<String, Error> {
    match &cx.call.references.idempotency_key {
        None => Ok(cx.call.request_id.to_string()),
        Some(key) => {
            let digest = canonical::digest_hex(&(cx.call.principal.key(), tool, key))?;
            Ok(digest)
        }
    }
}

/// Creates a row at `path` unless one with this `correlation_id` is there.
pub(crate) async fn create_once(
    api: &Api,
    cx: &ToolCx,
    table: &'static Table,
    path: &str,
    mut body: Fields,
    key: &str,
    fields: &[&str],
) -> Result<Created, Error> {
    preparing(cx);
    if let Some(row) = by_key(api, cx, table, key, fields).await? {
        return Ok(Created { row, existed: true });
    }
    body.insert("correlation_id".into(), key.into());
    body.insert("correlation_display".into(), "Interlock".into());
    let request = Request::new(Method::POST, path, cx.deadline).json(&body)?;
    sending(cx);
    match api.send::<Record>(cx, request).await {
        Ok(row) => {
            let id = row.id();
            if !is_sys_id(&id) {
                return Err(Error::new(
                    ErrorKind::Upstream,
                    "target_garbled",
                    "ServiceNow answered a create without the id of what it made.",
                ));
            }
            if let Some(journal) = &cx.journal {
                journal.started(serde_json::json!({"sys_id": id, "correlation_id": key})).await?;
            }
            Ok(Created { row, existed: false })
        }
        Err(error) if is_ambiguous(&error) => match by_key(api, cx, table, key, fields).await {
            Ok(Some(row)) => Ok(Created { row, existed: false }),
            // Not there proves nothing yet: the vendor may still be at it.
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

async fn by_key(
    api: &Api,
    cx: &ToolCx,
    table: &'static Table,
    key: &str,
    fields: &[&str],
) -> Result<Option<Record>, Error> {
    let query = Query::of(table).is("correlation_id", Some(key)).build()?;
    let mut rows = api.few(cx, table, &query, fields).await?;
    match rows.len() {
        0 | 1 => Ok(rows.pop()),
        _ => Err(Error::new(
            ErrorKind::Conflict,
            "name_ambiguous",
            "More than one record in ServiceNow carries the correlation id of this call. A person has to look at them.",
        )),
    }
}

/// Stores fields of a row, with a note, and reads back what is there now. The note carries the call's id: it tells
/// whether an update whose reply was lost has happened.
pub(crate) async fn update(
    api: &Api,
    cx: &ToolCx,
    table: &'static Table,
    id: &str,
    mut body: Fields,
    note: Option<&str>,
    fields: &[&str],
) -> Result<Record, Error> {
    body.insert("work_notes".into(), noted(cx, note).into());
    let path = format!("/api/now/table/{}/{id}?{}", table.name, parameters(fields, |_| {}));
    let request = Request::new(Method::PATCH, path, cx.deadline).json(&body)?;
    sending(cx);
    match api.send::<Record>(cx, request).await {
        Ok(row) => Ok(row),
        Err(error) if is_ambiguous(&error) => {
            match journal::holds(api, cx, id, &cx.call.request_id.to_string()).await {
                Ok(true) => api.one(cx, table, id, fields).await,
                _ => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// A work note, its first line by us: the person and the call (T29).
pub(crate) fn noted(cx: &ToolCx, note: Option<&str>) -> String {
    let who = &cx.call.principal;
    let actors: Vec<&str> = who.actors.iter().map(|a| a.subject.as_str()).collect();
    let through = if actors.is_empty() { String::new() } else { format!(" (through {})", actors.join(", ")) };
    let first = format!("{}{through} by Interlock, call {}", who.name, cx.call.request_id);
    let first: String = first.chars().filter(|c| !c.is_control()).collect();
    match note {
        None => plain(&first),
        Some(note) => format!("{}\n{}", plain(&first), plain(note)),
    }
}

/// Text for people without the vendor's mark that makes it HTML in the browser of whoever reads the record.
pub(crate) fn plain(text: &str) -> String {
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = rest.find('[') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        out.push('[');
        rest = &tail[1..];
        let word = rest.trim_start().trim_start_matches('/').trim_start();
        if word.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("code")) {
            out.push('\u{200b}');
        }
    }
    out.push_str(rest);
    out
}

/// The fields of `wanted` that the vendor did not store. It drops what its access rules or its business rules do not like
/// without a word. Journal fields cannot be read back.
pub(crate) fn not_stored(wanted: &Fields, row: &Record) -> Vec<String> {
    let journal = |name: &str| matches!(name, "work_notes" | "comments");
    let same = |name: &str, value: &Json| {
        let asked = value.as_str().map_or_else(|| value.to_string(), str::to_owned).replace("\r\n", "\n");
        row.text(name).unwrap_or_default().replace("\r\n", "\n").trim() == asked.trim()
    };
    let lost = wanted.iter().filter(|(name, value)| !journal(name) && !same(name, value));
    lost.map(|(name, _)| name.clone()).collect()
}

/// What follows only reads.
pub(crate) fn preparing(cx: &ToolCx) {
    if let Some(journal) = &cx.journal {
        journal.preparing();
    }
}

/// The next request is the side effect.
pub(crate) fn sending(cx: &ToolCx) {
    if let Some(journal) = &cx.journal {
        journal.sending();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fields, not_stored, plain};

    #[test]
    fn a_note_never_becomes_html_in_a_persons_browser() {
        assert_eq!(plain("[code]<script>x</script>[/code]"), "[\u{200b}code]<script>x</script>[\u{200b}/code]");
        assert_eq!(plain("[CODE]a[ code ]"), "[\u{200b}CODE]a[\u{200b} code ]");
        assert_eq!(plain("interface [Gi1/0/1] code [ü] ["), "interface [Gi1/0/1] code [ü] [");
    }

    #[test]
    fn what_the_vendor_dropped_without_a_word_is_named() {
        let wanted: Fields = json!({"state": "2", "description": "a\nb ", "assigned_to": "x", "work_notes": "n"})
            .as_object()
            .cloned()
            .unwrap();
        let row = json!({"state": {"value": 2.0, "display_value": "In Progress"}, "description": "a\r\nb"});
        assert_eq!(not_stored(&wanted, &serde_json::from_value(row).unwrap()), ["assigned_to"]);
    }
}
