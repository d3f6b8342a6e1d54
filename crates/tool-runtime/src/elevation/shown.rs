//! What the step-up page tells a person about the call that was refused: targets by their verified names, and arguments
//! as far as that is safe. Never a secret: names that promise one are masked, long and structured text is only measured.

use platform::Json;
use platform::policy::TargetFacts;
use serde::{Deserialize, Serialize};

use crate::secret_arguments::PLACEHOLDER;

/// Most lines about one call.
const MAX_LINES: usize = 14;
/// Deepest nesting that is spelled out.
const MAX_DEPTH: usize = 3;
/// Longest text that is shown; longer text is measured.
const MAX_TEXT: usize = 80;
/// Longest name of an argument, with the names of what it stands in.
const MAX_NAME: usize = 60;
/// Most members of a list that are spelled out.
const MAX_MEMBERS: usize = 6;

/// Parts of a name that promise a secret.
const SECRET: [&str; 12] =
    ["pass", "secret", "token", "key", "credential", "community", "auth", "cookie", "private", "psk", "otp", "hash"];

/// One line about a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// What it is: the target's kind, or the argument's name.
    pub name: String,
    /// What is told of it.
    pub value: String,
}

/// Targets first, then arguments, in the order of their names. `schema` is the tool's published input schema.
pub fn of_call(targets: &[TargetFacts], arguments: &Json, schema: &Json) -> Vec<Shown> {
    let mut lines: Vec<Shown> = targets.iter().map(target).collect();
    members("", arguments, Some(schema), 0, &mut lines);
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if more > 0 {
        lines.push(Shown { name: "…".to_owned(), value: format!("{more} more") });
    }
    lines
}

fn target(facts: &TargetFacts) -> Shown {
    let name = if facts.name.is_empty() { &facts.id } else { &facts.name };
    let at = facts.site.as_ref().map(|site| format!(" at {site}")).unwrap_or_default();
    Shown { name: plain(&facts.kind, MAX_NAME), value: plain(&format!("{name}{at}"), 2 * MAX_TEXT) }
}

fn members(prefix: &str, value: &Json, schema: Option<&Json>, depth: usize, lines: &mut Vec<Shown>) {
    let Some(object) = value.as_object() else { return };
    for (name, value) in object {
        let described = schema.and_then(|s| s.get("properties")).and_then(|p| p.get(name));
        let full = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let hidden = is_secret(name, described) || value.get(PLACEHOLDER).is_some();
        if value.is_object() && depth < MAX_DEPTH && !hidden {
            members(&full, value, described, depth + 1, lines);
            continue;
        }
        let value = if hidden { "(not shown)".to_owned() } else { told(value) };
        lines.push(Shown { name: plain(&full, MAX_NAME), value });
    }
}

/// By the schema's word, or by the name's: a field that is called a key and is none is hidden too, which does no harm.
fn is_secret(name: &str, schema: Option<&Json>) -> bool {
    let marked = schema.is_some_and(|s| {
        s.get("writeOnly") == Some(&Json::Bool(true)) || s.get("format").and_then(Json::as_str) == Some("password")
    });
    let name = name.to_ascii_lowercase();
    marked || name == "pin" || SECRET.iter().any(|part| name.contains(part))
}

fn told(value: &Json) -> String {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => text_told(text),
        Json::Array(items) => {
            let short = |v: &Json| !v.is_array() && !v.is_object();
            if items.len() <= MAX_MEMBERS && items.iter().all(short) {
                items.iter().map(told).collect::<Vec<_>>().join(", ")
            } else {
                format!("a list of {}", items.len())
            }
        }
        Json::Object(object) => format!("an object of {}", object.len()),
    }
}

/// Configuration and other text of many lines may hold anything; of that, only the size is told.
fn text_told(text: &str) -> String {
    let (lines, characters) = (text.lines().count(), text.chars().count());
    if lines > 1 || characters > MAX_TEXT {
        return format!("a text of {characters} characters in {} lines", lines.max(1));
    }
    plain(text, MAX_TEXT)
}

/// On one line, without control and direction marks that could make a page read otherwise than it is written.
fn plain(text: &str, most: usize) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if harmful(c) { '·' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use platform::policy::TargetFacts;
    use serde_json::json;

    use super::of_call;

    fn lines(arguments: serde_json::Value, schema: serde_json::Value) -> Vec<String> {
        of_call(&[], &arguments, &schema).into_iter().map(|l| format!("{}={}", l.name, l.value)).collect()
    }

    #[test]
    fn t4_a_page_tells_what_a_call_is_about_and_never_a_secret() {
        let schema = json!({"properties": {"note": {"type": "string", "writeOnly": true},
            "inner": {"properties": {"deep": {"format": "password"}}}}});
        let told = lines(
            json!({"device": "dev-1", "count": 3, "tags": ["a", "b"], "note": "hush-1", "ApiKey": "hush-2",
                "inner": {"deep": "hush-3", "snmp_community": "hush-4", "port": 22},
                "credentials": {"user": "hush-5"}, "config": "line vty\n password hush-6"}),
            schema,
        );
        assert!(!told.iter().any(|l| l.contains("hush")), "{told:?}");
        for line in
            ["device=dev-1", "count=3", "tags=a, b", "inner.port=22", "config=a text of 25 characters in 2 lines"]
        {
            assert!(told.iter().any(|l| l == line), "{line}: {told:?}");
        }
        assert!(told.iter().any(|l| l == "note=(not shown)"), "{told:?}");
    }

    #[test]
    fn what_is_shown_is_bounded_and_reads_as_it_is_written() {
        let many: serde_json::Map<_, _> = (0..50).map(|i| (format!("a{i}"), json!(i))).collect();
        let told = lines(many.into(), json!({}));
        assert_eq!((told.len(), told.last().map(String::as_str)), (15, Some("…=36 more")));
        let told = lines(json!({"n": "safe\u{202e}elif\u{7}", "m": "x".repeat(500)}), json!({}));
        assert_eq!(told, ["m=a text of 500 characters in 1 lines", "n=safe·elif·"]);
    }

    #[test]
    fn targets_stand_first_under_their_verified_names() {
        let device = TargetFacts {
            kind: "device".into(),
            id: "7f".into(),
            name: "dist-1".into(),
            site: Some("Global/USA".into()),
            ..TargetFacts::default()
        };
        let shown = of_call(&[device], &json!({"device_id": "7f"}), &json!({}));
        assert_eq!((shown[0].name.as_str(), shown[0].value.as_str()), ("device", "dist-1 at Global/USA"));
    }
}
