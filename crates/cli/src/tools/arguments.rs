//! `--arg name=value`: the tool's schema says whether `5` is a number or a text.

use platform::Json;
use serde_json::{Map, json};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// `--json-args`: one object.
pub(crate) fn object(text: &str) -> Outcome<Json> {
    let value: Json = serde_json::from_str(text)
        .map_err(|e| wrong("--json-args is not JSON; put it in single quotes.".to_owned()).with_detail(&e))?;
    if value.is_object() { Ok(value) } else { Err(wrong("--json-args is one JSON object.".to_owned())) }
}

/// Named values under a schema; without one, what reads as JSON is JSON.
pub(crate) fn typed(given: &[String], schema: Option<&Json>) -> Outcome<Json> {
    let mut arguments = Map::new();
    for pair in given {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(wrong(format!("`{pair}` is not NAME=VALUE.")));
        };
        let property = schema.map(|s| &s["properties"][name]).filter(|p| p.is_object());
        match (property, name.split_once('.')) {
            (None, Some((outer, inner))) => {
                let object = arguments.entry(outer.to_owned()).or_insert_with(|| json!({}));
                let Some(members) = object.as_object_mut() else {
                    return Err(wrong(format!("`{outer}` was given as a whole already.")));
                };
                members.insert(inner.to_owned(), guessed(value));
            }
            (property, _) => insert(&mut arguments, name, value, property),
        }
    }
    Ok(Json::Object(arguments))
}

/// A name that occurs again makes a list.
fn insert(arguments: &mut Map<String, Json>, name: &str, value: &str, property: Option<&Json>) {
    let is = |kind: &str| property.is_some_and(|p| p["type"] == kind || has(&p["type"], kind));
    let value = match property {
        Some(_) if is("string") => Json::from(value),
        Some(p) if is("array") && !value.starts_with('[') => {
            if p["items"]["type"] == "string" {
                Json::from(value)
            } else {
                guessed(value)
            }
        }
        _ => guessed(value),
    };
    match arguments.get_mut(name) {
        Some(Json::Array(items)) => items.push(value),
        Some(first) => *first = Json::Array(vec![first.take(), value]),
        None if is("array") && !value.is_array() => {
            arguments.insert(name.to_owned(), Json::Array(vec![value]));
        }
        None => {
            arguments.insert(name.to_owned(), value);
        }
    }
}

fn has(kinds: &Json, kind: &str) -> bool {
    kinds.as_array().is_some_and(|k| k.iter().any(|k| k == kind))
}

fn guessed(value: &str) -> Json {
    serde_json::from_str(value).unwrap_or_else(|_| Json::from(value))
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Usage, "arguments_unreadable", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{object, typed};

    fn given(pairs: &[&str]) -> Vec<String> {
        pairs.iter().map(|p| (*p).to_owned()).collect()
    }

    #[test]
    fn the_schema_gives_a_value_its_type() {
        let schema = json!({"properties": {"id": {"type": "string"}, "limit": {"type": ["integer", "null"]},
            "fields": {"type": "array", "items": {"type": "string"}}, "params": {"type": "object"}}});
        let read =
            typed(&given(&["id=007", "limit=5", "fields=id", "params.vlan_id=12", "params.name=a=b"]), Some(&schema));
        assert_eq!(
            read.unwrap(),
            json!({"id": "007", "limit": 5, "fields": ["id"], "params": {"vlan_id": 12, "name": "a=b"}})
        );
        assert_eq!(typed(&given(&["fields=a", "fields=b"]), Some(&schema)).unwrap(), json!({"fields": ["a", "b"]}));
    }

    #[test]
    fn what_cannot_be_read_is_a_usage_error() {
        for pairs in [&["x"][..], &["=1"], &["a=1", "a.b=2"]] {
            assert_eq!(typed(&given(pairs), None).unwrap_err().exit(), 2, "{pairs:?}");
        }
        assert_eq!(object("[1]").unwrap_err().exit(), 2);
        assert_eq!(object("{\"a\":1}").unwrap(), json!({"a": 1}));
    }
}
