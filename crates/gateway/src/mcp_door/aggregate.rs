//! The aggregate `/mcp`: every server behind at most [`MOST`] names, because clients cut long lists and models choose badly
//! from them. The platform's own tools keep their names; `call_read_tool` and `call_write_tool` reach everything else by
//! name; and when all that a caller may see fits, it is listed as well, with prefixes.
//!
//! A tool that is reached this way is authorised, counted and on record as itself (T1): the two names here are doors, no
//! tools, and the pipeline never hears of them unless what they were given names no tool.

use std::sync::Arc;

use mcp::{ToolAnnotations, ToolDescription};
use platform::{Error, ErrorKind, Json};
use serde_json::{Map, json};
use tool_runtime::catalogue::{OWN_SERVER, REFERENCES_ARGUMENT, RegisteredTool};

use super::describe::object;

/// Most names in the list.
pub(super) const MOST: usize = 40;

/// One of the two ways to a tool that is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByName {
    /// For tools that read.
    Read,
    /// For tools that change something.
    Write,
}

impl ByName {
    /// The door of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|door| door.name() == name)
    }

    /// The door for a tool.
    pub(super) fn of(tool: &RegisteredTool) -> Self {
        if tool.risk.is_write() { Self::Write } else { Self::Read }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "call_read_tool",
            Self::Write => "call_write_tool",
        }
    }

    fn describe(self) -> ToolDescription {
        let (title, description) = match self {
            Self::Read => (
                "Call a tool that reads",
                "Calls a tool that only reads, on any server. `search_tools` finds its name, `describe_tool` its arguments.",
            ),
            Self::Write => (
                "Call a tool that changes something",
                "Calls a tool that may change something, on any server. `search_tools` finds its name, `describe_tool` its \
                 arguments.",
            ),
        };
        let mut schema = json!({
            "type": "object",
            "properties": {
                "tool": {"type": "string", "minLength": 1, "maxLength": MAX_NAME,
                    "description": "Name as `search_tools` gives it, for example `catalyst_center__list_devices`."},
                "arguments": {"type": "object", "description": "The tool's arguments, as `describe_tool` shows them."}
            },
            "required": ["tool"],
            "additionalProperties": false
        });
        if self == Self::Write {
            schema["properties"][REFERENCES_ARGUMENT] = tool_runtime::catalogue::references_schema();
        }
        ToolDescription {
            name: self.name().to_owned(),
            title: Some(title.to_owned()),
            description: description.to_owned(),
            input_schema: object(&schema),
            output_schema: None,
            annotations: ToolAnnotations {
                read_only: self == Self::Read,
                destructive: self == Self::Write,
                idempotent: self == Self::Read,
                open_world: false,
            },
        }
    }

    /// What it was asked to call. A reference given beside `arguments` is moved into them, where the tool's own schema
    /// has it.
    pub(super) fn inner(self, mut given: Map<String, Json>) -> Result<Inner, Error> {
        let name = match given.remove("tool") {
            Some(Json::String(name)) if !name.is_empty() && name.len() <= MAX_NAME => name,
            _ => return Err(invalid("/tool", "the name of a tool is needed")),
        };
        let mut arguments = match given.remove("arguments") {
            None => Map::new(),
            Some(Json::Object(arguments)) => arguments,
            Some(_) => return Err(invalid("/arguments", "must be an object")),
        };
        if self == Self::Write
            && let Some(references) = given.remove(REFERENCES_ARGUMENT)
        {
            match arguments.get(REFERENCES_ARGUMENT) {
                Some(inner) if *inner != references => {
                    return Err(Error::new(
                        ErrorKind::Malformed,
                        "reference_conflict",
                        format!("`{REFERENCES_ARGUMENT}` was sent twice with different values. Send it once."),
                    ));
                }
                _ => drop(arguments.insert(REFERENCES_ARGUMENT.to_owned(), references)),
            }
        }
        match given.keys().next() {
            None => Ok(Inner { name, arguments }),
            Some(_) => Err(invalid("", "an unknown argument; the tool's own go into `arguments`")),
        }
    }

    /// The refusal for a tool that belongs to the other door.
    pub(super) fn wrong(self, tool: &str, arguments: &Map<String, Json>) -> Error {
        let (sentence, other) = match self {
            Self::Read => ("changes something, so it is called with", Self::Write),
            Self::Write => ("only reads, so it is called with", Self::Read),
        };
        Error::new(
            ErrorKind::InvalidInput,
            "wrong_call_tool",
            format!("`{tool}` {sentence} `{}`. Nothing was done.", other.name()),
        )
        .with_next(other.name(), json!({"tool": tool, "arguments": arguments}))
    }
}

/// Longest name that is looked up.
const MAX_NAME: usize = 128;

/// A call inside one of the doors.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) name: String,
    pub(super) arguments: Map<String, Json>,
}

fn invalid(path: &str, message: &str) -> Error {
    let place = if path.is_empty() { "arguments" } else { path };
    Error::new(
        ErrorKind::InvalidInput,
        "invalid_arguments",
        format!("The arguments do not fit the tool's schema ({place}: {message}). Correct them and repeat."),
    )
    .with_details(json!({"errors": [{"path": path, "message": message}]}))
}

/// The tools of other servers than the platform's own, as far as they are listed beside the doors: all or none.
pub(super) fn listed_too(visible: &[Arc<RegisteredTool>]) -> bool {
    visible.len() + doors(visible).len() <= MOST
}

/// The doors that lead anywhere for this caller.
pub(super) fn doors(visible: &[Arc<RegisteredTool>]) -> Vec<ByName> {
    let leads = |door: &ByName| visible.iter().any(|t| !is_own(t) && ByName::of(t) == *door);
    [ByName::Read, ByName::Write].into_iter().filter(leads).collect()
}

/// Whether a tool is one of the platform's own.
pub(super) fn is_own(tool: &RegisteredTool) -> bool {
    tool.server.name == OWN_SERVER
}

/// The list: own tools, doors, and the others where they fit. `visible` is ordered by server and name.
pub(super) fn list(
    visible: &[Arc<RegisteredTool>],
    described: impl Fn(&RegisteredTool) -> Option<ToolDescription>,
) -> Arc<[ToolDescription]> {
    let others = listed_too(visible);
    let own = visible.iter().filter(|t| is_own(t)).filter_map(|t| described(t));
    let doors = doors(visible).into_iter().map(ByName::describe);
    let others = visible.iter().filter(|t| others && !is_own(t)).filter_map(|t| described(t));
    own.chain(doors).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::ByName;

    fn object(value: platform::Json) -> Map<String, platform::Json> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn t12_a_reference_beside_the_arguments_counts_as_one_inside_them_and_must_agree() -> Result<(), platform::Error> {
        let inner = ByName::Write.inner(object(json!({"tool": "a__b", "_interlock": {"change": "c"}})))?;
        assert_eq!((inner.name.as_str(), inner.arguments), ("a__b", object(json!({"_interlock": {"change": "c"}}))));
        let both = json!({"tool": "a", "arguments": {"_interlock": {"change": "d"}}, "_interlock": {"change": "c"}});
        let conflict = ByName::Write.inner(object(both)).map(|i| i.name);
        assert_eq!(conflict.err().map(|e| e.code().to_owned()).as_deref(), Some("reference_conflict"));
        Ok(())
    }

    #[test]
    fn what_names_no_tool_is_refused_by_its_place_and_without_its_value() {
        for (given, path) in [
            (json!({}), "/tool"),
            (json!({"tool": 7}), "/tool"),
            (json!({"tool": "x".repeat(129)}), "/tool"),
            (json!({"tool": "a", "arguments": [1]}), "/arguments"),
            (json!({"tool": "a", "device_id": "secret"}), ""),
            (json!({"tool": "a", "_interlock": {"change": "c"}}), ""),
        ] {
            let error = ByName::Read.inner(object(given.clone())).map(|i| i.name).err();
            let refusal = error.as_ref().map(|e| e.refusal());
            assert_eq!(refusal.map(|r| r.code.as_str()), Some("invalid_arguments"), "{given}");
            let details = refusal.and_then(|r| r.details.clone()).unwrap_or_default();
            assert_eq!(details["errors"][0]["path"], path);
            assert!(!refusal.is_some_and(|r| r.message.contains("secret")));
        }
    }
}
