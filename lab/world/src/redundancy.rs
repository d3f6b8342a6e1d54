//! Devices that stand in for each other: pairs of cores, distribution switches, border routers, wireless controllers, leaves,
//! spines, routers of the wide-area core, and firewalls. A stack is one device and no group.
//!
//! Where next: [`crate::fleet`], which makes them.

use crate::device::Device;
use crate::state::World;

/// Why devices stand in for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedundancyKind {
    /// Two cores that share all paths.
    CorePair,
    /// A shared first hop.
    Hsrp,
    /// Two border routers with the same neighbours.
    BorderPair,
    /// Stateful switchover of wireless controllers.
    WirelessHa,
    /// Two switches that look like one to what is plugged into both.
    Vpc,
    /// Spines that carry the same fabric.
    SpinePair,
    /// Two routers of the wide-area core.
    WanPair,
    /// An active firewall and its standby.
    Failover,
}

impl RedundancyKind {
    /// Whether the members hold one configuration, which the active one gives to the other.
    pub fn replicates(self) -> bool {
        self == Self::Failover
    }
}

/// Devices that stand in for each other. The first is the one that works in quiet times, where only one does.
#[derive(Debug, Clone)]
pub struct RedundancyGroup {
    /// `sjc01-b1-ds`.
    pub name: String,
    /// Why.
    pub kind: RedundancyKind,
    /// Indexes in [`crate::World::devices`].
    pub members: Vec<usize>,
}

impl World {
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
