//! JSON read strictly: an object that names a member twice is refused at every depth, and nesting is bounded.
//!
//! RFC 8259 section 4 leaves duplicate names to the reader, so two readers of one request could decide on different
//! arguments; a platform that authorises arguments must not. Every door that reads arguments reads
//! them here.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number};

use crate::Json;

/// The deepest nesting that we read; real arguments stay below ten.
pub const MAX_DEPTH: usize = 64;

/// What [`StrictJson`] says about a duplicate; a door tells it from broken syntax by this text.
pub const DUPLICATE: &str = "a member occurs twice";

/// Any JSON value without duplicate members.
pub struct StrictJson(pub Json);

impl<'de> Deserialize<'de> for StrictJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::from(v))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Number::from_f64(v).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Json, E> {
        Ok(Json::String(v))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_none<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(StrictJson(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let StrictJson(value) = access.next_value()?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Json::Object(map))
    }
}

/// Whether `text` nests arrays and objects deeper than [`MAX_DEPTH`]. Reads bytes only, so it is safe before parsing.
pub fn too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Json, MAX_DEPTH, StrictJson, too_deep};

    #[test]
    fn a_duplicate_is_refused_at_every_depth() {
        for text in [r#"{"a":1,"a":2}"#, r#"[{"x":{"a":1,"b":2,"a":1}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(serde_json::from_str::<StrictJson>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<StrictJson>(r#"{"a":{"a":1},"b":{"a":2}}"#).is_ok());
    }

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert!(!too_deep(format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500)).as_bytes()));
        assert!(!too_deep("[".repeat(MAX_DEPTH).as_bytes()));
        assert!(too_deep("[".repeat(MAX_DEPTH + 1).as_bytes()));
        assert!(!too_deep("[]".repeat(1000).as_bytes()));
    }

    proptest! {
        #[test]
        fn strict_reading_agrees_with_ordinary_reading(text in r#"[\[\]{}",:a0-9.e\- ]{0,40}"#) {
            let ordinary = serde_json::from_str::<Json>(&text).ok();
            if let Ok(StrictJson(strict)) = serde_json::from_str(&text) {
                prop_assert_eq!(Some(strict), ordinary);
            }
        }
    }
}
