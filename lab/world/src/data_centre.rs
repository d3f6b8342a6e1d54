//! The layout of a data centre: two spines, pairs of leaves that look like one switch to what is plugged into both, two
//! routers of the wide-area core, and a pair of firewalls behind the first leaves.
//!
//! Where next: [`crate::fleet`], which lays it out between campuses.

use crate::device::Role;
use crate::fleet::{Blueprint, Layout};
use crate::platforms::{FIREWALL_PLATFORM, LEAF_PLATFORM, SPINE_PLATFORM, WAN_PLATFORMS};
use crate::redundancy::RedundancyKind;

const LEAF_PAIRS: usize = 3;
/// Ports, counted from 0 over the port list of the leaf: Ethernet1/49 and on lead to the spines, 1/53 and 1/54 to the peer.
const TO_SPINES: usize = 48;
const TO_PEER: usize = 52;
/// Ethernet1/45 and 1/46 lead to the firewalls, 1/47 to the wide-area core.
const TO_FIREWALLS: usize = 44;
const TO_WAN: usize = 46;
/// Ethernet1/12 of a firewall leads to the other.
const FIREWALL_PEER: usize = 11;
/// Campuses are plugged into the routers of the wide-area core from TenGigE0/0/0/4 on.
const CAMPUSES_FROM: usize = 4;

/// What later campuses are plugged into.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataCentre {
    /// The routers of the wide-area core.
    pub(crate) wan: Vec<usize>,
    /// How many ports of 10 Gbit/s they have; those of 100 follow.
    tens: usize,
}

impl Layout {
    /// Lays out data centre number `number` of the region beside a campus.
    pub(crate) fn data_centre(&mut self, campus: u32, number: u32) {
        let Some((city, in_city)) = self.city_of(campus) else { return };
        let site = self.plan.data_centre(city, in_city);
        let name = format!("{}{:02}-dc1", city.code, in_city + 1);
        let like = |platform, role, version| Blueprint {
            name: name.clone(),
            platform,
            role,
            members: 1,
            site,
            campus,
            controller: None,
            version,
        };
        let spines = self.pair("sp", RedundancyKind::SpinePair, &like(&SPINE_PLATFORM, Role::Core, "10.3(4a)"));
        let kind = WAN_PLATFORMS.get(number as usize % WAN_PLATFORMS.len()).unwrap_or(&SPINE_PLATFORM);
        let wan = self.pair("wan", RedundancyKind::WanPair, &like(kind, Role::BorderRouter, "7.9.2"));
        let firewall = like(&FIREWALL_PLATFORM, Role::BorderRouter, "9.16(4)");
        let firewalls = self.pair("fw", RedundancyKind::Failover, &firewall);
        let tens = kind.ports.first().map_or(0, |group| usize::from(group.count));
        for pair in 0..LEAF_PAIRS {
            let leaf = like(&LEAF_PLATFORM, Role::Distribution, "10.3(4a)");
            let leaves = self.pair(&format!("lf{}0", pair + 1), RedundancyKind::Vpc, &leaf);
            for (side, leaf) in leaves.iter().enumerate() {
                for (at, spine) in spines.iter().enumerate() {
                    self.wire((*spine, 2 * pair + side), (*leaf, TO_SPINES + at));
                }
            }
            if let [one, two] = leaves.as_slice() {
                self.wire((*one, TO_PEER), (*two, TO_PEER));
                self.wire((*one, TO_PEER + 1), (*two, TO_PEER + 1));
            }
            if pair > 0 {
                continue;
            }
            for (side, leaf) in leaves.iter().enumerate() {
                for (at, firewall) in firewalls.iter().enumerate() {
                    self.wire((*leaf, TO_FIREWALLS + at), (*firewall, side));
                }
                if let Some(router) = wan.get(side) {
                    self.wire((*router, 0), (*leaf, TO_WAN));
                }
            }
        }
        if let [one, two] = firewalls.as_slice() {
            self.wire((*one, FIREWALL_PEER), (*two, FIREWALL_PEER));
        }
        if let [one, two] = wan.as_slice() {
            self.wire((*one, tens), (*two, tens));
        }
        // The wide-area core is a chain of pairs, from each data centre to the one before.
        let before = self.centre.clone();
        for (earlier, later) in before.wan.iter().zip(&wan) {
            self.wire((*earlier, before.tens + 1), (*later, tens + 2));
        }
        for router in &wan {
            if let Some(next) = self.next_port.get_mut(*router) {
                *next = CAMPUSES_FROM;
            }
        }
        self.centre = DataCentre { wan, tens };
    }
}
