//! What people agreed to for clients that nobody here vouches for, so that they are asked once per client, scope, resource
//! and place that the answer goes to, and not every time.

use platform::store::{Collection, Expect};
use platform::{Error, canonical};
use serde_json::json;
use url::Url;

use crate::authorize::AuthorizationRequest;
use crate::issuer::State;
use crate::users::{User, put};

const CONSENTS: Collection = Collection { name: "issuer_consents", indexes: &[] };
/// After this the person is asked again, seconds.
const REMEMBERED_S: i64 = 90 * 86_400;

/// Whether the person agreed to exactly this before.
pub(crate) async fn given(
    state: &State,
    user: &User,
    request: &AuthorizationRequest,
    redirect: &Url,
) -> Result<bool, Error> {
    Ok(state.store.get(CONSENTS, &id(user, request, redirect)?).await?.is_some())
}

/// Remembers that the person agreed.
pub(crate) async fn give(
    state: &State,
    user: &User,
    request: &AuthorizationRequest,
    redirect: &Url,
) -> Result<(), Error> {
    let now = state.clock.epoch_seconds();
    let body = json!({"sub": user.sub, "client_id": request.client_id, "scope": request.scope, "at": now});
    let id = id(user, request, redirect)?;
    put(state.store.as_ref(), CONSENTS, id, Expect::Any, body, Some(now + REMEMBERED_S)).await
}

/// The port of a loopback redirect is another one each time, and not part of it.
fn id(user: &User, request: &AuthorizationRequest, redirect: &Url) -> Result<String, Error> {
    canonical::digest_hex(&json!([
        user.sub,
        request.client_id,
        request.scope,
        request.resource,
        redirect.scheme(),
        redirect.host_str(),
    ]))
}
