//! What a simulated device is: platform, members, addresses, role and the state in which it was born. Everything that
//! people change later stands in [`crate::state`] instead.
//!
//! Where next: [`crate::platforms`] for the models, [`crate::fleet`] for the layout, [`crate::interfaces`] for ports, [`crate::lines`] for configurations.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::os::Os;

/// The vendor's product families, in the vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Switches of every layer.
    Switch,
    /// Border routers.
    Router,
    /// Wireless controllers.
    WirelessController,
    /// Access points.
    AccessPoint,
    /// Firewalls.
    Firewall,
}

impl Family {
    /// The family as the controller spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Switch => "Switches and Hubs",
            Self::Router => "Routers",
            Self::WirelessController => "Wireless Controller",
            Self::AccessPoint => "Unified AP",
            Self::Firewall => "Security and VPN",
        }
    }
}

/// The place of a device in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Access layer.
    Access,
    /// Distribution layer.
    Distribution,
    /// Core.
    Core,
    /// Edge of a campus.
    BorderRouter,
}

impl Role {
    /// The role as the controller spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "ACCESS",
            Self::Distribution => "DISTRIBUTION",
            Self::Core => "CORE",
            Self::BorderRouter => "BORDER ROUTER",
        }
    }
}

/// How the controller reaches a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reachability {
    /// Ping and protocols answer.
    Reachable,
    /// Only ping answers.
    PingReachable,
    /// Nothing answers.
    Unreachable,
}

impl Reachability {
    /// The state as the controller spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reachable => "Reachable",
            Self::PingReachable => "Ping Reachable",
            Self::Unreachable => "Unreachable",
        }
    }
}

/// A group of equal ports: `count` ports whose names are made of the kind, the slot and the number in the way of the
/// operating system ([`crate::interfaces::physical_ports`]).
#[derive(Debug)]
pub struct PortGroup {
    /// `GigabitEthernet`, `TenGigabitEthernet`, ….
    pub kind: &'static str,
    /// Middle number.
    pub slot: u8,
    /// First port number.
    pub first: u8,
    /// How many.
    pub count: u8,
    /// Speed in kbit/s.
    pub speed_kbps: u64,
}

/// A model that can be bought.
#[derive(Debug)]
pub struct Platform {
    /// Product id: `C9300-48P`.
    pub id: &'static str,
    /// `Cisco Catalyst 9300 Switch`.
    pub type_name: &'static str,
    /// `Cisco Catalyst 9300 Series Switches`.
    pub series: &'static str,
    /// Family.
    pub family: Family,
    /// What it runs.
    pub os: Os,
    /// Ports per member.
    pub ports: &'static [PortGroup],
    /// Name of its software, as the controller and `show version` tell it.
    pub image: &'static str,
}

/// One chassis of a device; a stack has several.
#[derive(Debug, Clone)]
pub struct Member {
    /// Three letters, year and week, four characters of base 36.
    pub serial: String,
}

/// One device of inventory; a stack is one device.
#[derive(Debug, Clone)]
pub struct Device {
    /// Position in [`crate::World::devices`].
    pub index: usize,
    /// The controller's id, UUID version 4.
    pub id: Uuid,
    /// Name at birth; [`crate::World::hostname`] follows the configuration.
    pub hostname: String,
    /// Model.
    pub platform: &'static Platform,
    /// One entry per stack member, in order.
    pub members: Vec<Member>,
    /// Role.
    pub role: Role,
    /// Base MAC address.
    pub mac: [u8; 6],
    /// Loopback or management address.
    pub management_ip: Ipv4Addr,
    /// `17.12.4`.
    pub software_version: &'static str,
    /// Index in [`crate::World::sites`].
    pub site: usize,
    /// Number of its campus within the region, from 0.
    pub campus: u32,
    /// Reachability at birth.
    pub reachability: Reachability,
    /// Seconds that it had been up when the world was born.
    pub up_before_birth_s: i64,
    /// Index of its wireless controller, for access points.
    pub controller: Option<usize>,
    /// Its redundancy group, by number; a stack is one device and needs none.
    pub(crate) group: Option<usize>,
}

impl Device {
    /// `aa:bb:cc:dd:ee:ff`.
    pub fn mac_text(&self) -> String {
        mac_text(self.mac)
    }

    /// Serial numbers of all members, joined as the controller joins them.
    pub fn serial_text(&self) -> String {
        self.members.iter().map(|member| member.serial.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Product ids of all members, joined as the controller joins them.
    pub fn platform_text(&self) -> String {
        self.members.iter().map(|_| self.platform.id).collect::<Vec<_>>().join(", ")
    }

    /// What it runs.
    pub fn os(&self) -> Os {
        self.platform.os
    }

    /// Whether the region's controller manages it: firewalls have a manager of their own.
    pub fn managed_by_controller(&self) -> bool {
        self.platform.family != Family::Firewall
    }

    /// Whether it has a configuration of its own (access points take theirs from the controller).
    pub fn has_configuration(&self) -> bool {
        self.platform.family != Family::AccessPoint
    }
}

/// `aa:bb:cc:dd:ee:ff`.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
