//! What is derived from the whole network and asked for again and again: rows of the inventory as text, health, issues. It
//! is remembered until a device or cable changes; in a world of 10,000 devices each would be a walk over all of them.
//!
//! Where next: `world::World::generation`, which tells of changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;
use world::{Device, Health, Issue, World};

use crate::inventory::is_managed;
use crate::simulator::Simulator;
use crate::{devices, modern_devices};

/// Issues say when they were last seen, to five minutes.
const BUCKET_MS: i64 = 300_000;

/// What was derived, and when.
#[derive(Default)]
pub(crate) struct Remembered {
    /// Counts the changes that the controller itself made to its rows (roles).
    own: AtomicU64,
    roles: Held<u64, Roles>,
    rows: Mutex<HashMap<usize, Row>>,
    newer_rows: Mutex<HashMap<usize, Row>>,
    found: Mutex<Found>,
    health: Held<u64, Vec<Health>>,
    issues: Held<(u64, i64), Vec<Issue>>,
}

/// Positions of the devices that pass filters, by the filters, as of a generation and of the controller's own changes.
#[derive(Default)]
struct Found {
    of: (u64, u64),
    lists: HashMap<String, Arc<[usize]>>,
}

/// Most lists of devices that are kept.
const MOST_LISTS: usize = 256;

/// A place for what was derived, with what it was derived from.
type Held<K, T> = Mutex<Option<(K, Arc<T>)>>;

/// The roles that somebody set, by device.
type Roles = HashMap<Uuid, String>;

/// A row of the inventory and what it was made of.
struct Row {
    generation: u64,
    own: u64,
    collected_ms: i64,
    text: Arc<str>,
}

fn open<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remembered {
    /// The roles that somebody set.
    pub(crate) fn roles(&self, world: &World) -> Arc<Roles> {
        let own = self.own.load(Ordering::Relaxed);
        if let Some((at, roles)) = &*open(&self.roles)
            && *at == own
        {
            return Arc::clone(roles);
        }
        let read =
            |(key, role): (String, serde_json::Value)| Some((Uuid::parse_str(&key).ok()?, role.as_str()?.to_owned()));
        let roles: Arc<Roles> = Arc::new(world.documents(devices::ROLES).into_iter().filter_map(read).collect());
        *open(&self.roles) = Some((own, Arc::clone(&roles)));
        roles
    }

    /// The controller changed a field of a row.
    pub(crate) fn forget_rows(&self) {
        self.own.fetch_add(1, Ordering::Relaxed);
    }
}

impl Simulator {
    /// The row of the inventory as JSON text.
    pub(crate) fn row_text(&self, device: &Device) -> Arc<str> {
        self.text_of(device, &self.remembered.rows, devices::row)
    }

    /// The row of the newer inventory as JSON text.
    pub(crate) fn newer_row_text(&self, device: &Device) -> Arc<str> {
        self.text_of(device, &self.remembered.newer_rows, modern_devices::row)
    }

    fn text_of(
        &self,
        device: &Device,
        rows: &Mutex<HashMap<usize, Row>>,
        make: impl Fn(&Self, &Device) -> serde_json::Value,
    ) -> Arc<str> {
        let (generation, own) = (self.world.generation(), self.remembered.own.load(Ordering::Relaxed));
        let collected_ms = self.world.collected_at_ms(device);
        if let Some(row) = open(rows).get(&device.index)
            && (row.generation, row.own, row.collected_ms) == (generation, own, collected_ms)
        {
            return Arc::clone(&row.text);
        }
        let text: Arc<str> = make(self, device).to_string().into();
        let row = Row { generation, own, collected_ms, text: Arc::clone(&text) };
        open(rows).insert(device.index, row);
        text
    }

    /// Positions of the devices that pass `filters`, which `find` finds when nobody asked since the last change.
    pub(crate) fn found(&self, filters: &str, find: impl FnOnce() -> Arc<[usize]>) -> Arc<[usize]> {
        let of = (self.world.generation(), self.remembered.own.load(Ordering::Relaxed));
        {
            let mut found = open(&self.remembered.found);
            if found.of != of {
                *found = Found { of, lists: HashMap::new() };
            }
            if let Some(list) = found.lists.get(filters) {
                return Arc::clone(list);
            }
        }
        let list = find();
        let mut found = open(&self.remembered.found);
        // What was found before a change that came meanwhile is answered and not kept.
        if found.of == of {
            if found.lists.len() >= MOST_LISTS {
                found.lists.clear();
            }
            found.lists.insert(filters.to_owned(), Arc::clone(&list));
        }
        list
    }

    /// The health of every device, by position.
    pub(crate) fn all_health(&self) -> Arc<Vec<Health>> {
        let generation = self.world.generation();
        if let Some((at, health)) = &*open(&self.remembered.health)
            && *at == generation
        {
            return Arc::clone(health);
        }
        let health: Arc<Vec<Health>> =
            Arc::new(self.world.devices().iter().map(|device| self.world.health(device)).collect());
        *open(&self.remembered.health) = Some((generation, Arc::clone(&health)));
        health
    }

    /// What is wrong now.
    pub(crate) fn all_issues(&self) -> Arc<Vec<Issue>> {
        let from = (self.world.generation(), self.now_ms().div_euclid(BUCKET_MS));
        if let Some((at, issues)) = &*open(&self.remembered.issues)
            && *at == from
        {
            return Arc::clone(issues);
        }
        let mut issues = self.world.issues();
        issues.retain(|issue| self.world.devices().get(issue.device).is_some_and(is_managed));
        let issues = Arc::new(issues);
        *open(&self.remembered.issues) = Some((from, Arc::clone(&issues)));
        issues
    }
}
