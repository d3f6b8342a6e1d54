//! The short way of a plain `tools/call`: the message was read once, so it is answered without rmcp's service machinery
//! (a serve loop, two tasks, channels and a second parse per request; about two thirds of the CPU of a call).
//!
//! Taken only where nothing is in doubt. Anything else, from a header that differs to a member that we do not know, goes
//! to rmcp, which owns the errors; so this file has no error of the protocol's own. `tests/it/both_ways.rs` holds the two
//! ways equal. Next: `bridge`, the long way.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, Response, StatusCode};
use platform::{CallContext, Json};
use rmcp::model::{ClientCapabilities, ErrorCode, NumberOrString};
use serde::Deserialize as _;
use serde_json::Map;

use crate::asking::ClientAbilities;
use crate::bridge::{REFERENCES_KEY, Shared, references};
use crate::error::{Fault, raw_json};
use crate::handler::ToolCall;
use crate::reply::{error_bytes, outcome};
use crate::revision::{Era, Revision};
use crate::screen::{CAPABILITIES_KEY, Message, VERSION_HEADER, VERSION_KEY};

/// A call that is ready to run.
pub(crate) struct FastCall {
    id: NumberOrString,
    era: Era,
    call: ToolCall,
}

/// The call in `message`, if it is a plain one.
pub(crate) fn plain(shared: &Shared, headers: &HeaderMap, message: Message<'_>) -> Option<FastCall> {
    if message.method != "tools/call" {
        return None;
    }
    let id = message.id?;
    let mut params = message.params;
    let Some(Json::String(name)) = params.remove("name") else { return None };
    let arguments = match params.remove("arguments") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(arguments)) => arguments,
        Some(_) => return None,
    };
    let meta = match params.remove("_meta") {
        None => Map::new(),
        Some(Json::Object(meta)) => meta,
        Some(_) => return None,
    };
    // `inputResponses`, `requestState`, `task`; a caller that wants progress or logs; arguments that headers repeat: not
    // plain.
    if !params.is_empty()
        || meta.contains_key("progressToken")
        || shared.extras.logging
        || shared.handler.header_schema(&name).is_some()
    {
        return None;
    }
    let era = era(headers, &meta, &name, &shared.options.revisions)?;
    let mut call = ToolCall::plain(name, arguments, references(meta.get(REFERENCES_KEY)).ok()?);
    if era == Era::Modern {
        let declared = ClientCapabilities::deserialize(meta.get(CAPABILITIES_KEY)?).ok()?;
        call.abilities = ClientAbilities::of(&declared);
    }
    Some(FastCall { id, era, call })
}

/// Runs it and writes the reply.
pub(crate) async fn answer(shared: &Shared, cx: Arc<CallContext>, fast: FastCall) -> Result<Response<Body>, Fault> {
    let FastCall { id, era, call } = fast;
    let abilities = call.abilities;
    let reply = shared.run(era, Arc::clone(&cx), call).await;
    let (status, body) = match outcome(reply, &cx, era, abilities) {
        Ok(replied) => (StatusCode::OK, replied.into_bytes(&id, era, &shared.meta, &shared.meta_json)),
        // As rmcp does it: the one error of a call that is an HTTP error, too.
        Err(error) if error.code == ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => {
            (StatusCode::BAD_REQUEST, error_bytes(&id, &error))
        }
        Err(error) => (StatusCode::OK, error_bytes(&id, &error)),
    };
    match body {
        Ok(body) => Ok(raw_json(status, body)),
        Err(error) => {
            tracing::error!(%error, "a reply could not be written");
            Err(Fault::unwritable().with_id(Some(id)))
        }
    }
}

fn era(headers: &HeaderMap, meta: &Map<String, Json>, name: &str, served: &[Revision]) -> Option<Era> {
    let version = sole(headers, VERSION_HEADER)?;
    match meta.get(VERSION_KEY) {
        None => {
            let legacy = match version {
                // Older clients need not name a version after `initialize`.
                None => served.iter().any(|r| r.is_legacy()),
                Some(text) => Revision::parse(text).is_some_and(|r| r.is_legacy() && served.contains(&r)),
            };
            (legacy && !meta.contains_key(CAPABILITIES_KEY)).then_some(Era::Legacy)
        }
        Some(stated) => {
            let modern = Revision::V2026_07_28;
            let agrees = version == Some(modern.as_str())
                && stated.as_str() == Some(modern.as_str())
                && served.contains(&modern)
                && sole(headers, "mcp-method")? == Some("tools/call")
                && sole(headers, "mcp-name")? == Some(name)
                && !name.starts_with("=?base64?")
                && meta.contains_key(CAPABILITIES_KEY);
            agrees.then_some(Era::Modern)
        }
    }
}

/// `None` when the header occurs twice or is not text: in doubt. `Some(None)` when it is absent.
fn sole<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}
