//! What every instance has: companies, kinds of relations, models of changes, properties, and the tables that describe the
//! tables.

use super::{DAY, Seeding};
use crate::schema::SCHEMA;

impl Seeding<'_> {
    pub(super) fn foundation(&mut self) {
        self.named("core_company", "Cisco Systems", &[("manufacturer", "true"), ("vendor", "true")]);
        for (parent, child) in [
            ("Members", "Member of"),
            ("Cluster of", "Cluster"),
            ("Depends on", "Used by"),
            ("Contains", "Contained by"),
        ] {
            let name = format!("{parent}::{child}");
            self.named("cmdb_rel_type", &name, &[("parent_descriptor", parent), ("child_descriptor", child)]);
        }
        for (name, kind, default) in
            [("Normal", "normal", "true"), ("Emergency", "emergency", "false"), ("Standard", "standard", "false")]
        {
            let description = format!("{name} change with its states and approvals");
            let more = [("type", kind), ("default_change_model", default), ("description", description.as_str())];
            self.named("chg_model", name, &more);
        }
        for (name, value, kind) in [
            ("com.glide.attachment.max_size", "24", "integer"),
            ("glide.invalid_query.returns_no_rows", "false", "boolean"),
            ("instance_name", "lab", "string"),
        ] {
            self.named("sys_properties", name, &[("value", value), ("type", kind)]);
        }
        for kind in [
            "string",
            "integer",
            "boolean",
            "reference",
            "glide_date_time",
            "glide_date",
            "journal_input",
            "glide_list",
        ] {
            self.named("sys_glide_object", kind, &[("label", kind)]);
        }
    }

    /// Rows of the tables that describe the tables.
    pub(super) fn dictionary(&mut self) {
        for table in SCHEMA.tables() {
            let above = table.parent.map(|parent| self.id("sys_db_object", parent)).unwrap_or_default();
            let row = self
                .row("sys_db_object", &self.id("sys_db_object", table.name), -900 * DAY)
                .with("name", table.name)
                .with("label", table.label)
                .with("super_class", above)
                .with("number_ref", table.prefix.unwrap_or_default());
            self.plant(row);
            for field in &table.own {
                let flag = |on: bool| if on { "true" } else { "false" };
                let row = self
                    .row(
                        "sys_dictionary",
                        &self.id("dictionary", &format!("{}.{}", table.name, field.element)),
                        -900 * DAY,
                    )
                    .with("name", table.name)
                    .with("element", field.element)
                    .with("column_label", field.label)
                    .with("internal_type", field.kind)
                    .with("reference", field.reference)
                    .with("max_length", field.max_length.to_string())
                    .with("mandatory", flag(field.mandatory))
                    .with("read_only", flag(field.read_only))
                    .with("default_value", field.default)
                    .with("display", flag(table.display == field.element));
                self.plant(row);
            }
        }
        for (table, element, list) in SCHEMA.all_choices() {
            for (at, (value, label)) in list.iter().enumerate() {
                let row = self
                    .row("sys_choice", &self.id("choice", &format!("{table}.{element}.{value}")), -900 * DAY)
                    .with("name", table)
                    .with("element", element)
                    .with("value", *value)
                    .with("label", *label)
                    .with("sequence", at.to_string());
                self.plant(row);
            }
        }
    }
}
