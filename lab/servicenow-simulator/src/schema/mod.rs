//! The tables, fields and choice lists of the instance, read once from two texts beside this file.
//!
//! Where next: [`crate::records`], which holds rows of these tables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The instance's dictionary.
pub(crate) static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::read(include_str!("tables.txt"), include_str!("choices.txt")));

/// Fields that every table has.
const AUDIT: [(&str, &str, &str); 6] = [
    ("sys_id", "Sys ID", "GUID"),
    ("sys_created_on", "Created", "glide_date_time"),
    ("sys_created_by", "Created by", "string"),
    ("sys_updated_on", "Updated", "glide_date_time"),
    ("sys_updated_by", "Updated by", "string"),
    ("sys_mod_count", "Updates", "integer"),
];

/// One field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    /// `assigned_to`.
    pub(crate) element: &'static str,
    /// `Assigned to`.
    pub(crate) label: &'static str,
    /// The vendor's type: `string`, `reference`, `glide_date_time`, ….
    pub(crate) kind: &'static str,
    /// Characters.
    pub(crate) max_length: usize,
    /// The table that a reference names; empty for others.
    pub(crate) reference: &'static str,
    /// A data policy wants a value.
    pub(crate) mandatory: bool,
    /// What is written into it is dropped.
    pub(crate) read_only: bool,
    /// Value of a new row.
    pub(crate) default: &'static str,
}

impl Field {
    /// Whether it names a row of another table.
    pub(crate) fn is_reference(&self) -> bool {
        self.kind == "reference"
    }

    /// Whether what is written goes to the journal instead of the row.
    pub(crate) fn is_journal(&self) -> bool {
        self.kind == "journal_input"
    }
}

/// One table.
#[derive(Debug)]
pub(crate) struct Table {
    /// `change_request`.
    pub(crate) name: &'static str,
    /// `Change Request`.
    pub(crate) label: &'static str,
    /// The table that it extends.
    pub(crate) parent: Option<&'static str>,
    /// The field that people see in place of the id.
    pub(crate) display: &'static str,
    /// `CHG`; nothing for tables without numbers.
    pub(crate) prefix: Option<&'static str>,
    /// Fields of its own, without those of its parents.
    pub(crate) own: Vec<Field>,
}

/// All tables and lists.
#[derive(Debug)]
pub(crate) struct Schema {
    tables: BTreeMap<&'static str, Table>,
    choices: BTreeMap<(&'static str, &'static str), Vec<(&'static str, &'static str)>>,
    /// Every table with those that extend it.
    families: BTreeMap<&'static str, Vec<&'static str>>,
    /// Every field of a table, its own first, and where each stands.
    fields: BTreeMap<&'static str, (Vec<Field>, BTreeMap<&'static str, usize>)>,
}

impl Schema {
    fn read(tables: &'static str, choices: &'static str) -> Self {
        let mut schema = Self {
            tables: BTreeMap::new(),
            choices: BTreeMap::new(),
            families: BTreeMap::new(),
            fields: BTreeMap::new(),
        };
        let mut current = "";
        for line in lines(tables) {
            let mut parts = line.split('|').map(str::trim);
            let mut next = || parts.next().unwrap_or_default();
            if let Some(name) = line.strip_prefix("table ") {
                current = name.split('|').next().unwrap_or_default().trim();
                let (_, label, parent, display, prefix) = (next(), next(), next(), next(), next());
                let table = Table {
                    name: current,
                    label,
                    parent: (parent != "-").then_some(parent),
                    display,
                    prefix: (!prefix.is_empty()).then_some(prefix),
                    own: Vec::new(),
                };
                schema.tables.insert(current, table);
            } else if let Some(table) = schema.tables.get_mut(current) {
                let (element, label, kind, length, reference) = (next(), next(), next(), next(), next());
                let (flags, default) = (next(), next());
                table.own.push(Field {
                    element,
                    label,
                    kind,
                    max_length: length.parse().unwrap_or(40),
                    reference,
                    mandatory: flags.contains('m'),
                    read_only: flags.contains('r'),
                    default,
                });
            }
        }
        for line in lines(choices) {
            let Some((name, list)) = line.split_once(':') else { continue };
            let Some((table, element)) = name.split_once('.') else { continue };
            let pairs = list.split(';').filter_map(|pair| pair.trim().split_once('='));
            schema.choices.insert((table, element), pairs.collect());
        }
        schema.add_common_fields();
        schema.families = schema.tables.keys().map(|name| (*name, schema.descendants(name))).collect();
        schema.fields = schema.tables.keys().map(|name| (*name, schema.all_fields(name))).collect();
        schema
    }

    fn descendants(&self, name: &str) -> Vec<&'static str> {
        self.tables.keys().copied().filter(|table| self.extends(table, name)).collect()
    }

    fn all_fields(&self, name: &str) -> (Vec<Field>, BTreeMap<&'static str, usize>) {
        let all: Vec<Field> = self.ancestry(name).flat_map(|table| table.own.iter().copied()).collect();
        let places = all.iter().enumerate().rev().map(|(at, field)| (field.element, at)).collect();
        (all, places)
    }

    /// The audit fields of every root table, and the class field of those that have children or parents.
    fn add_common_fields(&mut self) {
        let extended: Vec<&str> = self.tables.values().filter_map(|table| table.parent).collect();
        for table in self.tables.values_mut().filter(|table| table.parent.is_none()) {
            let field = |element, label, kind| Field {
                element,
                label,
                kind,
                max_length: 40,
                reference: "",
                mandatory: false,
                read_only: true,
                default: "",
            };
            table.own.extend(AUDIT.map(|(element, label, kind)| field(element, label, kind)));
            if extended.contains(&table.name) {
                table.own.push(field("sys_class_name", "Class", "sys_class_name"));
            }
        }
    }

    /// All tables by name.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// One table.
    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// A table, its parent, and so on to the root.
    pub(crate) fn ancestry<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Table> + use<'a> {
        std::iter::successors(self.table(name), |table| table.parent.and_then(|parent| self.table(parent)))
    }

    /// Whether rows of `name` are rows of `ancestor` too.
    pub(crate) fn extends(&self, name: &str, ancestor: &str) -> bool {
        self.ancestry(name).any(|table| table.name == ancestor)
    }

    /// The table and all that extend it.
    pub(crate) fn family(&self, name: &str) -> &[&'static str] {
        self.families.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every field of a table, its own first.
    pub(crate) fn fields(&self, name: &str) -> &[Field] {
        self.fields.get(name).map(|(all, _)| all.as_slice()).unwrap_or_default()
    }

    /// One field of a table or of its parents.
    pub(crate) fn field(&self, table: &str, element: &str) -> Option<&Field> {
        let (all, places) = self.fields.get(table)?;
        all.get(*places.get(element)?)
    }

    /// The choice list of a field, the nearest table's first.
    pub(crate) fn choices(&self, table: &str, element: &str) -> &[(&'static str, &'static str)] {
        let Some(element) = self.field(table, element).map(|field| field.element) else { return &[] };
        let mut lists = self.ancestry(table).filter_map(|table| self.choices.get(&(table.name, element)));
        lists.next().map(Vec::as_slice).unwrap_or_default()
    }

    /// All choice lists: table, field, pairs of value and label.
    pub(crate) fn all_choices(
        &self,
    ) -> impl Iterator<Item = (&'static str, &'static str, &[(&'static str, &'static str)])> {
        self.choices.iter().map(|((table, element), list)| (*table, *element, list.as_slice()))
    }
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::SCHEMA;

    #[test]
    fn every_reference_and_choice_names_what_exists() {
        for table in SCHEMA.tables() {
            assert!(table.parent.is_none_or(|parent| SCHEMA.table(parent).is_some()), "{}", table.name);
            assert!(SCHEMA.field(table.name, table.display).is_some(), "{} shows {}", table.name, table.display);
            for field in &table.own {
                let named = field.reference.is_empty() || SCHEMA.table(field.reference).is_some();
                assert!(named, "{}.{} names {}", table.name, field.element, field.reference);
                assert!(!field.is_reference() || !field.reference.is_empty(), "{}.{}", table.name, field.element);
            }
        }
        for (table, element, list) in SCHEMA.all_choices() {
            assert!(SCHEMA.field(table, element).is_some() && !list.is_empty(), "{table}.{element}");
        }
    }

    #[test]
    fn a_child_has_its_parents_fields_and_its_own_lists() {
        assert!(SCHEMA.field("incident", "sys_class_name").is_some());
        assert!(SCHEMA.field("sys_user", "sys_class_name").is_none());
        assert_eq!(SCHEMA.choices("incident", "state")[0], ("1", "New"));
        assert_eq!(SCHEMA.choices("incident", "priority")[0], ("1", "1 - Critical"));
        assert!(SCHEMA.family("cmdb_ci").contains(&"cmdb_ci_ip_switch"));
    }
}
