//! The models that the simulated network is built of.
//!
//! Where next: [`crate::fleet`] and [`crate::data_centre`], which place them.

use crate::device::{Family, Platform, PortGroup};
use crate::os::Os;

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
