//! Redact: the credential that was leased for the call, and the secrets among its arguments, appear neither in its result
//! nor in its failure, whatever the target echoes.

use bytes::Bytes;
use platform::{Error, Json};

use super::Answer;
use super::lease::Leased;
use super::output::Checked;
use super::validate::Validated;
use crate::tool::ToolOutput;

/// What stands in place of a secret.
const MASK: &str = "***";
/// Shorter values are not searched for: they would mask half the result and are no secrets worth the name.
const SHORTEST: usize = 6;

/// `made` are the references to artifacts that the call made. They stay as they are: a credential may be a word in them.
pub(super) fn redact(checked: Checked, secrets: &[&str], made: &[Json]) -> Answer {
    let Checked { output: ToolOutput { mut structured, mut follow_up }, text, .. } = checked;
    let mut text = Some(text);
    if !secrets.is_empty() {
        if text.take_if(|text| secrets.iter().any(|secret| may_hold(text, secret))).is_some() {
            mask(&mut structured, secrets, made);
        }
        if let Some(next) = &mut follow_up {
            mask(&mut next.arguments, secrets, made);
        }
    }
    Answer { structured, text: text.map(Bytes::from), follow_up, replayed: false, queued_ms: 0 }
}

/// The same for what the tool failed with: targets quote requests in their errors. The operator's detail is masked too.
pub(super) fn failure(error: Error, secrets: &[&str]) -> Error {
    let in_clear = |text: &str| secrets.iter().any(|s| text.contains(s));
    let Ok(mut refusal) = serde_json::to_value(error.refusal()) else { return error };
    let before = refusal.clone();
    mask(&mut refusal, secrets, &[]);
    if refusal == before && !error.detail().is_some_and(in_clear) {
        return error;
    }
    let Ok(refusal) = serde_json::from_value(refusal) else { return Error::internal("an error could not be masked") };
    let masked = Error::replayed(error.kind(), refusal);
    match error.detail() {
        Some(detail) => masked.with_detail(secrets.iter().fold(detail.to_owned(), |d, s| d.replace(s, MASK))),
        None => masked,
    }
}

/// What must not come back from a call.
pub(super) fn secrets<'a>(call: &'a Validated, leased: &'a Leased) -> Vec<&'a str> {
    let all = leased.lease().values().chain(call.secrets.values());
    all.map(|s| s.expose()).filter(|s| s.len() >= SHORTEST).collect()
}

/// Whether a secret may stand in a value or a name of a result, by the result's JSON text: one search in one text, and not one
/// in each of its words. JSON writes a word as it is, but for quotes, backslashes and control characters: a secret that has one of
/// those is looked for word by word.
fn may_hold(text: &[u8], secret: &str) -> bool {
    let escaped = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\');
    secret.bytes().any(escaped) || memchr::memmem::find(text, secret.as_bytes()).is_some()
}

fn mask(value: &mut Json, secrets: &[&str], made: &[Json]) {
    if made.contains(value) {
        return;
    }
    match value {
        Json::String(text) => {
            for secret in secrets {
                if text.contains(secret) {
                    *text = text.replace(secret, MASK);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| mask(item, secrets, made)),
        Json::Object(members) => {
            if members.keys().any(|name| secrets.iter().any(|s| name.contains(s))) {
                let renamed = |name: String| secrets.iter().fold(name, |n, s| n.replace(s, MASK));
                *members = std::mem::take(members).into_iter().map(|(n, v)| (renamed(n), v)).collect();
            }
            members.values_mut().for_each(|member| mask(member, secrets, made));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::output::Checked;
    use super::redact;
    use crate::tool::ToolOutput;

    #[test]
    fn t27_a_secret_is_masked_wherever_it_stands_and_however_it_is_spelt() {
        for secret in
            ["hunter-2", "quote\"d-1", "back\\slash", "new\nline-1", "del\u{7f}-abc", "schlüssel", "a/b/c/d", "😀😀"]
        {
            let structured = json!({
                "plain": format!("x{secret}y"), (format!("k{secret}")): [1, {"deep": secret}], "other": "hunter", "n": 1,
            });
            let text = serde_json::to_vec(&structured).unwrap();
            let checked = Checked { output: ToolOutput { structured, follow_up: None }, text, large: false };
            let answer = redact(checked, &["absent-secret", secret], &[]);
            let masked = json!({"plain": "x***y", "k***": [1, {"deep": "***"}], "other": "hunter", "n": 1});
            assert_eq!((answer.structured, answer.text), (masked, None), "{secret:?}");
        }
    }

    #[test]
    fn a_result_without_a_secret_is_handed_on_with_its_text() {
        let structured = json!({"a": ["b", "backslash"]});
        let text = serde_json::to_vec(&structured).unwrap();
        let output = ToolOutput { structured: structured.clone(), follow_up: None };
        let answer = redact(Checked { output, text: text.clone(), large: false }, &["absent-secret"], &[]);
        assert_eq!((answer.structured, answer.text.unwrap().as_ref()), (structured, text.as_slice()));
    }
}
