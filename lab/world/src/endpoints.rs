//! What is plugged into access ports and joins access points: clients, generated on demand like everything else. A client
//! is there while its port is up or its access point is reached; a port that is shut or cut off loses it.
//!
//! A client's MAC address holds its device and its place, so that one is found without walking over all of them.
//! Where next: [`crate::interfaces`], whose ports are asked.

use std::net::Ipv4Addr;

use crate::device::{Device, Family, Reachability};
use crate::interfaces::physical_ports;
use crate::seed::Draw;
use crate::sites::Region;
use crate::state::World;

/// One client.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address on the wire or in the air.
    pub mac: [u8; 6],
    /// By radio, or by cable.
    pub wireless: bool,
    /// `SJC-LT-00412`.
    pub hostname: String,
    /// Who is signed in on it; printers and cameras have nobody.
    pub user: Option<String>,
    /// Its address.
    pub address: Ipv4Addr,
    /// The VLAN that it is in.
    pub vlan: u16,
    /// Index of the switch or access point.
    pub device: usize,
    /// Port of the switch.
    pub port: Option<String>,
    /// What it joined by radio.
    pub radio: Option<Radio>,
    /// `Windows`, `macOS`, ….
    pub os: &'static str,
    /// Who made it.
    pub vendor: &'static str,
    /// `Workstation`, `Phone`, `Printer`, ….
    pub form: &'static str,
    /// 1 (worst) to 10; 0 when it is not connected.
    pub health: u8,
    /// Whether it is there now.
    pub connected: bool,
    /// When it came, ms since the epoch.
    pub since_ms: i64,
}

/// How a client hears its access point.
#[derive(Debug, Clone, Copy)]
pub struct Radio {
    /// Network name.
    pub ssid: &'static str,
    /// GHz: 2.4, 5 or 6, as text.
    pub band: &'static str,
    /// Channel number.
    pub channel: u16,
    /// Signal in dBm.
    pub rssi_dbm: i32,
    /// Signal over noise in dB.
    pub snr_db: i32,
}

/// What a client can be: form, system, maker, the first three bytes of its address, whether a person uses it.
type Kind = (&'static str, &'static str, &'static str, [u8; 3], bool);

const WIRED: &[Kind] = &[
    ("Workstation", "Windows", "Dell Inc.", [0xD4, 0xBE, 0xD9], true),
    ("Workstation", "Windows", "HP Inc.", [0x3C, 0xD9, 0x2A], true),
    ("Workstation", "Linux", "Lenovo", [0x54, 0xE1, 0xAC], true),
    ("Phone", "Cisco IP Phone", "Cisco Systems", [0x00, 0x2A, 0x10], false),
    ("Printer", "JetDirect", "HP Inc.", [0x3C, 0xD9, 0x2A], false),
    ("Camera", "Linux", "Axis Communications AB", [0xAC, 0xCC, 0x8E], false),
];
const WIRELESS: &[Kind] = &[
    ("Laptop", "Windows", "Intel Corporate", [0x8C, 0x8D, 0x28], true),
    ("Laptop", "macOS", "Apple, Inc.", [0xF0, 0x18, 0x98], true),
    ("Phone", "iOS", "Apple, Inc.", [0xF0, 0x18, 0x98], true),
    ("Phone", "Android", "Samsung Electronics Co.,Ltd", [0xA8, 0x7C, 0x00], true),
    ("Scanner", "Android", "Zebra Technologies Inc.", [0x94, 0xFB, 0x28], false),
];
const GIVEN: &[&str] = &["a", "b", "c", "d", "e", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v"];
const FAMILY: &[&str] = &[
    "wilson", "garcia", "chen", "patel", "mueller", "tanaka", "rossi", "nowak", "silva", "khan", "dubois", "berg",
    "okafor", "novak", "lopez", "kim",
];

/// Clients that one access point can have at most; the place of a client is a number below 256.
const MOST_BY_RADIO: u32 = 24;

impl World {
    /// The clients of a switch or an access point, connected or not.
    pub fn endpoints_on(&self, device: &Device) -> Vec<Endpoint> {
        match device.platform.family {
            Family::Switch => self.wired_on(device),
            Family::AccessPoint => self.wireless_on(device),
            _ => Vec::new(),
        }
    }

    /// The client with this MAC address, connected or not.
    pub fn endpoint(&self, mac: [u8; 6]) -> Option<Endpoint> {
        let [.., high, middle, low] = mac;
        let place = u32::from_be_bytes([0, high, middle, low]);
        let index = usize::try_from(place >> 9 & 0x3FFF).ok()?;
        let device = self.devices().get(index)?;
        self.endpoints_on(device).into_iter().find(|endpoint| endpoint.mac == mac)
    }

    /// The client with this address, connected or not.
    pub fn endpoint_at(&self, address: Ipv4Addr) -> Option<Endpoint> {
        let place = u32::from(address).checked_sub(u32::from(self.clients_from()))?;
        let device = self.devices().get(usize::try_from(place >> 8).ok()?)?;
        self.endpoints_on(device).into_iter().find(|endpoint| endpoint.address == address)
    }

    /// The first address of clients in this region; the next 22 bits are the device and the place.
    fn clients_from(&self) -> Ipv4Addr {
        match self.region() {
            Region::AmerApj => Ipv4Addr::new(10, 64, 0, 0),
            Region::Emea => Ipv4Addr::new(10, 192, 0, 0),
        }
    }

    fn wired_on(&self, device: &Device) -> Vec<Endpoint> {
        let numbers: Vec<String> = physical_ports(device).into_iter().map(|port| port.name).collect();
        let cabled: Vec<&str> = self
            .links_of(device)
            .map(|link| link.ends[usize::from(link.ends[1].0 == device.index)].1.as_str())
            .collect();
        let alive = self.reachability(device) != Reachability::Unreachable;
        let mut found = Vec::new();
        for port in self.interfaces(device) {
            let Some(number) = numbers.iter().position(|name| *name == port.name) else { continue };
            if !port.physical || port.mode != "access" || cabled.contains(&port.name.as_str()) {
                continue;
            }
            // The same draws as those of the port's own signal: something is plugged in, or nothing is.
            let mut draw = self.seed.draw(&port.name, device.index as u64);
            draw.uuid();
            if !draw.chance(80) {
                continue;
            }
            let place = u32::try_from(number).unwrap_or(u32::MAX);
            let mut endpoint = self.client(device, place, WIRED, false);
            endpoint.vlan = match (endpoint.form, port.voice_vlan) {
                ("Phone", Some(voice)) => voice,
                _ => port.vlan.unwrap_or(1),
            };
            endpoint.connected = port.oper_up && alive;
            endpoint.port = Some(port.name);
            endpoint.health = if endpoint.connected { endpoint.health } else { 0 };
            found.push(endpoint);
        }
        found
    }

    fn wireless_on(&self, device: &Device) -> Vec<Endpoint> {
        let count = 2 + self.seed.draw("clients", device.index as u64).below(MOST_BY_RADIO - 2);
        let alive = self.reachability(device) != Reachability::Unreachable;
        (0..count)
            .map(|place| {
                let mut endpoint = self.client(device, place, WIRELESS, true);
                let mut draw = self.seed.draw("radio", (device.index as u64) << 8 | u64::from(place));
                let rssi_dbm = -45 - i32::try_from(draw.below(35)).unwrap_or(0);
                let guest = endpoint.form == "Phone" && draw.chance(40);
                let (band, channel) = match draw.below(10) {
                    0..2 => ("2.4", draw.pick(&[1, 6, 11], 1)),
                    2..8 => ("5", draw.pick(&[36, 44, 52, 100, 149], 36)),
                    _ => ("6", draw.pick(&[5, 37, 69], 5)),
                };
                let ssid = if guest { "corp-guest" } else { "corp" };
                endpoint.radio = Some(Radio { ssid, band, channel, rssi_dbm, snr_db: rssi_dbm + 92 });
                endpoint.vlan = if guest { 70 } else { 30 };
                endpoint.connected = alive;
                endpoint.health = match (alive, rssi_dbm) {
                    (false, _) => 0,
                    (true, ..=-76) => 4,
                    (true, -75..=-71) => 7,
                    _ => 10,
                };
                endpoint
            })
            .collect()
    }

    /// What stands at a place of a device, before it is known whether it is connected.
    fn client(&self, device: &Device, place: u32, kinds: &[Kind], wireless: bool) -> Endpoint {
        let index = u32::try_from(device.index).unwrap_or(u32::MAX);
        let mut draw = self.seed.draw("client", u64::from(index) << 9 | u64::from(place) << 1 | u64::from(wireless));
        let fallback = ("Workstation", "Windows", "Dell Inc.", [0xD4, 0xBE, 0xD9], true);
        let (form, os, vendor, maker, used) = draw.pick(kinds, fallback);
        let elsewhere = u32::from(self.region() == Region::Emea);
        let own = (elsewhere << 23 | (index & 0x3FFF) << 9 | (place & 0xFF) << 1 | u32::from(wireless)).to_be_bytes();
        let site = self.site_of(device).map_or("", |site| site.name_hierarchy.as_str());
        let code: String = site.split('/').nth(3).unwrap_or("LAB").chars().take(3).collect();
        let short = form.get(..2).unwrap_or(form).to_uppercase();
        let user = used.then(|| person(&mut draw));
        Endpoint {
            mac: [maker[0], maker[1], maker[2], own[1], own[2], own[3]],
            wireless,
            hostname: format!("{code}-{short}-{:05X}", index << 8 & 0xF_FF00 | place),
            user,
            address: Ipv4Addr::from(u32::from(self.clients_from()) + ((index & 0x3FFF) << 8 | place & 0xFF)),
            vlan: 1,
            device: device.index,
            port: None,
            radio: None,
            os,
            vendor,
            form,
            health: if draw.chance(6) { 5 } else { 10 },
            connected: true,
            since_ms: self.born_ms() - i64::from(draw.below(9 * 3600)) * 1000,
        }
    }
}

fn person(draw: &mut Draw) -> String {
    format!("{}{}{}", draw.pick(GIVEN, "a"), draw.pick(FAMILY, "wilson"), draw.below(90) + 10)
}

/// Reads `aa:bb:cc:dd:ee:ff`, with `:`, `-` or `.` or nothing between the digits.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let value = (digits.len() == 12).then(|| u64::from_str_radix(&digits, 16).ok()).flatten()?;
    let [_, _, mac @ ..] = value.to_be_bytes();
    Some(mac)
}

impl Endpoint {
    /// `aa:bb:cc:dd:ee:ff`.
    pub fn mac_text(&self) -> String {
        crate::device::mac_text(self.mac)
    }
}
