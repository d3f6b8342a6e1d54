//! How long it takes to read a configuration of 10,000 lines: the median of many readings, as this profile builds it.
//! Run by `cargo xtask device-config`.

use std::io::Write as _;
use std::time::Instant;

use interlock_device_config::{Platform, parse};

const LINES: usize = 10_000;
const READINGS: usize = 51;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for platform in Platform::ALL {
        let text = configuration(platform);
        let mut took: Vec<_> = (0..READINGS)
            .map(|_| {
                let began = Instant::now();
                let lines = parse(platform, &text).lines();
                (began.elapsed(), lines)
            })
            .collect();
        took.sort();
        if let Some((median, lines)) = took.get(READINGS / 2) {
            let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
            writeln!(
                out,
                "{platform}: {} lines to {lines} in {median:?} (median, profile {profile})",
                text.lines().count()
            )?;
        }
    }
    Ok(())
}

/// Interfaces, an access list, a routing process: as many lines as are asked for.
fn configuration(platform: Platform) -> String {
    let mut text = String::from("hostname SPEED\n!\n");
    let mut lines = 2;
    let mut number = 0;
    while lines < LINES {
        number += 1;
        let section = match platform {
            Platform::IosXe | Platform::NxOs => format!(
                "interface GigabitEthernet1/{}/{}\n description Port {number}, building 4\n switchport access vlan {}\n switchport mode access\n spanning-tree portfast\n!\nip access-list extended ACL-{number}\n 10 permit tcp any host 10.0.0.1 eq 443\n 20 deny ip any any\n!\n",
                number / 48,
                number % 48,
                number % 4000 + 1
            ),
            Platform::IosXr => format!(
                "interface GigabitEthernet0/0/0/{number}\n description Port {number}\n mtu 9100\n ipv4 address 10.0.0.1 255.255.255.252\n!\nrouter ospf {number}\n area 0\n  interface Loopback0\n   cost 10\n  !\n !\n!\n"
            ),
            Platform::Asa => format!(
                "object network HOST-{number}\n host 10.0.0.1\naccess-list OUTSIDE extended permit tcp any object HOST-{number} eq https\nobject-group network GROUP-{number}\n network-object object HOST-{number}\n"
            ),
        };
        lines += section.lines().count();
        text.push_str(&section);
    }
    text
}
