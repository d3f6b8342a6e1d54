//! Signing keys (rule T28): listed, and rotated while the issuer runs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::{Administrator, Problem, body};
use crate::issuer::Issuer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    /// Somebody else may have the keys: nothing that they signed is believed any more.
    #[serde(default)]
    compromised: bool,
}

pub(super) async fn list(Extension(issuer): Extension<Issuer>, _: Administrator) -> Result<Response, Problem> {
    let now = issuer.0.clock.epoch_seconds();
    Ok(Json(json!({"keys": issuer.0.keys.list(now)})).into_response())
}

pub(super) async fn rotate(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let Rotation { compromised } = body(&headers, &bytes)?;
    let act = state.rotate_keys(compromised);
    let facts = json!({"compromised": compromised});
    let rotated = admin.act(state, "issuer.keys_rotated", "issuer", facts, act).await?;
    let keys = state.keys.list(state.clock.epoch_seconds());
    Ok(Json(json!({"current": rotated.current, "dropped": rotated.dropped, "keys": keys})).into_response())
}
