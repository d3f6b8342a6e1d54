//! What devices answer to exec commands: which command a line means, the facts that an answer is made of, and pipes. Each
//! operating system prints in its own `show`.
//!
//! Where next: [`crate::devices_in_use`], which carries out what a command does; the `show` of each operating system.

use std::net::Ipv4Addr;

use crate::device::{Device, Family, Reachability};
use crate::interfaces::Interface;
use crate::lines::Config;
use crate::os::Os;
use crate::state::World;

/// What a command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    RunningConfig,
    RunningInterface,
    StartupConfig,
    Version,
    InterfaceStatus,
    InterfaceDescription,
    IpInterfaceBrief,
    Vlan,
    Inventory,
    Clock,
    Cdp,
    Lldp,
    Ospf,
    Bgp,
    Routes,
    SpanningTree,
    Cpu,
    Logging,
    Bundles,
    Standby,
    Vpc,
    Failover,
    Save,
    Reload,
    Erase,
    /// Does nothing that the world shows, and prints nothing.
    Harmless,
}

/// A command in full words and what it asks for.
pub(crate) type Command = (&'static str, Asked);

/// The commands of an operating system.
fn commands(os: Os) -> &'static [Command] {
    match os {
        Os::IosXe => crate::ios_xe::show::COMMANDS,
        Os::NxOs => crate::nx_os::show::COMMANDS,
        Os::IosXr => crate::ios_xr::show::COMMANDS,
        Os::Asa => crate::asa::show::COMMANDS,
    }
}

/// Reads a command line (without its pipe): what it asks for, and the words behind the command. Words may be abbreviated
/// to two letters; of commands that fit, the one with the most words counts.
pub(crate) fn asked(os: Os, command: &str) -> Option<(Asked, Vec<&str>)> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let fits = |pattern: &str| {
        let full: Vec<&str> = pattern.split(' ').collect();
        words.len() >= full.len()
            && full.iter().zip(&words).all(|(full, word)| {
                word.len() >= 2.min(full.len()) && full.to_ascii_lowercase().starts_with(&word.to_ascii_lowercase())
            })
    };
    let best =
        commands(os).iter().filter(|(pattern, _)| fits(pattern)).max_by_key(|(pattern, _)| pattern.split(' ').count());
    best.map(|(pattern, asked)| (*asked, words.into_iter().skip(pattern.split(' ').count()).collect()))
}

/// Whether a device's answer is a complaint.
pub(crate) fn is_complaint(output: &str) -> bool {
    let last = output.trim_end().lines().last().unwrap_or_default();
    output.starts_with('%') || last.starts_with("% ") || last.starts_with("ERROR: ")
}

/// The complaint about an exec command that does not exist.
pub(crate) fn unknown(os: Os) -> &'static str {
    match os {
        Os::IosXe | Os::IosXr => "% Invalid input detected at '^' marker.",
        Os::NxOs => "% Invalid command at '^' marker.",
        Os::Asa => "ERROR: % Invalid input detected at '^' marker.",
    }
}

/// The facts that answers are made of.
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) device: &'a Device,
    pub(crate) hostname: String,
    pub(crate) config: Config,
}

/// A device at the other end of a cable that carries a signal.
pub(crate) struct Neighbor<'a> {
    pub(crate) port: &'a str,
    pub(crate) hostname: String,
    pub(crate) device: &'a Device,
    pub(crate) far_port: &'a str,
    /// Own and far address, where the cable is routed.
    pub(crate) addresses: (Ipv4Addr, Ipv4Addr),
}

/// A session with a neighbour, in the order of the configuration.
pub(crate) struct BgpSession {
    pub(crate) address: String,
    pub(crate) remote_as: String,
    /// Prefixes received; nothing while the session is down.
    pub(crate) prefixes: Option<u32>,
    /// Seconds since the session came up or went down.
    pub(crate) since_s: i64,
}

impl<'a> View<'a> {
    pub(crate) fn new(world: &'a World, device: &'a Device) -> Self {
        Self { world, device, hostname: world.hostname(device), config: world.running(device) }
    }

    pub(crate) fn interfaces(&self) -> Vec<Interface> {
        self.world.interfaces(self.device)
    }

    /// Neighbours by cables that carry a signal. Firewalls neither tell nor hear who is beside them.
    pub(crate) fn neighbors(&self) -> Vec<Neighbor<'a>> {
        self.up_cables().filter(|neighbor| neighbor.device.platform.family != Family::Firewall).collect()
    }

    fn up_cables(&self) -> impl Iterator<Item = Neighbor<'a>> {
        let world = self.world;
        world.fleet.cables_of(self.device).filter(|cable| world.link_up(cable.link)).map(move |cable| Neighbor {
            port: cable.port,
            hostname: world.hostname(cable.far),
            device: cable.far,
            far_port: cable.far_port,
            addresses: cable.addresses(),
        })
    }

    /// Neighbours with which routes are exchanged by OSPF: both ends of the cable take part and neither is passive.
    pub(crate) fn ospf(&self) -> Vec<Neighbor<'a>> {
        self.up_cables()
            .filter(|neighbor| takes_part_in_ospf(&self.config, neighbor.port))
            .filter(|neighbor| takes_part_in_ospf(&self.world.running(neighbor.device), neighbor.far_port))
            .collect()
    }

    /// Sessions of BGP. One over a cable is up while the cable is and the far end knows us; one with a device's own
    /// address while that device is within reach; one with a stranger always.
    pub(crate) fn bgp(&self) -> Vec<BgpSession> {
        let up: Vec<Neighbor<'_>> = self.up_cables().collect();
        let cabled: Vec<Ipv4Addr> = self.world.fleet.cables_of(self.device).map(|cable| cable.addresses().1).collect();
        let sessions = bgp_neighbors(&self.config);
        let list = sessions.into_iter().map(|(address, remote_as)| {
            let far: Option<Ipv4Addr> = address.parse().ok();
            let established = match up.iter().find(|neighbor| Some(neighbor.addresses.1) == far) {
                Some(neighbor) => {
                    let ours = neighbor.addresses.0.to_string();
                    bgp_neighbors(&self.world.running(neighbor.device)).iter().any(|(known, _)| *known == ours)
                }
                None if far.is_some_and(|far| cabled.contains(&far)) => false,
                None => {
                    let device = self.world.devices().iter().find(|device| Some(device.management_ip) == far);
                    device.is_none_or(|device| self.world.reachability(device) != Reachability::Unreachable)
                }
            };
            let number = far.map_or(0, u32::from);
            let mut draw = self.world.seed.draw("bgp session", u64::from(number));
            let (prefixes, age) = (draw.below(900) + 12, i64::from(draw.below(30 * 86_400)) + 600);
            BgpSession {
                address,
                remote_as,
                prefixes: established.then_some(prefixes),
                since_s: age.min(self.world.uptime_s(self.device)),
            }
        });
        list.collect()
    }

    /// Whether the device does the work of its pair: it is the first, or the first does not answer.
    pub(crate) fn works(&self) -> bool {
        let Some(group) = self.world.redundancy(self.device) else { return true };
        let first = group.members.first().and_then(|at| self.world.devices().get(*at));
        first.is_none_or(|first| {
            first.index == self.device.index || self.world.own_reachability(first) == Reachability::Unreachable
        })
    }

    /// The local number of BGP.
    pub(crate) fn local_as(&self) -> Option<&str> {
        self.config.value("router bgp")
    }
}

fn takes_part_in_ospf(config: &Config, port: &str) -> bool {
    let block = config.block(&["interface", port]);
    let begins =
        |lead: &str| block.is_some_and(|block| block.children.iter().any(|child| child.line.starts_with(lead)));
    match config.os() {
        Os::IosXe => {
            let router = config.roots().iter().find(|node| node.line.starts_with("router ospf "));
            let passive = router.is_some_and(|router| {
                router.has("passive-interface default") && !router.has(&format!("no passive-interface {port}"))
                    || router.has(&format!("passive-interface {port}"))
            });
            let by_port = block.is_some_and(|block| {
                block.children.iter().any(|child| child.line.starts_with("ip ospf ") && child.line.contains(" area "))
            });
            router.is_some() && by_port && !passive
        }
        Os::NxOs => begins("ip router ospf ") && !begins("ip ospf passive-interface"),
        Os::IosXr => config.roots().iter().filter(|node| node.line.starts_with("router ospf ")).any(|router| {
            let header = format!("interface {port}");
            router.children.iter().any(|area| area.child(&header).is_some_and(|port| !port.has("passive enable")))
        }),
        Os::Asa => false,
    }
}

/// Addresses of neighbours and their numbers.
fn bgp_neighbors(config: &Config) -> Vec<(String, String)> {
    let router = config.roots().iter().find(|node| node.line.starts_with("router bgp "));
    let lines = router.into_iter().flat_map(|router| &router.children);
    lines
        .filter_map(|node| {
            let rest = node.line.strip_prefix("neighbor ")?;
            match rest.split(' ').collect::<Vec<_>>().as_slice() {
                [address, "remote-as", number] => Some(((*address).to_owned(), (*number).to_owned())),
                [address] => Some(((*address).to_owned(), node.child_value("remote-as")?.to_owned())),
                _ => None,
            }
        })
        .collect()
}

/// Applies `| include x` and friends to what a device prints.
pub(crate) fn filtered(output: &str, pipe: Option<&str>) -> String {
    let Some((verb, text)) = pipe.and_then(|pipe| pipe.trim().split_once(' ')) else { return output.to_owned() };
    let text = text.trim();
    let keep: Vec<&str> = match verb.get(..2) {
        Some("in") => output.lines().filter(|line| line.contains(text)).collect(),
        Some("ex") => output.lines().filter(|line| !line.contains(text)).collect(),
        Some("be") => output.lines().skip_while(|line| !line.contains(text)).collect(),
        Some("se") => {
            let mut inside = false;
            output
                .lines()
                .filter(|line| {
                    if !line.starts_with(' ') {
                        inside = line.contains(text);
                    }
                    inside
                })
                .collect()
        }
        _ => output.lines().collect(),
    };
    keep.join("\n")
}

/// `2 weeks, 3 days, 4 hours, 5 minutes`.
pub(crate) fn uptime_words(seconds: i64) -> String {
    let (weeks, days) = (seconds / 604_800, seconds / 86_400 % 7);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{weeks} weeks, {days} days, {hours} hours, {minutes} minutes")
}

/// `1d02h`, `03w4d`, `00:12:07`: how routing protocols write ages.
pub(crate) fn age(seconds: i64) -> String {
    let (weeks, days, hours) = (seconds / 604_800, seconds / 86_400 % 7, seconds / 3600 % 24);
    match (weeks, days) {
        (0, 0) => format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
        (0, days) => format!("{days}d{hours:02}h"),
        (weeks, days) => format!("{weeks}w{days}d"),
    }
}

/// The short name of a port: letters of its kind, then its numbers.
pub(crate) fn short(name: &str) -> String {
    let (kind, number) = crate::lines::entries::split_name(name);
    let short = match kind {
        "HundredGigE" => "Hu",
        "TwentyFiveGigE" => "Twe",
        "TenGigE" => "Te",
        "Ethernet" => "Eth",
        "MgmtEth" => "Mg",
        "mgmt" => "mgmt",
        "loopback" => "Lo",
        other => other.get(..2).unwrap_or(other),
    };
    format!("{short}{number}")
}
