//! Artifacts (rule T27): configurations, plans, snapshots, large results and evidence, kept sealed, named by their
//! content, for a limited time. Everything else holds references to them.
//!
//! Equal bytes are one *content*, under one [`ArtifactId`]. Who put them, by which call and for whom is a *reference*; a
//! content has as many as there are different ones, and none of them shows another. The content goes with its last
//! reference.
//!
//! [`ArtifactStore`] is what an engine implements; it sees sealed bytes and never opens them. [`Artifacts`] hashes, seals,
//! opens and sweeps over any of them. Implementations: `backends/artifacts-files`, `backends/artifacts-postgres`. Who may
//! read one is decided by the road (`tool_runtime::pipeline`).

mod sealed;
mod sweep;

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

pub use self::sealed::{Artifacts, Held, NewArtifact};

/// Most bytes of one artifact.
pub const MAX_BYTES: usize = 16 << 20;

/// Names a content: 64 lower-case hexadecimal digits of a keyed hash of its bytes. It opens nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ArtifactId(String);

impl ArtifactId {
    /// Reads an id; `None` for what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 64 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactKind {
    /// A device's configuration.
    Configuration,
    /// A tool's result that is larger than a reply may be.
    Result,
    /// The state of something at one time.
    Snapshot,
    /// What is going to be done.
    Plan,
    /// What shows what was done.
    Evidence,
}

impl ArtifactKind {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Result => "result",
            Self::Snapshot => "snapshot",
            Self::Plan => "plan",
            Self::Evidence => "evidence",
        }
    }
}

/// Who may read an artifact by one of its references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readers {
    /// Whoever policy would allow, at the time of reading, the call that made it.
    Origin,
    /// The platform itself and nobody else: it holds what was not masked.
    Platform,
}

/// The call that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactOrigin {
    /// Server instance.
    pub server: String,
    /// Tool.
    pub tool: String,
    /// `x-request-id` of the first call that made it.
    pub call_id: String,
}

/// What a store keeps of a reference in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactFacts {
    /// What it is.
    pub kind: ArtifactKind,
    /// Media type of the bytes (RFC 6838).
    pub media_type: String,
    /// How many bytes, before sealing.
    pub bytes: u64,
    /// When it was first put, seconds since the epoch.
    pub created_at: i64,
    /// Until when it is kept, seconds since the epoch; from then on it does not exist.
    pub keep_until: i64,
    /// The call that made it.
    pub origin: ArtifactOrigin,
    /// Who may read it.
    pub readers: Readers,
}

/// A reference as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReference {
    /// Unique among the references of its content: 32 lower-case hexadecimal digits.
    pub name: String,
    /// In clear.
    pub facts: ArtifactFacts,
    /// What a reader is authorised by, sealed and bound to the content and to the facts.
    pub sealed: Vec<u8>,
}

/// One content with one of its references, as it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedArtifact {
    /// Its name.
    pub id: ArtifactId,
    /// The bytes, sealed and bound to the id.
    pub content: Vec<u8>,
    /// Whether the content takes the place of one that is there: that one does not open.
    pub replace_content: bool,
    /// The reference.
    pub reference: StoredReference,
    /// Whether the reference takes the place of one of its name, however long that one is kept: it does not open.
    pub replace_reference: bool,
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// References whose time was over.
    pub references: u64,
    /// Contents that had no reference any more.
    pub contents: u64,
    /// Whether there may be more to remove.
    pub more: bool,
}

/// Keeps sealed artifacts.
///
/// Errors: `artifacts_unavailable` ([`ErrorKind::Unavailable`]) for whatever keeps the engine from answering, and then
/// nothing that was acknowledged is lost.
#[async_trait]
pub trait ArtifactStore: Send + Sync + 'static {
    /// Puts a content and a reference; both are durable when this returns. A content that is there already stays, unless
    /// it is to be replaced. A reference of the same name that is kept at least as long stays, unless it is to be replaced.
    async fn put(&self, artifact: SealedArtifact) -> Result<(), Error>;

    /// All references of a content, by name, also those whose time is over; none for an unknown one.
    async fn references(&self, id: &ArtifactId) -> Result<Vec<StoredReference>, Error>;

    /// The sealed bytes of a content.
    async fn content(&self, id: &ArtifactId) -> Result<Option<Vec<u8>>, Error>;

    /// Removes at most `limit` references whose `keep_until` is `now` or earlier, and the contents that have none left,
    /// those too whose reference a crash has cut off.
    async fn sweep(&self, now: i64, limit: usize) -> Result<Swept, Error>;
}

/// The answer for an artifact that is unknown, whose time is over, or that the caller may not read: always the same (T10).
pub fn not_found() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "artifact_not_found",
        "There is no such artifact for you. Its time may be over; make the call again that it came from.",
    )
}

/// The answer for bytes that were changed, moved or cut off.
pub fn damaged(detail: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Internal,
        "artifact_damaged",
        "The stored artifact was changed or is incomplete, so it is not shown. Tell the operator, and make the call again \
         that it came from.",
    )
    .with_detail(detail)
}

/// The answer while the engine cannot be used.
pub fn unavailable(detail: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "artifacts_unavailable",
        "The store of artifacts cannot be used right now. Repeat the call later, and tell the operator if it stays so.",
    )
    .with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::ArtifactId;

    #[test]
    fn an_id_is_64_lower_case_hexadecimal_digits_and_so_never_a_path() {
        let good = "0123456789abcdef".repeat(4);
        assert_eq!(ArtifactId::parse(&good).unwrap().as_str(), good);
        for bad in ["", "../../etc", &good[1..], &good.to_uppercase(), &format!("{}/", &good[1..]), &format!("{good}0")]
        {
            assert_eq!(ArtifactId::parse(bad), None, "{bad}");
        }
    }
}
