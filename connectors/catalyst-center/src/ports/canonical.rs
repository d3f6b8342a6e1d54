//! What of a printed configuration counts when two readings are compared, and whether secrets in it were hidden before we saw
//! them.

use device_config::Platform;

/// SHA-256, hexadecimal, of a configuration without what changes by itself.
pub(super) fn sha256(platform: Platform, text: &str) -> String {
    hex::encode(platform::canonical::sha256(form(platform, text).as_bytes()))
}

/// Volatile lines removed, order kept.
fn form(_platform: Platform, text: &str) -> String {
    const VOLATILE: [&str; 6] =
        ["!", ":", "Building configuration", "Current configuration", "Cryptochecksum:", "ntp clock-period"];
    let kept = text.lines().map(str::trim_end).filter(|line| {
        let bare = line.trim_start();
        !bare.is_empty() && !VOLATILE.iter().any(|begin| bare.starts_with(begin))
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// Whether a word stands in the place of a secret: the source has masked it, so that a changed secret cannot be noticed.
pub(super) fn has_unseen_secrets(text: &str) -> bool {
    let hidden = |word: &str| {
        matches!(word, "<removed>" | "<masked>" | "<hidden>") || (word.len() >= 5 && word.bytes().all(|b| b == b'*'))
    };
    text.lines().filter(|line| !line.trim_start().starts_with('!')).flat_map(str::split_whitespace).any(hidden)
}

#[cfg(test)]
mod tests {
    use device_config::Platform;

    use super::{has_unseen_secrets, sha256};

    #[test]
    fn what_changes_by_itself_does_not_count_and_everything_else_does() {
        let one = "Building configuration...\n\n! Last configuration change at 1\nhostname a\n vlan 1 \nend\n";
        let other = "\n! Last configuration change at 2\nhostname a\n vlan 1\nend\n";
        assert_eq!(sha256(Platform::IosXe, one), sha256(Platform::IosXe, other));
        assert_ne!(sha256(Platform::IosXe, one), sha256(Platform::IosXe, &other.replace("vlan 1", "vlan 2")));
        assert_ne!(sha256(Platform::IosXe, "a\nb\n"), sha256(Platform::IosXe, "b\na\n"));
    }

    #[test]
    fn t15_a_masked_word_is_noticed() {
        for text in ["enable secret 9 <removed>", "snmp-server community ***** RO", "key <masked>"] {
            assert!(has_unseen_secrets(text), "{text}");
        }
        assert!(!has_unseen_secrets("! *****\nenable secret 9 $9$abc*****def\nbanner motd ^C"));
    }
}
