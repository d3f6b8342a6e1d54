//! Clients whose configuration is JSON, with comments or without: the text is edited in place, so that comments, order
//! and indentation stay.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use platform::Json;

use super::entry::MEMBERS;

/// JSON as RFC 8259 has it.
pub(super) const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};
/// JSON as Visual Studio Code has it: comments and trailing commas.
pub(super) const WITH_COMMENTS: ParseOptions =
    ParseOptions { allow_comments: true, allow_trailing_commas: true, ..STRICT };

/// Sets `members` of `servers.name`, or takes the name out. Members of an entry that are not ours (a timeout, a list of
/// approved tools) stay.
pub(super) fn edit(
    text: &str,
    options: ParseOptions,
    servers: &str,
    name: &str,
    members: Option<&[(&'static str, Json)]>,
) -> Result<String, String> {
    let fresh = text.trim().is_empty();
    let source = if fresh { "{}" } else { text };
    let root = CstRootNode::parse(source, &options).map_err(|e| e.to_string())?;
    // The editable tree keeps comments whatever the options say, and such a client would not start with one.
    if !options.allow_comments {
        serde_json::from_str::<serde::de::IgnoredAny>(source).map_err(|e| e.to_string())?;
    }
    let top = root.object_value().ok_or("its top is no object")?;
    let Some(members) = members else {
        let Some(found) = top.get(servers) else { return Ok(text.to_owned()) };
        let listed = found.object_value().ok_or_else(|| format!("`{servers}` is no object"))?;
        let Some(entry) = listed.get(name) else { return Ok(text.to_owned()) };
        entry.remove();
        return Ok(root.to_string());
    };
    let listed = top.object_value_or_create(servers).ok_or_else(|| format!("`{servers}` is no object"))?;
    match listed.get(name) {
        None => {
            let value = members.iter().map(|(member, value)| ((*member).to_owned(), input(value))).collect();
            drop(listed.append(name, CstInputValue::Object(value)));
        }
        Some(found) => {
            let entry = found.object_value().ok_or_else(|| format!("`{servers}.{name}` is no object"))?;
            for stale in MEMBERS.iter().filter(|m| members.iter().all(|(member, _)| member != *m)) {
                if let Some(property) = entry.get(stale) {
                    property.remove();
                }
            }
            for (member, value) in members {
                match entry.get(member) {
                    Some(property) if property.value().and_then(|v| v.to_serde_value()).as_ref() == Some(value) => {}
                    Some(property) => property.set_value(input(value)),
                    None => drop(entry.append(member, input(value))),
                }
            }
        }
    }
    let after = root.to_string();
    Ok(if fresh { format!("{after}\n") } else { after })
}

fn input(value: &Json) -> CstInputValue {
    match value {
        Json::Null => CstInputValue::Null,
        Json::Bool(value) => CstInputValue::Bool(*value),
        Json::Number(number) => CstInputValue::Number(number.to_string()),
        Json::String(text) => CstInputValue::String(text.clone()),
        Json::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Json::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
}
