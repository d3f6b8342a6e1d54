//! Who may read an artifact (T27): whoever policy would allow, now, the call that made it, at an endpoint that reaches its
//! tool. Nothing of the caller's past counts: who lost a group reads no more. One that may not be read is as unknown as one
//! that does not exist (T10).

use std::sync::Arc;

use platform::artifacts::{
    ArtifactFacts, ArtifactId, ArtifactKind, ArtifactOrigin, Artifacts, Held, NewArtifact, Readers, not_found,
};
use platform::context::{CallReferences, RequestId};
use platform::policy::TargetFacts;
use platform::{CallContext, Error, ErrorKind, Json, canonical};

use super::authorise::Authorised;
use super::validate::Validated;
use super::{CallRequest, Pipeline, Reach, authorise, resolve, step_up};
use crate::artifacts::{ArtifactReference, CallArtifacts, MadeBy, open_of_ports};
use crate::catalogue::OWN_SERVER;

/// Most references of one artifact that are tried.
const MOST_TRIED: usize = 100;

/// The artifacts of a call that is going to run.
pub(super) fn of_call(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    call: &Validated,
    authorised: &Authorised,
) -> CallArtifacts {
    let origin = ArtifactOrigin {
        server: call.tool.server.name.clone(),
        tool: call.tool.name().to_owned(),
        call_id: cx.request_id.to_string(),
    };
    let made_by = MadeBy {
        arguments: call.arguments.clone(),
        digest: call.digest.clone(),
        targets: authorised.targets().to_vec(),
        at: road.parts.clock.epoch_seconds(),
        change: None,
    };
    let port = !call.tool.tool.spec().listed;
    // A text may grow fourfold as JSON in JSON.
    let most = road.parts.limits.max_result / 4;
    CallArtifacts::of_call(&road.parts.artifacts, origin, made_by, port, most, (road.own.clone(), Arc::clone(cx)))
}

/// What seals texts of a change, in the place of a tool's name: it is no tool.
const SEALER: &str = "change_control";

/// The tool whose callers read evidence.
const GET_EVIDENCE: &str = "get_evidence";

impl Pipeline {
    /// Seals bytes unmasked for the ports of a server, outside a call: the platform's own work on a change.
    pub(crate) async fn seal_for_ports(
        &self,
        cx: &CallContext,
        server: &str,
        kind: ArtifactKind,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<ArtifactReference, Error> {
        let digest = hex::encode(canonical::sha256(bytes));
        let origin =
            ArtifactOrigin { server: server.to_owned(), tool: SEALER.to_owned(), call_id: cx.request_id.to_string() };
        let at = self.parts.clock.epoch_seconds();
        let made_by = MadeBy { arguments: Json::Null, digest: digest.clone(), targets: Vec::new(), at, change: None };
        let new = NewArtifact {
            kind,
            media_type,
            bytes,
            origin,
            readers: Readers::Platform,
            call: &digest,
            context: &made_by,
            keep_until: None,
        };
        let (id, facts) = self.parts.artifacts.put(new).await?;
        Ok(ArtifactReference::of(&id, &facts))
    }

    /// Keeps what shows how a change went, outside a call: it is read by whoever may call `get_evidence` and may see the change.
    /// Errors: `artifact_too_large`, `artifacts_unavailable`.
    pub async fn keep_evidence(&self, change: &str, bytes: &[u8]) -> Result<ArtifactReference, Error> {
        let arguments = serde_json::json!({ "change_id": change });
        let digest = canonical::digest_hex(&arguments)?;
        let origin = ArtifactOrigin {
            server: OWN_SERVER.to_owned(),
            tool: GET_EVIDENCE.to_owned(),
            call_id: RequestId::mint().to_string(),
        };
        let at = self.parts.clock.epoch_seconds();
        let change = Some(change.to_owned());
        let made_by = MadeBy { arguments, digest: digest.clone(), targets: Vec::new(), at, change };
        let new = NewArtifact {
            kind: ArtifactKind::Evidence,
            media_type: "application/x-tar",
            bytes,
            origin,
            readers: Readers::Origin,
            call: &digest,
            context: &made_by,
            keep_until: None,
        };
        let (id, facts) = self.parts.artifacts.put(new).await?;
        Ok(ArtifactReference::of(&id, &facts))
    }

    /// Opens what a server's ports sealed unmasked, outside a call.
    pub(crate) async fn open_of_ports(&self, server: &str, id: &str) -> Result<Vec<u8>, Error> {
        let id = ArtifactId::parse(id).ok_or_else(not_found)?;
        open_of_ports(&self.parts.artifacts, server, &id).await
    }
}

/// The facts of the first reference by which this caller may read, or the refusal.
pub(crate) async fn may_read(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    artifacts: &Artifacts,
    id: &ArtifactId,
) -> Result<ArtifactFacts, Error> {
    let mut challenged = None;
    let held = artifacts.find::<MadeBy>(id).await?;
    for Held { facts, context } in held.into_iter().filter(|h| h.facts.readers == Readers::Origin).take(MOST_TRIED) {
        match by_reference(road, cx, &facts.origin, context).await {
            Ok(()) => return Ok(facts),
            Err(refusal) => match refusal.kind() {
                ErrorKind::NotFound | ErrorKind::Forbidden => {}
                ErrorKind::Unmet => challenged = Some(refusal),
                _ => return Err(refusal),
            },
        }
    }
    Err(challenged.unwrap_or_else(not_found))
}

async fn by_reference(
    road: &Pipeline,
    cx: &Arc<CallContext>,
    origin: &ArtifactOrigin,
    made_by: MadeBy,
) -> Result<(), Error> {
    if let Some(change) = &made_by.change
        && !road.parts.changes.shows(change, &cx.principal).await?
    {
        return Err(not_found());
    }
    let request = CallRequest {
        server: origin.server.clone(),
        tool: origin.tool.clone(),
        arguments: Json::Null,
        references: CallReferences::default(),
    };
    let tool = resolve::resolve(road, cx, &request, Reach::Ports).await?;
    // As the targets were known then: what they are called today may not be reachable any more.
    let age_s = road.parts.clock.epoch_seconds() - made_by.at;
    let older = |facts: TargetFacts| TargetFacts { age_s: facts.age_s.saturating_add(age_s.max(0)), ..facts };
    let targets: Arc<[TargetFacts]> = made_by.targets.into_iter().map(older).collect();
    let call = Validated {
        tool,
        arguments: made_by.arguments,
        secrets: Arc::default(),
        references: CallReferences::default(),
        digest: made_by.digest,
    };
    // The call that reads has a record of its own; what is asked here names no call that is made.
    let known = authorise::Facts { targets, covered: None };
    let authorised = authorise::authorise(road, cx, &call, known, &mut None).await?.granted()?;
    // Nothing is done again: for what a write left behind the role grant is enough, as for a replay (T7).
    if !call.tool.risk.is_write() {
        step_up::require(road, cx, &call, authorised).await?;
    }
    Ok(())
}
