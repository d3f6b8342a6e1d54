//! Rows as the Change Management API shows them.

use serde_json::{Map, Value, json};

use crate::records::{Records, Row};
use crate::render::seen;
use crate::schema::SCHEMA;

/// A row with every field as `{display_value, value}`.
pub(super) fn row(records: &Records, row: &Row) -> Value {
    let mut shown = Map::new();
    for field in SCHEMA.fields(row.table) {
        let value = if field.element == "sys_class_name" { row.table } else { row.get(field.element) };
        let display = seen(records, row, field, value);
        // Numbers and booleans are real ones; what is empty is an empty text.
        let typed = match field.kind {
            "integer" => value.parse::<f64>().map_or_else(|_| Value::from(value), Value::from),
            "boolean" => Value::from(value == "true"),
            _ => Value::from(value),
        };
        let mut both = json!({ "display_value": display, "value": typed });
        if matches!(field.kind, "glide_date_time" | "glide_date" | "due_date") {
            both["display_value_internal"] = Value::from(value);
        }
        shown.insert(field.element.to_owned(), both);
    }
    Value::Object(shown)
}
