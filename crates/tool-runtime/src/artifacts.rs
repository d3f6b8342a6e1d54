//! What tools see of artifacts (rule T27): how one is put, how a result names it, and how one is read again. Who may read it
//! is decided by the road, in `pipeline/artifacts.rs`.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use platform::artifacts::{
    ArtifactFacts, ArtifactId, ArtifactKind, ArtifactOrigin, Artifacts, MAX_BYTES, NewArtifact, Readers, not_found,
    unavailable,
};
use platform::policy::TargetFacts;
use platform::{CallContext, Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::catalogue::{OWN_SERVER, RegisteredTool};
use crate::pipeline::{self, Pipeline};
use crate::tool::schema_of;

/// The tool that reads an artifact in parts.
pub const GET_ARTIFACT: &str = "get_artifact";

/// The port behind the resource `interlock://interlock/artifacts/{artifact_id}`: the whole of it. What an endpoint may show
/// is decided by where the artifact came from, so the port is reached at every endpoint (T1).
pub const READ_ARTIFACT: &str = "read_artifact";

/// Most ids of one call that go on record.
const MOST_NOTED: usize = 50;

/// An artifact, as results name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactReference {
    /// Its id: `get_artifact` reads it.
    pub id: String,
    /// `configuration`, `result`, `snapshot`, `plan`, `evidence`.
    pub kind: String,
    /// Media type of its bytes.
    pub media_type: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Until when it is kept, RFC 3339.
    pub keep_until: String,
    /// The same as a resource.
    pub uri: String,
}

impl ArtifactReference {
    pub(crate) fn of(id: &ArtifactId, facts: &ArtifactFacts) -> Self {
        Self {
            id: id.to_string(),
            kind: facts.kind.as_str().to_owned(),
            media_type: facts.media_type.clone(),
            bytes: facts.bytes,
            keep_until: jiff::Timestamp::from_second(facts.keep_until).unwrap_or_default().to_string(),
            uri: format!("interlock://{OWN_SERVER}/artifacts/{id}"),
        }
    }
}

/// What stands in place of a result that is larger than a reply may be.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LargeResult {
    /// The whole result, as JSON.
    pub artifact: ArtifactReference,
    /// How large it is, what is in it, and how to go on.
    pub summary: String,
}

/// The schema to publish for a tool whose result fits `result`: that, or a reference to a result that is too large.
pub fn or_large_result(result: &Json) -> Json {
    or_one_of(result, [large_result_schema()])
}

/// The schema to publish for a tool whose result fits `result`, or one of others.
pub fn or_one_of(result: &Json, others: impl IntoIterator<Item = Json>) -> Json {
    let mut result = result.as_object().cloned().unwrap_or_default();
    let mut published = Map::new();
    // References such as `#/$defs/Row` resolve from the root of the document, so what they name has to move there.
    for key in ["$schema", "$defs", "definitions"] {
        if let Some(value) = result.remove(key) {
            published.insert(key.to_owned(), value);
        }
    }
    published.insert("type".to_owned(), "object".into());
    let choices: Vec<Json> = std::iter::once(result.into()).chain(others).collect();
    published.insert("anyOf".to_owned(), choices.into());
    published.into()
}

/// JSON Schema of [`LargeResult`].
pub fn large_result_schema() -> Json {
    let mut schema = schema_of::<LargeResult>();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    schema
}

/// The port of the artifacts, which no list shows.
pub(crate) fn is_port(tool: &RegisteredTool) -> bool {
    tool.server.name == OWN_SERVER && tool.name() == READ_ARTIFACT
}

/// What a reader is authorised by: the call, as policy saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeBy {
    pub(crate) arguments: Json,
    pub(crate) digest: String,
    pub(crate) targets: Vec<TargetFacts>,
    /// When the targets were looked at, seconds since the epoch.
    pub(crate) at: i64,
    /// The change that it is about: whoever may not see that change may not read it either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<String>,
}

/// Opens what was sealed unmasked for a server's ports; for every other server it does not exist.
pub(crate) async fn open_of_ports(artifacts: &Artifacts, server: &str, id: &ArtifactId) -> Result<Vec<u8>, Error> {
    let held = artifacts.find::<MadeBy>(id).await?;
    let ours = held.iter().any(|h| h.facts.readers == Readers::Platform && h.facts.origin.server == server);
    if ours { artifacts.open(id).await } else { Err(not_found()) }
}

/// An artifact that was read.
pub struct OpenedArtifact {
    /// What it is.
    pub reference: ArtifactReference,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The artifacts of one call. Cheap to clone.
#[derive(Clone)]
pub struct CallArtifacts(Arc<Inner>);

struct Inner {
    /// Nothing where the platform itself asks a connector something.
    artifacts: Option<Arc<Artifacts>>,
    origin: ArtifactOrigin,
    made_by: MadeBy,
    /// Whether the tool is a port: only those open what was not masked.
    port: bool,
    /// Most bytes of a part that a reply has room for, however it is escaped.
    most_of_a_part: usize,
    /// Decides who may read; nothing outside the road.
    road: Option<(Weak<Pipeline>, Arc<CallContext>)>,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    ids: Vec<String>,
    made: Vec<Json>,
    read: bool,
}

impl CallArtifacts {
    pub(crate) fn of_call(
        artifacts: &Arc<Artifacts>,
        origin: ArtifactOrigin,
        made_by: MadeBy,
        port: bool,
        most_of_a_part: usize,
        road: (Weak<Pipeline>, Arc<CallContext>),
    ) -> Self {
        Self(Arc::new(Inner {
            artifacts: Some(Arc::clone(artifacts)),
            origin,
            made_by,
            port,
            most_of_a_part,
            road: Some(road),
            noted: Mutex::default(),
        }))
    }

    /// For what the platform asks a connector by itself, to look a target up or to try a credential: nothing is kept.
    pub fn none() -> Self {
        Self::without_road(None, "", "")
    }

    /// For a tool that runs outside the road, in its own tests: it can put artifacts and read none.
    pub fn apart(artifacts: Arc<Artifacts>, server: &str, tool: &str) -> Self {
        Self::without_road(Some(artifacts), server, tool)
    }

    fn without_road(artifacts: Option<Arc<Artifacts>>, server: &str, tool: &str) -> Self {
        let origin = ArtifactOrigin { server: server.to_owned(), tool: tool.to_owned(), call_id: String::new() };
        let made_by = MadeBy { arguments: Json::Null, digest: String::new(), targets: Vec::new(), at: 0, change: None };
        Self(Arc::new(Inner {
            artifacts,
            origin,
            made_by,
            port: false,
            most_of_a_part: MAX_BYTES,
            road: None,
            noted: Mutex::default(),
        }))
    }

    /// Keeps bytes that callers may see: whoever policy would allow this very call may read them. Durable when this
    /// returns. Errors: `artifact_too_large`, `artifacts_unavailable`.
    pub async fn put(&self, kind: ArtifactKind, media_type: &str, bytes: &[u8]) -> Result<ArtifactReference, Error> {
        self.keep(kind, media_type, bytes, Readers::Origin).await
    }

    /// Keeps bytes that nobody may see, because they were not masked: only ports of the same server open them, for the
    /// platform's own work. Durable when this returns. Errors as for [`CallArtifacts::put`].
    pub async fn put_sealed_unmasked(
        &self,
        kind: ArtifactKind,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<ArtifactReference, Error> {
        self.keep(kind, media_type, bytes, Readers::Platform).await
    }

    /// Opens what [`CallArtifacts::put_sealed_unmasked`] kept, in a port of the same server. For everybody else it does not
    /// exist: `artifact_not_found`.
    pub async fn open_unmasked(&self, id: &str) -> Result<Vec<u8>, Error> {
        let id = ArtifactId::parse(id).filter(|_| self.0.port).ok_or_else(not_found)?;
        self.note(&id, false);
        open_of_ports(self.all()?, &self.0.origin.server, &id).await
    }

    /// Reads an artifact as the caller. Errors: `artifact_not_found` for one that is unknown or not for this caller,
    /// `artifact_damaged`, and what policy asks for before the call that made it could be made (`step_up_required`).
    pub async fn read(&self, id: &str) -> Result<OpenedArtifact, Error> {
        let id = ArtifactId::parse(id).ok_or_else(not_found)?;
        self.note(&id, true);
        let (road, cx) = self.0.road.as_ref().ok_or_else(not_found)?;
        let road = road.upgrade().ok_or_else(|| Error::internal("a call outlived its pipeline"))?;
        let facts = pipeline::may_read(&road, cx, self.all()?, &id).await?;
        let bytes = self.all()?.open(&id).await?;
        Ok(OpenedArtifact { reference: ArtifactReference::of(&id, &facts), bytes })
    }

    /// Most bytes of an artifact that one reply shows.
    pub fn most_of_a_part(&self) -> usize {
        self.0.most_of_a_part
    }

    async fn keep(
        &self,
        kind: ArtifactKind,
        media_type: &str,
        bytes: &[u8],
        readers: Readers,
    ) -> Result<ArtifactReference, Error> {
        let Inner { origin, made_by, .. } = self.0.as_ref();
        let new = NewArtifact {
            kind,
            media_type,
            bytes,
            origin: origin.clone(),
            readers,
            call: &made_by.digest,
            context: made_by,
            keep_until: None,
        };
        let (id, facts) = self.all()?.put(new).await?;
        self.note(&id, false);
        let reference = ArtifactReference::of(&id, &facts);
        let made = serde_json::to_value(&reference).map_err(Error::internal)?;
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).made.push(made);
        Ok(reference)
    }

    fn all(&self) -> Result<&Artifacts, Error> {
        self.0.artifacts.as_deref().ok_or_else(|| unavailable("a call that keeps nothing"))
    }

    fn note(&self, id: &ArtifactId, read: bool) {
        let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.read |= read;
        if noted.ids.len() < MOST_NOTED && !noted.ids.iter().any(|known| known == id.as_str()) {
            noted.ids.push(id.to_string());
        }
    }

    /// The ids that the call put, read, or asked for.
    pub(crate) fn noted(&self) -> Vec<String> {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).ids.clone()
    }

    /// The references that the call made, as they stand in its result: words of ours, in which nothing has to be masked.
    pub(crate) fn made(&self) -> Vec<Json> {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).made.clone()
    }

    /// Whether the call read one: then its result is a part of an artifact, and becomes none itself.
    pub(crate) fn has_read(&self) -> bool {
        self.0.noted.lock().unwrap_or_else(PoisonError::into_inner).read
    }
}
