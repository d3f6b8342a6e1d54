//! Masking: the secrets of a configuration are replaced, everything else stays as it is, line by line.
//!
//! The rule is generous: after a keyword that introduces a secret, everything is masked except a leading encryption
//! type and the few trailing words that are known to be harmless. A word too many hidden costs a question; a word too
//! few costs a network.

use crate::Platform;

/// What stands in place of a secret.
pub const MASK: &str = "<masked>";

/// A masked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The text, with as many lines as before.
    pub text: String,
    /// How many lines had a secret.
    pub secrets: usize,
    /// Whether somebody before us hid something: the text says `*****` or `<removed>` where a secret stands. Two such
    /// texts may be equal while the secrets differ, so a digest of one proves nothing about them.
    pub unseen: bool,
}

/// Hides the secrets of a running configuration.
pub fn mask(platform: Platform, configuration: &str) -> Masked {
    match platform {
        // The rules look for keywords that these platforms share.
        Platform::IosXe | Platform::NxOs | Platform::IosXr | Platform::Asa => ios_xe(configuration),
    }
}

/// How much of a line is secret once its keyword was found.
#[derive(Clone, Copy)]
enum Hidden {
    /// Everything after the keyword and an encryption type.
    Rest,
    /// One word after the keyword and an encryption type.
    Word,
}

/// A keyword sequence that introduces a secret. `Some` words match themselves, `None` any one word; the sequence may
/// begin anywhere when `anywhere` is set, else at the line's first word (after `no`).
struct Rule {
    words: &'static [Option<&'static str>],
    anywhere: bool,
    hidden: Hidden,
}

const fn from_start(words: &'static [Option<&'static str>], hidden: Hidden) -> Rule {
    Rule { words, anywhere: false, hidden }
}

const fn anywhere(words: &'static [Option<&'static str>], hidden: Hidden) -> Rule {
    Rule { words, anywhere: true, hidden }
}

/// Order matters: the first rule that fits decides.
const IOS_XE: &[Rule] = &[
    from_start(&[Some("snmp-server"), Some("community")], Hidden::Word),
    from_start(&[Some("snmp-server"), Some("user"), None, None], Hidden::Rest),
    from_start(&[Some("snmp-server"), Some("host"), None, Some("vrf"), None], Hidden::Rest),
    from_start(&[Some("snmp-server"), Some("host"), None], Hidden::Rest),
    from_start(&[Some("crypto"), Some("isakmp"), Some("key")], Hidden::Word),
    from_start(&[Some("ntp"), Some("authentication-key"), None, None], Hidden::Rest),
    from_start(&[Some("key")], Hidden::Rest),
    from_start(&[Some("ip"), Some("nhrp"), Some("authentication")], Hidden::Rest),
    anywhere(&[Some("message-digest-key"), None, None], Hidden::Rest),
    anywhere(&[Some("authentication"), Some("md5"), Some("key-string")], Hidden::Word),
    anywhere(&[Some("authentication"), Some("text")], Hidden::Rest),
    anywhere(&[Some("pre-shared-key"), Some("local")], Hidden::Rest),
    anywhere(&[Some("pre-shared-key"), Some("remote")], Hidden::Rest),
    anywhere(&[Some("pre-shared-key"), Some("address"), None], Hidden::Rest),
    anywhere(&[Some("set-key"), None], Hidden::Rest),
    anywhere(&[Some("wpa-psk"), None], Hidden::Rest),
    anywhere(&[Some("secret")], Hidden::Rest),
    anywhere(&[Some("password")], Hidden::Rest),
    anywhere(&[Some("key-string")], Hidden::Rest),
    anywhere(&[Some("pre-shared-key")], Hidden::Rest),
    anywhere(&[Some("authentication-key")], Hidden::Rest),
    anywhere(&[Some("server-key")], Hidden::Rest),
    anywhere(&[Some("area-password")], Hidden::Rest),
    anywhere(&[Some("domain-password")], Hidden::Rest),
    anywhere(&[Some("passphrase")], Hidden::Rest),
    anywhere(&[Some("psk")], Hidden::Rest),
    anywhere(&[Some("tacacs-server"), Some("key")], Hidden::Rest),
    anywhere(&[Some("radius-server"), Some("key")], Hidden::Rest),
    anywhere(&[Some("pac"), Some("key")], Hidden::Rest),
    anywhere(&[Some("auth-port"), None, Some("acct-port"), None, Some("key")], Hidden::Rest),
    anywhere(&[Some("server-private"), None, Some("key")], Hidden::Rest),
    anywhere(&[Some("host"), None, Some("key")], Hidden::Rest),
    anywhere(&[Some("config-key"), None], Hidden::Rest),
    from_start(&[Some("snmp"), Some("mib"), Some("community-map")], Hidden::Word),
];

/// Lines of older syntax that give addresses, ports and timers in any order, and a key among them.
const SERVER_LINES: [&str; 4] = ["radius-server", "tacacs-server", "server-private", "client"];

/// Lines that have a rule's words and hold no secret. `section` is the line that the indented one belongs to: `key 1`
/// names a key in a key chain, and is a short secret anywhere else.
fn is_harmless(words: &[&str], section: &str) -> bool {
    let in_key_chain = section.starts_with("key chain") || section.starts_with("key-chain");
    (in_key_chain && matches!(words, ["key", number] if number.parse::<u32>().is_ok()))
        || matches!(words, ["key", "chain", ..])
        || matches!(words, ["service", "password-encryption"] | ["service", "password-recovery"])
}

fn ios_xe(configuration: &str) -> Masked {
    let mut masked = Masked { text: String::with_capacity(configuration.len()), secrets: 0, unseen: false };
    let mut section = String::new();
    for line in configuration.split_inclusive('\n') {
        let body = line.trim_end_matches(['\n', '\r']);
        let ending = line.get(body.len()..).unwrap_or_default();
        if !body.starts_with([' ', '\t']) {
            section = body.to_ascii_lowercase();
        }
        masked.unseen |= hidden_before_us(body);
        match ios_xe_line(body, &section) {
            Some(hidden) => {
                masked.secrets += 1;
                masked.text.push_str(&hidden);
            }
            None => masked.text.push_str(body),
        }
        masked.text.push_str(ending);
    }
    masked
}

fn ios_xe_line(line: &str, section: &str) -> Option<String> {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<&str> = line.split_whitespace().collect();
    let lower: Vec<String> = words.iter().map(|w| w.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    if is_harmless(&lower, section) || is_prose(&lower) {
        return url_credentials(line);
    }
    let Some((secret_at, hidden)) = first_secret(&lower) else { return url_credentials(line) };
    let secret_at =
        if is_type(lower.get(secret_at).copied(), lower.len() - secret_at) { secret_at + 1 } else { secret_at };
    let mut out: Vec<&str> = words.iter().take(secret_at).copied().collect();
    if secret_at >= words.len() {
        return url_credentials(line);
    }
    out.push(MASK);
    if matches!(hidden, Hidden::Word) {
        out.extend(words.iter().skip(secret_at + 1));
    }
    let masked = format!("{}{}", line.get(..indent).unwrap_or_default(), out.join(" "));
    Some(url_credentials(&masked).unwrap_or(masked))
}

/// Where the first secret of a line begins. Of the rules whose words begin first, the one with most words decides.
fn first_secret(words: &[&str]) -> Option<(usize, Hidden)> {
    let first = usize::from(words.first() == Some(&"no"));
    let fitting = IOS_XE.iter().filter_map(|rule| {
        let secret_at = secret_after(rule, words, first)?;
        Some((secret_at - rule.words.len(), std::cmp::Reverse(rule.words.len()), secret_at, rule.hidden))
    });
    let found = fitting.min_by_key(|(start, length, ..)| (*start, *length)).map(|(.., at, hidden)| (at, hidden));
    let server_line = words.get(first).is_some_and(|word| SERVER_LINES.contains(word));
    let keyed = words.iter().position(|word| *word == "key").filter(|at| server_line && at + 1 < words.len());
    match (found, keyed) {
        (Some((at, hidden)), Some(key)) if at <= key => Some((at, hidden)),
        (_, Some(key)) => Some((key + 1, Hidden::Rest)),
        (found, None) => found,
    }
}

/// Words that vendors put in place of a secret, wherever they stand.
const REMOVED: [&str; 6] = ["<removed>", "<redacted>", "<hidden>", "<omitted>", "<secret>", MASK];

/// Whether a line shows that its secret was hidden before it came here: `*****` (ASA, controllers), `xxxxxxxx`,
/// `<removed>` (`show tech-support`, sanitised output).
fn hidden_before_us(line: &str) -> bool {
    let words: Vec<String> = line.split_whitespace().map(|word| word.trim_matches('"').to_ascii_lowercase()).collect();
    let lower: Vec<&str> = words.iter().map(String::as_str).collect();
    if lower.first().is_some_and(|word| word.starts_with(['!', '*'])) || is_prose(&lower) {
        return false;
    }
    let is_run = |word: &str, of: char, least: usize| word.len() >= least && word.chars().all(|c| c == of);
    let after_keyword = first_secret(&lower).map_or(lower.len(), |(at, _)| at);
    lower.iter().any(|word| REMOVED.contains(word) || is_run(word, '*', 3))
        || lower.iter().skip(after_keyword).any(|word| is_run(word, 'x', 4) || is_run(word, '*', 1))
}

/// Free text may speak of passwords without holding one.
fn is_prose(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("description" | "remark" | "name" | "hostname" | "banner")))
}

/// Where the secret begins, when the rule fits.
fn secret_after(rule: &Rule, words: &[&str], first: usize) -> Option<usize> {
    let fits = |at: usize| {
        let given = words.get(at..at + rule.words.len())?;
        let same = given.iter().zip(rule.words).all(|(word, wanted)| wanted.is_none_or(|wanted| wanted == *word));
        (same && words.len() > at + rule.words.len()).then_some(at + rule.words.len())
    };
    if rule.anywhere { (first..words.len()).find_map(fits) } else { fits(first) }
}

/// An encryption type stands before the secret: `0`, `5` to `9`, or `level 15 …`'s number when more words follow.
fn is_type(word: Option<&str>, left: usize) -> bool {
    left > 1 && matches!(word, Some("0" | "4" | "5" | "6" | "7" | "8" | "9" | "ascii" | "hex" | "encrypted"))
}

/// `scheme://user:password@host`: the password is hidden, whatever it holds, in every URL of the line.
fn url_credentials(line: &str) -> Option<String> {
    let mut found = false;
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            let hidden = word.split_once("://").and_then(|(scheme, rest)| {
                let (credentials, host) = rest.rsplit_once('@')?;
                let (user, secret) = credentials.split_once(':')?;
                (!secret.is_empty()).then(|| format!("{scheme}://{user}:{MASK}@{host}"))
            });
            found |= hidden.is_some();
            hidden.unwrap_or_else(|| word.to_owned())
        })
        .collect();
    found.then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{MASK, mask};
    use crate::Platform;

    fn line(text: &str) -> String {
        mask(Platform::IosXe, text).text
    }

    #[test]
    fn every_known_form_of_a_secret_is_hidden() {
        let canary = "C4N4RY";
        for form in [
            "enable secret 9 @",
            "enable secret @",
            "enable password 7 @",
            "username admin privilege 15 secret 9 @",
            "username admin password 0 @",
            "snmp-server community @ RO 10",
            "snmp-server host 10.0.0.5 version 2c @",
            "snmp-server host 10.0.0.5 vrf Mgmt version 2c @",
            "snmp-server user netops ops v3 auth sha @ priv aes 128 @",
            "tacacs-server key 7 @",
            "radius-server key @",
            " key 7 @",
            " key @",
            " pac key 7 @",
            "  key-string 7 @",
            " password 7 @",
            "crypto isakmp key @ address 192.0.2.1",
            " pre-shared-key local @",
            " pre-shared-key address 0.0.0.0 0.0.0.0 key @",
            " ip ospf message-digest-key 1 md5 7 @",
            " ip ospf authentication-key 7 @",
            " neighbor 10.1.1.1 password 7 @",
            " standby 1 authentication md5 key-string 7 @ timeout 30",
            " standby 1 authentication text @",
            "ntp authentication-key 1 md5 @ 7",
            " ppp chap password 0 @",
            " security wpa psk set-key ascii 0 @",
            " wpa-psk ascii 0 @",
            " client 10.9.9.9 server-key 7 @",
            "ip ftp password 7 @",
            "ip http client password @",
            " ip nhrp authentication @",
            " server-private 10.1.1.1 key 7 @",
            " server 10.2.2.2 auth-port 1812 acct-port 1813 key 7 @",
            " area-password @",
            " isis password @ level-2",
            "vtp password @",
            "boot system tftp://backup:@@10.0.0.9/image.bin",
            "no username old secret 5 @",
            "ENABLE SECRET 9 @",
            "radius-server host 10.0.0.1 key 7 @",
            "radius-server host 10.0.0.1 auth-port 1812 timeout 5 key @",
            "tacacs-server host 10.0.0.1 single-connection timeout 3 key @",
            "snmp mib community-map @ engineid 8000",
            "key config-key password-encrypt @",
            "ap dot1x username radio password 0 @ secret 0 @",
            "! enable secret 9 @",
            "tacacs server T\n key 123456@",
            "archive\n path scp://backup:@/x@y@10.0.0.9/$h",
            " copy tftp://a:@@10.0.0.1/x ftp://b:@@10.0.0.2/y",
        ] {
            let with = if form.contains("://") {
                form.replace(":@", &format!(":{canary}"))
            } else {
                form.replace('@', canary)
            };
            let hidden = line(&with);
            assert!(!hidden.contains(canary), "{with} became {hidden}");
            assert!(hidden.contains(MASK), "{hidden}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_is() {
        for plain in [
            "hostname SJ-AC-01",
            "service password-encryption",
            " description password change planned for June",
            "key chain OSPF\n key 1",
            "ip ftp username backup",
            " http://10.0.0.1:8080/x",
            "interface GigabitEthernet1/0/1",
            " switchport access vlan 20",
            "snmp-server location Global/USA",
            "snmp-server enable traps",
            "aaa authentication login default group tacacs+ local",
            "crypto pki trustpoint TP",
            "!",
            "",
            "ip ssh version 2",
            " ip address 10.1.1.1 255.255.255.0",
        ] {
            assert_eq!(line(plain), plain);
        }
    }

    #[test]
    fn the_number_of_lines_and_their_endings_stay() {
        let text = "a\r\n enable secret 9 x\n\nend";
        let masked = mask(Platform::IosXe, text);
        assert_eq!(masked.text, format!("a\r\n enable secret 9 {MASK}\n\nend"));
        assert_eq!(masked.secrets, 1);
    }

    #[test]
    fn a_short_number_is_a_secret_outside_a_key_chain() {
        assert_eq!(line("tacacs server T\n key 4711"), format!("tacacs server T\n key {MASK}"));
        assert_eq!(line("key chain A\n key 1\n  key-string x1"), format!("key chain A\n key 1\n  key-string {MASK}"));
    }

    #[test]
    fn harmless_words_after_a_community_stay() {
        assert_eq!(line("snmp-server community s3cret RO 10"), format!("snmp-server community {MASK} RO 10"));
    }

    #[test]
    fn what_somebody_hid_before_us_is_told() {
        for hidden in [
            "tunnel-group 192.0.2.1 ipsec-attributes\n ikev1 pre-shared-key *****",
            "aaa-server T (inside) host 10.1.1.1\n key *****",
            "enable secret 9 <removed>",
            "snmp-server community ******** RO",
            "username admin password 7 xxxxxxxx",
            "enable secret 9 <masked>",
        ] {
            assert!(mask(Platform::Asa, hidden).unseen, "{hidden}");
        }
        for seen in [
            "enable secret 9 $9$abc",
            "interface Gi1/0/1\n description *** uplink *****",
            "!*****",
            "banner motd #\n***** no entry *****\n#",
            "ip access-list extended xxxxxxxx",
        ] {
            assert!(!mask(Platform::IosXe, seen).unseen, "{seen}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_secret_text_is_hidden_after_its_keyword(secret in "[A-Za-z0-9$./!@#]{6,40}", spaces in " {0,3}") {
            let hidden = line(&format!("{spaces}username admin privilege 15 secret 9 {secret}"));
            proptest::prop_assert!(!hidden.contains(&secret));
        }
    }
}
