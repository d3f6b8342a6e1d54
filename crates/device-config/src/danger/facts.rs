//! What a running configuration says about how its device is managed and linked.

use std::collections::BTreeMap;

use super::PlacedLine;
use super::words::{is, same_interface};

/// Management, as far as it can be told.
#[derive(Default)]
pub(super) struct Facts {
    /// The address by which the device is managed.
    pub(super) address: Option<String>,
    /// Names of the routing tables that the management interface is in, or that are named for it.
    pub(super) tables: Vec<String>,
    /// The VLAN of the management interface, where it is one.
    pub(super) vlan: Option<u16>,
    /// Filters before terminal lines, SSH and SNMP.
    pub(super) filters: Vec<String>,
    interfaces: Vec<String>,
    links: Vec<String>,
}

/// The interface that a line opens, without spaces: `interface Vlan 20` is `vlan20`.
pub(super) fn interface_of(words: &[&str]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    if !is(first, "interface", 3) {
        return None;
    }
    let rest = rest.strip_prefix(&["range"]).unwrap_or(rest);
    (!rest.is_empty()).then(|| rest.concat().to_ascii_lowercase())
}

/// The routing table that a line is about, where it opens or removes one.
pub(super) fn table_of<'w>(words: &[&'w str]) -> Option<&'w str> {
    match words {
        [first, second, name] if is(first, "vrf", 3) && (is(second, "definition", 3) || is(second, "context", 3)) => {
            Some(name)
        }
        [first, second, name] if is(first, "ip", 2) && is(second, "vrf", 3) => Some(name),
        [first, name] if *first == "vrf" && !matches!(*name, "definition" | "context") => Some(name),
        _ => None,
    }
}

impl Facts {
    pub(super) fn read(management: Option<&str>, running: &[PlacedLine]) -> Self {
        let mut facts = Self { address: management.map(str::to_owned), ..Self::default() };
        let mut sections: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for placed in running {
            let lower = placed.line.to_ascii_lowercase();
            let words: Vec<String> = lower.split_whitespace().map(str::to_owned).collect();
            match placed.parents.first() {
                Some(section) => sections.entry(section.to_ascii_lowercase()).or_default().push(words),
                None => {
                    facts.filter_at_the_top(&words);
                    sections.entry(lower).or_default();
                }
            }
        }
        for (section, lines) in &sections {
            let words: Vec<&str> = section.split_whitespace().collect();
            if let Some(name) = interface_of(&words) {
                facts.interface(&name, lines);
            } else if words.first().is_some_and(|word| *word == "line") {
                let named = lines.iter().filter(|line| line.first().is_some_and(|word| word == "access-class"));
                facts.filters.extend(named.flatten().skip(1).filter(|word| !is_direction(word)).cloned());
            }
        }
        facts
    }

    /// Filters that stand in lines at the top: `snmp-server community x RO ACL`, `ssh server vrf x ipv4 access-list ACL`.
    fn filter_at_the_top(&mut self, words: &[String]) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["snmp-server", "community", _, .., last] if !matches!(*last, "ro" | "rw") => {
                self.filters.push((*last).to_owned())
            }
            ["ssh" | "telnet" | "ip", .., "access-list" | "access-class", name]
            | ["ip", "http", "access-class", .., name] => {
                self.filters.push((*name).to_owned());
            }
            _ => {}
        }
    }

    fn interface(&mut self, name: &str, lines: &[Vec<String>]) {
        let line = |begin: &[&str]| {
            lines.iter().find(|words| words.len() >= begin.len() && begin.iter().zip(*words).all(|(a, b)| a == b))
        };
        let table =
            lines.iter().find_map(|words| match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["vrf", "forwarding" | "member", name] | ["ip", "vrf", "forwarding", name] | ["vrf", name] => {
                    Some((*name).to_owned())
                }
                _ => None,
            });
        let named = name.starts_with("mgmt") || name.starts_with("management");
        let of_management =
            table.as_deref().is_some_and(|table| table.starts_with("mgmt") || table.starts_with("management"));
        let addressed = self.address.as_deref().is_some_and(|address| {
            let here = |word: &String| word.split('/').next() == Some(address);
            lines.iter().any(|words| words.iter().any(|word| word == "address") && words.iter().any(here))
        });
        if named || of_management || addressed || line(&["management-only"]).is_some() {
            self.interfaces.push(name.to_owned());
            self.tables.extend(table);
        }
        if addressed {
            self.vlan = name.strip_prefix("vlan").and_then(|id| id.parse().ok());
        }
        let trunk = line(&["switchport", "mode", "trunk"]).is_some();
        let routed = !name.starts_with("vlan")
            && !name.starts_with("loopback")
            && !addressed
            && lines.iter().any(|words| {
                matches!(words.first().map(String::as_str), Some("ip" | "ipv4"))
                    && words.get(1).is_some_and(|w| w == "address")
            });
        let described = lines.iter().any(|words| {
            words.first().is_some_and(|word| word == "description") && words.iter().any(|word| word.contains("uplink"))
        });
        if trunk || routed || described {
            self.links.push(name.to_owned());
        }
    }

    /// Whether the device is managed by this interface: it has the address, or its name or table says so.
    pub(super) fn manages(&self, interface: &str) -> bool {
        let named = interface.starts_with("mgmt") || interface.starts_with("management");
        named || self.interfaces.iter().any(|known| same_interface(known, interface))
    }

    /// Whether an interface leads to the rest of the network: a trunk, a routed port, or one that is called an uplink.
    pub(super) fn is_link(&self, interface: &str) -> bool {
        self.links.iter().any(|known| same_interface(known, interface))
    }
}

fn is_direction(word: &str) -> bool {
    matches!(word, "in" | "out" | "ingress" | "egress" | "vrf-also" | "vrfname" | "access-class")
}
