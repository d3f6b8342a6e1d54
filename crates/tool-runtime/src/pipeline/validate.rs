//! Validate: the arguments meet the very schema that was published, then references are taken out of them and merged
//! (T12) and secrets too (T27). What is wrong is named by its place, never by its value.

use std::sync::Arc;

use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json, canonical};
use serde_json::json;

use super::{CallRequest, Pipeline};
use crate::catalogue::{REFERENCES_ARGUMENT, RegisteredTool};
use crate::elevation::Wanted;
use crate::secret_arguments::{SecretArguments, hashed};

/// Deepest nesting of arguments.
const MAX_DEPTH: usize = 32;
/// How many mistakes a refusal lists.
const MAX_LISTED: usize = 5;

/// Arguments that conform, and references without contradiction.
pub(super) struct Validated {
    pub(super) tool: Arc<RegisteredTool>,
    /// A keyed hash stands where a secret was: what follows may decide on these, store and show them.
    pub(super) arguments: Json,
    /// For the tool alone.
    pub(super) secrets: Arc<SecretArguments>,
    pub(super) references: CallReferences,
    /// SHA-256 of the canonical arguments, hexadecimal; over the keyed hashes of secrets.
    pub(super) digest: String,
}

impl Validated {
    /// As an elevation names it.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            server: &self.tool.server.name,
            tool: self.tool.name(),
            risk: self.tool.risk,
            arguments_digest: &self.digest,
        }
    }
}

pub(super) fn validate(
    road: &Pipeline,
    cx: &CallContext,
    tool: Arc<RegisteredTool>,
    request: CallRequest,
) -> Result<Validated, Error> {
    let mut arguments = match request.arguments {
        Json::Null => json!({}),
        arguments @ Json::Object(_) => arguments,
        _ => return Err(invalid(vec![json!({"path": "", "message": "arguments must be an object"})])),
    };
    if depth(&arguments) > MAX_DEPTH {
        return Err(invalid(vec![json!({"path": "", "message": format!("nested deeper than {MAX_DEPTH}")})]));
    }
    let mistakes: Vec<Json> = tool
        .input
        .iter_errors(&arguments)
        .take(MAX_LISTED)
        .map(|e| json!({"path": e.instance_path().to_string(), "message": e.masked().to_string()}))
        .collect();
    if !mistakes.is_empty() {
        return Err(invalid(mistakes));
    }
    let inline = if tool.risk.is_write() { take_references(&mut arguments)? } else { CallReferences::default() };
    let references = merge([&cx.references, &request.references, &inline])?;
    let (hash, server) = (&road.parts.secret_arguments, tool.server.name.as_str());
    let secrets = tool.secrets.take(&mut arguments, &|path, value| hashed(hash, server, tool.name(), path, value));
    let digest = canonical::json_digest_hex(&arguments)?;
    Ok(Validated { tool, arguments, secrets: Arc::new(secrets), references, digest })
}

fn invalid(mistakes: Vec<Json>) -> Error {
    let first = mistakes.first().map(|m| {
        let path = m["path"].as_str().filter(|p| !p.is_empty()).unwrap_or("arguments");
        format!("{path}: {}", m["message"].as_str().unwrap_or("wrong"))
    });
    Error::new(
        ErrorKind::InvalidInput,
        "invalid_arguments",
        format!("The arguments do not fit the tool's schema ({}). Correct them and repeat.", first.unwrap_or_default()),
    )
    .with_details(json!({ "errors": mistakes }))
}

fn take_references(arguments: &mut Json) -> Result<CallReferences, Error> {
    let Some(given) = arguments.as_object_mut().and_then(|a| a.remove(REFERENCES_ARGUMENT)) else {
        return Ok(CallReferences::default());
    };
    // The schema has let them through; serde's own message would repeat the value.
    serde_json::from_value(given)
        .map_err(|_| invalid(vec![json!({"path": format!("/{REFERENCES_ARGUMENT}"), "message": "not references"})]))
}

/// The same reference may come by header, by `_meta` and by argument; it must be the same.
fn merge(sources: [&CallReferences; 3]) -> Result<CallReferences, Error> {
    let mut merged = CallReferences::default();
    for source in sources {
        merge_one(&mut merged.change, source.change.as_ref(), "change")?;
        merge_one(&mut merged.idempotency_key, source.idempotency_key.as_ref(), "idempotency_key")?;
    }
    for (name, value, most) in [("change", &merged.change, 64), ("idempotency_key", &merged.idempotency_key, 128)] {
        let printable = |v: &String| !v.is_empty() && v.len() <= most && v.bytes().all(|b| (0x21..0x7f).contains(&b));
        if value.as_ref().is_some_and(|v| !printable(v)) {
            return Err(Error::new(
                ErrorKind::Malformed,
                "reference_invalid",
                format!("The reference `{name}` must be 1 to {most} printable characters without spaces."),
            ));
        }
    }
    Ok(merged)
}

fn merge_one(merged: &mut Option<String>, given: Option<&String>, name: &str) -> Result<(), Error> {
    match (merged.as_ref(), given) {
        (_, None) => Ok(()),
        (Some(known), Some(given)) if known == given => Ok(()),
        (None, Some(given)) => {
            *merged = Some(given.clone());
            Ok(())
        }
        (Some(_), Some(_)) => Err(Error::new(
            ErrorKind::Malformed,
            "reference_conflict",
            format!("The reference `{name}` was sent twice with different values. Send it once."),
        )),
    }
}

fn depth(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
