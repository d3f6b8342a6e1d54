//! What happens around a write: defaults, references, numbers, data policies, the rules of each table before and after, the
//! journal and the audit fields. Every door of the instance writes through [`insert`], [`update`] and [`remove`].
//!
//! Where next: [`incident`], [`change`], [`approval`] for the rules of those tables.

pub(crate) mod approval;
pub(crate) mod change;
mod incident;
mod journal;

use serde_json::{Map, Value};

use crate::caller::Caller;
use crate::records::{Records, Row, new_id, parse_time, time_text};
use crate::reply::Fail;
use crate::schema::{Field, SCHEMA};

pub(crate) use incident::priority;

/// Fields and values as somebody sends them. Values are the vendor's texts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Input {
    values: Vec<(String, String)>,
    /// `sysparm_input_display_value`: values are what people see.
    pub(crate) is_display: bool,
}

impl Input {
    /// Reads a body. An object stands for its `value`, else its `display_value`; null empties a field.
    pub(crate) fn read(body: &Map<String, Value>, is_display: bool) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Object(both) => {
                let named = both.get("value").or_else(|| both.get("display_value"));
                named.and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            other => other.to_string(),
        };
        Self { values: body.iter().map(|(name, value)| (name.clone(), text(value))).collect(), is_display }
    }

    /// From pairs.
    pub(crate) fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { values, is_display: false }
    }

    /// Adds a value unless the sender gave one.
    pub(crate) fn or(mut self, field: &str, value: &str) -> Self {
        if self.get(field).is_none() {
            self.values.push((field.to_owned(), value.to_owned()));
        }
        self
    }

    /// Replaces what the sender gave.
    pub(crate) fn and(mut self, field: &str, value: &str) -> Self {
        self.values.retain(|(name, _)| name != field);
        self.values.push((field.to_owned(), value.to_owned()));
        self
    }

    /// A value.
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// A row with the dictionary's defaults.
pub(crate) fn blank(table: &'static str) -> Row {
    let mut row = Row::empty(table);
    for field in SCHEMA.fields(table).iter().rev().filter(|field| !field.default.is_empty()) {
        row.set(field.element, field.default);
    }
    match table {
        "incident" => row.set("state", "1"),
        "change_request" => row.set("state", "-5"),
        "change_task" => row.set("state", "1"),
        "problem" => row.set("state", "101"),
        _ => {}
    }
    row
}

/// Adds a row; its id.
pub(crate) fn insert(
    records: &mut Records,
    caller: &Caller,
    table: &'static str,
    input: &Input,
) -> Result<String, Fail> {
    if !caller.may_insert(table) {
        return Err(Fail::acl());
    }
    let mut row = blank(table);
    let notes = fill(records, caller, &mut row, input);
    let id = new_id();
    row.set("sys_id", id.as_str());
    if SCHEMA.extends(table, "task") {
        if row.get("opened_at").is_empty() {
            row.set("opened_at", records.now_text());
        }
        if row.get("opened_by").is_empty() {
            row.set("opened_by", caller.user.as_str());
        }
    }
    before(records, caller, None, &mut row)?;
    policy(&row)?;
    // A number is spent only by a row that comes to be.
    if let Some(prefix) = SCHEMA.ancestry(table).find_map(|table| table.prefix) {
        let number = records.next_number(prefix)?;
        row.set("number", number.as_str());
        row.set("task_effective_number", number);
    }
    let now = records.now_text();
    for (field, value) in [
        ("sys_created_on", now.as_str()),
        ("sys_created_by", &caller.user_name),
        ("sys_updated_on", &now),
        ("sys_updated_by", &caller.user_name),
        ("sys_mod_count", "0"),
    ] {
        row.set(field, value);
    }
    records.put(row.clone())?;
    journal::write(records, caller, &row, &notes)?;
    after(records, caller, None, &row)?;
    Ok(id)
}

/// Changes a row. Nothing is counted as an update when nothing differs.
pub(crate) fn update(records: &mut Records, caller: &Caller, table: &str, id: &str, input: &Input) -> Result<(), Fail> {
    let old = records.find(table, id).filter(|row| caller.sees(row)).cloned().ok_or_else(Fail::no_record)?;
    if !caller.may_update(&old) {
        return Err(Fail::acl());
    }
    let mut row = old.clone();
    let notes = fill(records, caller, &mut row, input);
    before(records, caller, Some(&old), &mut row)?;
    policy(&row)?;
    store(records, caller, &old, row, &notes)
}

/// Changes a row as the instance does it by itself, without asking the rules of the table before.
pub(crate) fn act(records: &mut Records, caller: &Caller, table: &str, id: &str, input: &Input) -> Result<(), Fail> {
    let Some(old) = records.find(table, id).cloned() else { return Ok(()) };
    let mut row = old.clone();
    let notes = fill(records, &Caller::system(), &mut row, input);
    store(records, caller, &old, row, &notes)
}

fn store(
    records: &mut Records,
    caller: &Caller,
    old: &Row,
    mut row: Row,
    notes: &[(&'static str, String)],
) -> Result<(), Fail> {
    if !row.differs(old) && notes.is_empty() {
        return Ok(());
    }
    row.set("sys_updated_on", records.now_text());
    row.set("sys_updated_by", caller.user_name.as_str());
    row.set("sys_mod_count", (old.number("sys_mod_count").unwrap_or(0) + 1).to_string());
    records.put(row.clone())?;
    journal::write(records, caller, &row, notes)?;
    after(records, caller, Some(old), &row)
}

/// Removes a row.
pub(crate) fn remove(records: &mut Records, caller: &Caller, table: &str, id: &str) -> Result<(), Fail> {
    let row = records.find(table, id).filter(|row| caller.sees(row)).cloned().ok_or_else(Fail::no_record)?;
    if !caller.may_delete(&row) {
        return Err(Fail::acl());
    }
    records.remove(row.table, row.id())?;
    if row.table == "sys_attachment" {
        records.keep_content(row.id(), None)?;
    }
    Ok(())
}

/// Takes what is sent into the row; what goes to the journal comes back. Unknown and read-only fields are dropped silently.
fn fill(records: &Records, caller: &Caller, row: &mut Row, input: &Input) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    for (name, value) in &input.values {
        let Some(field) = SCHEMA.field(row.table, name) else { continue };
        if field.is_journal() {
            if !value.trim().is_empty() {
                notes.push((field.element, value.clone()));
            }
        } else if !(field.read_only || kept(row.table, field.element)) || caller.user_name == "system" {
            row.set(field.element, stored(records, row.table, field, value, input.is_display));
        }
    }
    notes
}

/// Fields that follow from others or from approvals, so that what people write into them is lost.
fn kept(table: &str, element: &str) -> bool {
    element == "priority" && table == "incident" || element == "approval" && SCHEMA.extends(table, "task")
}

/// The value as the column holds it.
fn stored(records: &Records, table: &str, field: &Field, value: &str, is_display: bool) -> String {
    if field.is_reference() {
        return referenced(records, field, value);
    }
    let label = SCHEMA.choices(table, field.element).iter().find(|(_, label)| is_display && *label == value);
    let value = label.map_or(value, |(value, _)| value);
    match field.kind {
        "boolean" => (if matches!(value, "true" | "1") { "true" } else { "false" }).to_owned(),
        "glide_date_time" | "due_date" => match parse_time(value) {
            Some(at) => time_text(at),
            None => String::new(),
        },
        "integer" => value.trim().parse::<f64>().map_or_else(|_| String::new(), |number| format!("{number:.0}")),
        // The column's width counts in characters.
        _ => value.chars().take(field.max_length).collect(),
    }
}

/// An id as it is; the text that people see becomes the row's id; any other text is lost.
fn referenced(records: &Records, field: &Field, value: &str) -> String {
    if value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return value.to_lowercase();
    }
    let shown = SCHEMA.table(field.reference).map_or("name", |table| table.display);
    let also = if field.reference == "sys_user" { "user_name" } else { shown };
    let found = records.family(field.reference).find(|row| row.get(shown) == value || row.get(also) == value);
    found.filter(|_| !value.is_empty()).map(|row| row.id().to_owned()).unwrap_or_default()
}

fn before(records: &Records, caller: &Caller, old: Option<&Row>, row: &mut Row) -> Result<(), Fail> {
    if SCHEMA.extends(row.table, "task")
        && old.is_some_and(|old| {
            !old.get("assignment_group").is_empty() && old.get("assignment_group") != row.get("assignment_group")
        })
    {
        let count = row.number("reassignment_count").unwrap_or(0) + 1;
        row.set("reassignment_count", count.to_string());
    }
    match row.table {
        "incident" => incident::before(records, caller, old, row),
        "change_request" => change::before(records, caller, old, row),
        "change_task" => change::before_task(records, caller, old, row),
        "problem" => incident::before_problem(records, caller, old, row),
        "sysapproval_approver" => approval::before(caller, old, row),
        "sys_user" => {
            let name = format!("{} {}", row.get("first_name"), row.get("last_name"));
            row.set("name", name.trim());
            Ok(())
        }
        _ => Ok(()),
    }
}

fn after(records: &mut Records, caller: &Caller, old: Option<&Row>, row: &Row) -> Result<(), Fail> {
    match row.table {
        "change_request" => change::after(records, caller, old, row),
        "sysapproval_approver" => approval::after(records, caller, old, row),
        _ => Ok(()),
    }
}

/// Mandatory fields of the dictionary, and those that follow from the state.
fn policy(row: &Row) -> Result<(), Fail> {
    let flagged = SCHEMA.fields(row.table).iter().filter(|field| field.mandatory).map(|field| field.element);
    let mut wanted: Vec<&str> = flagged.collect();
    if matches!(row.table, "incident" | "change_request" | "change_task" | "problem") {
        wanted.push("short_description");
    }
    wanted.extend(match (row.table, row.get("state")) {
        ("incident", "3") => &["hold_reason"][..],
        ("incident", "6" | "7") => &["close_code", "close_notes"],
        ("change_request", "-4" | "-3" | "-2" | "-1" | "0") => &["assignment_group"],
        ("change_request", "3") => &["assignment_group", "close_code", "close_notes"],
        ("change_task", "3") => &["close_code", "close_notes"],
        ("problem", "106" | "107") => &["resolution_code"],
        _ => &[],
    });
    let missing = wanted.into_iter().filter(|element| row.get(element).is_empty());
    let labels: Vec<&str> = missing.filter_map(|element| Some(SCHEMA.field(row.table, element)?.label)).collect();
    if labels.is_empty() { Ok(()) } else { Err(Fail::mandatory(&labels)) }
}
