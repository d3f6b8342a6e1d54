//! Which rows of a table hold a value, for the fields by which clients and rules look rows up. Letter case does not count,
//! as it does not in queries. An empty value is no value here.

use std::collections::HashMap;

use super::Row;

/// Fields that rows are looked up by, beside their ids. None of them holds a number, so that equal values are equal texts.
const FIELDS: [&str; 16] = [
    "number",
    "name",
    "user_name",
    "serial_number",
    "ip_address",
    "parent",
    "child",
    "task",
    "ci_item",
    "cmdb_ci",
    "user",
    "group",
    "change_request",
    "sysapproval",
    "element_id",
    "table_sys_id",
];

/// Rows of one table and field: ids by lower-cased value.
type Holders = HashMap<Box<str>, Vec<Box<str>>>;

/// Ids of rows by table, field and value.
#[derive(Default)]
pub(super) struct Index(HashMap<&'static str, HashMap<&'static str, Holders>>);

impl Index {
    /// Whether rows are looked up by this field.
    pub(super) fn has(field: &str) -> bool {
        FIELDS.contains(&field)
    }

    /// Ids of a table's rows that hold one of these lower-cased values.
    pub(super) fn ids<'a>(&'a self, table: &str, field: &str, values: &[String]) -> impl Iterator<Item = &'a str> {
        let held = self.0.get(table).and_then(|fields| fields.get(field));
        values.iter().filter_map(move |value| held?.get(value.as_str())).flatten().map(|id| &**id)
    }

    /// Takes a row in.
    pub(super) fn add(&mut self, row: &Row) {
        let fields = self.0.entry(row.table).or_default();
        for (field, value) in looked_up(row) {
            fields.entry(field).or_default().entry(value.into_boxed_str()).or_default().push(row.id().into());
        }
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, row: &Row) {
        let Some(fields) = self.0.get_mut(row.table) else { return };
        for (field, value) in looked_up(row) {
            let Some(holders) = fields.get_mut(field) else { continue };
            let Some(ids) = holders.get_mut(value.as_str()) else { continue };
            ids.retain(|id| **id != *row.id());
            if ids.is_empty() {
                holders.remove(value.as_str());
            }
        }
    }
}

fn looked_up(row: &Row) -> impl Iterator<Item = (&'static str, String)> {
    row.values().filter(|(field, _)| Index::has(field)).map(|(field, value)| (field, value.to_lowercase()))
}
