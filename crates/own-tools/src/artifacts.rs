//! `get_artifact`: an artifact in parts; and the port behind its resource, which gives the whole of it. Both read as the
//! caller: `tool_runtime::artifacts` asks policy for the call that made it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use platform::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::artifacts::{ArtifactReference, GET_ARTIFACT, OpenedArtifact, READ_ARTIFACT};
use tool_runtime::tool::typed;
use tool_runtime::{ResourceSpec, Tool, ToolSpec};

/// Bytes of a part when the caller does not say.
const USUAL: usize = 32 << 10;
/// Most bytes of a part.
const MOST: usize = 256 << 10;

/// Artifacts as resources.
pub(super) const ARTIFACT: ResourceSpec = ResourceSpec {
    path: "artifacts/{artifact_id}",
    name: "artifact",
    title: "Artifact",
    description: "What a call left behind and a result names: a configuration, a large result, evidence. As text, whole.",
    mime_type: "text/plain",
    tool: READ_ARTIFACT,
    text: Some("/content"),
    completions: &[],
};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// The id, from a result with `artifact`.
    #[schemars(length(min = 1, max = 64))]
    artifact_id: String,
    /// Bytes to skip: 0, or the `next_offset` of the part before.
    #[serde(default)]
    offset: u64,
    /// Most bytes of this part; 32,768 when left out.
    #[schemars(range(min = 1, max = 262_144))]
    limit: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
struct Whole {
    /// The id.
    #[schemars(length(min = 1, max = 64))]
    artifact_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Part {
    /// What it is part of.
    artifact: ArtifactReference,
    /// `text`, or `base64` for what is no text.
    encoding: String,
    /// Where this part begins, in bytes.
    offset: u64,
    /// The part.
    content: String,
    /// Where the next part begins; nothing at the end.
    next_offset: Option<u64>,
}

pub(super) fn get_artifact() -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Part>(
        GET_ARTIFACT,
        "Get an artifact",
        "Reads an artifact that a result names: a large result, a configuration, evidence. It comes in parts; pass \
         `next_offset` as `offset` for the next one. You can read what you could also get by the call that made it.",
    )
    .example(json!({"artifact_id": "…", "limit": 4096}));
    typed(spec, |cx, args: Args| async move {
        let opened = cx.artifacts.read(&args.artifact_id).await?;
        let limit = args.limit.map_or(USUAL, |limit| usize::try_from(limit).unwrap_or(MOST)).min(MOST);
        let limit = limit.min(cx.artifacts.most_of_a_part());
        Ok(part(opened, usize::try_from(args.offset).unwrap_or(usize::MAX), limit))
    })
}

pub(super) fn read_artifact() -> Arc<dyn Tool> {
    let mut spec = ToolSpec::new::<Whole, Part>(READ_ARTIFACT, "Read an artifact", "Reads the whole of an artifact.");
    spec.listed = false;
    typed(spec, |cx, args: Whole| async move {
        let opened = cx.artifacts.read(&args.artifact_id).await?;
        let part = part(opened, 0, usize::MAX);
        if part.encoding == TEXT { Ok(part) } else { Err(not_text()) }
    })
}

const TEXT: &str = "text";

fn not_text() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "artifact_not_text",
        "This artifact is no text, so it is no resource. Read it in parts with `get_artifact`.",
    )
}

/// What is text is cut between characters, so that every part is text too.
fn part(opened: OpenedArtifact, offset: usize, limit: usize) -> Part {
    let OpenedArtifact { reference, bytes } = opened;
    let all = bytes.len();
    let textual = reference.media_type.starts_with("text/") || reference.media_type == "application/json";
    let (offset, end, encoding, content) = match std::str::from_utf8(&bytes) {
        Ok(text) if textual => {
            let start = next_character(text, offset);
            let mut end = previous_character(text, start.saturating_add(limit));
            if end <= start {
                // A limit below one character still moves on.
                end = next_character(text, start.saturating_add(1));
            }
            (start, end, TEXT, text.get(start..end).unwrap_or_default().to_owned())
        }
        _ => {
            let start = offset.min(all);
            let end = start.saturating_add(limit).min(all);
            (start, end, "base64", STANDARD.encode(bytes.get(start..end).unwrap_or_default()))
        }
    };
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Part {
        artifact: reference,
        encoding: encoding.to_owned(),
        offset: number(offset),
        content,
        next_offset: (end < all).then(|| number(end)),
    }
}

fn next_character(text: &str, at: usize) -> usize {
    (at.min(text.len())..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

fn previous_character(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use tool_runtime::artifacts::{ArtifactReference, OpenedArtifact};

    use super::{Part, part};

    fn opened(bytes: &[u8], media_type: &str) -> OpenedArtifact {
        let reference = ArtifactReference {
            id: String::new(),
            kind: "result".into(),
            media_type: media_type.into(),
            bytes: bytes.len() as u64,
            keep_until: String::new(),
            uri: String::new(),
        };
        OpenedArtifact { reference, bytes: bytes.to_vec() }
    }

    fn parts(bytes: &[u8], media_type: &str, limit: usize) -> Vec<Part> {
        let (mut all, mut next) = (Vec::new(), Some(0));
        while let Some(offset) = next {
            let part = part(opened(bytes, media_type), offset as usize, limit);
            next = part.next_offset;
            all.push(part);
        }
        all
    }

    #[test]
    fn text_is_cut_between_characters_and_the_parts_are_the_whole() {
        let text = "aüb€c\u{1f600}d";
        for limit in 1..=20 {
            let parts = parts(text.as_bytes(), "text/plain", limit);
            assert_eq!(parts.iter().map(|p| p.content.as_str()).collect::<String>(), text, "{limit}");
            assert!(parts.iter().all(|p| p.encoding == "text" && p.content.len() <= limit.max(4)), "{limit}");
        }
        let inside = part(opened(text.as_bytes(), "text/plain"), 2, 3);
        assert_eq!((inside.offset, inside.content.as_str()), (3, "b"), "it begins with a whole character");
        let beyond = part(opened(text.as_bytes(), "text/plain"), 1_000, 3);
        assert_eq!((beyond.offset, beyond.content.as_str(), beyond.next_offset), (text.len() as u64, "", None));
    }

    #[test]
    fn what_is_no_text_comes_as_base64() {
        for (bytes, media_type) in [(&b"\xff\xfe\x00"[..], "text/plain"), (b"text", "application/octet-stream")] {
            let parts = parts(bytes, media_type, 2);
            assert!(parts.len() == 2 && parts.iter().all(|p| p.encoding == "base64"));
        }
        assert_eq!(part(opened(b"\xff\xfe\x00", "text/plain"), 1, 2).content, "/gA=");
        assert_eq!(part(opened(b"", "text/plain"), 0, 2).next_offset, None);
    }
}
