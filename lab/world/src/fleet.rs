//! The layout of a region: campuses with a core pair, border routers, wireless controllers and firewalls; buildings with a
//! distribution pair; floors with access switches (some stacked) and access points; and the cables between them. A data
//! centre stands behind the first campus, and behind every eighth after it.
//!
//! Devices are laid out in a fixed order, so that a larger world begins with the devices of a smaller one.
//! Where next: [`crate::data_centre`], laid out between campuses; [`crate::interfaces`] and the `generate` of each operating
//! system, which expand one device on demand.

use std::net::Ipv4Addr;

use uuid::Uuid;

use crate::data_centre::DataCentre;
use crate::device::{Device, Family, Member, Platform, Reachability, Role};
use crate::platforms::{
    ACCESS_PLATFORMS, CAMPUS_FIREWALL_PLATFORM, CONTROLLER_PLATFORM, CORE_PLATFORM, DISTRIBUTION_PLATFORM,
    POINT_PLATFORMS, ROUTER_PLATFORM,
};
use crate::redundancy::{RedundancyGroup, RedundancyKind};
use crate::seed::Seed;
use crate::sites::{City, Region, Site, SitePlan};

/// A cable between two ports.
#[derive(Debug, Clone)]
pub struct Link {
    /// UUID version 4.
    pub id: Uuid,
    /// Device index and port name of both ends; the first end is the one nearer to the core.
    pub ends: [(usize, String); 2],
    /// Speed in kbit/s.
    pub speed_kbps: u64,
}

/// Everything that is generated once.
pub(crate) struct Fleet {
    pub(crate) sites: Vec<Site>,
    pub(crate) devices: Vec<Device>,
    pub(crate) links: Vec<Link>,
    /// Link indexes of each device.
    pub(crate) cables: Vec<Vec<u32>>,
    pub(crate) groups: Vec<RedundancyGroup>,
}

/// One data centre for so many campuses.
const CAMPUSES: u32 = 8;
const BUILDINGS: u32 = 3;
const FLOORS: u32 = 3;
const CAMPUS_ADDRESSES: u32 = 1024;

impl Fleet {
    pub(crate) fn lay_out(seed: Seed, region: Region, wanted: u32) -> Self {
        let mut layout = Layout {
            seed,
            region,
            wanted: wanted as usize,
            plan: SitePlan::new(seed),
            devices: Vec::with_capacity(wanted as usize),
            links: Vec::new(),
            next_port: Vec::new(),
            serials: 0,
            in_campus: 0,
            groups: Vec::new(),
            centre: DataCentre::default(),
        };
        let mut campus = 0;
        while layout.devices.len() < layout.wanted {
            let borders = layout.campus(campus);
            if !borders.is_empty() {
                layout.data_centre(campus, campus / CAMPUSES);
                layout.join_wan(&borders);
            }
            campus += 1;
        }
        let mut cables = vec![Vec::new(); layout.devices.len()];
        for (number, link) in (0_u32..).zip(&layout.links) {
            for (device, _) in &link.ends {
                if let Some(list) = cables.get_mut(*device) {
                    list.push(number);
                }
            }
        }
        Self { sites: layout.plan.sites, devices: layout.devices, links: layout.links, cables, groups: layout.groups }
    }
}

pub(crate) struct Layout {
    pub(crate) seed: Seed,
    pub(crate) region: Region,
    wanted: usize,
    pub(crate) plan: SitePlan,
    devices: Vec<Device>,
    links: Vec<Link>,
    /// Next free port per device, counted over its port list.
    pub(crate) next_port: Vec<usize>,
    serials: u32,
    in_campus: u32,
    groups: Vec<RedundancyGroup>,
    /// The data centre that the campuses laid out now belong to.
    pub(crate) centre: DataCentre,
}

/// What the layout decides about one device.
#[derive(Clone)]
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) platform: &'static Platform,
    pub(crate) role: Role,
    pub(crate) members: u32,
    pub(crate) site: usize,
    pub(crate) campus: u32,
    pub(crate) controller: Option<usize>,
    pub(crate) version: &'static str,
}

impl Layout {
    /// The city of a campus, and the campus's number in it.
    pub(crate) fn city_of(&self, campus: u32) -> Option<(&'static City, u32)> {
        let cities = self.region.cities();
        let count = u32::try_from(cities.len()).unwrap_or(1);
        Some((cities.get((campus % count) as usize)?, campus / count))
    }

    /// Lays out a campus and returns its border routers, where a data centre stands beside it.
    fn campus(&mut self, campus: u32) -> Vec<usize> {
        let Some((city, number)) = self.city_of(campus) else { return Vec::new() };
        self.in_campus = 0;
        let head = self.plan.building(city, number, 1);
        let prefix = format!("{}{:02}", city.code, number + 1);
        let like = |platform, role, version| Blueprint {
            name: prefix.clone(),
            platform,
            role,
            members: 1,
            site: head,
            campus,
            controller: None,
            version,
        };
        let cores = self.pair("cs", RedundancyKind::CorePair, &like(&CORE_PLATFORM, Role::Core, "17.12.4"));
        let router = like(&ROUTER_PLATFORM, Role::BorderRouter, "17.9.6a");
        let borders = self.pair("br", RedundancyKind::BorderPair, &router);
        let controller = like(&CONTROLLER_PLATFORM, Role::Access, "17.12.4");
        let controllers = self.pair("wlc", RedundancyKind::WirelessHa, &controller);
        if let [one, two] = cores.as_slice() {
            self.connect(*one, *two);
        }
        for core in &cores {
            for below in borders.iter().chain(&controllers) {
                self.connect(*core, *below);
            }
        }
        // The campus that a data centre stands beside is plugged into it when it is there.
        let beside = campus.is_multiple_of(CAMPUSES);
        if !beside {
            self.join_wan(&borders);
        }
        for building in 1..=BUILDINGS {
            self.building(city, campus, number, building, &cores, controllers.first().copied());
        }
        // Every second campus has a way to the internet of its own.
        if campus.is_multiple_of(2) {
            let firewall = like(&CAMPUS_FIREWALL_PLATFORM, Role::BorderRouter, "9.16(4)");
            let firewalls = self.pair("fw", RedundancyKind::Failover, &firewall);
            for (core, firewall) in cores.iter().zip(&firewalls) {
                self.connect(*core, *firewall);
                self.connect(*core, *firewall);
            }
            if let [one, two] = firewalls.as_slice() {
                self.connect(*one, *two);
            }
        }
        if beside { borders } else { Vec::new() }
    }

    /// Adds two devices named `<prefix>-<suffix>1` and `2` that stand in for each other. A world that ends between them has
    /// one, which then is no group.
    pub(crate) fn pair(&mut self, suffix: &str, kind: RedundancyKind, like: &Blueprint) -> Vec<usize> {
        let stem = format!("{}-{suffix}", like.name);
        let members: Vec<usize> =
            (1..=2).filter_map(|n| self.add(Blueprint { name: format!("{stem}{n}"), ..like.clone() })).collect();
        if members.len() == 2 {
            let group = Some(self.groups.len());
            for member in &members {
                if let Some(device) = self.devices.get_mut(*member) {
                    device.group = group;
                }
            }
            self.groups.push(RedundancyGroup { name: stem, kind, members: members.clone() });
        }
        members
    }

    /// Plugs the border routers of a campus into the wide-area core, each into one router of it.
    fn join_wan(&mut self, borders: &[usize]) {
        for (border, wan) in borders.iter().zip(self.centre.wan.clone()) {
            self.connect(wan, *border);
        }
    }

    fn building(
        &mut self,
        city: &'static City,
        campus: u32,
        number: u32,
        building: u32,
        cores: &[usize],
        wlc: Option<usize>,
    ) {
        if self.devices.len() >= self.wanted {
            return;
        }
        let place = self.plan.building(city, number, building);
        let prefix = format!("{}{:02}-b{building}", city.code, number + 1);
        let like = Blueprint {
            name: prefix.clone(),
            platform: &DISTRIBUTION_PLATFORM,
            role: Role::Distribution,
            members: 1,
            site: place,
            campus,
            controller: None,
            version: "17.12.4",
        };
        let pair = self.pair("ds", RedundancyKind::Hsrp, &like);
        if let [one, two] = pair.as_slice() {
            self.connect(*one, *two);
        }
        for core in cores {
            for below in &pair {
                self.connect(*core, *below);
            }
        }
        for floor in 1..=FLOORS {
            if self.devices.len() >= self.wanted {
                return;
            }
            let site = self.plan.floor(place, floor);
            let mut draw = self.seed.draw("floor", site as u64);
            let switches = 1 + draw.below(3);
            let points = 3 + draw.below(4);
            let mut access = Vec::new();
            for n in 1..=switches {
                let platform = ACCESS_PLATFORMS.get(draw.below(4) as usize).unwrap_or(&DISTRIBUTION_PLATFORM);
                let members = if draw.chance(30) { 2 + draw.below(2) } else { 1 };
                let version = draw.pick(&["17.9.4a", "17.9.6a", "17.12.4", "17.12.4", "17.15.1"], "17.12.4");
                let name = format!("{prefix}-f{floor}-as{n}");
                let role = Role::Access;
                let made =
                    self.add(Blueprint { name, platform, role, members, site, campus, controller: None, version });
                if let Some(made) = made {
                    for above in &pair {
                        self.connect(*above, made);
                    }
                    access.push(made);
                }
            }
            for n in 0..points {
                let platform = POINT_PLATFORMS.get(draw.below(2) as usize).unwrap_or(&ROUTER_PLATFORM);
                let made = self.add(Blueprint {
                    name: String::new(),
                    platform,
                    role: Role::Access,
                    members: 1,
                    site,
                    campus,
                    controller: wlc,
                    version: "17.12.4.22",
                });
                let above = access.get(n as usize % access.len().max(1)).copied();
                if let (Some(above), Some(made)) = (above, made) {
                    self.connect(above, made);
                }
            }
        }
    }

    pub(crate) fn add(&mut self, blueprint: Blueprint) -> Option<usize> {
        let index = self.devices.len();
        if index >= self.wanted {
            return None;
        }
        let mut draw = self.seed.draw("device", index as u64);
        let id = draw.uuid();
        let members = (0..blueprint.members).map(|_| Member { serial: self.serial(&mut draw) }).collect();
        let serial = u32::try_from(index).unwrap_or(u32::MAX) << 8;
        let [_, high, middle, low] = (serial >> 8).to_be_bytes();
        let vendor: [u8; 2] = match self.region {
            Region::AmerApj => [0x34, 0xB8],
            Region::Emea => [0x70, 0x18],
        };
        let mac = [vendor[0], vendor[1], high, middle, low, 0];
        let (base, offset) = match self.region {
            Region::AmerApj => (Ipv4Addr::new(10, 32, 0, 0), 10),
            Region::Emea => (Ipv4Addr::new(10, 160, 0, 0), 10),
        };
        let address = u32::from(base) + blueprint.campus * CAMPUS_ADDRESSES + offset + self.in_campus;
        self.in_campus += 1;
        let reachability = match (blueprint.role, draw.below(100)) {
            (Role::Access, 0..5) => Reachability::Unreachable,
            (Role::Access, 5..7) => Reachability::PingReachable,
            _ => Reachability::Reachable,
        };
        let hostname = if blueprint.platform.family == Family::AccessPoint {
            let [a, b, c, d, e, f] = mac;
            format!("AP{a:02X}{b:02X}.{c:02X}{d:02X}.{e:02X}{f:02X}")
        } else {
            blueprint.name
        };
        let reachability = match blueprint.controller.and_then(|wlc| self.devices.get(wlc)) {
            Some(wlc) if wlc.reachability == Reachability::Reachable && draw.chance(97) => Reachability::Reachable,
            _ => reachability,
        };
        self.devices.push(Device {
            index,
            id,
            hostname,
            platform: blueprint.platform,
            members,
            role: blueprint.role,
            mac,
            management_ip: Ipv4Addr::from(address),
            software_version: blueprint.version,
            site: blueprint.site,
            campus: blueprint.campus,
            reachability,
            up_before_birth_s: i64::from(draw.below(200 * 86_400)) + 3_600,
            controller: blueprint.controller,
            group: None,
        });
        self.next_port.push(0);
        Some(index)
    }

    /// Serial numbers of two regions differ in their first letters, those of one region in their last four characters:
    /// a counter times a number without a common factor with 36^4, which visits each value once.
    fn serial(&mut self, draw: &mut crate::seed::Draw) -> String {
        const SPACE: u64 = 36 * 36 * 36 * 36;
        let makers: &[&str] = match self.region {
            Region::AmerApj => &["FCW", "FOC", "FDO"],
            Region::Emea => &["FJC", "FOX", "FJB"],
        };
        let mut value = (u64::from(self.serials) * 805_459 + 1_234_577) % SPACE;
        self.serials += 1;
        let mut tail = [0_u8; 4];
        for slot in tail.iter_mut().rev() {
            let digit = u8::try_from(value % 36).unwrap_or(0);
            *slot = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
            value /= 36;
        }
        let tail: String = tail.iter().map(|byte| char::from(*byte)).collect();
        format!("{}{:02}{:02}{tail}", draw.pick(makers, "FCW"), 20 + draw.below(8), 1 + draw.below(52))
    }

    /// Plugs the next free port of `above` into the next free uplink of `below`.
    fn connect(&mut self, above: usize, below: usize) {
        let Some((upper, speed)) = self.free_port(above, false) else { return };
        let Some((lower, own)) = self.free_port(below, true) else { return };
        self.cable([(above, upper), (below, lower)], speed.min(own));
    }

    /// Plugs port number `one.1` of a device into port number `two.1` of another, counted over their port lists.
    pub(crate) fn wire(&mut self, one: (usize, usize), two: (usize, usize)) {
        let port = |(device, number): (usize, usize)| {
            let ports = crate::interfaces::physical_ports(self.devices.get(device)?);
            ports.get(number).map(|port| (port.name.clone(), port.speed_kbps))
        };
        if let (Some((upper, speed)), Some((lower, own))) = (port(one), port(two)) {
            self.cable([(one.0, upper), (two.0, lower)], speed.min(own));
        }
    }

    fn cable(&mut self, ends: [(usize, String); 2], speed_kbps: u64) {
        let id = self.seed.uuid("link", self.links.len() as u64);
        self.links.push(Link { id, ends, speed_kbps });
    }

    fn free_port(&mut self, index: usize, uplink: bool) -> Option<(String, u64)> {
        let device = self.devices.get(index)?;
        let taken = self.next_port.get_mut(index)?;
        let all = crate::interfaces::physical_ports(device);
        // Access switches keep their copper for endpoints and use the network module for uplinks; the two counters
        // never meet because a floor has far fewer access points than ports.
        let access = device.platform.family == Family::Switch && device.role == Role::Access;
        if access && uplink {
            let uplinks: Vec<_> = all.iter().filter(|port| port.slot == 1).collect();
            let used = self.links.iter().filter(|link| link.ends[1].0 == index).count();
            let per_member = 8;
            let member = if used == 0 { 0 } else { device.members.len().saturating_sub(1) };
            uplinks.get(member * per_member + used).map(|port| (port.name.clone(), port.speed_kbps))
        } else {
            let port = all.get(*taken).map(|port| (port.name.clone(), port.speed_kbps));
            *taken += 1;
            port
        }
    }
}
