//! Health and issues, derived from the state of devices and cables whenever they are asked for. What was wrong and is over
//! is an issue too, a resolved one.
//!
//! Where next: [`crate::cabling`] for what a pulled cable does, [`crate::state`].

use uuid::Uuid;

use crate::cabling::Lost;
use crate::device::{Device, Reachability};
use crate::fleet::Link;
use crate::state::World;

/// The health of a device, as assurance scores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// 1 (worst) to 10.
    pub overall: u8,
    /// CPU load in percent.
    pub cpu_percent: u8,
    /// Memory in use in percent.
    pub memory_percent: u8,
}

impl Health {
    /// `POOR`, `FAIR`, `GOOD`.
    pub fn word(self) -> &'static str {
        match self.overall {
            0..=3 => "POOR",
            4..=7 => "FAIR",
            _ => "GOOD",
        }
    }
}

/// Something that is wrong in the network.
#[derive(Debug, Clone)]
pub struct Issue {
    /// UUID version 4.
    pub id: Uuid,
    /// `network_device_unreachable`, ….
    pub name: &'static str,
    /// One line.
    pub summary: String,
    /// `P1` … `P4`.
    pub priority: &'static str,
    /// `HIGH`, `MEDIUM`, `LOW`.
    pub severity: &'static str,
    /// `Availability`, `Connectivity`, `Utilization`.
    pub category: &'static str,
    /// Index of the device.
    pub device: usize,
    /// First and last occurrence, ms since the epoch.
    pub seen_ms: (i64, i64),
    /// How often.
    pub occurrences: u32,
    /// What to do.
    pub actions: &'static [&'static str],
    /// When it was over, ms since the epoch.
    pub resolved_ms: Option<i64>,
}

impl Issue {
    /// `ACTIVE` while it lasts, then `RESOLVED`.
    pub fn status(&self) -> &'static str {
        if self.resolved_ms.is_some() { "RESOLVED" } else { "ACTIVE" }
    }
}

const UNREACHABLE: &[&str] = &[
    "Verify that the device has power and that its uplinks are connected.",
    "From the controller, ping the management address of the device.",
];
const UNPLUGGED: &[&str] = &[
    "Verify that the cable is plugged at both ends and that the other device has power.",
    "Run `show interfaces` for the port and look for errors.",
];

impl World {
    /// The health of a device.
    pub fn health(&self, device: &Device) -> Health {
        let mut draw = self.seed.draw("health", device.index as u64);
        let (cpu, memory) = (5 + draw.below(40), 30 + draw.below(35));
        let overall = match (self.reachability(device), draw.below(100)) {
            (Reachability::Reachable, _) if !self.pulled(device).is_empty() => 4,
            (Reachability::Unreachable, _) => 1,
            (Reachability::PingReachable, _) => 3,
            (_, 0..4) => 5,
            (_, 4..7) => 7,
            _ => 10,
        };
        let percent = |value: u32| u8::try_from(value.min(99)).unwrap_or(99);
        Health {
            overall,
            cpu_percent: percent(cpu + if overall == 5 { 50 } else { 0 }),
            memory_percent: percent(memory),
        }
    }

    /// What is wrong now, ordered by device.
    pub fn issues(&self) -> Vec<Issue> {
        self.devices().iter().flat_map(|device| self.issues_of(device)).collect()
    }

    fn issues_of(&self, device: &Device) -> Vec<Issue> {
        let mut issues = Vec::new();
        let now = self.now().as_millisecond();
        let mut draw = self.seed.draw("issue", device.index as u64);
        let id = draw.uuid();
        let since = self.born_ms() - i64::from(draw.below(72 * 3600)) * 1000;
        let name = self.hostname(device);
        let base = |name, summary, priority, severity, category, actions| Issue {
            id,
            name,
            summary,
            priority,
            severity,
            category,
            device: device.index,
            seen_ms: (since, now - now.rem_euclid(300_000)),
            occurrences: 1 + device.index as u32 % 7,
            actions,
            resolved_ms: None,
        };
        let reach = self.reachability(device);
        if reach == Reachability::Unreachable {
            let summary = format!("Network device {name} is unreachable from the controller");
            let mut issue = base("network_device_unreachable", summary, "P1", "HIGH", "Availability", UNREACHABLE);
            if let Some(since) = self.isolated_since(device) {
                issue.id = self.isolation_id(device.index, since);
                issue.seen_ms.0 = since;
            }
            issues.push(issue);
        } else if reach == Reachability::PingReachable {
            let summary = format!("Network device {name} answers ping but not SNMP");
            let actions: &[&str] = &["Verify the SNMP credentials of the device."];
            issues.push(base("snmp_device_down", summary, "P2", "HIGH", "Availability", actions));
        } else if self.health(device).overall == 5 {
            let summary = format!("Network device {name} has a high CPU utilization");
            let actions: &[&str] = &["Run `show processes cpu sorted` and look for the process with the highest load."];
            issues.push(base("high_cpu", summary, "P3", "MEDIUM", "Utilization", actions));
        }
        if reach == Reachability::Reachable {
            issues.extend(self.pulled(device).into_iter().map(|(link, since)| {
                let mut issue = self.outage(device, link, since);
                issue.seen_ms.1 = now - now.rem_euclid(300_000);
                issue
            }));
        }
        if device.has_configuration() && self.is_edited(device) {
            let ports = self.interfaces(device);
            for link in self.links_of(device) {
                let mine = &link.ends[usize::from(link.ends[1].0 == device.index)].1;
                if ports.iter().any(|port| port.name == *mine && !port.admin_up) {
                    let summary = format!("Interface {mine} on network device {name} is administratively down");
                    let actions: &[&str] = &["Verify that the interface was shut down on purpose."];
                    let mut issue = base("interface_down", summary, "P2", "HIGH", "Connectivity", actions);
                    issue.id = self
                        .seed
                        .uuid("interface issue", u64::try_from(link.id.as_u128() & u128::from(u64::MAX)).unwrap_or(0));
                    issue.seen_ms.0 = self.changed_at_ms(device);
                    issues.push(issue);
                }
            }
        }
        issues
    }

    fn isolation_id(&self, device: usize, since: i64) -> Uuid {
        self.seed.uuid("isolation", (device as u64) << 44 ^ since.unsigned_abs())
    }

    /// What one end of a pulled cable tells.
    fn outage(&self, device: &Device, link: &Link, since: i64) -> Issue {
        let mine = usize::from(link.ends[1].0 == device.index);
        let (far, port) = (self.devices().get(link.ends[1 - mine].0), &link.ends[mine].1);
        let far = far.map(|far| self.hostname(far)).unwrap_or_default();
        let low = u64::try_from(link.id.as_u128() & u128::from(u64::MAX)).unwrap_or(0);
        Issue {
            id: self.seed.uuid("outage", low ^ since.unsigned_abs() << 1 ^ mine as u64),
            name: "interface_down",
            summary: format!("Interface {port} on network device {} lost its link to {far}", self.hostname(device)),
            priority: "P2",
            severity: "HIGH",
            category: "Connectivity",
            device: device.index,
            seen_ms: (since, since),
            occurrences: 1,
            actions: UNPLUGGED,
            resolved_ms: None,
        }
    }

    /// What was wrong with cables and is over, oldest first.
    pub fn past_issues(&self) -> Vec<Issue> {
        let mut issues = Vec::new();
        for past in self.past_outages() {
            let over = |mut issue: Issue| {
                issue.seen_ms = (past.from_ms, past.until_ms);
                issue.resolved_ms = Some(past.until_ms);
                issue
            };
            match past.of {
                Lost::Link(id) => {
                    let Some(link) = self.link(id) else { continue };
                    let ends = link.ends.iter().filter_map(|(at, _)| self.devices().get(*at));
                    issues.extend(
                        ends.filter(|device| device.has_configuration())
                            .map(|device| over(self.outage(device, link, past.from_ms))),
                    );
                }
                Lost::Device(at) => {
                    let Some(device) = self.devices().get(at) else { continue };
                    let summary =
                        format!("Network device {} is unreachable from the controller", self.hostname(device));
                    issues.push(over(Issue {
                        id: self.isolation_id(at, past.from_ms),
                        name: "network_device_unreachable",
                        summary,
                        priority: "P1",
                        severity: "HIGH",
                        category: "Availability",
                        device: at,
                        seen_ms: (past.from_ms, past.until_ms),
                        occurrences: 1,
                        actions: UNREACHABLE,
                        resolved_ms: None,
                    }));
                }
            }
        }
        issues
    }
}
