//! Masking on every platform: a planted secret never survives, in whatever form of whatever platform it stands, and the
//! text stays as it is otherwise.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use device_config::{MASK, Platform, mask};

/// Lines of real configurations with `{}` in place of the secret, by platform.
fn forms() -> Vec<(Platform, &'static str)> {
    let mut platform = None;
    let text = include_str!("../../fixtures/secrets.txt").lines();
    text.filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => {
                platform = Some(name.parse().unwrap());
                None
            }
            None => Some((platform.unwrap(), line)),
        })
        .collect()
}

/// A form with its secret and the line that it stands below, if the form names one (`section / line`).
fn planted(form: &str, secret: &str) -> String {
    form.replace(" / ", "\n ").replace("{}", secret)
}

#[test]
fn every_known_form_of_a_secret_is_hidden_on_its_platform() {
    let mut counts = BTreeMap::new();
    for (platform, form) in forms() {
        let masked = mask(platform, &planted(form, "C4N4RY99"));
        assert!(!masked.text.contains("C4N4RY99"), "{platform}: {form} became {}", masked.text);
        assert_eq!(masked.secrets, form.split(" / ").filter(|line| line.contains("{}")).count(), "{platform}: {form}");
        assert!(!masked.unseen, "{platform}: {form}");
        *counts.entry(platform.name()).or_insert(0) += 1;
    }
    println!("forms of secrets: {counts:?}");
    assert!(counts.len() == 4 && counts.values().all(|count| *count >= 15), "{counts:?}");
}

#[test]
fn what_is_no_secret_stays_as_it_is_on_its_platform() {
    for (platform, plain) in [
        (Platform::NxOs, "feature tacacs+"),
        (Platform::NxOs, "feature password encryption aes"),
        (Platform::NxOs, "no password strength-check"),
        (Platform::NxOs, "password encryption aes"),
        (Platform::NxOs, "snmp-server host 10.0.0.5 use-vrf management"),
        (Platform::NxOs, "key chain OSPF\n  key 1"),
        (Platform::IosXe, "standby 1 authentication md5 key-chain HSRP"),
        (Platform::IosXr, "key chain ISIS\n key 1\n  accept-lifetime 00:00:00 january 01 2026 infinite"),
        (Platform::IosXr, "aaa authentication login default group tacacs+ local"),
        (Platform::Asa, "aaa-server TAC (inside) host 10.1.1.1\n timeout 5"),
        (Platform::Asa, "snmp-server host inside 10.0.0.5 version 2c"),
        (Platform::Asa, "crypto ca certificate chain TP\n certificate 01\n  quit"),
        (Platform::Asa, "username ops attributes"),
        (Platform::IosXe, "crypto pki certificate chain TP\n certificate ca 01\n  30820321 308201F5\n  \tquit"),
    ] {
        assert_eq!(mask(platform, plain).text, plain, "{platform}");
    }
}

#[test]
fn words_behind_a_secret_that_are_the_line_s_own_stay() {
    for (platform, line, expected) in [
        (
            Platform::NxOs,
            "username ops password 5 $5$abc role network-admin",
            "username ops password 5 @ role network-admin",
        ),
        (
            Platform::Asa,
            "username ops password $sha512$5000$x pbkdf2 privilege 15",
            "username ops password @ pbkdf2 privilege 15",
        ),
        (Platform::Asa, "enable password 8Ry2YjIyt7RRXU24 encrypted", "enable password @ encrypted"),
        (
            Platform::Asa,
            "snmp-server host inside 10.0.0.5 community s3cret version 2c",
            "snmp-server host inside 10.0.0.5 community @ version 2c",
        ),
        (Platform::IosXr, "username ops\n secret 10 $6$abc", "username ops\n secret 10 @"),
        // A password that is not encrypted may hold spaces and any word.
        (Platform::NxOs, "username ops password my own role", "username ops password @"),
        (Platform::IosXe, "username ops password 0 own role x", "username ops password 0 @"),
    ] {
        assert_eq!(mask(platform, line).text, expected.replace('@', MASK), "{platform}");
    }
}

#[test]
fn secrets_of_several_lines_are_hidden_line_by_line() {
    let chain =
        "crypto ca certificate chain TP\n certificate 01\n    308202b2 3082021b\n    a0030201\n  quit\nhostname fw\n";
    let masked = mask(Platform::Asa, chain);
    let expected = "crypto ca certificate chain TP\n certificate 01\n    @\n    @\n  quit\nhostname fw\n";
    assert_eq!((masked.text, masked.secrets), (expected.replace('@', MASK), 2));
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n\nabc==\n-----END RSA PRIVATE KEY-----\nhostname r1";
    let expected = "-----BEGIN RSA PRIVATE KEY-----\n@\n\n@\n-----END RSA PRIVATE KEY-----\nhostname r1";
    for platform in Platform::ALL {
        assert_eq!(mask(platform, key).text, expected.replace('@', MASK), "{platform}");
        let (key, expected) = (key.replace(' ', "\t "), expected.replace(' ', "\t "));
        assert_eq!(mask(platform, &key).text, expected.replace('@', MASK), "{platform}");
    }
}

#[test]
fn a_banner_that_draws_with_asterisks_hides_nothing_and_an_open_one_does_not_help() {
    let banner = "banner motd #\n  Property of ***** Corp\n#\nhostname r1";
    assert!(!mask(Platform::IosXe, banner).unseen);
    let open = "banner motd #\n\nenable secret 9 *****\nusername a password 0 C4N4RY99";
    let masked = mask(Platform::IosXe, open);
    assert!(masked.unseen && !masked.text.contains("C4N4RY99"), "{}", masked.text);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn a_planted_secret_never_survives(
        (platform, form) in select(forms()),
        secret in "[A-Za-z$][A-Za-z0-9$./!#%^&*()+=_-]{4,38}[0-9]",
        gap in select(vec![" ", "  ", "\t", " \t"]),
        upper in any::<bool>(),
        indent in " {0,3}",
        ending in select(vec!["\n", "\r\n", ""]),
        around in "[a-z \n]{0,20}",
    ) {
        let form = if upper { form.to_ascii_uppercase() } else { form.to_owned() };
        let spaced = form.replace(" / ", "\u{1}").replace(' ', gap).replace('\u{1}', " / ");
        let text = format!("{around}\n{indent}{}{ending}", planted(&spaced, &secret));
        let masked = mask(platform, &text);
        prop_assert!(!masked.text.contains(&secret), "{text:?} became {:?}", masked.text);
        prop_assert_eq!(masked.text.matches('\n').count(), text.matches('\n').count());
        let again = mask(platform, &masked.text);
        prop_assert_eq!((again.text, again.unseen), (masked.text, true));
    }

    #[test]
    fn any_text_is_masked_once_and_for_all(
        platform in select(Platform::ALL.to_vec()),
        lines in proptest::collection::vec(line(), 0..12),
    ) {
        let text = lines.concat();
        let masked = mask(platform, &text);
        prop_assert_eq!(masked.text.matches('\n').count(), text.matches('\n').count());
        let again = mask(platform, &masked.text);
        prop_assert_eq!(again.text, masked.text);
        prop_assert!(again.unseen >= masked.unseen);
    }
}

/// A line of words that masking looks for, in any order.
fn line() -> impl Strategy<Value = String> {
    const WORDS: [&str; 44] = [
        "key",
        "7",
        "secret",
        "password",
        "snmp-server",
        "community",
        "host",
        "user",
        "auth",
        "role",
        "x",
        "encrypted",
        "privilege",
        "15",
        "key-string",
        "pre-shared-key",
        "no",
        "banner",
        "motd",
        "#",
        "^C",
        "<masked>",
        "*****",
        "xxxxxxxx",
        "http://a:b@c",
        "scp://u:p@q@h/x",
        "-----BEGIN",
        "RSA",
        "PRIVATE",
        "KEY-----",
        "-----END",
        "crypto",
        "ca",
        "certificate",
        "chain",
        "308202b2",
        "quit",
        "description",
        "aaa-server",
        "timeout",
        "authentication",
        "md5",
        "pbkdf2",
        "tacacs-server",
    ];
    let gap = select(vec![" ", "  ", "\t", "\r"]);
    let words = proptest::collection::vec((select(WORDS.to_vec()), gap), 0..8);
    (" {0,2}", words, select(vec!["\n", "\r\n", ""])).prop_map(|(indent, words, ending)| {
        let words: String = words.into_iter().map(|(word, gap)| format!("{word}{gap}")).collect();
        format!("{indent}{words}{ending}")
    })
}
