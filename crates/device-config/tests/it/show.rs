//! Parsers of `show` output: compared row by row with what an independent reader makes of the same text
//! (`oracle/show.py` writes the rows), and held to the values that it does not give.

use std::path::{Path, PathBuf};

use device_config::Platform;
use device_config::show::{ShowFault, neighbors, ports, routing, system};

fn fixture(platform: &str, command: &str) -> String {
    let path = folder().join(platform).join(format!("{command}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/show")
}

fn row(values: &[&str]) -> String {
    values.join("|")
}

fn text(value: Option<&String>) -> &str {
    value.map_or("", String::as_str)
}

/// What the parser of a command makes of a text, as the oracle's rows.
fn rows(platform: Platform, command: &str, output: &str) -> Result<Vec<String>, ShowFault> {
    Ok(match command {
        "show_version" => {
            let version = system::version(platform, output)?;
            vec![row(&[&version.version, text(version.hostname.as_ref()), &version.serials.join(",")])]
        }
        "show_inventory" => {
            let parts = system::inventory(platform, output)?;
            let of = |p: &system::Part| {
                let known = [p.product.as_ref(), p.revision.as_ref(), p.serial.as_ref()].map(text);
                row(&[&p.name, &p.description, known[0], known[1], known[2]])
            };
            parts.iter().map(of).collect()
        }
        "show_clock" => {
            let clock = system::clock(platform, output)?;
            let (day, year) = (clock.day.to_string(), clock.year.to_string());
            vec![row(&[&clock.time, &clock.zone, &clock.month, &day, &year])]
        }
        "show_interfaces_status" | "show_interface_status" => {
            let found = ports::interfaces_status(platform, output)?;
            let of = |p: &ports::PortStatus| row(&[&p.port, &p.name, &p.status, &p.vlan, &p.duplex, &p.speed, &p.kind]);
            found.iter().map(of).collect()
        }
        "show_ip_interface_brief" => {
            let found = ports::ip_interface_brief(platform, output)?;
            let of = |i: &ports::InterfaceAddress| {
                let enabled = if i.enabled { "enabled" } else { "disabled" };
                row(&[&i.interface, text(i.address.as_ref()), enabled, if i.up { "up" } else { "down" }])
            };
            found.iter().map(of).collect()
        }
        "show_vlan_brief" => {
            let found = ports::vlan_brief(platform, output)?;
            found.iter().map(|v| row(&[&v.id.to_string(), &v.name, &v.status, &v.ports.join(",")])).collect()
        }
        "show_cdp_neighbors" => {
            let found = neighbors::cdp_neighbors(platform, output)?;
            let of =
                |n: &neighbors::Neighbor| row(&[&n.device, &n.local_port, &n.remote_port, text(n.platform.as_ref())]);
            found.iter().map(of).collect()
        }
        "show_lldp_neighbors" => {
            let found = neighbors::lldp_neighbors(platform, output)?;
            found.iter().map(|n| row(&[&n.device, &n.local_port, &n.remote_port])).collect()
        }
        "show_ip_ospf_neighbor" => {
            let found = routing::ospf_neighbors(platform, output)?;
            let state = |n: &routing::OspfNeighbor| format!("{}/{}", n.state, text(n.role.as_ref()));
            found.iter().map(|n| row(&[&n.id, &state(n), &n.address, &n.interface])).collect()
        }
        "show_ip_bgp_summary" => {
            let found = routing::bgp_summary(platform, output)?;
            let state = |n: &routing::BgpNeighbor| n.prefixes.map_or(n.state.clone(), |prefixes| prefixes.to_string());
            found.iter().map(|n| row(&[&n.address, &n.remote_as, &n.up_down, &state(n)])).collect()
        }
        "show_ip_route_summary" => {
            let found = routing::route_summary(platform, output)?;
            let total = ("Total".to_owned(), found.routes);
            found.sources.iter().chain([&total]).map(|(name, routes)| row(&[name, &routes.to_string()])).collect()
        }
        "show_spanning-tree_summary" => {
            let tree = ports::spanning_tree_summary(platform, output)?;
            tree.instances.iter().map(|i| row(&[&i.name, &i.blocking.to_string(), &i.forwarding.to_string()])).collect()
        }
        other => panic!("no parser of {other}"),
    })
}

#[test]
fn every_output_is_read_as_the_oracle_reads_it() {
    let (mut compared, mut alone) = (0, Vec::new());
    for platform in [Platform::IosXe, Platform::NxOs] {
        let mut files: Vec<_> =
            std::fs::read_dir(folder().join(platform.name())).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
            let command = file.file_stem().unwrap().to_str().unwrap();
            let found = rows(platform, command, &std::fs::read_to_string(file).unwrap()).unwrap();
            assert!(!found.is_empty(), "{platform} {command}");
            match std::fs::read_to_string(file.with_extension("rows")) {
                Ok(expected) => {
                    assert_eq!(found, expected.lines().collect::<Vec<_>>(), "{platform} {command}");
                    compared += found.len();
                }
                Err(_) => alone.push(format!("{platform} {command}")),
            }
        }
    }
    println!("show parsers: {compared} rows as the oracle reads them; without an oracle: {}", alone.join(", "));
    assert!(compared >= 80, "{compared}");
    let expected =
        ["ios-xe show_spanning-tree_summary", "nx-os show_ip_route_summary", "nx-os show_spanning-tree_summary"];
    assert_eq!(alone, expected);
}

#[test]
fn what_the_oracle_does_not_say_is_read_too() {
    let ios = |command| fixture("ios-xe", command);
    let nexus = |command| fixture("nx-os", command);
    let version = system::version(Platform::IosXe, &ios("show_version")).unwrap();
    assert_eq!(version.uptime_s, 31_536_000 + 2 * 604_800 + 3 * 86_400 + 4 * 3_600 + 5 * 60);
    let version = system::version(Platform::NxOs, &nexus("show_version")).unwrap();
    assert_eq!(version.uptime_s, 120 * 86_400 + 3 * 3_600 + 22 * 60 + 41);

    assert!(!system::clock(Platform::IosXe, &ios("show_clock")).unwrap().synchronised);
    assert!(system::clock(Platform::IosXe, "\n10:11:12.123 CET Mon Nov 30 2026\n").unwrap().synchronised);
    assert!(system::clock(Platform::NxOs, &nexus("show_clock")).unwrap().synchronised);
    assert!(!system::clock(Platform::NxOs, "10:11:12.123 CET Mon Nov 30 2026\n").unwrap().synchronised);

    let tree = ports::spanning_tree_summary(Platform::IosXe, &ios("show_spanning-tree_summary")).unwrap();
    assert_eq!(
        (tree.mode.as_str(), tree.root_for.as_slice()),
        ("rapid-pvst", &["VLAN0020", "VLAN0030", "VLAN0099"].map(str::to_owned)[..])
    );
    let names: Vec<_> =
        tree.instances.iter().map(|i| (i.name.as_str(), i.blocking, i.changing, i.forwarding)).collect();
    assert_eq!(names, [("VLAN0001", 1, 0, 2), ("VLAN0020", 0, 1, 4), ("VLAN0030", 0, 0, 3), ("VLAN0099", 0, 0, 2)]);
    let tree = ports::spanning_tree_summary(Platform::NxOs, &nexus("show_spanning-tree_summary")).unwrap();
    assert_eq!((tree.root_for.len(), tree.instances.len()), (0, 2));

    let routes = routing::route_summary(Platform::NxOs, &nexus("show_ip_route_summary")).unwrap();
    let sources =
        ["am", "local", "direct", "broadcast", "ospf-UNDERLAY", "bgp-65101"].into_iter().zip([4, 3, 3, 7, 12, 7]);
    assert_eq!(routes.routes, 31);
    assert_eq!(routes.sources, sources.map(|(name, count)| (name.to_owned(), count)).collect::<Vec<_>>());

    let interfaces = ports::ip_interface_brief(Platform::NxOs, &nexus("show_ip_interface_brief")).unwrap();
    let tables: Vec<_> = interfaces.iter().map(|i| i.vrf.as_deref().unwrap()).collect();
    assert_eq!(tables, ["default", "default", "default", "default", "management"]);
    let bgp = routing::bgp_summary(Platform::IosXe, &ios("show_ip_bgp_summary")).unwrap();
    let states: Vec<_> = bgp.iter().map(|n| n.state.as_str()).collect();
    assert_eq!(states, ["Established", "Idle", "Established", "Idle (Admin)"]);
}

#[test]
fn rows_that_a_device_breaks_are_one_row() {
    let wrapped = "Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n\
                   2001:DB8:FFFF:FFFF:FFFF::1\n                4        65000      10      11        5    0    0 1d02h           7\n\
                   *10.9.9.9       4        65001       1       1        5    0    0 00:01:00        0\n";
    let found = routing::bgp_summary(Platform::IosXe, wrapped).unwrap();
    let found: Vec<_> = found.iter().map(|n| (n.address.as_str(), n.prefixes)).collect();
    assert_eq!(found, [("2001:DB8:FFFF:FFFF:FFFF::1", Some(7)), ("10.9.9.9", Some(0))]);
    let narrow =
        "Route Source    Networks    Subnets     Overhead    Memory (bytes)\nconnected 1 2 3 4\nTotal 1 2 3 4\n";
    assert_eq!(routing::route_summary(Platform::IosXe, narrow).unwrap().routes, 3, "no column of replicates");
}

#[test]
fn t15_a_text_that_is_not_the_output_is_a_fault_and_no_empty_answer() {
    let commands = [
        "show_version",
        "show_inventory",
        "show_clock",
        "show_interfaces_status",
        "show_ip_interface_brief",
        "show_vlan_brief",
        "show_cdp_neighbors",
        "show_lldp_neighbors",
        "show_ip_ospf_neighbor",
        "show_ip_bgp_summary",
        "show_ip_route_summary",
        "show_spanning-tree_summary",
    ];
    for command in commands {
        for platform in [Platform::IosXe, Platform::NxOs] {
            for wrong in ["% Invalid input detected at '^' marker.\n", "% CDP is not enabled\n", "hostname r1\n!\n"] {
                let found = rows(platform, command, wrong);
                assert!(matches!(found, Err(ShowFault::NotThis { .. })), "{platform} {command}: {found:?}");
            }
        }
        for platform in [Platform::IosXr, Platform::Asa] {
            let found = rows(platform, command, "anything");
            assert!(matches!(found, Err(ShowFault::Unsupported { platform: of, .. }) if of == platform), "{command}");
            assert!(found.unwrap_err().to_string().contains("unsupported"));
        }
    }
    // The heading is there and nothing below it: that is an answer.
    let none =
        neighbors::cdp_neighbors(Platform::IosXe, "Device ID  Local Intrfce  Holdtme  Capability  Platform  Port ID\n");
    assert_eq!(none, Ok(Vec::new()));
    assert_eq!(routing::ospf_neighbors(Platform::IosXe, "\n"), Ok(Vec::new()));
}
