//! The index of devices: rows of all sources, joined by serial number (T17). A stack is one device with all its serials. What
//! the sources contradict each other in is kept beside the device, and refused where it matters.
//!
//! Pure: rows in, devices out. Next: `join` for how rows become one device, `mod` for who asks.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ports::target_source::TargetRow;

use super::join::{Ambiguity, Merged, compose, contradiction, normalised};
use super::view::Views;

/// Most sources: a device remembers its own in one word.
pub(crate) const MOST_SOURCES: usize = 64;

/// What one source said last.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// Name of the server instance, or of the operator's file.
    pub(crate) name: String,
    /// What sort of source it is.
    pub(crate) kind: SourceKind,
    /// When the reading began, seconds since the epoch.
    pub(crate) read_at: i64,
    /// Its devices, each id once.
    pub(crate) rows: Arc<[TargetRow]>,
}

/// What sort of source it is: whose word counts for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceKind {
    /// A server instance.
    Server,
    /// The operator's file: its word goes before that of systems.
    File,
}

/// A row, by its place in the snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) source: u16,
    pub(crate) row: u32,
}

/// One device.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Its rows, at least one.
    pub(crate) rows: Vec<At>,
    /// The sources of its rows, a bit for each.
    pub(crate) sources: u64,
    /// What they say together.
    pub(crate) merged: Merged,
    /// What they contradict each other in.
    pub(crate) ambiguity: Option<Ambiguity>,
    /// What a search looks at, in small letters.
    pub(crate) text: SearchText,
}

/// Small letters, for a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct SearchText {
    pub(crate) hostname: String,
    pub(crate) site: String,
    pub(crate) role: String,
}

impl From<&Merged> for SearchText {
    fn from(merged: &Merged) -> Self {
        let small = |text: &Option<String>| text.as_deref().map(str::to_lowercase).unwrap_or_default();
        Self { hostname: small(&merged.hostname), site: small(&merged.site), role: small(&merged.role) }
    }
}

/// All devices that the sources know.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// What it was made of.
    pub(crate) sources: Vec<Snapshot>,
    /// By host name, then serial number.
    pub(crate) devices: Vec<Device>,
    by_id: Vec<HashMap<String, u32>>,
    by_serial: HashMap<String, u32>,
    by_ci: HashMap<String, Vec<u32>>,
    /// What those see of it who may use some of the sources only.
    pub(super) views: Views,
}

impl Index {
    /// Joins the rows.
    pub(crate) fn build(sources: Vec<Snapshot>) -> Self {
        debug_assert!(sources.len() <= MOST_SOURCES, "the configuration limits them");
        let mut groups = Groups::default();
        for (source, snapshot) in sources.iter().enumerate().take(MOST_SOURCES) {
            for (row, said) in snapshot.rows.iter().enumerate() {
                groups.add(At { source: narrow(source), row: u32::try_from(row).unwrap_or(u32::MAX) }, said);
            }
        }
        let mut index = Self { sources, ..Self::default() };
        index.devices = groups.finish().into_iter().map(|rows| index.device(rows)).collect();
        index.devices.sort_by(|a, b| {
            let order = |d: &Device| (d.merged.serials.first().cloned(), d.rows.first().map(|at| (at.source, at.row)));
            a.text.hostname.cmp(&b.text.hostname).then_with(|| order(a).cmp(&order(b)))
        });
        index.note_places();
        index.find_shared_items();
        index
    }

    fn device(&self, rows: Vec<At>) -> Device {
        let said: Vec<_> = rows.iter().map(|at| self.said(*at)).collect();
        let merged = compose(&said);
        let ambiguity = contradiction(&said);
        let sources = rows.iter().fold(0, |mask, at| mask | (1 << at.source));
        Device { text: SearchText::from(&merged), rows, sources, merged, ambiguity }
    }

    fn note_places(&mut self) {
        self.by_id = vec![HashMap::new(); self.sources.len()];
        for (place, device) in self.devices.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            for at in &device.rows {
                let Some(row) = self.sources[usize::from(at.source)].rows.get(at.row as usize) else { continue };
                self.by_id[usize::from(at.source)].insert(row.id.clone(), place);
            }
            for serial in &device.merged.serials {
                self.by_serial.insert(serial.clone(), place);
            }
            if let Some(ci) = &device.merged.ci {
                self.by_ci.entry(ci.clone()).or_default().push(place);
            }
        }
    }

    /// A configuration item that two devices claim is the item of neither.
    fn find_shared_items(&mut self) {
        for (ci, places) in &self.by_ci {
            if places.len() < 2 {
                continue;
            }
            let claims: Vec<_> =
                places.iter().filter_map(|p| self.devices.get(*p as usize)).flat_map(|d| self.claims_of(d)).collect();
            for place in places {
                if let Some(device) = self.devices.get_mut(*place as usize) {
                    device.ambiguity.get_or_insert_with(|| Ambiguity::shared_item(ci, claims.clone()));
                }
            }
        }
    }

    fn claims_of(&self, device: &Device) -> Vec<super::join::Claim> {
        device.rows.iter().map(|at| self.said(*at).claim()).collect()
    }

    /// A row with who said it.
    pub(crate) fn said(&self, at: At) -> super::join::Said<'_> {
        let snapshot = &self.sources[usize::from(at.source)];
        super::join::Said { source: &snapshot.name, kind: snapshot.kind, row: &snapshot.rows[at.row as usize] }
    }

    /// The place of a source.
    pub(crate) fn source(&self, name: &str) -> Option<usize> {
        self.sources.iter().position(|s| s.name == name)
    }

    /// Those sources that are of a sort, a bit for each.
    pub(crate) fn mask(&self, sort: impl Fn(&Snapshot) -> bool) -> u64 {
        let bits = self.sources.iter().take(MOST_SOURCES).enumerate();
        bits.fold(0, |mask, (at, source)| mask | u64::from(sort(source)) << at)
    }

    /// The device that a source calls `id`.
    pub(crate) fn by_id(&self, source: usize, id: &str) -> Option<&Device> {
        self.by_id.get(source)?.get(id).and_then(|place| self.devices.get(*place as usize))
    }

    /// The device with a serial number, in its normal form.
    pub(crate) fn by_serial(&self, serial: &str) -> Option<&Device> {
        self.devices.get(self.place_of_serial(serial)?)
    }

    /// The same, as its place among the devices.
    pub(crate) fn place_of_serial(&self, serial: &str) -> Option<usize> {
        self.by_serial.get(serial).map(|place| *place as usize)
    }

    /// Whether another device than one of these rows claims the item.
    pub(crate) fn item_elsewhere(&self, ci: &str, own: &[At]) -> Option<&Device> {
        let places = self.by_ci.get(ci)?;
        let mut others = places.iter().filter_map(|place| self.devices.get(*place as usize));
        others.find(|device| !device.rows.iter().any(|at| own.contains(at)))
    }

    /// When the oldest part of what is known of a device was read.
    pub(crate) fn read_at(&self, device: &Device) -> i64 {
        device.rows.iter().map(|at| self.sources[usize::from(at.source)].read_at).min().unwrap_or_default()
    }

    /// How many devices are contradicted.
    pub(crate) fn ambiguous(&self) -> usize {
        self.devices.iter().filter(|d| d.ambiguity.is_some()).count()
    }
}

fn narrow(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// Rows that share a serial number, directly or by others (union-find).
#[derive(Default)]
struct Groups {
    rows: Vec<At>,
    parent: Vec<usize>,
    owner: HashMap<String, usize>,
}

impl Groups {
    fn add(&mut self, at: At, row: &TargetRow) {
        let node = self.rows.len();
        self.rows.push(at);
        self.parent.push(node);
        for serial in row.serials.iter().filter_map(|s| normalised(s)) {
            match self.owner.get(&serial) {
                Some(other) => self.unite(*other, node),
                None => {
                    self.owner.insert(serial, node);
                }
            }
        }
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parent[one.max(other)] = one.min(other);
    }

    fn finish(mut self) -> Vec<Vec<At>> {
        let mut groups: HashMap<usize, Vec<At>> = HashMap::new();
        for node in 0..self.rows.len() {
            let root = self.root(node);
            groups.entry(root).or_default().push(self.rows[node]);
        }
        groups.into_values().collect()
    }
}
