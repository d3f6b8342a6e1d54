//! What a simulated device is: platform, members, addresses, role and the state in which it was born. Everything that
//! people change later stands in [`crate::state`] instead.
//!
//! Where next: [`crate::fleet`] for the layout, [`crate::interfaces`] for ports, [`crate::ios_xe`] for configurations.

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

const fn ports(kind: &'static str, slot: u8, first: u8, count: u8, speed_kbps: u64) -> PortGroup {
    PortGroup { kind, slot, first, count, speed_kbps }
}

const fn switch(
    id: &'static str,
    type_name: &'static str,
    series: &'static str,
    ports: &'static [PortGroup],
) -> Platform {
    Platform { id, type_name, series, family: Family::Switch, os: Os::IosXe, ports, image: "CAT9K_IOSXE" }
}

const ACCESS_48: &[PortGroup] =
    &[ports("GigabitEthernet", 0, 1, 48, 1_000_000), ports("TenGigabitEthernet", 1, 1, 8, 10_000_000)];
const ACCESS_24: &[PortGroup] =
    &[ports("GigabitEthernet", 0, 1, 24, 1_000_000), ports("TenGigabitEthernet", 1, 1, 8, 10_000_000)];

const POINT_PORTS: &[PortGroup] = &[ports("GigabitEthernet", 0, 0, 1, 1_000_000)];

const C9300: (&str, &str) = ("Cisco Catalyst 9300 Switch", "Cisco Catalyst 9300 Series Switches");
const C9500: (&str, &str) = ("Cisco Catalyst 9500 Switch", "Cisco Catalyst 9500 Series Switches");
const C9800: (&str, &str) =
    ("Cisco Catalyst 9800-40 Wireless Controller", "Cisco Catalyst 9800 Series Wireless Controllers");
const C9120: (&str, &str) =
    ("Cisco Catalyst 9120AXE Unified Access Point", "Cisco Catalyst 9120AX Series Unified Access Points");
const C9166: (&str, &str) =
    ("Cisco Catalyst 9166I Unified Access Point", "Cisco Catalyst 9166 Series Unified Access Points");

pub(crate) static ACCESS_PLATFORMS: &[Platform] = &[
    switch("C9300-48P", C9300.0, C9300.1, ACCESS_48),
    switch("C9300-48U", C9300.0, C9300.1, ACCESS_48),
    switch("C9300-24P", C9300.0, C9300.1, ACCESS_24),
    switch("C9300-48UXM", C9300.0, C9300.1, ACCESS_48),
];
pub(crate) static DISTRIBUTION_PLATFORM: Platform = switch(
    "C9500-24Y4C",
    C9500.0,
    C9500.1,
    &[ports("TwentyFiveGigE", 0, 1, 24, 25_000_000), ports("HundredGigE", 0, 25, 4, 100_000_000)],
);
pub(crate) static CORE_PLATFORM: Platform = switch(
    "C9500-48Y4C",
    C9500.0,
    C9500.1,
    &[ports("TwentyFiveGigE", 0, 1, 48, 25_000_000), ports("HundredGigE", 0, 49, 4, 100_000_000)],
);
pub(crate) static ROUTER_PLATFORM: Platform = Platform {
    id: "C8300-2N2S-6T",
    type_name: "Cisco Catalyst 8300-2N2S-6T Router",
    series: "Cisco Catalyst 8300 Series Edge Platforms",
    family: Family::Router,
    os: Os::IosXe,
    ports: &[ports("GigabitEthernet", 0, 0, 6, 1_000_000)],
    image: "C8000BE",
};
pub(crate) static CONTROLLER_PLATFORM: Platform = Platform {
    id: "C9800-40-K9",
    type_name: C9800.0,
    series: C9800.1,
    family: Family::WirelessController,
    os: Os::IosXe,
    ports: &[ports("TenGigabitEthernet", 0, 0, 4, 10_000_000)],
    image: "C9800-SW-iosxe-wlc",
};
pub(crate) static POINT_PLATFORMS: &[Platform] = &[point("C9120AXE-B", C9120), point("CW9166I-B", C9166)];

const fn point(id: &'static str, names: (&'static str, &'static str)) -> Platform {
    Platform {
        id,
        type_name: names.0,
        series: names.1,
        family: Family::AccessPoint,
        os: Os::IosXe,
        ports: POINT_PORTS,
        image: "ap1g7",
    }
}

const NEXUS: (&str, &str) = ("Cisco Nexus 9000 Series Switch", "Cisco Nexus 9000 Series Switches");
const MANAGEMENT: PortGroup = ports("mgmt", 0, 0, 1, 1_000_000);

const fn other(
    id: &'static str,
    (type_name, series): (&'static str, &'static str),
    (family, os, image): (Family, Os, &'static str),
    ports: &'static [PortGroup],
) -> Platform {
    Platform { id, type_name, series, family, os, ports, image }
}

pub(crate) static LEAF_PLATFORM: Platform = other(
    "N9K-C93180YC-FX3",
    NEXUS,
    (Family::Switch, Os::NxOs, "nxos64-cs"),
    &[ports("Ethernet", 0, 1, 48, 25_000_000), ports("Ethernet", 0, 49, 6, 100_000_000), MANAGEMENT],
);
pub(crate) static SPINE_PLATFORM: Platform = other(
    "N9K-C9364C",
    NEXUS,
    (Family::Switch, Os::NxOs, "nxos64-cs"),
    &[ports("Ethernet", 0, 1, 64, 100_000_000), MANAGEMENT],
);
/// Routers of the wide-area core: those of every second data centre are of the other kind.
pub(crate) static WAN_PLATFORMS: &[Platform] = &[
    other(
        "NCS-5501",
        ("Cisco Network Convergence System 5501", "Cisco Network Convergence System 5500 Series"),
        (Family::Router, Os::IosXr, "ncs5500"),
        &[
            ports("TenGigE", 0, 0, 48, 10_000_000),
            ports("HundredGigE", 1, 0, 6, 100_000_000),
            ports("MgmtEth", 0, 0, 1, 1_000_000),
        ],
    ),
    other(
        "ASR-9901",
        ("Cisco ASR 9901 Router", "Cisco ASR 9000 Series Aggregation Services Routers"),
        (Family::Router, Os::IosXr, "asr9k-x64"),
        &[
            ports("TenGigE", 0, 0, 40, 10_000_000),
            ports("HundredGigE", 1, 0, 4, 100_000_000),
            ports("MgmtEth", 0, 0, 1, 1_000_000),
        ],
    ),
];
pub(crate) static CAMPUS_FIREWALL_PLATFORM: Platform = other(
    "ASA5516",
    ("Cisco ASA 5516-X Adaptive Security Appliance", "Cisco ASA 5500-X Series Firewalls"),
    (Family::Firewall, Os::Asa, "asa9-16-4-lfbff-k8"),
    &[ports("GigabitEthernet", 0, 1, 8, 1_000_000), ports("Management", 0, 1, 1, 1_000_000)],
);
pub(crate) static FIREWALL_PLATFORM: Platform = other(
    "FPR1140-ASA",
    ("Cisco Firepower 1140 Security Appliance", "Cisco Firepower 1000 Series"),
    (Family::Firewall, Os::Asa, "cisco-asa-fp1k.9.16.4"),
    &[ports("Ethernet", 0, 1, 12, 1_000_000), ports("Management", 0, 1, 1, 1_000_000)],
);

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
