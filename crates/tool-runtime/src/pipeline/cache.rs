//! Cache of reads: key = instance, tool, canonical arguments, obligations (T7). It stands after authorisation, so that
//! nobody is answered who would not have been allowed to ask. What is kept is sealed for its key (T24): the shared state
//! may be another program's memory.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Error, canonical};

use super::authorise::Authorised;
use super::validate::Validated;
use super::{Answer, Pipeline};

fn key(call: &Validated, authorised: &Authorised) -> Result<Option<[u8; 32]>, Error> {
    if call.tool.risk.is_write() || call.tool.tool.spec().cache_for.is_none() {
        return Ok(None);
    }
    let obligations: Vec<_> = authorised.decision().obligations.iter().map(|(name, o)| (name, &o.parameters)).collect();
    let identity = (&call.tool.server.name, call.tool.name(), &call.digest, obligations);
    Ok(Some(canonical::sha256(&serde_json::to_vec(&identity).map_err(Error::internal)?)))
}

/// What a cached result is bound to.
fn place(key: &[u8; 32]) -> String {
    format!("cached/{}", URL_SAFE_NO_PAD.encode(key))
}

pub(super) async fn find(road: &Pipeline, call: &Validated, authorised: &Authorised) -> Result<Option<Answer>, Error> {
    let Some(key) = key(call, authorised)? else { return Ok(None) };
    let cached = road.parts.shared.cached(&key).await?;
    let opened = cached.and_then(|sealed| road.parts.results.open(&place(&key), &sealed));
    let structured = opened.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(structured.map(|structured| Answer { structured, text: None, follow_up: None, replayed: false, queued_ms: 0 }))
}

pub(super) async fn keep(
    road: &Pipeline,
    call: &Validated,
    authorised: &Authorised,
    answer: &Answer,
) -> Result<(), Error> {
    let (Some(key), Some(ttl)) = (key(call, authorised)?, call.tool.tool.spec().cache_for) else { return Ok(()) };
    let bytes = serde_json::to_vec(&answer.structured).map_err(Error::internal)?;
    let sealed = road.parts.results.seal(&place(&key), &bytes)?;
    road.parts.shared.keep(key, sealed.into(), ttl).await
}
