//! What a tool's answer looks like on the wire: the one place for both ways out (rmcp's types, and bytes).
//!
//! Shape: MCP "Tools, structured content": `structuredContent` and the same JSON as text. Next: [`content`] for blocks,
//! [`asking`] for a call that asks back, [`task`] for one that goes on, `fast_call` and `bridge` for who sends it.

pub(crate) mod asking;
pub(crate) mod content;
pub(crate) mod task;

use platform::{CallContext, Json};
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, CreateTaskResult, ErrorCode, ErrorData, InputRequiredResult,
    MetaObject, NumberOrString,
};
use serde::Serialize;
use serde_json::json;

use crate::asking::ClientAbilities;
use crate::error::{error_data, internal, log_detail, unknown_tool};
use crate::handler::CallReply;
use crate::refusal::refusal_text;
use crate::revision::Era;

/// An answer, before it is bound to a way out.
pub(crate) enum Replied {
    /// The call ended.
    Complete(Outcome),
    /// The caller answers first.
    Asks(InputRequiredResult),
    /// The work goes on.
    Task(CreateTaskResult),
}

/// A finished call.
pub(crate) struct Outcome {
    blocks: Blocks,
    structured: Structured,
    is_error: bool,
    queued_ms: u64,
}

/// Where a result says how long its call waited for its turn.
const QUEUED_KEY: &str = "dev.interlock/queued_ms";

enum Blocks {
    /// One block of text: the usual case.
    Text(String),
    Many(Vec<ContentBlock>),
}

/// The structured content as compact JSON.
enum Structured {
    /// Not an object: older revisions know objects only, and every published schema says `type: object`.
    Absent,
    /// The text block is this very JSON, which is the usual case.
    SameAsText,
    /// A text of its own stands beside it.
    Own(String),
}

/// A reply as a result, or as a JSON-RPC error where the message itself was at fault. Asks and tasks pass only where the
/// caller declared them on this request.
pub(crate) fn outcome(
    reply: CallReply,
    cx: &CallContext,
    era: Era,
    abilities: ClientAbilities,
) -> Result<Replied, ErrorData> {
    match reply {
        CallReply::Result { structured, text, queued_ms } => {
            let object = structured.is_object();
            let compact = structured.to_string();
            let outcome = match (text, object) {
                (None, true) => success(Blocks::Text(compact), Structured::SameAsText),
                (None, false) => success(Blocks::Text(compact), Structured::Absent),
                (Some(text), true) => success(Blocks::Text(text), Structured::Own(compact)),
                (Some(text), false) => success(Blocks::Text(text), Structured::Absent),
            };
            Ok(Replied::Complete(Outcome { queued_ms, ..outcome }))
        }
        CallReply::Content { blocks, structured } => {
            let structured = match structured {
                Some(json) if json.is_object() || era == Era::Modern => Structured::Own(json.to_string()),
                _ => Structured::Absent,
            };
            Ok(Replied::Complete(success(Blocks::Many(blocks.into_iter().map(content::block).collect()), structured)))
        }
        CallReply::Refused(error) => refused(&error, cx),
        CallReply::InputRequired(asked) if era == Era::Modern => {
            asking::allowed(&asked, abilities)?;
            asking::input_required(asked).map(Replied::Asks)
        }
        CallReply::InputRequired(asked) => refused(&asking::cannot_answer(&asked), cx),
        CallReply::Task(task) if abilities.tasks => Ok(Replied::Task(task::created(&task))),
        CallReply::Task(_) | CallReply::NeedsTasks if era == Era::Modern => Err(asking::needs_tasks()),
        CallReply::Task(_) | CallReply::NeedsTasks => refused(&asking::no_tasks(), cx),
        CallReply::UnknownTool(name) => Err(unknown_tool(&name)),
        CallReply::BadRequest(error) => {
            log_detail(&error, cx.request_id);
            Err(bad_request(&error))
        }
    }
}

fn success(blocks: Blocks, structured: Structured) -> Outcome {
    Outcome { blocks, structured, is_error: false, queued_ms: 0 }
}

fn refused(error: &platform::Error, cx: &CallContext) -> Result<Replied, ErrorData> {
    log_detail(error, cx.request_id);
    let compact = serde_json::to_string(error.refusal()).map_err(internal)?;
    let blocks = Blocks::Text(refusal_text(error, cx.request_id));
    Ok(Replied::Complete(Outcome { blocks, structured: Structured::Own(compact), is_error: true, queued_ms: 0 }))
}

/// Always -32602, whatever the kind: the caller's message is at fault.
pub(crate) fn bad_request(error: &platform::Error) -> ErrorData {
    ErrorData { code: ErrorCode::INVALID_PARAMS, ..error_data(error) }
}

impl Replied {
    /// For rmcp, which leaves `resultType` out for older revisions by itself.
    pub(crate) fn into_rmcp(self, era: Era, meta: &MetaObject) -> Result<CallToolResponse, ErrorData> {
        Ok(match self {
            Self::Complete(outcome) => return outcome.into_rmcp(era, Some(meta)),
            Self::Asks(asked) => CallToolResponse::InputRequired(asked.with_meta(meta.clone())),
            Self::Task(task) => CallToolResponse::Task(task.with_meta(meta.clone())),
        })
    }

    /// The whole JSON-RPC response, written once. `meta_json` is the `_meta` object as JSON.
    pub(crate) fn into_bytes(
        self,
        id: &NumberOrString,
        era: Era,
        meta: &MetaObject,
        meta_json: &str,
    ) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Complete(outcome) => outcome.into_bytes(id, era, meta_json),
            Self::Asks(asked) => response_bytes(id, &asked.with_meta(meta.clone())),
            Self::Task(task) => response_bytes(id, &task.with_meta(meta.clone())),
        }
    }
}

impl Outcome {
    /// `meta` goes to revision 2026-07-28 only.
    pub(crate) fn into_rmcp(self, era: Era, meta: Option<&MetaObject>) -> Result<CallToolResponse, ErrorData> {
        let structured = match (&self.structured, &self.blocks) {
            (Structured::SameAsText, Blocks::Text(json)) | (Structured::Own(json), _) => Some(json),
            _ => None,
        };
        let structured: Option<Json> =
            structured.map(|json| serde_json::from_str(json)).transpose().map_err(internal)?;
        let mut result = CallToolResult::success(match self.blocks {
            Blocks::Text(text) => vec![ContentBlock::text(text)],
            Blocks::Many(blocks) => blocks,
        });
        result.structured_content = structured;
        result.is_error = Some(self.is_error);
        result.meta = meta.filter(|_| era == Era::Modern).cloned();
        if let Some(meta) = result.meta.as_mut().filter(|_| self.queued_ms > 0) {
            meta.0.insert(QUEUED_KEY.to_owned(), self.queued_ms.into());
        }
        Ok(CallToolResponse::Complete(result))
    }

    fn into_bytes(self, id: &NumberOrString, era: Era, meta: &str) -> Result<Vec<u8>, serde_json::Error> {
        let text = match &self.blocks {
            Blocks::Text(text) => text.len(),
            Blocks::Many(blocks) => 256 * blocks.len(),
        };
        let mut out = Vec::with_capacity(2 * text + meta.len() + 192);
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        append(&mut out, id)?;
        out.extend_from_slice(br#","result":{"#);
        if era == Era::Modern {
            out.extend_from_slice(br#""resultType":"complete","#);
        }
        out.extend_from_slice(br#""content":"#);
        match &self.blocks {
            Blocks::Text(text) => {
                out.extend_from_slice(br#"[{"type":"text","text":"#);
                append(&mut out, text)?;
                out.extend_from_slice(b"}]");
            }
            Blocks::Many(blocks) => append(&mut out, blocks)?,
        }
        let structured = match (&self.structured, &self.blocks) {
            (Structured::SameAsText, Blocks::Text(json)) | (Structured::Own(json), _) => Some(json),
            _ => None,
        };
        if let Some(json) = structured {
            out.extend_from_slice(br#","structuredContent":"#);
            out.extend_from_slice(json.as_bytes());
        }
        out.extend_from_slice(if self.is_error { br#","isError":true"# } else { br#","isError":false"# });
        if era == Era::Modern {
            out.extend_from_slice(br#","_meta":"#);
            match meta.strip_suffix('}').filter(|_| self.queued_ms > 0) {
                Some(members) => {
                    let comma = if members.ends_with('{') { "" } else { "," };
                    let queued = format!("{members}{comma}\"{QUEUED_KEY}\":{}}}", self.queued_ms);
                    out.extend_from_slice(queued.as_bytes());
                }
                None => out.extend_from_slice(meta.as_bytes()),
            }
        }
        out.extend_from_slice(b"}}");
        Ok(out)
    }
}

fn response_bytes(id: &NumberOrString, result: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// A JSON-RPC error to a request that could be read.
pub(crate) fn error_bytes(id: &NumberOrString, error: &ErrorData) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, value)
}
