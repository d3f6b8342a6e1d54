//! Arguments that are secrets (rule T27). A tool marks them in its input schema; they are taken out of the arguments as
//! soon as these were checked, and a keyed hash stands in their place. Policy, audit, the step-up page, the digest of an
//! idempotency key and everything that is stored see `{"secret_hmac": "…"}`; only the tool itself gets the value back,
//! by [`SecretArgument::reveal`], while it runs.
//!
//! The hash is bound to server, tool and place: the same password in two places shows as two different hashes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use platform::keyed_hash::KeyedHash;
use platform::{Error, Json, Secret};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

use crate::tool::ToolCx;

/// Marks a text in an input schema as a secret, with the value `true`. It is not published: callers see
/// `"writeOnly": true` and `"format": "password"` (JSON Schema 2020-12 validation, section 9.4; OpenAPI 3.1 data types).
pub const MARK: &str = "x-interlock-secret";

/// The one member of what stands in a secret's place.
pub const PLACEHOLDER: &str = "secret_hmac";

/// A secret among a tool's arguments, as the type of a member, of a list's item or of a map's value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretArgument {
    secret_hmac: String,
}

impl SecretArgument {
    /// The value, for as long as the call runs.
    pub fn reveal<'a>(&self, cx: &'a ToolCx) -> Result<&'a Secret, Error> {
        cx.secrets
            .0
            .get(&self.secret_hmac)
            .ok_or_else(|| Error::internal("a secret argument did not come with its call"))
    }
}

impl JsonSchema for SecretArgument {
    fn schema_name() -> Cow<'static, str> {
        "SecretArgument".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, (MARK): true})
    }
}

/// The secrets of one call, by their keyed hash. It has no `Debug`, and nothing but the call holds it.
#[derive(Default)]
pub struct SecretArguments(BTreeMap<String, Secret>);

impl SecretArguments {
    /// All values, for redaction.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Secret> {
        self.0.values()
    }
}

/// Where the secrets are in a tool's arguments, compiled from its input schema.
#[derive(Default)]
pub(crate) struct SecretPlaces {
    secret: bool,
    members: BTreeMap<String, SecretPlaces>,
    other_members: Option<Box<SecretPlaces>>,
    items: Option<Box<SecretPlaces>>,
}

impl SecretPlaces {
    /// Reads the marks of an input schema. Errors: a mark on something that is not a text, or in a part of the schema where
    /// its value would not be found.
    pub(crate) fn of(schema: &Json) -> Result<Self, String> {
        let mut places = Self::default();
        let found = places.read(schema)?;
        if found != count(schema) {
            return Err(format!(
                "`{MARK}` stands where it is not looked for: use properties, items or additionalProperties"
            ));
        }
        Ok(places)
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        !self.secret && self.members.is_empty() && self.other_members.is_none() && self.items.is_none()
    }

    /// Whether a member of the arguments is, or holds, a secret.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// Adds what one schema says, and returns how many marks it has. Parts without a mark leave nothing behind.
    fn read(&mut self, schema: &Json) -> Result<usize, String> {
        let mut found = 0;
        if marked(schema) {
            if !is_text(schema) {
                return Err(format!("`{MARK}` is for texts"));
            }
            self.secret = true;
            found += 1;
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for schema in schema.get(choice).and_then(Json::as_array).into_iter().flatten() {
                found += self.read(schema)?;
            }
        }
        for (name, schema) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
            if count(schema) > 0 {
                found += self.members.entry(name.clone()).or_default().read(schema)?;
            }
        }
        for (part, place) in [("additionalProperties", &mut self.other_members), ("items", &mut self.items)] {
            if let Some(schema) = schema.get(part).filter(|schema| count(schema) > 0) {
                found += place.get_or_insert_default().read(schema)?;
            }
        }
        Ok(found)
    }

    /// Takes the secrets out of arguments that fit the schema. `hash` hashes a value with its place.
    pub(crate) fn take(&self, arguments: &mut Json, hash: &dyn Fn(&str, &str) -> String) -> SecretArguments {
        let mut taken = SecretArguments::default();
        if !self.is_empty() {
            self.take_at("", arguments, hash, &mut taken);
        }
        taken
    }

    fn take_at(&self, path: &str, value: &mut Json, hash: &dyn Fn(&str, &str) -> String, taken: &mut SecretArguments) {
        match value {
            Json::String(text) if self.secret => {
                let text = Secret::new(std::mem::take(text));
                let hmac = hash(path, text.expose());
                *value = json!({ (PLACEHOLDER): hmac });
                taken.0.insert(hmac, text);
            }
            Json::Object(members) => {
                for (name, member) in members {
                    if let Some(place) = self.members.get(name).or(self.other_members.as_deref()) {
                        place.take_at(&format!("{path}/{}", escaped(name)), member, hash, taken);
                    }
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Some(place) = &self.items {
                        place.take_at(&format!("{path}/{index}"), item, hash, taken);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A name in a JSON pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The hash of a secret at a place of one tool's arguments.
pub(crate) fn hashed(hash: &KeyedHash, server: &str, tool: &str, path: &str, value: &str) -> String {
    hash.hex_of(&[server.as_bytes(), tool.as_bytes(), path.as_bytes(), value.as_bytes()])
}

/// Turns the marks into what is published.
pub(crate) fn publish(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            if members.remove(MARK) == Some(Json::Bool(true)) {
                members.insert("writeOnly".to_owned(), true.into());
                members.insert("format".to_owned(), "password".into());
            }
            members.values_mut().for_each(publish);
        }
        Json::Array(items) => items.iter_mut().for_each(publish),
        _ => {}
    }
}

fn marked(schema: &Json) -> bool {
    schema.get(MARK) == Some(&Json::Bool(true))
}

fn is_text(schema: &Json) -> bool {
    match schema.get("type") {
        Some(Json::String(kind)) => kind == "string",
        Some(Json::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        _ => false,
    }
}

/// How many marks stand anywhere in a schema.
fn count(schema: &Json) -> usize {
    match schema {
        Json::Object(members) => usize::from(marked(schema)) + members.values().map(count).sum::<usize>(),
        Json::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::{MARK, SecretArgument, SecretPlaces, publish};
    use crate::tool::schema_of;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Args {
        path: String,
        /// The password.
        password: Option<SecretArgument>,
        data: BTreeMap<String, SecretArgument>,
        keys: Vec<SecretArgument>,
    }

    #[test]
    fn t27_members_map_values_and_items_are_taken_out_and_the_rest_stays() {
        let places = SecretPlaces::of(&schema_of::<Args>()).unwrap();
        let mut arguments = json!({"path": "a", "password": "hush-1", "data": {"x/y": "hush-2"}, "keys": ["hush-3"]});
        let taken = places.take(&mut arguments, &|path, value| format!("{path}={}", value.len()));
        assert_eq!(
            arguments,
            json!({"path": "a", "password": {"secret_hmac": "/password=6"},
                "data": {"x/y": {"secret_hmac": "/data/x~1y=6"}}, "keys": [{"secret_hmac": "/keys/0=6"}]})
        );
        assert_eq!(taken.values().map(|s| s.expose()).collect::<Vec<_>>(), ["hush-2", "hush-3", "hush-1"]);
        let mut without = json!({"path": "a", "password": null, "data": {}, "keys": []});
        assert_eq!(places.take(&mut without, &|_, _| String::new()).values().count(), 0);
        assert_eq!(without["password"], json!(null));
    }

    #[test]
    fn t27_the_published_schema_says_write_only_and_not_our_mark() {
        let mut schema = schema_of::<Args>();
        publish(&mut schema);
        assert!(!schema.to_string().contains(MARK));
        for place in ["/properties/password", "/properties/data/additionalProperties", "/properties/keys/items"] {
            let property = schema.pointer(place).unwrap();
            assert_eq!((&property["writeOnly"], &property["format"]), (&json!(true), &json!("password")), "{place}");
        }
        assert_eq!(schema["properties"]["password"]["description"], "The password.");
        assert_eq!(schema["properties"]["path"].get("writeOnly"), None);
    }

    #[test]
    fn t27_a_mark_that_would_not_be_found_is_refused() {
        for schema in [
            json!({"properties": {"a": {"type": "object", (MARK): true}}}),
            json!({"properties": {"a": {(MARK): true}}}),
            json!({"patternProperties": {"a": {"type": "string", (MARK): true}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string", (MARK): true}}}),
        ] {
            assert!(SecretPlaces::of(&schema).is_err(), "{schema}");
        }
        assert!(SecretPlaces::of(&json!({"properties": {"a": {"type": "string"}}})).unwrap().is_empty());
    }
}
