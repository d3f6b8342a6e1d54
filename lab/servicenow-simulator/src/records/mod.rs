//! The rows of the instance: seeded ones in memory, edits in memory and in the world's journal, so that a killed process
//! loses nothing that it acknowledged.
//!
//! Where next: [`seeded`] for what stands there at birth, [`index`] for rows by the value of a field, [`remembered`] for
//! answers that pages are cut from, [`crate::rules`] for what happens around a write.

mod index;
mod remembered;
mod row;
mod seeded;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use platform::SharedClock;
use serde_json::Value;
use world::World;

use self::index::Index;
use self::remembered::Remembered;
pub(crate) use self::row::Row;
use crate::schema::SCHEMA;

/// All rows by table and id.
pub(crate) struct Records {
    instance: String,
    /// Where the journal is.
    home: Arc<World>,
    clock: SharedClock,
    tables: BTreeMap<&'static str, BTreeMap<Box<str>, Row>>,
    index: Index,
    /// Answers over these very rows.
    remembered: Remembered,
    numbers: BTreeMap<&'static str, u64>,
}

/// `2026-11-22 06:00:00`, UTC.
pub(crate) fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The other way round; a date alone is its midnight.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let full = if text.len() == 10 { format!("{text} 00:00:00") } else { text.to_owned() };
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", full).ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

impl Records {
    /// The seeded rows with the journal's edits over them. The first world keeps the journal.
    pub(crate) fn open(
        instance: &str,
        worlds: &[Arc<World>],
        clock: SharedClock,
        number: u64,
        account: &str,
    ) -> Option<Self> {
        let home = Arc::clone(worlds.first()?);
        let mut records = Self {
            instance: instance.to_owned(),
            home,
            clock,
            tables: BTreeMap::new(),
            index: Index::default(),
            remembered: Remembered::default(),
            numbers: BTreeMap::new(),
        };
        seeded::fill(&mut records, worlds, number, account);
        for table in SCHEMA.tables() {
            for (id, value) in records.home.documents(&records.space(table.name)) {
                match &value {
                    Value::Object(map) => records.plant(Row::from_json(table.name, map)),
                    _ => records.uproot(table.name, &id),
                }
            }
        }
        for table in SCHEMA.tables() {
            let Some(prefix) = table.prefix else { continue };
            let of_rows = records.tables.get(table.name).into_iter().flatten();
            let numbers = of_rows.filter_map(|(_, row)| row.get("number").strip_prefix(prefix)?.parse::<u64>().ok());
            let highest = numbers.max().unwrap_or(first_number(prefix) - 1);
            // A number that was given and deleted again is never given a second time.
            let given = records.home.document(&records.space("numbers"), prefix).and_then(|value| value.as_u64());
            records.numbers.insert(prefix, highest.max(given.unwrap_or(0)));
        }
        Some(records)
    }

    fn space(&self, table: &str) -> String {
        format!("{}/{table}", self.instance)
    }

    /// Now, by the lab's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Now as a field holds it.
    pub(crate) fn now_text(&self) -> String {
        time_text(self.now())
    }

    /// The next number of a prefix: `CHG0030001`.
    pub(crate) fn next_number(&mut self, prefix: &'static str) -> platform::Result<String> {
        let next = self.numbers.get(prefix).copied().unwrap_or(first_number(prefix) - 1) + 1;
        self.home.put_document(&self.space("numbers"), prefix, Value::from(next))?;
        self.numbers.insert(prefix, next);
        Ok(format!("{prefix}{next:07}"))
    }

    /// Rows of a table and of those that extend it, by class and id.
    pub(crate) fn family<'a>(&'a self, table: &str) -> impl Iterator<Item = &'a Row> + use<'a> {
        SCHEMA.family(table).iter().filter_map(|name| self.tables.get(name)).flat_map(BTreeMap::values)
    }

    /// The row of a table, or of one that extends it, with this id.
    pub(crate) fn find(&self, table: &str, id: &str) -> Option<&Row> {
        SCHEMA.family(table).iter().find_map(|name| self.tables.get(name)?.get(id))
    }

    /// Rows of a family that hold one of these lower-cased values in one of these fields, by class and id. Nothing when one
    /// of the fields is not looked up by value, or one of the values is empty: only a look at every row tells then.
    pub(crate) fn holding<'a>(&'a self, table: &str, wanted: &[(&str, &[String])]) -> Option<Vec<&'a Row>> {
        let looked_up = |field: &str| field == "sys_id" || Index::has(field);
        if wanted.iter().any(|(field, values)| !looked_up(field) || values.iter().any(String::is_empty)) {
            return None;
        }
        let mut found = Vec::new();
        for name in SCHEMA.family(table) {
            let Some(rows) = self.tables.get(name) else { continue };
            let mut ids: BTreeSet<&str> = BTreeSet::new();
            for (field, values) in wanted {
                match *field {
                    "sys_id" => ids.extend(values.iter().map(String::as_str)),
                    field => ids.extend(self.index.ids(name, field, values)),
                }
            }
            found.extend(ids.into_iter().filter_map(|id| rows.get(id)));
        }
        Some(found)
    }

    /// The rows that stand for `question`, which must ask for the same rows until a row changes. `found` finds them when
    /// nobody asked since the last change.
    pub(crate) fn remembered<'a>(&'a self, question: &str, found: impl FnOnce() -> Vec<&'a Row>) -> remembered::Keys {
        self.remembered.keys(question, || found().into_iter().map(|row| (row.table, row.id().into())).collect())
    }

    /// The first row of a family whose field has this value, by id.
    pub(crate) fn first(&self, table: &str, field: &str, value: &str) -> Option<&Row> {
        self.all(table, field, value).next()
    }

    /// All rows of a family whose field has this value.
    pub(crate) fn all<'a, 'v>(
        &'a self,
        table: &str,
        field: &'v str,
        value: &'v str,
    ) -> impl Iterator<Item = &'a Row> + use<'a, 'v> {
        let held = self.holding(table, &[(field, &[value.to_lowercase()][..])]);
        let rest = held.is_none().then(|| self.family(table));
        held.into_iter().flatten().chain(rest.into_iter().flatten()).filter(move |row| row.get(field) == value)
    }

    /// What people see in place of a reference.
    pub(crate) fn display(&self, table: &str, id: &str) -> String {
        match self.find(table, id) {
            Some(row) => self.name_of(row),
            None => String::new(),
        }
    }

    /// What people see in place of a row.
    pub(crate) fn name_of(&self, row: &Row) -> String {
        let Some(table) = SCHEMA.table(row.table) else { return String::new() };
        let shown = row.get(table.display);
        match SCHEMA.field(row.table, table.display) {
            Some(field) if field.is_reference() && !shown.is_empty() => self.display(field.reference, shown),
            _ => shown.to_owned(),
        }
    }

    /// Stores a seeded row: it costs no journal.
    fn plant(&mut self, row: Row) {
        self.remembered.forget();
        let rows = self.tables.entry(row.table).or_default();
        if let Some(old) = rows.get(row.id()) {
            self.index.remove(old);
        }
        self.index.add(&row);
        rows.insert(row.id().into(), row);
    }

    fn uproot(&mut self, table: &'static str, id: &str) {
        self.remembered.forget();
        if let Some(old) = self.tables.get_mut(table).and_then(|rows| rows.remove(id)) {
            self.index.remove(&old);
        }
    }

    /// Stores a row durably.
    pub(crate) fn put(&mut self, row: Row) -> platform::Result<()> {
        self.home.put_document(&self.space(row.table), row.id(), row.to_json())?;
        self.plant(row);
        Ok(())
    }

    /// Removes a row durably.
    pub(crate) fn remove(&mut self, table: &'static str, id: &str) -> platform::Result<()> {
        // A mark and not an absence: the row may be a seeded one. Null would be an absence in the journal.
        self.home.put_document(&self.space(table), id, Value::Bool(false))?;
        self.uproot(table, id);
        Ok(())
    }

    /// Keeps the bytes of an attachment, base64.
    pub(crate) fn keep_content(&self, id: &str, content: Option<String>) -> platform::Result<()> {
        let space = self.space("content");
        match content {
            Some(text) => self.home.put_document(&space, id, Value::from(text)),
            None => self.home.remove_document(&space, id),
        }
    }

    /// The bytes of an attachment, base64.
    pub(crate) fn content(&self, id: &str) -> Option<String> {
        self.home.document(&self.space("content"), id)?.as_str().map(str::to_owned)
    }
}

/// Numbers of the vendor's demo data begin here.
fn first_number(prefix: &str) -> u64 {
    match prefix {
        "CHG" => 30_001,
        "PRB" => 40_001,
        "KB" => 1_001,
        _ => 10_001,
    }
}

/// A new id, 32 hexadecimal digits.
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
