//! Cables that are pulled and plugged, and what is lost by it: a link is up while it is plugged, both devices have power and
//! neither end is shut; a device that no path leads to is out of the controller's reach.
//!
//! Where next: [`crate::condition`], which makes issues of them; [`crate::redundancy`], who stands in for whom.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::device::{Device, Reachability};
use crate::fleet::{Fleet, Link};
use crate::interfaces::is_shut;
use crate::journal::Entry;
use crate::lines::Config;
use crate::state::World;

/// What was lost by a pulled cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The cable itself.
    Link(Uuid),
    /// A device that no path led to, by index.
    Device(usize),
}

/// Something that was lost and is back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outage {
    pub(crate) of: Lost,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
}

/// Which cables carry nothing, and who is cut off by it.
#[derive(Debug, Default)]
pub(crate) struct Cabling {
    /// Pulled cables, and since when, ms since the epoch.
    unplugged: HashMap<Uuid, i64>,
    /// Numbers of links with the devices that have shut their end.
    shut: HashSet<(u32, usize)>,
    /// Devices that no path leads to, and since when.
    isolated: HashMap<usize, i64>,
    past: Vec<Outage>,
}

/// Outages that are remembered.
const PAST: usize = 500;

impl Cabling {
    pub(crate) fn is_isolated(&self, device: usize) -> bool {
        self.isolated.contains_key(&device)
    }

    /// Takes note of a pulled or plugged cable.
    pub(crate) fn set_plugged(&mut self, fleet: &Fleet, link: Uuid, plugged: bool, at_ms: i64) {
        if plugged {
            let Some(from_ms) = self.unplugged.remove(&link) else { return };
            self.remember(Outage { of: Lost::Link(link), from_ms, until_ms: at_ms });
        } else {
            self.unplugged.entry(link).or_insert(at_ms);
        }
        self.trace(fleet, at_ms);
    }

    /// Takes note of the ports that a new running configuration shuts.
    pub(crate) fn set_configuration(&mut self, fleet: &Fleet, device: &Device, config: &Config, at_ms: i64) {
        let mut changed = false;
        for cable in fleet.cables_of(device) {
            let key = (cable.number, device.index);
            changed |= if is_shut(config, cable.port) { self.shut.insert(key) } else { self.shut.remove(&key) };
        }
        if changed {
            self.trace(fleet, at_ms);
        }
    }

    fn remember(&mut self, outage: Outage) {
        if self.past.len() == PAST {
            self.past.remove(0);
        }
        self.past.push(outage);
    }

    fn carries(&self, number: u32, link: &Link) -> bool {
        !self.unplugged.contains_key(&link.id)
            && !link.ends.iter().any(|(device, _)| self.shut.contains(&(number, *device)))
    }

    /// Follows the cables from the first core, beside which the controller stands.
    fn trace(&mut self, fleet: &Fleet, at_ms: i64) {
        let mut reached = vec![self.unplugged.is_empty() && self.shut.is_empty(); fleet.devices.len()];
        let mut next = vec![0_usize];
        while let Some(at) = next.pop() {
            match reached.get_mut(at) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            for number in fleet.cables.get(at).into_iter().flatten() {
                let Some(link) = fleet.links.get(*number as usize) else { continue };
                if self.carries(*number, link) {
                    next.extend(link.ends.iter().map(|(device, _)| *device).filter(|device| *device != at));
                }
            }
        }
        let back: Vec<(usize, i64)> =
            self.isolated.iter().filter(|(at, _)| reached[**at]).map(|(at, from)| (*at, *from)).collect();
        for (at, from_ms) in back {
            self.isolated.remove(&at);
            self.remember(Outage { of: Lost::Device(at), from_ms, until_ms: at_ms });
        }
        // What was laid out without a cable is reached in another way.
        let cabled = |at: &usize| fleet.cables.get(*at).is_some_and(|list| !list.is_empty());
        for at in (0..fleet.devices.len()).filter(|at| !reached[*at]).filter(cabled) {
            self.isolated.entry(at).or_insert(at_ms);
        }
    }
}

impl World {
    /// The link with this id.
    pub fn link(&self, id: Uuid) -> Option<&Link> {
        self.fleet.links.iter().find(|link| link.id == id)
    }

    /// Whether a cable carries a signal: it is plugged, both devices have power, and neither end is shut.
    pub fn link_up(&self, link: &Link) -> bool {
        let number = link.ends.first().and_then(|(device, _)| self.fleet.cables.get(*device)).and_then(|numbers| {
            numbers.iter().find(|number| self.fleet.links.get(**number as usize).is_some_and(|held| held.id == link.id))
        });
        let carries = number.is_some_and(|number| self.lock().cabling.carries(*number, link));
        carries
            && link.ends.iter().all(|(device, _)| {
                self.fleet
                    .devices
                    .get(*device)
                    .is_some_and(|device| self.own_reachability(device) != Reachability::Unreachable)
            })
    }

    /// Whether somebody has pulled a cable.
    pub fn is_unplugged(&self, link: &Link) -> bool {
        self.lock().cabling.unplugged.contains_key(&link.id)
    }

    /// Pulls a cable.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn unplug(&self, link: &Link) -> platform::Result<()> {
        self.record(Entry::Cable { link: link.id, plugged: false, at_ms: self.now().as_millisecond() })
    }

    /// Plugs a pulled cable again.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn plug(&self, link: &Link) -> platform::Result<()> {
        self.record(Entry::Cable { link: link.id, plugged: true, at_ms: self.now().as_millisecond() })
    }

    /// The pulled cables of a device, and since when, ms since the epoch.
    pub(crate) fn pulled(&self, device: &Device) -> Vec<(&Link, i64)> {
        let state = self.lock();
        if state.cabling.unplugged.is_empty() {
            return Vec::new();
        }
        self.links_of(device).filter_map(|link| Some((link, *state.cabling.unplugged.get(&link.id)?))).collect()
    }

    /// Since when no path leads to a device, ms since the epoch.
    pub(crate) fn isolated_since(&self, device: &Device) -> Option<i64> {
        self.lock().cabling.isolated.get(&device.index).copied()
    }

    /// What was lost and is back, oldest first.
    pub(crate) fn past_outages(&self) -> Vec<Outage> {
        self.lock().cabling.past.clone()
    }
}
