//! Looking for a device: by host name, serial number, site, role or configuration item, across all sources. Shows only what
//! servers know that the caller may use; what another server says of the same device is not shown, and not searched.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Device, Index, SearchText, SourceKind};
use super::join::{Ambiguity, Claim, Merged, compose, normalised};
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
        let mut found = FoundTargets { rows: Vec::new(), total: 0 };
        for device in &index.devices {
            let Some(seen) = wanted.seen(&index, device) else { continue };
            if found.total >= page.0 && found.rows.len() < page.1 as usize {
                found.rows.push(shown(&index, device, &seen, wanted.visible, now));
            }
            found.total += 1;
        }
        found
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

/// What the caller may know of a device: all of it, or what some of its sources say.
enum Seen {
    All,
    Part(Box<Merged>),
}

impl<'a> Wanted<'a> {
    fn of(index: &Index, query: &'a TargetQuery, servers: &BTreeSet<&str>) -> Self {
        let (mut visible, mut required) = (0, 0);
        for (at, source) in index.sources.iter().enumerate() {
            // The operator's file adds to devices that a server knows; alone it shows none.
            let shown = source.kind == SourceKind::File || servers.contains(source.name.as_str());
            visible |= u64::from(shown) << at;
            let asked = query.server.as_ref().is_none_or(|server| *server == source.name);
            required |= u64::from(shown && asked && source.kind == SourceKind::Server) << at;
        }
        let small = |text: &Option<String>| text.as_deref().map(str::trim).unwrap_or_default().to_lowercase();
        Self {
            visible,
            required,
            hostname: small(&query.hostname),
            site: small(&query.site),
            role: small(&query.role),
            serial: query.serial.as_deref().map(normalised),
            query,
        }
    }

    /// What the caller may know of the device, where it matches.
    fn seen(&self, index: &Index, device: &Device) -> Option<Seen> {
        if device.sources & self.required == 0 || (self.query.ambiguous && device.ambiguity.is_none()) {
            return None;
        }
        if device.sources & !self.visible == 0 {
            return self.matches(&device.merged, &device.text).then_some(Seen::All);
        }
        let rows: Vec<_> = device.rows.iter().filter(|at| self.visible >> at.source & 1 == 1).collect();
        let part = compose(&rows.iter().map(|at| index.said(**at)).collect::<Vec<_>>());
        self.matches(&part, &SearchText::from(&part)).then(|| Seen::Part(Box::new(part)))
    }

    fn matches(&self, merged: &Merged, text: &SearchText) -> bool {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        text.hostname.contains(&self.hostname)
            && text.site.contains(&self.site)
            && (self.role.is_empty() || text.role == self.role)
            && same(&self.query.redundancy_group, &merged.redundancy_group)
            && same(&self.query.ci, &merged.ci)
            && self.serial.as_ref().is_none_or(|wanted| wanted.as_ref().is_some_and(|w| merged.serials.contains(w)))
    }
}

fn shown(index: &Index, device: &Device, seen: &Seen, visible: u64, now: i64) -> FoundTarget {
    let merged = match seen {
        Seen::All => &device.merged,
        Seen::Part(part) => part,
    };
    let rows: Vec<_> = device.rows.iter().filter(|at| visible >> at.source & 1 == 1).collect();
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
