//! Names of interfaces, as a device prints them: `gi1/0/1` is `GigabitEthernet1/0/1`, `vlan 20` is `Vlan20`. Next: `merge`,
//! which enters lines under them.

use crate::Platform;

/// A kind of interface, and whether naming one creates it and `no interface` removes it.
struct Kind {
    name: &'static str,
    logical: bool,
}

const fn port(name: &'static str) -> Kind {
    Kind { name, logical: false }
}

const fn logical(name: &'static str) -> Kind {
    Kind { name, logical: true }
}

const IOS_XE: &[Kind] = &[
    port("GigabitEthernet"),
    port("TenGigabitEthernet"),
    port("TwoGigabitEthernet"),
    port("FiveGigabitEthernet"),
    port("TwentyFiveGigE"),
    port("FortyGigabitEthernet"),
    port("HundredGigE"),
    port("FastEthernet"),
    port("AppGigabitEthernet"),
    port("Ethernet"),
    port("Serial"),
    port("Cellular"),
    logical("Loopback"),
    logical("Vlan"),
    logical("Port-channel"),
    logical("Tunnel"),
    logical("BDI"),
    logical("nve"),
    logical("Null"),
    logical("Dialer"),
    logical("Virtual-Template"),
    logical("VirtualPortGroup"),
    logical("Multilink"),
];

const NX_OS: &[Kind] = &[
    port("Ethernet"),
    port("mgmt"),
    logical("Vlan"),
    logical("loopback"),
    logical("port-channel"),
    logical("nve"),
    logical("Tunnel"),
];

const IOS_XR: &[Kind] = &[
    port("GigabitEthernet"),
    port("TenGigE"),
    port("TwentyFiveGigE"),
    port("FortyGigE"),
    port("HundredGigE"),
    port("FourHundredGigE"),
    port("MgmtEth"),
    port("Serial"),
    logical("Bundle-Ether"),
    logical("Loopback"),
    logical("BVI"),
    logical("tunnel-te"),
    logical("tunnel-ip"),
    logical("nve"),
    logical("Null"),
    logical("PW-Ether"),
];

const ASA: &[Kind] = &[
    port("GigabitEthernet"),
    port("TenGigabitEthernet"),
    port("Ethernet"),
    port("Management"),
    port("FastEthernet"),
    logical("Port-channel"),
    logical("Redundant"),
    logical("BVI"),
    logical("Vlan"),
    logical("Loopback"),
    logical("Tunnel"),
    logical("nve"),
];

fn kinds(platform: Platform) -> &'static [Kind] {
    match platform {
        Platform::IosXe => IOS_XE,
        Platform::NxOs => NX_OS,
        Platform::IosXr => IOS_XR,
        Platform::Asa => ASA,
    }
}

/// The name in full, from a name as people write it, with or without a blank before the number. Nothing when it is no name,
/// or when several kinds begin so.
pub(crate) fn in_full(platform: Platform, typed: &str) -> Option<String> {
    let digit = typed.find(|c: char| c.is_ascii_digit())?;
    let (kind, number) = typed.split_at_checked(digit)?;
    let kind = kind.trim_end_matches(' ');
    let sound = |c: char| c.is_ascii_alphanumeric() || "/.:".contains(c);
    if kind.is_empty() || !number.chars().all(sound) {
        return None;
    }
    let begins = |full: &&Kind| full.name.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    let exact = kinds(platform).iter().find(|full| full.name.eq_ignore_ascii_case(kind));
    let mut fitting = kinds(platform).iter().filter(begins);
    let only = exact.or_else(|| fitting.next().filter(|_| fitting.next().is_none()))?;
    Some(format!("{}{number}", only.name))
}

/// Whether `no interface` removes it: logical interfaces and subinterfaces.
pub(crate) fn is_removable(platform: Platform, name: &str) -> bool {
    let name = name.split(' ').next().unwrap_or_default();
    let logical = kinds(platform)
        .iter()
        .filter(|kind| kind.logical)
        .any(|kind| name.strip_prefix(kind.name).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
    logical || name.contains('.')
}

/// The names that a list means: `Gi1/0/1 - 4, Te1/1/1` (IOS XE, after `interface range`), `ethernet 1/1-4, ethernet 1/9` (NX-OS).
pub(crate) fn range(platform: Platform, typed: &str) -> Option<Vec<String>> {
    /// Interfaces of one list; a device takes far fewer.
    const MOST: usize = 512;
    let mut names = Vec::new();
    for part in typed.split(',') {
        let part = part.trim_matches(' ');
        let (first, last) =
            match part.split_once('-').filter(|(_, last)| last.trim().starts_with(|c: char| c.is_ascii_digit())) {
                Some((first, last)) => (first.trim_end_matches(' '), Some(last.trim_start_matches(' '))),
                None => (part, None),
            };
        let first = in_full(platform, first)?;
        let Some(last) = last else {
            names.push(first);
            continue;
        };
        let digits = first.len() - first.chars().rev().take_while(char::is_ascii_digit).count();
        let (stem, from) = first.split_at_checked(digits)?;
        let (from, to): (u32, u32) = (from.parse().ok()?, last.parse().ok()?);
        if from > to || to as usize - from as usize >= MOST || names.len() >= MOST {
            return None;
        }
        names.extend((from..=to).map(|number| format!("{stem}{number}")));
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::{in_full, is_removable, range};
    use crate::Platform::{Asa, IosXe, IosXr, NxOs};

    #[test]
    fn names_are_written_in_full_or_not_at_all() {
        for (platform, typed, full) in [
            (IosXe, "gi1/0/1", "GigabitEthernet1/0/1"),
            (IosXe, "Te1/1/1", "TenGigabitEthernet1/1/1"),
            (IosXe, "vlan 20", "Vlan20"),
            (IosXe, "port-channel5", "Port-channel5"),
            (NxOs, "e1/1", "Ethernet1/1"),
            (NxOs, "po10", "port-channel10"),
            (IosXr, "Hu0/0/0/1", "HundredGigE0/0/0/1"),
            (IosXr, "Bundle-Ether1.100", "Bundle-Ether1.100"),
            (Asa, "g0/1", "GigabitEthernet0/1"),
        ] {
            assert_eq!(in_full(platform, typed).as_deref(), Some(full));
        }
        for typed in ["t1", "x1", "gi", "", "1/0/1", "gi1/0/1 - 4"] {
            assert_eq!(in_full(IosXe, typed), None, "{typed}");
        }
    }

    #[test]
    fn lists_name_each_interface() {
        assert_eq!(
            range(IosXe, "gi1/0/1 - 3, te1/1/1").unwrap().join(" "),
            "GigabitEthernet1/0/1 GigabitEthernet1/0/2 GigabitEthernet1/0/3 TenGigabitEthernet1/1/1"
        );
        assert_eq!(range(NxOs, "ethernet 1/1-2,ethernet1/9").unwrap().join(" "), "Ethernet1/1 Ethernet1/2 Ethernet1/9");
        for typed in ["gi1/0/4 - 2", "gi1/0/1 - 4000000000", "", "gi1/0/1,"] {
            assert_eq!(range(IosXe, typed), None, "{typed}");
        }
    }

    #[test]
    fn what_is_screwed_in_cannot_be_removed() {
        assert!(
            is_removable(IosXe, "Vlan20")
                && is_removable(IosXe, "GigabitEthernet0/0/0.100")
                && is_removable(IosXr, "Bundle-Ether1 l2transport")
        );
        assert!(!is_removable(IosXe, "GigabitEthernet1/0/1") && !is_removable(NxOs, "mgmt0"));
    }
}
