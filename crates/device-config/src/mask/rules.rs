//! The keywords that introduce secrets, per platform, and the words around a secret that may be shown.

use crate::Platform;

/// How much of a line is secret once its keyword was found.
#[derive(Clone, Copy)]
pub(super) enum Hidden {
    /// Everything after the keyword and an encryption type.
    Rest,
    /// One word after the keyword and an encryption type.
    Word,
}

/// A keyword sequence that introduces a secret, with `_` for any one word. It may begin anywhere, or only at the line's
/// first word (after `no`).
struct Rule {
    words: &'static [&'static str],
    anywhere: bool,
    hidden: Hidden,
}

const fn begins(words: &'static [&'static str]) -> Rule {
    Rule { words, anywhere: false, hidden: Hidden::Rest }
}

const fn begins_word(words: &'static [&'static str]) -> Rule {
    Rule { words, anywhere: false, hidden: Hidden::Word }
}

const fn anywhere(words: &'static [&'static str]) -> Rule {
    Rule { words, anywhere: true, hidden: Hidden::Rest }
}

const fn anywhere_word(words: &'static [&'static str]) -> Rule {
    Rule { words, anywhere: true, hidden: Hidden::Word }
}

/// What all platforms have, under the same or under nearly the same words.
const SHARED: &[Rule] = &[
    begins_word(&["snmp-server", "community"]),
    begins(&["snmp-server", "user", "_", "_"]),
    begins_word(&["snmp", "mib", "community-map"]),
    begins_word(&["snmp-server", "community-map"]),
    begins_word(&["crypto", "isakmp", "key"]),
    begins(&["ntp", "authentication-key", "_", "_"]),
    begins(&["authentication-key", "_", "md5"]),
    begins(&["key"]),
    begins(&["ip", "nhrp", "authentication"]),
    begins(&["standby", "_", "authentication"]),
    begins_word(&["standby", "_", "authentication", "md5", "key-string"]),
    begins(&["vrrp", "_", "authentication"]),
    begins_word(&["vrrp", "_", "authentication", "md5", "key-string"]),
    begins(&["glbp", "_", "authentication"]),
    anywhere(&["message-digest-key", "_", "_"]),
    anywhere_word(&["authentication", "md5", "key-string"]),
    anywhere(&["authentication", "text"]),
    anywhere(&["authentication", "mode", "hmac-sha-256"]),
    anywhere(&["authentication", "key", "eigrp", "_"]),
    anywhere(&["pre-shared-key", "local"]),
    anywhere(&["pre-shared-key", "remote"]),
    anywhere(&["pre-shared-key", "address", "_"]),
    anywhere(&["pre-shared-key", "hostname", "_"]),
    anywhere(&["set-key", "_"]),
    anywhere(&["wpa-psk", "_"]),
    anywhere(&["session-key", "_", "_", "_"]),
    anywhere(&["secret"]),
    anywhere(&["password"]),
    anywhere(&["key-string"]),
    anywhere(&["pre-shared-key"]),
    anywhere(&["authentication-key"]),
    anywhere(&["server-key"]),
    anywhere(&["encryption-key"]),
    anywhere(&["key-encryption-key"]),
    anywhere(&["message-auth-code-key"]),
    anywhere(&["area-password"]),
    anywhere(&["domain-password"]),
    anywhere(&["hello-password"]),
    anywhere(&["lsp-password"]),
    anywhere(&["passphrase"]),
    anywhere(&["psk"]),
    anywhere(&["idtoken"]),
    anywhere(&["tacacs-server", "key"]),
    anywhere(&["radius-server", "key"]),
    anywhere(&["pac", "key"]),
    anywhere(&["auth-port", "_", "acct-port", "_", "key"]),
    anywhere(&["server-private", "_", "key"]),
    anywhere(&["host", "_", "key"]),
    anywhere(&["config-key", "_"]),
];

/// Receivers of SNMP messages: the community stands behind the address, among other words.
const RECEIVERS: &[Rule] = &[begins(&["snmp-server", "host", "_"]), begins(&["snmp-server", "host", "_", "vrf", "_"])];

/// ASA names the interface first, says `community` before one, and keeps secrets under names of its own.
const ASA: &[Rule] = &[
    begins(&["passwd"]),
    begins(&["snmp-server", "host", "_", "_"]),
    begins_word(&["snmp-server", "host", "_", "_", "community"]),
    begins_word(&["snmp-server", "host", "_", "_", "poll", "community"]),
    begins_word(&["snmp-server", "host", "_", "_", "trap", "community"]),
    begins_word(&["aaa-server", "_", "_", "host", "_"]),
    begins(&["failover", "key"]),
    anywhere(&["ldap-login-password"]),
    anywhere(&["radius-common-pw"]),
    anywhere(&["policy-server-secret"]),
    anywhere(&["storage-key"]),
    anywhere(&["isakmp", "key"]),
];

const fn of(platform: Platform) -> [&'static [Rule]; 2] {
    match platform {
        Platform::IosXe | Platform::NxOs | Platform::IosXr => [SHARED, RECEIVERS],
        Platform::Asa => [SHARED, ASA],
    }
}

/// Lines of older syntax that give addresses, ports and timers in any order, and a key among them.
const SERVER_LINES: [&str; 4] = ["radius-server", "tacacs-server", "server-private", "client"];

/// Lines that have a rule's words and hold no secret. `section` is the line that the indented one belongs to: `key 1`
/// names a key in a key chain, and is a short secret anywhere else.
pub(super) fn is_harmless(platform: Platform, words: &[&str], section: &str) -> bool {
    let in_key_chain = section.starts_with("key chain") || section.starts_with("key-chain");
    let words = words.strip_prefix(&["no"]).unwrap_or(words);
    if in_key_chain && matches!(words, ["key", number] if number.parse::<u32>().is_ok()) {
        return true;
    }
    match words {
        ["key", "chain", ..]
        | ["service", "password-encryption" | "password-recovery"]
        | ["password", "encryption", "aes"]
        | ["password", "strength-check"]
        | ["standby" | "vrrp" | "glbp", _, "authentication", "md5", "key-chain", _] => true,
        ["feature", ..] | ["snmp-server", "host", _, "use-vrf" | "source-interface" | "filter-vrf", _] => {
            platform == Platform::NxOs
        }
        ["aaa-server", _, _, "host", _, "timeout", _] | ["snmp-server", "host", _, _, "version", "1" | "2c"] => {
            platform == Platform::Asa
        }
        _ => false,
    }
}

/// Where the first secret of a line begins. Of the rules whose words begin first, the one with most words decides.
pub(super) fn first_secret(platform: Platform, words: &[&str]) -> Option<(usize, Hidden)> {
    let first = usize::from(words.first() == Some(&"no"));
    let fitting = of(platform).into_iter().flatten().filter_map(|rule| {
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

/// Free text may speak of passwords without holding one.
pub(super) fn is_prose(words: &[&str]) -> bool {
    matches!(words.first(), Some(&("description" | "remark" | "name" | "hostname" | "banner")))
}

/// Where the secret begins, when the rule fits.
fn secret_after(rule: &Rule, words: &[&str], first: usize) -> Option<usize> {
    let fits = |at: usize| {
        let given = words.get(at..at + rule.words.len())?;
        let same = given.iter().zip(rule.words).all(|(word, wanted)| *wanted == "_" || wanted == word);
        (same && words.len() > at + rule.words.len()).then_some(at + rule.words.len())
    };
    if rule.anywhere { (first..words.len()).find_map(fits) } else { fits(first) }
}

/// An encryption type stands before the secret when more words follow.
pub(super) fn is_type(platform: Platform, word: Option<&str>, left: usize) -> bool {
    let Some(word) = word.filter(|_| left > 1) else { return false };
    match platform {
        Platform::IosXe | Platform::Asa => {
            matches!(word, "0" | "4" | "5" | "6" | "7" | "8" | "9" | "ascii" | "hex" | "encrypted")
        }
        Platform::NxOs => matches!(word, "0" | "3" | "5" | "6" | "7" | "8" | "9"),
        Platform::IosXr => matches!(word, "0" | "5" | "7" | "8" | "9" | "10" | "encrypted"),
    }
}

/// Whether the words behind a secret may be shown: a word of an encrypted kind has no spaces, and neither has any of
/// ASA's, so what follows is the line's own. Only what is known to follow counts.
pub(super) fn is_trailer(platform: Platform, typed: bool, behind: &[&str]) -> bool {
    let role = |words: &[&str]| matches!(words, ["role", _]);
    match behind {
        _ if platform == Platform::NxOs && typed => role(behind),
        ["encrypted" | "pbkdf2" | "nt-encrypted"]
        | ["encrypted" | "pbkdf2" | "nt-encrypted", "privilege", _]
        | ["privilege", _]
        | ["level", _, "encrypted" | "pbkdf2"] => platform == Platform::Asa,
        _ => false,
    }
}
