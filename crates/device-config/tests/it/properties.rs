//! Properties that hold for arbitrary text, and for lines put together of the words that configurations are made of.

use device_config::{Lines, Platform, Undo, diff, parse, undo};
use proptest::prelude::*;

const WORDS: &[&str] = &[
    "interface GigabitEthernet1/0/1",
    "interface Vlan20",
    "interface range gi1/0/1 - 3",
    "int vlan 20",
    "description a  b",
    "ip address 10.0.0.1 255.255.255.0",
    "ip address 10.0.1.1 255.255.255.0 secondary",
    "vrf forwarding RED",
    "no switchport",
    "switchport",
    "switchport trunk allowed vlan 10,20",
    "switchport trunk allowed vlan add 30-40",
    "switchport trunk allowed vlan remove 20",
    "shutdown",
    "router bgp 65001",
    "neighbor 10.0.0.9 remote-as 65002",
    "neighbor 10.0.0.9 description x",
    "address-family ipv4",
    "exit-address-family",
    "network 10.0.0.0",
    "exit",
    "end",
    "vlan 10,20-22",
    "vlan 20",
    "name DATA",
    "ip access-list extended A",
    "10 permit ip any any",
    "permit tcp any any eq 80",
    "access-list 10 permit any",
    "access-list OUT extended permit ip any any",
    "access-list OUT line 1 extended deny ip any any",
    "ip prefix-list P seq 5 permit 10.0.0.0/8",
    "ip prefix-list P permit 11.0.0.0/8",
    "route-map M permit 10",
    "match ip address prefix-list P Q",
    "route-policy R",
    "if destination in X then",
    "endif",
    "end-policy",
    "prefix-set S",
    "end-set",
    "policy-map Q",
    "class C",
    "class class-default",
    "banner login ^C",
    "^C",
    "crypto pki certificate chain T",
    "certificate 01",
    "30820330",
    "quit",
    "hostname R1",
    "! comment",
    "do reload",
    "perhaps unknown 7",
    "object network O",
    "host 10.0.0.1",
    "feature ospf",
    "snmp-server enable traps bgp",
];

fn platform() -> impl Strategy<Value = Platform> {
    proptest::sample::select(Platform::ALL.to_vec())
}

fn line() -> impl Strategy<Value = String> {
    let sign = proptest::sample::select(vec!["", "", "", "no ", "default "]);
    (0_usize..4, sign, proptest::sample::select(WORDS.to_vec()))
        .prop_map(|(depth, sign, words)| format!("{}{sign}{words}\n", " ".repeat(depth)))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![proptest::collection::vec(line(), 0..25).prop_map(|lines| lines.concat()), "[ -~\n\t\r^!é]{0,200}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn t15_the_canonical_form_is_read_as_itself(platform in platform(), text in text()) {
        let once = parse(platform, &text);
        let again = parse(platform, &once.text());
        prop_assert_eq!(once.text(), again.text());
        prop_assert!(diff(&once, &again).is_empty());
    }

    #[test]
    fn t21_what_is_undone_is_undone_and_nothing_panics(platform in platform(), base in text(), lines in text()) {
        let before = parse(platform, &base);
        let merged = before.merge(&Lines::new(lines));
        if let Undo::Generated(way) = undo(&before, &merged) {
            let back = merged.after.merge(&way);
            prop_assert!(back.unmodelled.is_empty());
            prop_assert!(diff(&before, &back.after).is_empty());
        }
        let shown = diff(&before, &merged.after);
        prop_assert_eq!(shown.is_empty(), shown.text().is_empty());
        prop_assert_eq!(shown.masked_text().lines().count(), shown.text().lines().count());
    }

    #[test]
    fn a_configuration_differs_from_itself_in_nothing(platform in platform(), text in text()) {
        let config = parse(platform, &text);
        prop_assert!(diff(&config, &config).is_empty());
        prop_assert_eq!(config.merge(&Lines::default()).after, config);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_modelled_and_says_no_twice_is_entered_once(platform in platform(), base in text(), one in line()) {
        let before = parse(platform, &base);
        let lines = Lines::new(one);
        let once = before.merge(&lines);
        prop_assume!(once.unmodelled.is_empty());
        let twice = once.after.merge(&lines);
        prop_assert_eq!(once.after.text(), twice.after.text());
    }
}

/// A text that an editor wrote may say a thing twice; a device has it once.
#[test]
fn what_a_text_says_twice_is_taken_away_at_once() {
    for (base, line) in
        [("  policy-map Q\npolicy-map Q\n", "no policy-map Q\n"), ("  hostname sw1\nhostname sw1\n", "no hostname\n")]
    {
        let after = parse(Platform::IosXe, base).merge(&Lines::new(line)).after;
        assert_eq!(after.text(), "", "{line} on {base}");
    }
}
