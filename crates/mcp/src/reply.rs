//! What a tool's answer looks like on the wire: the one place for both ways out (rmcp's types, and bytes).
//!
//! Shape: MCP "Tools, structured content": `structuredContent` and the same JSON as text. Next: `fast_call`, `bridge`.

use platform::{CallContext, Json};
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData, MetaObject, NumberOrString};
use serde::Serialize;
use serde_json::json;

use crate::error::{error_data, log_detail, unknown_tool};
use crate::handler::CallReply;
use crate::refusal::refusal_text;
use crate::revision::Era;

/// A finished call, before it is bound to a revision.
pub(crate) struct Outcome {
    text: String,
    /// The structured content as compact JSON; `None` when it is the text itself, which is the usual case.
    structured: Structured,
    is_error: bool,
}

enum Structured {
    /// Not an object: older revisions know objects only, and every published schema says `type: object`.
    Absent,
    /// The text block is this very JSON.
    SameAsText,
    /// A text of its own stands beside it.
    Own(String),
}

/// A reply as a result, or as a JSON-RPC error where the message itself was at fault.
pub(crate) fn outcome(reply: CallReply, cx: &CallContext) -> Result<Outcome, ErrorData> {
    match reply {
        CallReply::Result { structured, text } => {
            let object = structured.is_object();
            let compact = structured.to_string();
            Ok(match (text, object) {
                (None, true) => Outcome { text: compact, structured: Structured::SameAsText, is_error: false },
                (None, false) => Outcome { text: compact, structured: Structured::Absent, is_error: false },
                (Some(text), true) => Outcome { text, structured: Structured::Own(compact), is_error: false },
                (Some(text), false) => Outcome { text, structured: Structured::Absent, is_error: false },
            })
        }
        CallReply::Refused(error) => {
            log_detail(&error, cx.request_id);
            let compact = serde_json::to_string(error.refusal()).map_err(crate::error::internal)?;
            let text = refusal_text(&error, cx.request_id);
            Ok(Outcome { text, structured: Structured::Own(compact), is_error: true })
        }
        CallReply::Content { .. } | CallReply::InputRequired(_) | CallReply::Task(_) => {
            Err(crate::error::internal("this kind of reply has no form on the wire yet"))
        }
        CallReply::UnknownTool(name) => Err(unknown_tool(&name)),
        CallReply::BadRequest(error) => {
            log_detail(&error, cx.request_id);
            Err(bad_request(&error))
        }
    }
}

/// Always -32602, whatever the kind: the caller's message is at fault.
pub(crate) fn bad_request(error: &platform::Error) -> ErrorData {
    ErrorData { code: ErrorCode::INVALID_PARAMS, ..error_data(error) }
}

impl Outcome {
    /// For rmcp, which leaves `resultType` out for older revisions by itself.
    pub(crate) fn into_rmcp(self, era: Era, meta: &MetaObject) -> Result<CallToolResult, ErrorData> {
        let structured = match self.structured {
            Structured::Absent => None,
            Structured::SameAsText => Some(&self.text),
            Structured::Own(ref json) => Some(json),
        };
        let structured: Option<Json> =
            structured.map(|json| serde_json::from_str(json)).transpose().map_err(crate::error::internal)?;
        let mut result = CallToolResult::success(vec![ContentBlock::text(self.text)]);
        result.structured_content = structured;
        result.is_error = Some(self.is_error);
        result.meta = (era == Era::Modern).then(|| meta.clone());
        Ok(result)
    }

    /// The whole JSON-RPC response, written once. `meta` is the `_meta` object as JSON.
    pub(crate) fn into_bytes(self, id: &NumberOrString, era: Era, meta: &str) -> Result<Vec<u8>, serde_json::Error> {
        let mut out = Vec::with_capacity(2 * self.text.len() + meta.len() + 192);
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        append(&mut out, id)?;
        out.extend_from_slice(br#","result":{"#);
        if era == Era::Modern {
            out.extend_from_slice(br#""resultType":"complete","#);
        }
        out.extend_from_slice(br#""content":[{"type":"text","text":"#);
        append(&mut out, &self.text)?;
        out.extend_from_slice(b"}]");
        let structured = match &self.structured {
            Structured::Absent => None,
            Structured::SameAsText => Some(&self.text),
            Structured::Own(json) => Some(json),
        };
        if let Some(json) = structured {
            out.extend_from_slice(br#","structuredContent":"#);
            out.extend_from_slice(json.as_bytes());
        }
        out.extend_from_slice(if self.is_error { br#","isError":true"# } else { br#","isError":false"# });
        if era == Era::Modern {
            out.extend_from_slice(br#","_meta":"#);
            out.extend_from_slice(meta.as_bytes());
        }
        out.extend_from_slice(b"}}");
        Ok(out)
    }
}

/// A JSON-RPC error to a request that could be read.
pub(crate) fn error_bytes(id: &NumberOrString, error: &ErrorData) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, value)
}
