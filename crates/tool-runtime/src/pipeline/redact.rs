//! Redact: the credential that was leased for the call never appears in its result, whatever the target echoes.

use platform::Json;

use super::Answer;
use super::lease::Leased;
use crate::tool::ToolOutput;

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter values are not searched for: they would mask half the result and are no secrets worth the name.
const SHORTEST: usize = 6;

pub(super) fn redact(output: ToolOutput, leased: &Leased) -> Answer {
    let mut structured = output.structured;
    let secrets: Vec<&str> = leased.lease().values().map(|s| s.expose()).filter(|s| s.len() >= SHORTEST).collect();
    if !secrets.is_empty() {
        mask(&mut structured, &secrets);
    }
    Answer { structured, follow_up: output.follow_up, replayed: false }
}

fn mask(value: &mut Json, secrets: &[&str]) {
    match value {
        Json::String(text) => {
            for secret in secrets {
                if text.contains(secret) {
                    *text = text.replace(secret, MASK);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| mask(item, secrets)),
        Json::Object(members) => members.values_mut().for_each(|member| mask(member, secrets)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
