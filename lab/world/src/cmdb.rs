//! What the configuration management database says about the devices: one item per chassis with its serial number, one
//! more for a stack, a cluster for each redundancy pair, and the relations between them. A few entries are wrong on
//! purpose, as in every real one; [`Cmdb::flaws`] says which.
//!
//! A stack's own item has no serial number, because a serial number belongs to a chassis.
//! Where next: [`crate::tickets`].

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::device::{Device, Family, Reachability, Role};
use crate::state::World;

/// A configuration item.
#[derive(Debug, Clone)]
pub struct ConfigurationItem {
    /// Its id, which is not the controller's.
    pub id: Uuid,
    /// What it is.
    pub class: CiClass,
    /// Host name, with a number for a member of a stack.
    pub name: String,
    /// Serial number of the chassis; nothing for a stack or a cluster.
    pub serial_number: Option<String>,
    /// Index of the device in [`World::devices`]; nothing for a cluster.
    pub device: Option<usize>,
    /// Whether it stands for a whole stack.
    pub is_stack: bool,
    /// Whether it is out of service for good.
    pub is_retired: bool,
    /// Seconds before the world's birth at which it was last discovered.
    pub discovered_before_birth_s: i64,
}

/// Classes of items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CiClass {
    /// A switch.
    Switch,
    /// A router.
    Router,
    /// A firewall.
    Firewall,
    /// Other network gear, such as wireless controllers.
    NetworkGear,
    /// An access point.
    AccessPoint,
    /// A group of items that stand in for each other.
    Cluster,
}

/// How two items belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CiRelationKind {
    /// The parent is a stack, the child one of its members.
    Members,
    /// The parent is a cluster, the child one of its nodes.
    Cluster,
    /// The parent hangs on the child.
    Uplink,
}

/// A relation between two items, by id.
#[derive(Debug, Clone)]
pub struct CiRelation {
    /// Its own id.
    pub id: Uuid,
    /// Upper end.
    pub parent: Uuid,
    /// Lower end.
    pub child: Uuid,
    /// Which.
    pub kind: CiRelationKind,
}

/// What is wrong in the database, by index of the device; nothing in a network that is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaws {
    /// Two items carry its serial number.
    pub duplicate: usize,
    /// No item carries it.
    pub missing: usize,
    /// Its item is retired, though the device runs.
    pub retired: usize,
}

/// The database of one region.
#[derive(Debug, Clone)]
pub struct Cmdb {
    /// All items.
    pub items: Vec<ConfigurationItem>,
    /// All relations.
    pub relations: Vec<CiRelation>,
    /// What is wrong in it.
    pub flaws: Option<Flaws>,
}

impl Cmdb {
    /// The database over a region's devices as they were born.
    pub fn of(world: &World) -> Self {
        let flaws = flaws(world);
        let mut cmdb = Self { items: Vec::new(), relations: Vec::new(), flaws };
        let mut clusters: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
        let mut whole: Vec<Option<Uuid>> = vec![None; world.devices().len()];
        for device in world.devices() {
            if flaws.is_some_and(|flaws| flaws.missing == device.index) {
                continue;
            }
            let id = cmdb.device(world, device);
            if let Some(slot) = whole.get_mut(device.index) {
                *slot = Some(id);
            }
            if let Some(group) = world.redundancy_group(device) {
                clusters.entry(group).or_default().push(id);
            }
        }
        for (name, nodes) in clusters.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
            let number = cmdb.items.len() as u64;
            let cluster = ConfigurationItem {
                id: world.seed.uuid("cluster", number),
                class: CiClass::Cluster,
                name: name.to_owned(),
                serial_number: None,
                device: None,
                is_stack: false,
                is_retired: false,
                discovered_before_birth_s: 86_400,
            };
            for node in nodes {
                cmdb.relate(world, cluster.id, node, CiRelationKind::Cluster);
            }
            cmdb.items.push(cluster);
        }
        for link in world.links() {
            let end = |at: usize| whole.get(link.ends[at].0).copied().flatten();
            if let (Some(upper), Some(lower)) = (end(0), end(1)) {
                cmdb.relate(world, lower, upper, CiRelationKind::Uplink);
            }
        }
        cmdb
    }

    /// Adds the items of a device; the id of the one that stands for all of it.
    fn device(&mut self, world: &World, device: &Device) -> Uuid {
        let mut draw = world.seed.draw("ci", device.index as u64);
        let item = |id: Uuid, name: String, serial: Option<&str>| ConfigurationItem {
            id,
            class: class(device),
            name,
            serial_number: serial.map(str::to_owned),
            device: Some(device.index),
            is_stack: false,
            is_retired: self.flaws.is_some_and(|flaws| flaws.retired == device.index),
            discovered_before_birth_s: 3_600 * (1 + device.index as i64 % 23),
        };
        let id = draw.uuid();
        if let [only] = device.members.as_slice() {
            let one = item(id, device.hostname.clone(), Some(&only.serial));
            if self.flaws.is_some_and(|flaws| flaws.duplicate == device.index) {
                let name = format!("{}-old", device.hostname);
                self.items.push(ConfigurationItem { id: draw.uuid(), name, ..one.clone() });
            }
            self.items.push(one);
            return id;
        }
        let mut items = vec![ConfigurationItem { is_stack: true, ..item(id, device.hostname.clone(), None) }];
        for (number, member) in (1..).zip(&device.members) {
            items.push(item(draw.uuid(), format!("{}-{number}", device.hostname), Some(&member.serial)));
        }
        for member in items.iter().skip(1) {
            self.relate(world, id, member.id, CiRelationKind::Members);
        }
        self.items.append(&mut items);
        id
    }

    fn relate(&mut self, world: &World, parent: Uuid, child: Uuid, kind: CiRelationKind) {
        let id = world.seed.uuid("ci-relation", self.relations.len() as u64);
        self.relations.push(CiRelation { id, parent, child, kind });
    }
}

fn class(device: &Device) -> CiClass {
    match device.platform.family {
        Family::Switch => CiClass::Switch,
        Family::Router => CiClass::Router,
        Family::Firewall => CiClass::Firewall,
        Family::WirelessController => CiClass::NetworkGear,
        Family::AccessPoint => CiClass::AccessPoint,
    }
}

/// The last three reachable access switches of one chassis, so that what tests and people take first is as it should be.
fn flaws(world: &World) -> Option<Flaws> {
    let mut plain = world.devices().iter().rev().filter(|device| {
        device.role == Role::Access
            && device.platform.family == Family::Switch
            && device.members.len() == 1
            && device.reachability == Reachability::Reachable
    });
    let (duplicate, missing, retired) = (plain.next()?, plain.next()?, plain.next()?);
    plain.next()?;
    Some(Flaws { duplicate: duplicate.index, missing: missing.index, retired: retired.index })
}
