//! What stands in the tables at birth: the lab's people, the items of every region, demo tickets, and the tables that
//! describe the tables.
//!
//! Where next: the files beside this one, by what they hold. The facts come from [`world::people`], [`world::cmdb`] and
//! [`world::tickets`].

mod describing;
mod items;
mod people;
mod tickets;

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;
use world::World;
use world::people::people;

use super::{Records, Row, time_text};
use crate::rules;
use crate::schema::SCHEMA;

/// Fills empty tables. `account` is the lab's account for integrations.
pub(super) fn fill(records: &mut Records, worlds: &[Arc<World>], number: u64, account: &str) {
    let mut seeding =
        Seeding { records, number, born_ms: worlds.iter().map(|world| world.born_ms()).min().unwrap_or(0) };
    let people = people(number);
    seeding.foundation();
    seeding.people(&people, account);
    let items: Vec<String> = worlds.iter().flat_map(|world| seeding.region(world)).collect();
    seeding.schedules(&items);
    seeding.changes(&items);
    seeding.incidents(&people, &items);
    seeding.knowledge();
    seeding.dictionary();
}

struct Seeding<'a> {
    records: &'a mut Records,
    number: u64,
    born_ms: i64,
}

impl Seeding<'_> {
    /// A fixed id for a name of a kind.
    fn id(&self, kind: &str, name: &str) -> String {
        let text = format!("{}/{kind}/{name}", self.number);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).simple().to_string()
    }

    /// The time so many seconds after birth.
    fn at(&self, seconds: i64) -> String {
        time_text(Timestamp::from_millisecond(self.born_ms + seconds * 1_000).unwrap_or_default())
    }

    /// A row with the dictionary's defaults and audit fields of that time.
    fn row(&self, table: &'static str, id: &str, created_s: i64) -> Row {
        let at = self.at(created_s);
        let mut row =
            rules::blank(table).with("sys_id", id).with("sys_created_by", "system").with("sys_updated_by", "system");
        row.set("sys_created_on", at.as_str());
        row.set("sys_updated_on", at.as_str());
        row.set("sys_mod_count", "0");
        row
    }

    fn plant(&mut self, row: Row) {
        self.records.plant(row);
    }

    fn named(&mut self, table: &'static str, name: &str, more: &[(&str, &str)]) -> String {
        let id = self.id(table, name);
        let display = SCHEMA.table(table).map_or("name", |table| table.display);
        let mut row = self.row(table, &id, -400 * DAY).with(display, name);
        for (field, value) in more {
            row.set(field, *value);
        }
        self.plant(row);
        id
    }
}

const DAY: i64 = 86_400;
