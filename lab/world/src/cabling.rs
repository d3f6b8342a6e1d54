//! Cables that are pulled and plugged, and what is lost by it: a link is up while it is plugged, both devices have power and
//! neither end is shut; a device that no path leads to is out of the controller's reach.
//!
//! Where next: [`crate::state`], which keeps the edits; [`crate::condition`], which makes issues of them.

use std::collections::HashSet;

use uuid::Uuid;

use crate::device::{Device, Reachability, RedundancyGroup};
use crate::fleet::{Fleet, Link};
use crate::interfaces::is_shut;
use crate::journal::Entry;
use crate::lines::Config;
use crate::state::World;

/// Which cables carry nothing, and who is cut off by it.
#[derive(Debug, Default)]
pub(crate) struct Cabling {
    /// Pulled cables.
    unplugged: HashSet<Uuid>,
    /// Numbers of links with the devices that have shut their end.
    shut: HashSet<(u32, usize)>,
    /// Devices that no path leads to.
    isolated: HashSet<usize>,
}

impl Cabling {
    pub(crate) fn is_isolated(&self, device: usize) -> bool {
        self.isolated.contains(&device)
    }

    /// Takes note of a pulled or plugged cable.
    pub(crate) fn set_plugged(&mut self, fleet: &Fleet, link: Uuid, plugged: bool) {
        let changed = if plugged { self.unplugged.remove(&link) } else { self.unplugged.insert(link) };
        if changed {
            self.trace(fleet);
        }
    }

    /// Takes note of the ports that a new running configuration shuts.
    pub(crate) fn set_configuration(&mut self, fleet: &Fleet, device: &Device, config: &Config) {
        let mut changed = false;
        for cable in fleet.cables_of(device) {
            let key = (cable.number, device.index);
            changed |= if is_shut(config, cable.port) { self.shut.insert(key) } else { self.shut.remove(&key) };
        }
        if changed {
            self.trace(fleet);
        }
    }

    fn carries(&self, number: u32, link: &Link) -> bool {
        !self.unplugged.contains(&link.id)
            && !link.ends.iter().any(|(device, _)| self.shut.contains(&(number, *device)))
    }

    /// Follows the cables from the first core, beside which the controller stands.
    fn trace(&mut self, fleet: &Fleet) {
        self.isolated.clear();
        if self.unplugged.is_empty() && self.shut.is_empty() {
            return;
        }
        let mut reached = vec![false; fleet.devices.len()];
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
        let cabled = |at: &usize| fleet.cables.get(*at).is_some_and(|list| !list.is_empty());
        self.isolated = (0..fleet.devices.len()).filter(|at| !reached[*at]).filter(cabled).collect();
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
        self.lock().cabling.unplugged.contains(&link.id)
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

    /// The redundancy group of a device, by name. A stack is one device and belongs to none by being a stack.
    pub fn redundancy_group(&self, device: &Device) -> Option<&str> {
        self.redundancy(device).map(|group| group.name.as_str())
    }

    /// The redundancy group of a device.
    pub fn redundancy(&self, device: &Device) -> Option<&RedundancyGroup> {
        self.fleet.groups.get(device.group?)
    }

    /// All redundancy groups, in the order of the layout.
    pub fn redundancy_groups(&self) -> &[RedundancyGroup] {
        &self.fleet.groups
    }

    /// The members of the redundancy group with this name; empty when there is none.
    pub fn redundancy_members(&self, name: &str) -> Vec<&Device> {
        let group = self.fleet.groups.iter().find(|group| group.name == name);
        group.into_iter().flat_map(|group| &group.members).filter_map(|at| self.fleet.devices.get(*at)).collect()
    }

    /// The devices that the region's controller manages.
    pub fn managed(&self) -> impl Iterator<Item = &Device> {
        self.fleet.devices.iter().filter(|device| device.managed_by_controller())
    }
}
