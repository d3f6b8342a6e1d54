//! Rows as JSON, in the three forms of `sysparm_display_value`: values, what people see, or both.

use serde_json::{Map, Value, json};

use crate::params::Params;
use crate::records::{Records, Row};
use crate::schema::{Field, SCHEMA};

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    /// Values.
    False,
    /// What people see.
    True,
    /// Both.
    All,
}

/// How rows are shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    display: Display,
    exclude_links: bool,
    /// Names and paths; nothing = all fields of the table.
    fields: Vec<String>,
    /// `http://host:port`, for links.
    base: String,
}

impl View {
    /// From the parameters of a request.
    pub(crate) fn of(params: &Params, base: &str) -> Self {
        let display = match params.get("sysparm_display_value") {
            Some("true") => Display::True,
            Some("all") => Display::All,
            _ => Display::False,
        };
        let fields = params.get("sysparm_fields").unwrap_or_default();
        let fields = fields.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        Self {
            display,
            exclude_links: params.is_true("sysparm_exclude_reference_link"),
            fields: fields.collect(),
            base: base.to_owned(),
        }
    }

    /// One row of a table; a parent's table shows the parent's fields.
    pub(crate) fn row(&self, records: &Records, table: &str, row: &Row) -> Value {
        let mut shown = Map::new();
        if self.fields.is_empty() {
            for field in SCHEMA.fields(table) {
                shown.insert(field.element.to_owned(), self.value(records, row, field));
            }
        }
        for path in &self.fields {
            if let Some(value) = self.path(records, row, table, path) {
                shown.insert(path.clone(), value);
            }
        }
        Value::Object(shown)
    }

    /// The value at a path; nothing for names that do not exist.
    fn path(&self, records: &Records, row: &Row, table: &str, path: &str) -> Option<Value> {
        let Some((step, rest)) = path.split_once('.') else {
            return Some(self.value(records, row, SCHEMA.field(table, path)?));
        };
        let field = SCHEMA.field(table, step).filter(|field| field.is_reference())?;
        match records.find(field.reference, row.get(step)) {
            Some(next) => self.path(records, next, field.reference, rest),
            None => Some(match self.display {
                Display::All => json!({ "display_value": "", "value": "" }),
                _ => Value::from(""),
            }),
        }
    }

    fn value(&self, records: &Records, row: &Row, field: &Field) -> Value {
        let value = if field.element == "sys_class_name" { row.table } else { row.get(field.element) };
        let seen = seen(records, row, field, value);
        let has_link = field.is_reference() && !value.is_empty() && !self.exclude_links;
        let link = || link(&self.base, field.reference, value);
        match (self.display, has_link) {
            (Display::False, true) => json!({ "link": link(), "value": value }),
            (Display::True, true) => json!({ "display_value": seen, "link": link() }),
            (Display::All, true) => json!({ "display_value": seen, "value": value, "link": link() }),
            (Display::False, false) => Value::from(value),
            (Display::True, false) => Value::from(seen),
            (Display::All, false) => json!({ "display_value": seen, "value": value }),
        }
    }
}

/// Where a row stands. Tables that describe tables are named, not numbered.
pub(crate) fn link(base: &str, table: &str, id: &str) -> String {
    if matches!(table, "sys_glide_object" | "sys_db_object") && id.len() != 32 {
        return format!("{base}/api/now/table/{table}?name={id}");
    }
    format!("{base}/api/now/table/{table}/{id}")
}

/// What people see in place of a value.
pub(crate) fn seen(records: &Records, row: &Row, field: &Field, value: &str) -> String {
    if field.is_journal() || field.kind == "journal_list" {
        return journal(records, row, field.element);
    }
    if field.element == "sys_class_name" {
        return SCHEMA.table(row.table).map_or("", |table| table.label).to_owned();
    }
    if field.is_reference() {
        let named = matches!(field.reference, "sys_glide_object" | "sys_db_object") && value.len() != 32;
        return if named { value.to_owned() } else { records.display(field.reference, value) };
    }
    if field.kind == "glide_list" {
        let names: Vec<String> =
            value.split(',').filter(|id| !id.is_empty()).map(|id| records.display(field.reference, id)).collect();
        return names.join(", ");
    }
    let choice = SCHEMA.choices(row.table, field.element).iter().find(|(known, _)| *known == value);
    choice.map_or(value, |(_, label)| label).to_owned()
}

/// Entries of the journal as the record's page shows them, newest first.
fn journal(records: &Records, row: &Row, element: &str) -> String {
    let mut entries: Vec<&Row> = records
        .all("sys_journal_field", "element_id", row.id())
        .filter(|entry| element == "comments_and_work_notes" || entry.get("element") == element)
        .collect();
    entries.sort_by(|one, other| other.get("sys_created_on").cmp(one.get("sys_created_on")));
    let shown = entries.iter().map(|entry| {
        let who = entry.get("sys_created_by");
        let name =
            records.first("sys_user", "user_name", who).map_or_else(|| who.to_owned(), |user| records.name_of(user));
        let label = SCHEMA.field(row.table, entry.get("element")).map_or("", |field| field.label);
        format!("{} - {name} ({label})\n{}\n\n", entry.get("sys_created_on"), entry.get("value"))
    });
    shown.collect()
}
