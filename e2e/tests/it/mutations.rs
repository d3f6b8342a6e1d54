//! A thousand seeded changes of good tokens of the built-in issuer, at each door: not one of them passes.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::caller::{Answer, CENTER, Caller, OWN};

/// Another seed finds other changes; this one finds the same on every machine.
const SEED: u64 = 20_260_728;
const CHANGES: usize = 1_000;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// What is no base64url, and may stand in a header.
const STRANGE: &[u8] = b"=+/.~!$&'()*,;:@%\"\\{}[]<>|^` ";

/// A request with a token, ready to send.
type Door<'a> = &'a dyn Fn(&str) -> RequestBuilder;

struct Changes {
    random: ChaCha8Rng,
    good: Vec<String>,
}

impl Changes {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.next_u64() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick(&mut self, from: &[u8]) -> u8 {
        from[self.below(from.len())]
    }

    fn any(&mut self) -> String {
        let at = self.below(self.good.len());
        self.good[at].clone()
    }

    /// A good token, changed in one way; nothing where the change hit upon a good one.
    fn next(&mut self) -> Option<String> {
        let token = self.any();
        let mut bytes = token.clone().into_bytes();
        let at = self.below(bytes.len());
        match self.below(9) {
            // One bit, kept printable.
            0 => bytes[at] = (bytes[at] ^ (1 << self.below(7))) & 0x7f,
            1 => bytes[at] = self.pick(ALPHABET),
            2 => bytes[at] = self.pick(STRANGE),
            3 => bytes.truncate(at.max(1)),
            4 => drop(bytes.remove(at)),
            5 => {
                let byte = self.pick(ALPHABET);
                bytes.insert(at, byte);
            }
            6 => {
                // Upper and lower case from here on.
                let end = (at + 1 + self.below(8)).min(bytes.len());
                for byte in &mut bytes[at..end] {
                    *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 };
                }
            }
            7 => {
                // Parts of two tokens.
                let other = self.any();
                let (mine, others): (Vec<_>, Vec<_>) = (token.split('.').collect(), other.split('.').collect());
                let mut parts = mine.clone();
                let part = self.below(3);
                parts[part] = others[part];
                let other_part = self.below(3);
                parts.swap(part, other_part);
                bytes = parts.join(".").into_bytes();
            }
            _ => {
                // The first half of one, the second of another.
                let other = self.any().into_bytes();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
        let changed = String::from_utf8(bytes).ok()?;
        let sendable = changed.bytes().all(|b| (0x21..0x7f).contains(&b) || b == b' ');
        (sendable && !changed.is_empty() && !self.good.iter().any(|good| good == changed.trim())).then_some(changed)
    }
}

#[tokio::test]
async fn a_thousand_changes_of_good_tokens_are_refused_at_each_door() {
    let caller = Caller::shared();
    let mut good = Vec::new();
    for user in ["alice", "sam", "ada"] {
        good.push(caller.lab.token(user).await);
    }
    good.push(caller.lab.token_for("alice", &caller.lab.ready.mcp[CENTER]).await);
    good.push(caller.lab.automation_token(&caller.http).await);
    let userinfo = format!("{}/userinfo", caller.lab.ready.issuer);
    let rest = |token: &str| caller.rest_request(token, OWN, "whoami", &json!({}));
    let mcp = |token: &str| caller.mcp_request(token, CENTER, "tools/list", &json!({}));
    let issuer = |token: &str| caller.http.get(&userinfo).bearer_auth(token);
    let doors: [(&str, Door<'_>); 3] = [("REST", &rest), ("MCP", &mcp), ("userinfo", &issuer)];
    println!("seed {SEED}, {CHANGES} changes at each of {} doors", doors.len());

    for (door, request) in doors {
        let mut changes = Changes { random: ChaCha8Rng::seed_from_u64(SEED), good: good.clone() };
        let (mut sent, mut wrong) = (0, Vec::new());
        while sent < CHANGES {
            let Some(token) = changes.next() else { continue };
            sent += 1;
            let answer = Answer::of(request(&token)).await;
            let challenged = answer.header("www-authenticate").contains("error=\"invalid_token\"");
            if answer.status != 401 || !challenged {
                wrong.push(format!("{} {:?} {token}", answer.status, answer.code()));
            }
        }
        assert!(
            wrong.is_empty(),
            "{door}, seed {SEED}: {} of {sent} passed or were refused otherwise:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        println!("{door}: {sent} changed tokens, all 401");
    }
    // The good ones still are, with whatever the changes left in caches.
    for token in &good[..3] {
        assert_eq!(Answer::of(rest(token)).await.status, 200);
    }
}
