//! What a model reads beside the structured result. Of 23 measured clients nine show it nothing but the text block, so a
//! result that is small stands there whole, as compact JSON; a big one is summed up, with as much of it as fits and a note
//! of what is missing, instead of being sent twice.
//!
//! Work that goes on names the call that follows it, in both forms (T22).

use mcp::CallReply;
use platform::Json;
use platform::error::NextCall;
use serde_json::{Map, json};

/// Longest result that is repeated whole, and about the most that a cut one shows; bytes. About 8,000 tokens.
const WHOLE: usize = 32 << 10;
/// Where a part may be cut: shorter ones stay.
const WORTH_CUTTING: usize = 1 << 10;

/// The reply to a call that worked, and that waited so long for its turn.
pub(super) fn reply(mut structured: Json, queued_ms: u64, next: Option<NextCall>) -> CallReply {
    let mut lines = Vec::new();
    if let Some(next) = &next {
        lines.push(format!("The work goes on. Next: call {} with {}", next.tool, next.arguments));
        if let Some(members) = structured.as_object_mut() {
            members.entry("next").or_insert_with(|| json!(next));
        }
    }
    let size = size_of(&structured, WHOLE);
    if size <= WHOLE {
        if lines.is_empty() {
            return CallReply::Result { structured, text: None, queued_ms };
        }
        lines.push(structured.to_string());
    } else {
        let (summary, shown) = cut(&structured);
        lines.push(summary);
        lines.push(shown.to_string());
    }
    CallReply::Result { structured, text: Some(lines.join("\n")), queued_ms }
}

/// About as many bytes as the compact JSON has; stops counting above `enough`.
fn size_of(value: &Json, enough: usize) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(_) => 12,
        Json::String(text) => text.len() + 2,
        Json::Array(items) => {
            let mut size = 2;
            for item in items {
                size += 1 + size_of(item, enough);
                if size > enough {
                    break;
                }
            }
            size
        }
        Json::Object(members) => {
            let mut size = 2;
            for (name, member) in members {
                size += name.len() + 4 + size_of(member, enough);
                if size > enough {
                    break;
                }
            }
            size
        }
    }
}

/// Cuts the longest lists and texts of a result until it fits, and says what was left out.
fn cut(result: &Json) -> (String, Json) {
    let mut shown = result.clone();
    let mut said = Vec::new();
    if let Some(members) = shown.as_object_mut() {
        let mut sizes: Vec<(usize, String)> =
            members.iter().map(|(name, m)| (size_of(m, usize::MAX), name.clone())).collect();
        sizes.sort_by(|a, b| b.cmp(a));
        let mut over = sizes.iter().map(|(size, name)| size + name.len() + 4).sum::<usize>().saturating_sub(WHOLE);
        for (size, name) in sizes {
            if over == 0 || size < WORTH_CUTTING {
                break;
            }
            let Some(member) = members.get_mut(&name) else { continue };
            let room = size.saturating_sub(over).max(WORTH_CUTTING / 2);
            if let Some(what) = shorten(member, room) {
                over = over.saturating_sub(size.saturating_sub(size_of(member, usize::MAX)));
                said.push(format!("`{name}`: {what}"));
            }
        }
        said.extend(paging(members));
    }
    let said = if said.is_empty() { "it is in structuredContent".to_owned() } else { said.join("; ") };
    (format!("The result is long, so this text shows a part of it: {said}. The whole is in structuredContent."), shown)
}

/// Keeps what fits into `room` bytes, in whole rows or lines.
fn shorten(member: &mut Json, room: usize) -> Option<String> {
    match member {
        Json::Array(items) => {
            let (mut used, mut keep) = (2, 0);
            for item in items.iter() {
                used += 1 + size_of(item, room);
                if used > room {
                    break;
                }
                keep += 1;
            }
            let all = items.len();
            items.truncate(keep);
            (keep < all).then(|| format!("the first {keep} of {all}"))
        }
        Json::String(text) => {
            let all = text.lines().count();
            let end = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = text[..end].rfind('\n').unwrap_or(end);
            if end == text.len() {
                return None;
            }
            text.truncate(end);
            Some(format!("the first {} of {all} lines", text.lines().count()))
        }
        Json::Object(members) => {
            let (mut used, mut keep) = (2, 0);
            for (name, inner) in members.iter() {
                used += name.len() + 4 + size_of(inner, room);
                if used > room {
                    break;
                }
                keep += 1;
            }
            let all = members.len();
            *members = std::mem::take(members).into_iter().take(keep).collect();
            (keep < all).then(|| format!("the first {keep} of {all} members"))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

/// How a caller that reads only text sees the rest of a list.
fn paging(members: &Map<String, Json>) -> Option<String> {
    members.get("items")?;
    let total = members.get("total").and_then(Json::as_u64).map(|n| format!("{n} rows in all")).unwrap_or_default();
    let more = members.get("next_cursor").and_then(Json::as_str).map(|_| "more pages follow by `next_cursor`");
    let hint = "a smaller `limit`, or `fields`, shows whole pages here";
    Some(
        [total.as_str(), more.unwrap_or_default(), hint]
            .into_iter()
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
    )
}

#[cfg(test)]
mod tests {
    use mcp::CallReply;
    use platform::Json;
    use platform::error::NextCall;
    use serde_json::json;

    use super::{WHOLE, reply};

    fn parts(reply: CallReply) -> (Json, Option<String>) {
        match reply {
            CallReply::Result { structured, text, .. } => (structured, text),
            _ => (Json::Null, None),
        }
    }

    #[test]
    fn a_small_result_is_its_own_text() {
        assert_eq!(parts(reply(json!({"a": 1}), 0, None)), (json!({"a": 1}), None));
    }

    #[test]
    fn t22_work_that_goes_on_names_the_next_call_in_both_forms() {
        let next = NextCall { tool: "get_it".into(), arguments: json!({"id": "7"}), server: None };
        let (structured, text) = parts(reply(json!({"status": "in_progress"}), 0, Some(next)));
        assert_eq!(structured["next"], json!({"tool": "get_it", "arguments": {"id": "7"}}));
        let text = text.unwrap_or_default();
        let (first, rest) = text.split_once('\n').unwrap_or_default();
        assert_eq!(first, r#"The work goes on. Next: call get_it with {"id":"7"}"#);
        assert_eq!(serde_json::from_str::<Json>(rest).ok(), Some(structured));
    }

    #[test]
    fn a_big_list_shows_whole_rows_and_says_what_is_missing() {
        let rows: Vec<Json> =
            (0..2_000).map(|n| json!({"id": n, "name": format!("switch-{n}"), "role": "ACCESS"})).collect();
        let result = json!({"items": rows, "next_cursor": "abc", "total": 9_800});
        let (structured, text) = parts(reply(result.clone(), 0, None));
        assert_eq!(structured, result, "the structured result stays whole");
        let text = text.unwrap_or_default();
        assert!(text.len() < WHOLE + 1_000, "{}", text.len());
        let (summary, rest) = text.split_once('\n').unwrap_or_default();
        let shown: Json = serde_json::from_str(rest).unwrap_or_default();
        let count = shown["items"].as_array().map_or(0, Vec::len);
        assert!(count > 300 && shown["next_cursor"] == "abc", "{count}");
        assert!(summary.contains(&format!("`items`: the first {count} of 2000")), "{summary}");
        assert!(summary.contains("9800 rows in all") && summary.contains("structuredContent"), "{summary}");
    }

    #[test]
    fn a_long_text_is_cut_between_lines_and_several_long_parts_are_all_cut() {
        let config = "interface GigabitEthernet1/0/1 ü\n".repeat(4_000);
        let result = json!({"config": config, "other": "x\n".repeat(30_000), "hostname": "a"});
        let (_, text) = parts(reply(result, 0, None));
        let text = text.unwrap_or_default();
        assert!(text.len() < 2 * WHOLE, "{}", text.len());
        let (summary, rest) = text.split_once('\n').unwrap_or_default();
        assert!(summary.contains("of 4000 lines"), "{summary}");
        let shown: Json = serde_json::from_str(rest).unwrap_or_default();
        assert_eq!(shown["hostname"], "a");
        assert!(shown["config"].as_str().is_some_and(|c| c.ends_with('ü')));
    }
}
