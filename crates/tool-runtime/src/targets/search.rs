//! Looking for a device: by host name, serial number, site, role or configuration item, across all sources. Shows only what
//! servers know that the caller may use; what another server says of the same device is not shown, and not searched.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, SourceKind};
use super::join::{Ambiguity, Claim, normalised};
use super::view::{Seen, View};
use super::{TargetDirectory, age};

/// What is looked for; all of it must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetQuery {
    /// Part of the host name.
    #[schemars(length(max = 255))]
    pub hostname: Option<String>,
    /// A whole serial number, of any member of a stack.
    #[schemars(length(max = 64))]
    pub serial: Option<String>,
    /// Part of the site hierarchy, for example `Global/USA`.
    #[schemars(length(max = 255))]
    pub site: Option<String>,
    /// The whole role, for example `ACCESS`.
    #[schemars(length(max = 64))]
    pub role: Option<String>,
    /// The whole redundancy group.
    #[schemars(length(max = 255))]
    pub redundancy_group: Option<String>,
    /// The whole configuration item.
    #[schemars(length(max = 64))]
    pub ci: Option<String>,
    /// Only devices that this server knows.
    #[schemars(length(max = 40))]
    pub server: Option<String>,
    /// Only devices whose records contradict each other.
    #[serde(default)]
    pub ambiguous: bool,
}

/// A device that was found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FoundTarget {
    /// Host name.
    pub hostname: Option<String>,
    /// Serial numbers; several for a stack.
    pub serials: Vec<String>,
    /// Site hierarchy.
    pub site: Option<String>,
    /// Role in the network.
    pub role: Option<String>,
    /// Redundancy group, where known.
    pub redundancy_group: Option<String>,
    /// Configuration item, where known.
    pub ci: Option<String>,
    /// What each server calls it: the id is an argument of that server's tools.
    pub known_as: Vec<Claim>,
    /// Why it would not be changed: its records contradict each other.
    pub ambiguous: Option<Ambiguity>,
    /// Seconds since its sources were read; the oldest counts.
    pub age_s: i64,
}

/// What was found of a page.
#[derive(Debug)]
pub struct FoundTargets {
    /// The page.
    pub rows: Vec<FoundTarget>,
    /// All that match.
    pub total: u64,
}

impl TargetDirectory {
    /// The devices that match, in the order of their host names. `servers` are those that the caller may use.
    pub fn search(&self, query: &TargetQuery, servers: &BTreeSet<&str>, page: (u64, u32), now: i64) -> FoundTargets {
        let index = self.index.load();
        let wanted = Wanted::of(&index, query, servers);
        let view = index.views.of(&index, wanted.visible);
        let skip = usize::try_from(page.0).unwrap_or(usize::MAX);
        let mut found =
            Found { index: &index, wanted: &wanted, page: (skip, page.1 as usize), now, rows: vec![], total: 0 };
        match wanted.candidates(&index, &view) {
            Candidates::All => found.all(&view),
            Candidates::These(lines) => lines.for_each(|line| found.look_at(view.seen(&index, line))),
        }
        FoundTargets { rows: found.rows, total: found.total as u64 }
    }
}

/// Which lines of a view may hold what is looked for.
enum Candidates<'a> {
    /// All of them do.
    All,
    /// These may.
    These(Box<dyn Iterator<Item = usize> + 'a>),
}

/// What was found so far.
struct Found<'a> {
    index: &'a Index,
    wanted: &'a Wanted<'a>,
    /// Devices to skip, and most that are shown.
    page: (usize, usize),
    now: i64,
    rows: Vec<FoundTarget>,
    total: usize,
}

impl Found<'_> {
    /// Takes a page of a view whose every line is meant.
    fn all(&mut self, view: &View) {
        self.total = view.len();
        let lines = (self.page.0..view.len()).take(self.page.1);
        self.rows.extend(
            lines.filter_map(|line| Some(self.wanted.shown(self.index, view.seen(self.index, line)?, self.now))),
        );
    }

    fn look_at(&mut self, seen: Option<Seen<'_>>) {
        let Some(seen) = seen.filter(|seen| self.wanted.matches(*seen)) else { return };
        if self.total >= self.page.0 && self.rows.len() < self.page.1 {
            self.rows.push(self.wanted.shown(self.index, seen, self.now));
        }
        self.total += 1;
    }
}

/// A query in the form in which it is compared.
struct Wanted<'a> {
    /// Sources that the caller may see, a bit for each.
    visible: u64,
    /// Sources of which the device needs one.
    required: u64,
    hostname: String,
    site: String,
    role: String,
    serial: Option<Option<String>>,
    query: &'a TargetQuery,
}

impl<'a> Wanted<'a> {
    fn of(index: &Index, query: &'a TargetQuery, servers: &BTreeSet<&str>) -> Self {
        // The operator's file adds to devices that a server knows; alone it shows none.
        let visible = index.mask(|source| source.kind == SourceKind::File || servers.contains(source.name.as_str()));
        let required = index.mask(|source| {
            source.kind == SourceKind::Server && query.server.as_ref().is_none_or(|server| *server == source.name)
        });
        let small = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_lowercase();
        Self {
            visible,
            required: visible & required,
            hostname: small(&query.hostname),
            site: small(&query.site),
            role: small(&query.role),
            serial: query.serial.as_deref().map(normalised),
            query,
        }
    }

    /// Where to look: by the narrowest of what is asked for.
    fn candidates<'v>(&'v self, index: &Index, view: &'v View) -> Candidates<'v> {
        let TargetQuery { site, role, redundancy_group, ci, server, ambiguous, .. } = self.query;
        match &self.serial {
            Some(serial) => {
                let line = serial.as_ref().and_then(|serial| view.by_serial(index, serial));
                Candidates::These(Box::new(line.into_iter()))
            }
            None if !self.hostname.is_empty() => Candidates::These(Box::new(view.by_hostname(&self.hostname))),
            None if [site, role, redundancy_group, ci, server].iter().all(|asked| asked.is_none()) && !ambiguous => {
                Candidates::All
            }
            None => Candidates::These(Box::new(0..view.len())),
        }
    }

    fn matches(&self, Seen { device, merged, text }: Seen<'_>) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        device.sources & self.required != 0
            && (!self.query.ambiguous || device.ambiguity.is_some())
            && (self.role.is_empty() || text.role == self.role)
            && text.hostname.contains(&self.hostname)
            && text.site.contains(&self.site)
            && same(&self.query.redundancy_group, &merged.redundancy_group)
            && same(&self.query.ci, &merged.ci)
            && self.serial.as_ref().is_none_or(|wanted| wanted.as_ref().is_some_and(|w| merged.serials.contains(w)))
    }

    fn shown(&self, index: &Index, Seen { device, merged, .. }: Seen<'_>, now: i64) -> FoundTarget {
        let rows: Vec<_> = device.rows.iter().filter(|at| self.visible >> at.source & 1 == 1).collect();
        let ages = rows.iter().map(|at| age(now, index.sources[usize::from(at.source)].read_at));
        let names: BTreeSet<_> = rows.iter().map(|at| index.said(**at).source).collect();
        // The parties of a contradiction may be servers that the caller cannot use: those are not named.
        let ambiguous = device.ambiguity.clone().map(|mut ambiguity| {
            let parties = ambiguity.claims.len();
            ambiguity.claims.retain(|claim| names.contains(claim.source.as_str()));
            if ambiguity.claims.len() < parties {
                ambiguity.about = merged.serials.first().cloned().unwrap_or_default();
            }
            ambiguity
        });
        FoundTarget {
            hostname: merged.hostname.clone(),
            serials: merged.serials.clone(),
            site: merged.site.clone(),
            role: merged.role.clone(),
            redundancy_group: merged.redundancy_group.clone(),
            ci: merged.ci.clone(),
            known_as: rows.iter().map(|at| index.said(**at).claim()).filter(|c| c.source != super::FILE).collect(),
            ambiguous,
            age_s: ages.max().unwrap_or_default(),
        }
    }
}
