//! Which devices of the world this controller manages, and where one is found by its names without walking over all.
//!
//! Serial numbers, addresses and MAC addresses never change; host names do, so the index holds the first ones and a
//! changed device is asked. Where next: [`crate::devices`], the rows.

use std::collections::HashMap;

use uuid::Uuid;
use world::{Device, World};

/// The devices that the controller manages, in the order of the inventory.
pub(crate) fn managed(world: &World) -> impl Iterator<Item = &Device> {
    world.managed()
}

/// Whether the controller manages a device.
pub(crate) fn is_managed(device: &Device) -> bool {
    device.managed_by_controller()
}

/// Positions by name.
pub(crate) struct Inventory {
    serials: HashMap<String, usize>,
    addresses: HashMap<String, usize>,
    macs: HashMap<String, usize>,
    hostnames: HashMap<String, usize>,
}

impl Inventory {
    pub(crate) fn of(world: &World) -> Self {
        let mut inventory = Self {
            serials: HashMap::new(),
            addresses: HashMap::new(),
            macs: HashMap::new(),
            hostnames: HashMap::new(),
        };
        for device in managed(world) {
            inventory.serials.insert(device.serial_text(), device.index);
            for member in &device.members {
                inventory.serials.insert(member.serial.clone(), device.index);
            }
            inventory.addresses.insert(device.management_ip.to_string(), device.index);
            inventory.macs.insert(device.mac_text(), device.index);
            inventory.hostnames.insert(device.hostname.clone(), device.index);
        }
        inventory
    }

    pub(crate) fn by_serial<'a>(&self, world: &'a World, serial: &str) -> Option<&'a Device> {
        self.serials.get(serial).and_then(|at| world.devices().get(*at))
    }

    pub(crate) fn by_address<'a>(&self, world: &'a World, address: &str) -> Option<&'a Device> {
        self.addresses.get(address).and_then(|at| world.devices().get(*at))
    }

    pub(crate) fn by_mac<'a>(&self, world: &'a World, mac: &str) -> Option<&'a Device> {
        self.macs.get(&mac.to_ascii_lowercase()).and_then(|at| world.devices().get(*at))
    }

    /// The device that has this host name now.
    pub(crate) fn by_hostname<'a>(&self, world: &'a World, hostname: &str) -> Option<&'a Device> {
        let born = self.hostnames.get(hostname).and_then(|at| world.devices().get(*at));
        born.filter(|device| world.hostname(device) == hostname).or_else(|| {
            managed(world).filter(|device| world.is_edited(device)).find(|device| world.hostname(device) == hostname)
        })
    }

    /// The device that one of its names means: id, serial number, address, MAC address or host name.
    pub(crate) fn by_any<'a>(&self, world: &'a World, name: &str) -> Option<&'a Device> {
        let by_id = Uuid::parse_str(name).ok().and_then(|id| world.device(id)).filter(|device| is_managed(device));
        by_id
            .or_else(|| self.by_serial(world, name))
            .or_else(|| self.by_address(world, name))
            .or_else(|| self.by_mac(world, name))
            .or_else(|| self.by_hostname(world, name))
    }
}
