//! The world: what was generated, plus the edits of people and controllers, which alone are kept in memory and in the
//! journal.
//!
//! Where next: [`configurations`] for the three of each device, [`crate::devices_in_use`] for what a device does with entered
//! lines, [`crate::cabling`] for links and who stands in for whom, [`crate::condition`] for health and issues.

mod configurations;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use platform::{Error, ErrorKind, Json, SharedClock};
use uuid::Uuid;

use crate::cabling::Cabling;
use crate::device::{Device, Reachability};
use crate::fleet::{Fleet, Link};
use crate::interfaces::Interface;
use crate::journal::{Entry, Journal};
use crate::lines::Config;
use crate::seed::Seed;
use crate::sites::{Region, Site};

/// How to open a world.
#[derive(Clone)]
pub struct WorldOptions {
    /// Number of the lab; equal numbers give equal worlds.
    pub seed: u64,
    /// How many devices.
    pub devices: u32,
    /// Which region.
    pub region: Region,
    /// Folder of the journal; without one, edits die with the process.
    pub state_dir: Option<PathBuf>,
    /// The lab's clock.
    pub clock: SharedClock,
}

/// One region of the simulated network.
pub struct World {
    pub(crate) seed: Seed,
    pub(crate) clock: SharedClock,
    pub(crate) fleet: Fleet,
    born_ms: i64,
    region: Region,
    by_id: HashMap<Uuid, usize>,
    generation: AtomicU64,
    state: Mutex<State>,
}

pub(crate) struct State {
    journal: Journal,
    edits: HashMap<usize, Edit>,
    pub(crate) cabling: Cabling,
    documents: BTreeMap<String, BTreeMap<String, Box<str>>>,
}

/// What differs from birth. `None` = the generated configuration.
#[derive(Debug, Clone, Default)]
struct Edit {
    running: Option<Arc<str>>,
    running_at: Option<i64>,
    startup: Option<Arc<str>>,
    /// The controller's copy, where it is not the running configuration.
    stale: Option<Arc<str>>,
    collected_at: Option<i64>,
    reachable: Option<bool>,
}

impl World {
    /// Generates the region and applies the journal.
    ///
    /// # Errors
    /// `world_state` when the folder cannot be written or the journal does not read.
    pub fn open(options: WorldOptions) -> platform::Result<Self> {
        let seed = Seed::new(options.seed, options.region.name());
        let fleet = Fleet::lay_out(seed, options.region, options.devices);
        let by_id = fleet.devices.iter().map(|device| (device.id, device.index)).collect();
        let (journal, entries) = match &options.state_dir {
            None => (Journal::forgetful(), Vec::new()),
            Some(folder) => std::fs::create_dir_all(folder)
                .and_then(|()| Journal::open(&folder.join(format!("world-{}.jsonl", options.region.name()))))
                .map_err(|error| storage(&error))?,
        };
        let state = State { journal, edits: HashMap::new(), cabling: Cabling::default(), documents: BTreeMap::new() };
        let mut world = Self {
            seed,
            clock: options.clock,
            fleet,
            born_ms: 0,
            region: options.region,
            by_id,
            generation: AtomicU64::new(0),
            state: Mutex::new(state),
        };
        let mut born = None;
        for entry in entries {
            if let Entry::Born { at_ms } = entry {
                born = Some(at_ms);
            } else {
                world.absorb(&mut world.lock(), entry);
            }
        }
        world.born_ms = match born {
            Some(at_ms) => at_ms,
            None => {
                let at_ms = world.clock.now().as_millisecond();
                world.lock().journal.append(&Entry::Born { at_ms }).map_err(|error| storage(&error))?;
                at_ms
            }
        };
        Ok(world)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The region.
    pub fn region(&self) -> Region {
        self.region
    }

    /// Now, by the lab's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When the world was opened for the first time, ms since the epoch.
    pub fn born_ms(&self) -> i64 {
        self.born_ms
    }

    /// All devices, in the order of the layout.
    pub fn devices(&self) -> &[Device] {
        &self.fleet.devices
    }

    /// All sites; index 0 is the root.
    pub fn sites(&self) -> &[Site] {
        &self.fleet.sites
    }

    /// All cables.
    pub fn links(&self) -> &[Link] {
        &self.fleet.links
    }

    /// The cables of a device.
    pub fn links_of(&self, device: &Device) -> impl Iterator<Item = &Link> {
        self.fleet.cables.get(device.index).into_iter().flatten().filter_map(|at| self.fleet.links.get(*at as usize))
    }

    /// The device with this id.
    pub fn device(&self, id: Uuid) -> Option<&Device> {
        self.by_id.get(&id).and_then(|at| self.fleet.devices.get(*at))
    }

    /// The site of a device.
    pub fn site_of(&self, device: &Device) -> Option<&Site> {
        self.fleet.sites.get(device.site)
    }

    fn edit(&self, device: &Device) -> Option<Edit> {
        self.lock().edits.get(&device.index).cloned()
    }

    /// The name under which the controller knows the device: the `hostname` line of its running configuration.
    pub fn hostname(&self, device: &Device) -> String {
        let running = self.edit(device).and_then(|edit| edit.running);
        let named = running.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("hostname ")));
        named.unwrap_or(&device.hostname).to_owned()
    }

    /// Whether the controller reaches the device now: it answers, and a path leads to it.
    pub fn reachability(&self, device: &Device) -> Reachability {
        if self.lock().cabling.is_isolated(device.index) {
            return Reachability::Unreachable;
        }
        self.own_reachability(device)
    }

    /// Whether the device would answer if a path led to it.
    pub(crate) fn own_reachability(&self, device: &Device) -> Reachability {
        match self.edit(device).and_then(|edit| edit.reachable) {
            Some(true) => Reachability::Reachable,
            Some(false) => Reachability::Unreachable,
            None => device.reachability,
        }
    }

    /// Cuts or restores management of a device.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn set_reachable(&self, device: &Device, reachable: bool) -> platform::Result<()> {
        self.record(Entry::Reach { device: device.id, reachable, at_ms: self.now().as_millisecond() })
    }

    /// When the device booted, ms since the epoch.
    pub fn booted_at_ms(&self, device: &Device) -> i64 {
        self.born_ms - device.up_before_birth_s * 1000
    }

    /// Seconds since the device booted.
    pub fn uptime_s(&self, device: &Device) -> i64 {
        (self.now().as_millisecond() - self.born_ms) / 1000 + device.up_before_birth_s
    }

    /// The interfaces of a device under its running configuration.
    pub fn interfaces(&self, device: &Device) -> Vec<Interface> {
        self.interfaces_under(device, &self.running(device))
    }

    /// The interfaces of a device under the controller's copy of its configuration.
    pub fn interfaces_collected(&self, device: &Device) -> Vec<Interface> {
        self.interfaces_under(device, &self.collected(device))
    }

    /// The controller's id of an interface of this name, whether or not it exists now.
    pub fn interface_id(&self, device: &Device, name: &str) -> Uuid {
        self.seed.uuid(name, device.index as u64)
    }

    fn interfaces_under(&self, device: &Device, config: &Config) -> Vec<Interface> {
        let cabled: Vec<(String, bool)> =
            self.fleet.cables_of(device).map(|cable| (cable.port.to_owned(), self.link_up(cable.link))).collect();
        crate::interfaces::expand(self.seed, device, config, &cabled)
    }

    /// Stores a document of a simulator; it survives a kill.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn put_document(&self, space: &str, key: &str, value: Json) -> platform::Result<()> {
        self.record(Entry::Document { space: space.to_owned(), key: key.to_owned(), value: Some(value) })
    }

    /// Removes a document.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn remove_document(&self, space: &str, key: &str) -> platform::Result<()> {
        self.record(Entry::Document { space: space.to_owned(), key: key.to_owned(), value: None })
    }

    /// One document.
    pub fn document(&self, space: &str, key: &str) -> Option<Json> {
        let state = self.lock();
        state.documents.get(space)?.get(key).and_then(|text| serde_json::from_str(text).ok())
    }

    /// All documents of a space, ordered by key.
    pub fn documents(&self, space: &str) -> Vec<(String, Json)> {
        let state = self.lock();
        let rows = state.documents.get(space).into_iter().flatten();
        rows.filter_map(|(key, text)| Some((key.clone(), serde_json::from_str(text).ok()?))).collect()
    }

    /// The keys of a space, in order.
    pub fn document_keys(&self, space: &str) -> Vec<String> {
        self.lock().documents.get(space).map(|rows| rows.keys().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn record(&self, entry: Entry) -> platform::Result<()> {
        let mut state = self.lock();
        state.journal.append(&entry).map_err(|error| storage(&error))?;
        let of_the_network = !matches!(entry, Entry::Document { .. });
        self.absorb(&mut state, entry);
        if of_the_network {
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Counts the changes of devices and cables: what was derived at an equal number and time still holds.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    fn absorb(&self, state: &mut State, entry: Entry) {
        let at = |id: Uuid| self.by_id.get(&id).copied();
        match entry {
            Entry::Born { .. } => {}
            Entry::Running { device, at_ms, text } => {
                let Some(at) = at(device) else { return };
                if let Some(device) = self.fleet.devices.get(at) {
                    let config = Config::parse(device.os(), &text);
                    state.cabling.set_configuration(&self.fleet, device, &config, at_ms);
                }
                let edit = state.edits.entry(at).or_default();
                edit.running = Some(text.into());
                edit.running_at = Some(at_ms);
            }
            Entry::Saved { device, .. } => {
                let Some(at) = at(device) else { return };
                let edit = state.edits.entry(at).or_default();
                edit.startup = edit.running.clone();
            }
            Entry::Collected { device, at_ms, text } => {
                let Some(at) = at(device) else { return };
                let edit = state.edits.entry(at).or_default();
                edit.stale = text.map(Into::into);
                edit.collected_at = Some(at_ms);
            }
            Entry::Reach { device, reachable, .. } => {
                let Some(at) = at(device) else { return };
                state.edits.entry(at).or_default().reachable = Some(reachable);
            }
            Entry::Cable { link, plugged, at_ms } => state.cabling.set_plugged(&self.fleet, link, plugged, at_ms),
            Entry::Document { space, key, value } => {
                let rows = state.documents.entry(space).or_default();
                match value {
                    Some(value) => rows.insert(key, value.to_string().into_boxed_str()),
                    None => rows.remove(&key),
                };
            }
        }
    }
}

fn storage(error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "world_state", "the lab's state folder cannot be read or written")
        .with_detail(error.to_string())
}
