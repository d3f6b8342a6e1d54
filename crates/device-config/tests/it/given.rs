//! What every device has, printed or not: VLAN 1 of a switch.

use device_config::{Lines, Platform, Undo, Why, diff, parse, undo};

#[test]
fn t21_the_first_vlan_of_a_device_brings_the_line_of_vlan_1_with_it_which_makes_no_difference() {
    let before = parse(Platform::NxOs, "hostname sp1\ninterface Ethernet1/1\n  no switchport\n");
    let merged = before.merge(&Lines::new("vlan 20\n  name WEB\n"));
    // NX-OS prints no VLAN at all while there is only the default one, and its list with the first other.
    let live =
        parse(Platform::NxOs, "hostname sp1\nvlan 1,20\nvlan 20\n  name WEB\ninterface Ethernet1/1\n  no switchport\n");
    assert_eq!(diff(&merged.after, &live).text(), "");
    assert_eq!(diff(&before, &live).text(), "+vlan 20\n+  name WEB\n");
    let Undo::Generated(back) = undo(&before, &merged) else { panic!("no way back") };
    assert_eq!(back.text(), "no vlan 20\n");
    assert_eq!(diff(&live.merge(&back).after, &before).text(), "");
}

#[test]
fn vlan_1_is_entered_and_never_removed() {
    for platform in [Platform::NxOs, Platform::IosXe] {
        let before = parse(platform, "hostname sw1\nvlan 30\n");
        let merged = before.merge(&Lines::new("vlan 1,20\n"));
        assert!(merged.unmodelled.is_empty(), "{platform:?}: {:?}", merged.unmodelled);
        assert_eq!(diff(&before, &merged.after).text(), "+vlan 20\n", "{platform:?}");
        for (there, lines) in [("vlan 1,30\n", "no vlan 1\n"), ("vlan 30\n", "no vlan 1,30\n")] {
            let refused = parse(platform, there).merge(&Lines::new(lines)).unmodelled;
            assert_eq!(refused.iter().map(|line| line.why).collect::<Vec<_>>(), [Why::Refused], "{platform:?} {lines}");
        }
    }
}

#[test]
fn t21_what_stands_in_vlan_1_counts_and_is_taken_back_without_the_section() {
    for platform in [Platform::NxOs, Platform::IosXe] {
        let before = parse(platform, "hostname sw1\n");
        let merged = before.merge(&Lines::new("vlan 1\n name PLANT\n"));
        assert_eq!(diff(&before, &merged.after).counts(), (0, 2), "{platform:?}");
        let Undo::Generated(back) = undo(&before, &merged) else { panic!("no way back") };
        let lines: Vec<&str> = back.text().lines().map(str::trim).collect();
        assert_eq!(lines, ["vlan 1", "no name"], "{platform:?}");
        let there = parse(platform, "vlan 1\n name PLANT\n");
        assert!(!diff(&there, &before).is_empty() && !diff(&before, &there).is_empty(), "{platform:?}");
    }
}
