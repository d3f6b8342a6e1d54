//! Arguments out of a query: every value gets its type from the tool's schema, and what a query cannot carry is refused
//! with the way round it. Next: `body` for the arguments of a POST, `answer` for the way back into a query.

use percent_encoding::percent_decode_str;
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::catalogue::RegisteredTool;

/// Query values as arguments. A name may be repeated where the schema has a list. A value that does not have the type
/// that the schema asks for stays text, and the schema says so.
pub(crate) fn from_query(query: &str, schema: Option<&Json>) -> Result<Json, Error> {
    let mut arguments = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        let property = schema.and_then(|s| s.get("properties")?.get(&name));
        let kinds = property.map(Kinds::of).unwrap_or_default();
        if property.is_some_and(|property| !carries(property)) {
            return Err(refused(&name, "takes what a query cannot carry; send the call by POST"));
        }
        if kinds.list {
            let items = property.and_then(|p| p.get("items")).map(Kinds::of).unwrap_or_default();
            let typed = items.read(value);
            match arguments.get_mut(&name) {
                Some(Json::Array(all)) => all.push(typed),
                _ => drop(arguments.insert(name, Json::Array(vec![typed]))),
            }
            continue;
        }
        if arguments.contains_key(&name) {
            return Err(refused(&name, "is sent more than once and takes one value"));
        }
        arguments.insert(name, kinds.read(value));
    }
    Ok(Json::Object(arguments))
}

/// Longest text that is taken by query: a URL of all arguments has to stay within what servers and proxies let through.
const LONGEST_TEXT: u64 = 500;

/// Whether a tool can be called by GET: it only reads, and a query can carry every argument that it needs.
pub(super) fn reads(tool: &RegisteredTool) -> bool {
    let schema = &tool.published_input;
    let needed = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    !tool.risk.is_write() && needed.map(|name| &schema["properties"][name]).all(carries)
}

/// Whether a query can carry a value of this schema: no object, no list of lists, no text of any length, and no secret,
/// because addresses are logged everywhere.
pub(super) fn carries(property: &Json) -> bool {
    let (kinds, items) = (Kinds::of(property), property.get("items").unwrap_or(&Json::Null));
    let nested = if kinds.list { Kinds::of(items).only_nested() } else { kinds.only_nested() };
    let long = |schema: &Json| schema.get("maxLength").and_then(Json::as_u64).is_some_and(|most| most > LONGEST_TEXT);
    let secret = |schema: &Json| schema.get("writeOnly") == Some(&Json::Bool(true));
    !nested && ![property, items].into_iter().any(|schema| long(schema) || secret(schema))
}

/// The types that a schema lets a value have.
#[derive(Default)]
struct Kinds {
    text: bool,
    number: bool,
    boolean: bool,
    list: bool,
    object: bool,
}

impl Kinds {
    fn of(schema: &Json) -> Self {
        let mut kinds = Self::default();
        kinds.add(schema);
        kinds
    }

    fn add(&mut self, schema: &Json) {
        match schema.get("type") {
            Some(Json::String(kind)) => self.add_kind(kind),
            Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).for_each(|kind| self.add_kind(kind)),
            _ => {}
        }
        let values = schema.get("enum").and_then(Json::as_array).into_iter().flatten();
        for value in values.chain(schema.get("const")) {
            match value {
                Json::String(_) => self.text = true,
                Json::Number(_) => self.number = true,
                Json::Bool(_) => self.boolean = true,
                _ => {}
            }
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            schema.get(choice).and_then(Json::as_array).into_iter().flatten().for_each(|schema| self.add(schema));
        }
    }

    fn add_kind(&mut self, kind: &str) {
        match kind {
            "string" => self.text = true,
            "integer" | "number" => self.number = true,
            "boolean" => self.boolean = true,
            "array" => self.list = true,
            "object" => self.object = true,
            _ => {}
        }
    }

    fn only_nested(&self) -> bool {
        (self.list || self.object) && !(self.text || self.number || self.boolean)
    }

    fn read(&self, value: String) -> Json {
        if self.boolean && matches!(value.as_str(), "true" | "false") {
            return Json::Bool(value == "true");
        }
        if self.number
            && !self.text
            && value.trim() == value
            && let Ok(number @ Json::Number(_)) = serde_json::from_str(&value)
        {
            return number;
        }
        Json::String(value)
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().map(|t| t.into_owned()).map_err(|_| {
        Error::new(
            ErrorKind::Malformed,
            "query_unreadable",
            "The query is not percent-encoded UTF-8. Encode its values.",
        )
    })
}

fn refused(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "invalid_arguments", format!("/{name}: {why}."))
        .with_details(json!({"errors": [{"path": format!("/{name}"), "message": why}]}))
}

#[cfg(test)]
mod tests {
    use platform::{Error, Json};
    use serde_json::json;

    use super::from_query;

    fn read(query: &str) -> Result<Json, Error> {
        let schema = json!({"properties": {
            "n": {"type": "integer"}, "b": {"type": ["boolean", "null"]}, "s": {"type": "string"},
            "l": {"type": "array", "items": {"type": "integer"}}, "f": {"type": "array", "items": {"enum": ["a", "b"]}},
            "o": {"type": "object"}, "long": {"type": "string", "maxLength": 10_000}, "lo": {"type": "array", "items": {"type": "object"}}, "w": {"type": "string", "writeOnly": true},
            "c": {"anyOf": [{"type": "number"}, {"type": "null"}]}, "any": {}}});
        from_query(query, Some(&schema))
    }

    #[test]
    fn a_query_gets_its_types_from_the_schema() {
        for (query, arguments) in [
            ("n=5&b=true&s=5", json!({"n": 5, "b": true, "s": "5"})),
            ("l=1&l=2&f=a", json!({"l": [1, 2], "f": ["a"]})),
            ("c=1.5&any=7", json!({"c": 1.5, "any": "7"})),
            ("s=a+b%26c&unknown=1&", json!({"s": "a b&c", "unknown": "1"})),
            ("s=&b", json!({"s": "", "b": ""})),
            ("", json!({})),
        ] {
            assert_eq!(read(query).unwrap(), arguments, "{query}");
        }
        assert_eq!(from_query("n=5", None).unwrap(), json!({"n": "5"}));
    }

    #[test]
    fn what_has_not_the_type_stays_text_for_the_schema_to_refuse() {
        for (query, arguments) in [
            ("n=five", json!({"n": "five"})),
            ("n=null", json!({"n": "null"})),
            ("n=[1]", json!({"n": "[1]"})),
            ("n=%205", json!({"n": " 5"})),
            ("b=null", json!({"b": "null"})),
            ("b=True", json!({"b": "True"})),
            ("l=x", json!({"l": ["x"]})),
        ] {
            assert_eq!(read(query).unwrap(), arguments, "{query}");
        }
    }

    #[test]
    fn what_a_query_cannot_carry_is_refused_with_the_way_round_it() {
        for (query, code, says) in [
            ("n=1&n=2", "invalid_arguments", "more than once"),
            ("o=%7B%7D", "invalid_arguments", "by POST"),
            ("lo=1", "invalid_arguments", "by POST"),
            ("long=1", "invalid_arguments", "by POST"),
            ("w=1", "invalid_arguments", "by POST"),
            ("s=%ff", "query_unreadable", "UTF-8"),
            ("%ff=1", "query_unreadable", "UTF-8"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.code() == code && error.message().contains(says), "{query}: {error}");
        }
    }
}
