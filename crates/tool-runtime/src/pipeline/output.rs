//! Output: a result is bounded and conforms to the schema that was published, or it does not leave the platform. One that is
//! larger than a reply may be is kept as an artifact, and a reference leaves instead (T27).

use platform::artifacts::{ArtifactKind, MAX_BYTES};
use platform::{CallContext, Error, ErrorKind, Json};

use super::validate::Validated;
use super::{Answer, Pipeline};
use crate::artifacts::{CallArtifacts, GET_ARTIFACT, LargeResult};
use crate::targets::refresh;
use crate::tool::ToolOutput;

/// A result that conforms.
pub(super) struct Checked {
    pub(super) output: ToolOutput,
    /// Its structured result as JSON text: by this, what must not leave is looked for.
    pub(super) text: Vec<u8>,
    /// Whether it is larger than a reply may be.
    pub(super) large: bool,
}

pub(super) fn check(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    artifacts: &CallArtifacts,
    output: ToolOutput,
) -> Result<Checked, Error> {
    let text = serde_json::to_vec(&output.structured).map_err(Error::internal)?;
    let size = text.len();
    // A part of an artifact never becomes one; the port shows a whole one, however large. What the platform reads for itself
    // is no reply.
    let own = refresh::is_own(cx, call.tool.name());
    let whole = own || (artifacts.has_read() && !call.tool.tool.spec().listed);
    let large = size > road.parts.limits.max_result && !whole;
    // Escaped in JSON, the largest artifact may have twice its bytes.
    let most = if whole { 2 * MAX_BYTES } else { MAX_BYTES };
    if size > most || (large && artifacts.has_read()) {
        return Err(Error::new(
            ErrorKind::Upstream,
            "result_too_large",
            "The result is larger than a reply may be. Ask for fewer rows or fields.",
        )
        .with_detail(format!("{size} bytes")));
    }
    // Most results conform, and to say so costs much less than to say where one does not.
    if !call.tool.output.is_valid(&output.structured) {
        let mistake = call.tool.output.iter_errors(&output.structured).next();
        let place = mistake.map(|mistake| format!("{}: {}", mistake.instance_path(), mistake.masked()));
        return Err(Error::new(
            ErrorKind::Upstream,
            "result_invalid",
            "The target's answer does not have the promised shape; an operator finds the details in the log.",
        )
        .with_detail(place.unwrap_or_default()));
    }
    Ok(Checked { output, text, large })
}

/// Keeps a large answer, redacted as it is, and names it.
pub(super) async fn refer(artifacts: &CallArtifacts, answer: Answer) -> Result<Answer, Error> {
    let bytes = serde_json::to_vec(&answer.structured).map_err(Error::internal)?;
    let artifact = artifacts.put(ArtifactKind::Result, "application/json", &bytes).await?;
    let summary = summary(&answer.structured, &artifact.id, bytes.len());
    let structured = serde_json::to_value(LargeResult { artifact, summary }).map_err(Error::internal)?;
    Ok(Answer { structured, text: None, ..answer })
}

/// Most members of a result that are told of.
const MOST_MEMBERS: usize = 8;

fn summary(result: &Json, id: &str, bytes: usize) -> String {
    let members = result.as_object().into_iter().flatten().filter_map(|(name, member)| match member {
        Json::Array(rows) => Some(format!("`{name}` has {} rows", rows.len())),
        Json::String(text) => Some(format!("`{name}` has {} characters", text.chars().count())),
        Json::Object(members) => Some(format!("`{name}` has {} members", members.len())),
        _ => None,
    });
    let members: Vec<_> = members.take(MOST_MEMBERS).collect();
    let told = if members.is_empty() { String::new() } else { format!(": {}", members.join(", ")) };
    format!(
        "The result has {bytes} bytes, more than a reply may have, and is kept as an artifact{told}. Ask for fewer rows or \
         fields, or read it in parts with `{GET_ARTIFACT}` and the artifact_id {id}."
    )
}
