//! One row: the values that are not empty, by field. Field names are the dictionary's, so that a row holds pointers only.

use serde_json::{Map, Value};

use crate::schema::SCHEMA;

/// A row of a table. Absent = empty text.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The table of its class.
    pub(crate) table: &'static str,
    values: Vec<(&'static str, Box<str>)>,
}

impl Row {
    /// A row without values.
    pub(crate) fn empty(table: &'static str) -> Self {
        Self { table, values: Vec::new() }
    }

    /// The value of a field.
    pub(crate) fn get(&self, field: &str) -> &str {
        self.values.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value)
    }

    /// All values that are not empty, by field.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, &**value))
    }

    /// The number in a field.
    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        self.get(field).parse().ok()
    }

    /// Whether a field is `true`.
    pub(crate) fn is_true(&self, field: &str) -> bool {
        self.get(field) == "true"
    }

    /// Writes a field of the dictionary; others are dropped, as the vendor does.
    pub(crate) fn set(&mut self, field: &str, value: impl Into<Box<str>>) {
        let Some(known) = SCHEMA.field(self.table, field) else { return };
        let value = value.into();
        self.values.retain(|(name, _)| *name != known.element);
        if !value.is_empty() {
            self.values.push((known.element, value));
        }
    }

    /// Writes a field of a row that is being built.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Box<str>>) -> Self {
        self.set(field, value);
        self
    }

    /// The id, 32 hexadecimal digits.
    pub(crate) fn id(&self) -> &str {
        self.get("sys_id")
    }

    /// As it stands in the journal.
    pub(crate) fn to_json(&self) -> Value {
        Value::Object(self.values.iter().map(|(name, value)| ((*name).to_owned(), Value::from(&**value))).collect())
    }

    /// Back from the journal.
    pub(crate) fn from_json(table: &'static str, map: &Map<String, Value>) -> Self {
        let mut row = Self::empty(table);
        for (name, value) in map {
            row.set(name, value.as_str().unwrap_or_default());
        }
        row
    }

    /// Whether any value differs.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        self.values.len() != other.values.len() || self.values.iter().any(|(name, value)| other.get(name) != &**value)
    }
}
