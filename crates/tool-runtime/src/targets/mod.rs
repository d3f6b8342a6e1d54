//! The target directory: which devices there are, and what is known of each (T6, T17). An index in memory, refreshed from
//! server instances that know devices ([`crate::ports::TargetSource`]) and from an operator's file, joined by serial number.
//!
//! Reads are served with what is known. For `change` and above, three things are refused that a read may pass: devices whose
//! records contradict each other, facts older than [`STALE_S`], and everything before each source has been read once.
//!
//! Where to go next: [`index`] and [`join`] for how rows become devices, `around` for a device that was just looked up, [`refresh`] for how the index stays young, [`file`]
//! for the operator's list, [`search`] and `view` for people and agents who look for a device, `live` for look-ups,
//! `pipeline/targets.rs` for the stage of the road.

mod around;
pub mod file;
pub(crate) mod index;
mod join;
pub(crate) mod live;
pub mod refresh;
pub mod search;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use platform::config::TargetsConfig;
use platform::policy::TargetFacts;
use platform::{Error, ErrorKind};
use serde_json::json;
use tokio::sync::watch;

use self::around::Around;
use self::file::TargetsFile;
use self::index::{Index, MOST_SOURCES, Snapshot, SourceKind};
pub use self::join::{Ambiguity, Claim, Reason};
use crate::catalogue::Catalogue;
use crate::ports::target_source::TargetRow;

/// The kind of target that the directory knows.
pub(crate) const DEVICE: &str = "device";

/// Facts older than this are refused for `change` and above (T6), seconds.
pub const STALE_S: i64 = 15 * 60;

/// What the operator's file is called among the sources. No server instance has this name: one that had would be taken for it.
pub const FILE: &str = "file";

/// A source, and what it said last.
struct Source {
    name: String,
    kind: SourceKind,
    said: Option<Snapshot>,
    /// Code of the last failure, where the last attempt failed.
    failed: Option<String>,
}

/// How a source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Server instance, or [`FILE`].
    pub name: String,
    /// Seconds since it was read; nothing before the first time.
    pub age_s: Option<i64>,
    /// Devices that it knows.
    pub devices: usize,
    /// Code of the last failure, where the last attempt failed.
    pub failed: Option<String>,
}

/// Knows devices. Empty and without sources it covers no server, and facts come from look-ups alone.
pub struct TargetDirectory {
    sources: Mutex<Vec<Source>>,
    index: ArcSwap<Index>,
    /// Held while an index is built, which takes a while; calls never wait for it.
    building: Mutex<()>,
    file: Option<TargetsFile>,
    every: Duration,
    /// Somebody waits for younger facts.
    wanted: watch::Sender<u64>,
    /// Counts refreshes. Nobody waits where no refresher runs.
    refreshed: watch::Sender<u64>,
    refreshing: watch::Sender<bool>,
}

impl Default for TargetDirectory {
    fn default() -> Self {
        Self::with(None, Duration::from_secs(300))
    }
}

impl TargetDirectory {
    /// As the operator says. The file is read here once, so that a wrong one stops the start. Errors: `targets_file_invalid`.
    pub fn configured(config: &TargetsConfig) -> Result<Self, Error> {
        let file = config.file.as_deref().map(TargetsFile::open).transpose()?;
        Ok(Self::with(file, Duration::from_secs(config.refresh_s.max(1))))
    }

    fn with(file: Option<TargetsFile>, every: Duration) -> Self {
        Self {
            sources: Mutex::default(),
            index: ArcSwap::default(),
            building: Mutex::default(),
            file,
            every,
            wanted: watch::Sender::new(0),
            refreshed: watch::Sender::new(0),
            refreshing: watch::Sender::new(false),
        }
    }

    /// Takes the instances of the catalogue that know devices as sources, and the operator's file. Errors (settings):
    /// `targets_too_many_sources`, `targets_source_named_file`.
    pub fn expect(&self, catalogue: &Catalogue) -> Result<(), Error> {
        let knows = |s: &&crate::catalogue::Server| s.connector.ports().target_source.is_some();
        let servers: Vec<_> = catalogue.servers().filter(knows).map(|s| s.facts.name.clone()).collect();
        if servers.iter().any(|name| name == FILE) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "targets_source_named_file",
                "A server that knows devices cannot be called `file`: the target directory calls the operator's list so.",
            ));
        }
        if servers.len() >= MOST_SOURCES {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "targets_too_many_sources",
                format!("At most {} servers that know devices can be joined in one platform.", MOST_SOURCES - 1),
            ));
        }
        let source = |name, kind| Source { name, kind, said: None, failed: None };
        let mut sources: Vec<_> = servers.into_iter().map(|name| source(name, SourceKind::Server)).collect();
        // Devices that only the file knows are reachable through no server: alone it is no source.
        if self.file.is_some() && !sources.is_empty() {
            sources.push(source(FILE.to_owned(), SourceKind::File));
        }
        *self.lock() = sources;
        Ok(())
    }

    /// Takes what a source said. Rows with the same id are one row: a source may page through several lists of its own.
    pub(crate) fn publish(&self, name: &str, read_at: i64, rows: Vec<TargetRow>) {
        let Some(kind) = self.lock().iter().find(|s| s.name == name).map(|s| s.kind) else { return };
        let new = Snapshot { name: name.to_owned(), kind, read_at, rows: one_per_id(rows) };
        // One at a time: of two sources that arrive together, the index that stays must have both.
        let building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = |s: &Source| if s.name == name { Some(new.clone()) } else { s.said.clone() };
        let said = self.lock().iter().filter_map(latest).collect();
        self.index.store(Arc::new(Index::build(said)));
        // Only now: whoever waits until the source is young looks into the index next.
        if let Some(source) = self.lock().iter_mut().find(|s| s.name == name) {
            (source.said, source.failed) = (Some(new), None);
        }
        drop(building);
        self.refreshed.send_modify(|count| *count += 1);
    }

    /// Notes that a source could not be read; what it said before stays, and grows old.
    pub(crate) fn failed(&self, name: &str, code: &str) {
        if let Some(source) = self.lock().iter_mut().find(|s| s.name == name) {
            source.failed = Some(code.to_owned());
        }
        self.refreshed.send_modify(|count| *count += 1);
    }

    /// How each source stands.
    pub fn status(&self, now: i64) -> Vec<SourceStatus> {
        let status = |source: &Source| SourceStatus {
            name: source.name.clone(),
            age_s: source.said.as_ref().map(|said| age(now, said.read_at)),
            devices: source.said.as_ref().map_or(0, |said| said.rows.len()),
            failed: source.failed.clone(),
        };
        self.lock().iter().map(status).collect()
    }

    /// Devices, and how many of them are contradicted.
    pub fn size(&self) -> (usize, usize) {
        let index = self.index.load();
        (index.devices.len(), index.ambiguous())
    }

    /// Whether the devices of a server are among those that the index knows.
    pub(crate) fn covers(&self, server: &str) -> bool {
        self.lock().iter().any(|source| source.kind == SourceKind::Server && source.name == server)
    }

    /// Facts for a read: what the index knows, however old, with contradictions passed over.
    pub(crate) fn indexed(&self, server: &str, id: &str, now: i64) -> Option<TargetFacts> {
        let index = self.index.load();
        let device = index.by_id(index.source(server)?, id)?;
        Some(facts(id, &device.merged, "index", age(now, index.read_at(device))))
    }

    /// Seconds since a server was read.
    pub(crate) fn age_s(&self, server: &str, now: i64) -> Option<i64> {
        let index = self.index.load();
        index.source(server).and_then(|s| index.sources.get(s)).map(|s| age(now, s.read_at))
    }

    /// What the target system itself just said, with what all other sources know of the same serial numbers.
    pub(crate) fn joined(&self, server: &str, live: &TargetFacts, now: i64) -> TargetFacts {
        let index = self.index.load();
        Around::of(&index, server, live).facts(live, now)
    }

    /// Facts on which a change may rest: nothing contradicted, nothing unread, nothing older than [`STALE_S`]. `live` is what
    /// the target system itself said, where it was asked; otherwise the index speaks for it.
    ///
    /// Errors: `targets_not_loaded`, `target_facts_stale`, `target_ambiguous`, and `None` for a device that nobody knows.
    pub(crate) fn for_change(
        &self,
        server: &str,
        id: &str,
        live: Option<&TargetFacts>,
        now: i64,
    ) -> Result<Option<TargetFacts>, Error> {
        self.loaded()?;
        let index = self.index.load();
        // What contradicts a device may stand in any source, so that each of them must be young.
        let needed = index.sources.iter().filter(|s| live.is_none() || s.name != server);
        if let Some(oldest) = needed.min_by_key(|s| s.read_at)
            && age(now, oldest.read_at) > STALE_S
        {
            return Err(stale(&oldest.name, age(now, oldest.read_at)));
        }
        let (facts, ambiguity) = match live {
            Some(live) => {
                let around = Around::of(&index, server, live);
                (around.facts(live, now), around.ambiguity())
            }
            None => {
                let found = index.source(server).and_then(|source| index.by_id(source, id));
                let Some(device) = found else { return Ok(None) };
                (facts(id, &device.merged, "index", age(now, index.read_at(device))), device.ambiguity.clone())
            }
        };
        match ambiguity {
            Some(ambiguity) => Err(ambiguity.refusal()),
            None => Ok(Some(facts)),
        }
    }

    /// Whether each source has been read at least once.
    fn loaded(&self) -> Result<(), Error> {
        let sources = self.lock();
        let missing: Vec<_> = sources.iter().filter(|s| s.said.is_none()).map(|s| s.name.clone()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "targets_not_loaded",
            format!(
                "Which devices there are is not yet known: {} has not been read since the start.",
                missing.join(", ")
            ),
        )
        .with_details(json!({ "sources": missing }))
        .with_retry_after(Duration::from_secs(5)))
    }

    /// Whether a change could rest on what is known now.
    fn usable(&self, now: i64) -> bool {
        let young = |source: &Source| source.said.as_ref().is_some_and(|said| age(now, said.read_at) <= STALE_S);
        self.lock().iter().all(young)
    }

    /// Whether waiting helps: something is missing or old, and none of that could not be read the last time.
    fn may_become_usable(&self, now: i64) -> bool {
        let old = |source: &&Source| source.said.as_ref().is_none_or(|said| age(now, said.read_at) > STALE_S);
        let sources = self.lock();
        let mut missing = sources.iter().filter(old).peekable();
        missing.peek().is_some() && missing.all(|source| source.failed.is_none())
    }

    /// Waits until a change could rest on what is known, but not past `until`, and not at all where no refresher runs: an
    /// index that has just been started, or that a sleeping machine left behind, is asked for rather than refused.
    pub(crate) async fn made_usable(&self, now: impl Fn() -> i64, until: tokio::time::Instant) {
        let mut refreshed = self.refreshed.subscribe();
        while *self.refreshing.borrow() && self.may_become_usable(now()) {
            self.wanted.send_modify(|count| *count += 1);
            match tokio::time::timeout_at(until, refreshed.changed()).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows with one id as one row: what an earlier one says stays, and later ones fill in what it leaves out.
fn one_per_id(rows: Vec<TargetRow>) -> Arc<[TargetRow]> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    let mut kept: Vec<TargetRow> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.get(&row.id).and_then(|place| kept.get_mut(*place)) {
            Some(known) => fill(known, &row),
            None => {
                places.insert(row.id.clone(), kept.len());
                kept.push(row);
            }
        }
    }
    kept.into()
}

fn fill(row: &mut TargetRow, more: &TargetRow) {
    let TargetRow { serials, hostname, site, role, redundancy_group, ci, .. } = more;
    if row.serials.is_empty() {
        row.serials.clone_from(serials);
    }
    let fields = [
        (&mut row.hostname, hostname),
        (&mut row.site, site),
        (&mut row.role, role),
        (&mut row.redundancy_group, redundancy_group),
        (&mut row.ci, ci),
    ];
    for (field, more) in fields {
        if field.is_none() {
            field.clone_from(more);
        }
    }
}

fn facts(id: &str, merged: &join::Merged, source: &str, age_s: i64) -> TargetFacts {
    TargetFacts {
        kind: DEVICE.to_owned(),
        id: id.to_owned(),
        name: merged.hostname.clone().unwrap_or_else(|| id.to_owned()),
        serials: merged.serials.clone(),
        site: merged.site.clone(),
        role: merged.role.clone(),
        redundancy_group: merged.redundancy_group.clone(),
        ci: merged.ci.clone(),
        source: source.to_owned(),
        age_s,
    }
}

/// Never negative: a clock that was set back makes nothing young, and nothing younger than now.
fn age(now: i64, read_at: i64) -> i64 {
    now.saturating_sub(read_at).max(0)
}

fn stale(source: &str, age_s: i64) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "target_facts_stale",
        format!(
            "What is known of devices is {} minutes old, because `{source}` could not be read; changes need facts of at most \
             {} minutes.",
            age_s / 60,
            STALE_S / 60
        ),
    )
    .with_details(json!({ "source": source, "age_s": age_s }))
    .with_retry_after(Duration::from_secs(30))
}

#[cfg(test)]
mod tests;
