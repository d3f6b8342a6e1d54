//! Masking: the secrets of a configuration are replaced, everything else stays as it is, line by line.
//!
//! The rule is generous: after a keyword that introduces a secret, everything is masked except a leading encryption
//! type and the few trailing words that are known to be harmless. A word too many hidden costs a question; a word too
//! few costs a network. Next: `rules` for the keywords, `body` for secrets of several lines.

mod body;
mod rules;

use crate::{Platform, banner};
use rules::Hidden;

/// What stands in place of a secret.
pub const MASK: &str = "<masked>";

/// What stands in a line in place of a secret that is not the same as before.
pub const CHANGED: &str = "changed (masked)";

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

/// Hides the secrets of a running configuration. What is masked stays as it is when it is masked again.
pub fn mask(platform: Platform, configuration: &str) -> Masked {
    let mut masked = Masked { text: String::with_capacity(configuration.len()), secrets: 0, unseen: false };
    let bodies: Vec<&str> = configuration.lines().collect();
    let mut section = String::new();
    let mut body = body::Body::default();
    let mut banner_ends = 0;
    for (at, line) in configuration.split_inclusive('\n').enumerate() {
        let text = line.trim_end_matches(['\n', '\r']);
        let ending = line.get(text.len()..).unwrap_or_default();
        if at >= banner_ends
            && let Some(banner) = banner::body(platform, bodies.get(at..).unwrap_or_default())
            && banner.closed
        {
            banner_ends = at + banner.lines + 1;
        }
        if !text.starts_with([' ', '\t']) {
            section = text.to_ascii_lowercase();
        }
        // A banner may draw with asterisks. It is masked as any other line: one that only looks closed hides nothing.
        masked.unseen |= at >= banner_ends && hidden_before_us(platform, text);
        let hidden = if body.holds(platform, &section, text) {
            Some(indented(text))
        } else {
            one_line(platform, text, &section)
        };
        masked.secrets += usize::from(hidden.is_some());
        masked.text.push_str(hidden.as_deref().unwrap_or(text));
        masked.text.push_str(ending);
    }
    masked
}

/// Hides the secret of one line that stands below others, the outermost first. `None` when it has none.
pub fn mask_line(platform: Platform, parents: &[&str], line: &str) -> Option<String> {
    let section = parents.first().copied().unwrap_or(line).to_ascii_lowercase();
    let mut body = body::Body::default();
    if body.holds(platform, &section, line) { Some(indented(line)) } else { one_line(platform, line, &section) }
}

/// How a line that took the place of another is shown (rule T27: values are compared first, and hidden then): where only the
/// secret differs, [`CHANGED`] stands in its place.
pub fn mask_changed(platform: Platform, parents: &[&str], before: &str, after: &str) -> Option<String> {
    let hidden = mask_line(platform, parents, after)?;
    let same = mask_line(platform, parents, before).is_some_and(|before| before.trim() == hidden.trim());
    let differ = !before.split_whitespace().eq(after.split_whitespace());
    Some(if same && differ { hidden.replace(MASK, CHANGED) } else { hidden })
}

fn indented(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    format!("{}{MASK}", line.get(..indent).unwrap_or_default())
}

fn one_line(platform: Platform, line: &str, section: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let lower: Vec<String> = words.iter().map(|w| w.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    if rules::is_harmless(platform, &lower, section) || rules::is_prose(&lower) {
        return url_credentials(line);
    }
    let Some((at, hidden)) = rules::first_secret(platform, &lower) else { return url_credentials(line) };
    let typed = rules::is_type(platform, lower.get(at).copied(), lower.len() - at);
    let at = if typed { at + 1 } else { at };
    let mut out: Vec<&str> = words.iter().take(at).copied().collect();
    out.push(MASK);
    let behind = lower.get(at + 1..).unwrap_or_default();
    if matches!(hidden, Hidden::Word) || rules::is_trailer(platform, typed, behind) {
        out.extend(words.iter().skip(at + 1));
    }
    let indent = line.len() - line.trim_start().len();
    let masked = format!("{}{}", line.get(..indent).unwrap_or_default(), out.join(" "));
    Some(url_credentials(&masked).unwrap_or(masked))
}

/// Words that vendors put in place of a secret, wherever they stand.
const REMOVED: [&str; 6] = ["<removed>", "<redacted>", "<hidden>", "<omitted>", "<secret>", MASK];

/// Whether a line shows that its secret was hidden before it came here: `*****` (ASA, controllers), `xxxxxxxx`,
/// `<removed>` (`show tech-support`, sanitised output).
fn hidden_before_us(platform: Platform, line: &str) -> bool {
    let words: Vec<String> = line.split_whitespace().map(|word| word.trim_matches('"').to_ascii_lowercase()).collect();
    let lower: Vec<&str> = words.iter().map(String::as_str).collect();
    if lower.first().is_some_and(|word| word.starts_with(['!', '*'])) || rules::is_prose(&lower) {
        return false;
    }
    let in_url = lower.iter().filter_map(|word| credentials(word)).map(|(_, secret, _)| secret);
    let is_run = |word: &str, of: char, least: usize| word.len() >= least && word.chars().all(|c| c == of);
    let after_keyword = rules::first_secret(platform, &lower).map_or(lower.len(), |(at, _)| at);
    in_url.chain(lower.iter().copied()).any(|word| REMOVED.contains(&word) || is_run(word, '*', 3))
        || lower.iter().skip(after_keyword).any(|word| is_run(word, 'x', 4) || is_run(word, '*', 1))
}

/// The parts of a word `scheme://user:password@host`: up to the password, the password, what follows it.
fn credentials(word: &str) -> Option<(&str, &str, &str)> {
    let scheme = word.find("://")? + 3;
    let at = word.rfind('@').filter(|at| *at >= scheme)?;
    let colon = scheme + word.get(scheme..at)?.find(':')? + 1;
    let secret = word.get(colon..at).filter(|secret| !secret.is_empty())?;
    Some((word.get(..colon)?, secret, word.get(at..)?))
}

/// The password is hidden, whatever it holds, in every URL of the line.
fn url_credentials(line: &str) -> Option<String> {
    let mut found = false;
    let mut out = String::with_capacity(line.len());
    for piece in line.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        match credentials(word) {
            Some((before, _, after)) => {
                found = true;
                out.extend([before, MASK, after]);
            }
            None => out.push_str(word),
        }
        out.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{CHANGED, MASK, mask, mask_changed, mask_line};
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
            " copy tftp://a:@@10.0.0.1/x\tftp://b:@@10.0.0.2/y",
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

    #[test]
    fn t27_a_secret_is_compared_before_it_is_hidden() {
        let changed = |before, after| mask_changed(Platform::IosXe, &["tacacs server T"], before, after);
        assert_eq!(changed("key 7 0A1B", "key 7 0C2D"), Some(format!("key 7 {CHANGED}")));
        assert_eq!(changed("key 7 0A1B", "key 7  0A1B"), Some(format!("key 7 {MASK}")), "only its spacing differs");
        assert_eq!(changed("key 7 0A1B", "key 6 0A1B"), Some(format!("key 6 {MASK}")), "more than the secret differs");
        assert_eq!(changed("timeout 5", "timeout 6"), None);
    }

    #[test]
    fn a_line_is_masked_by_what_it_stands_below() {
        assert_eq!(mask_line(Platform::IosXe, &["key chain A"], "key 1"), None);
        assert_eq!(mask_line(Platform::IosXe, &["tacacs server T"], "key 4711"), Some(format!("key {MASK}")));
        let certificate = ["crypto ca certificate chain TP", "certificate 01"];
        assert_eq!(mask_line(Platform::Asa, &certificate, "    308202b2 3082021b"), Some(format!("    {MASK}")));
    }

    proptest::proptest! {
        #[test]
        fn any_secret_text_is_hidden_after_its_keyword(secret in "[A-Za-z0-9$./!@#]{6,40}", spaces in " {0,3}") {
            let hidden = line(&format!("{spaces}username admin privilege 15 secret 9 {secret}"));
            proptest::prop_assert!(!hidden.contains(&secret));
        }
    }
}
