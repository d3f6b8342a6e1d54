//! Dynamic client registration (RFC 7591), for MCP clients that know nothing else: open in a lab, closed in production
//! (T5, T30). Such a client is public, people are always asked, and it is forgotten when nobody uses it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extension;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use platform::audit::{AuditEntry, Outcome};
use platform::store::{Collection, Expect, Query};
use platform::{Error, strict_json};
use serde::Deserialize;
use serde_json::json;

use crate::browser::Source;
use crate::client_documents::checked_metadata;
use crate::clients::{Client, GrantType};
use crate::issuer::{Issuer, State};
use crate::oauth::{OAuthError, answered};
use crate::throttle::Bucket;
use crate::users::put;

const REGISTERED: Collection = Collection { name: "issuer_registered_clients", indexes: &[] };
/// How ids of such clients begin.
const PREFIX: &str = "dcr-";
/// Most of them at one time.
const MOST: usize = 1_000;
/// One that nobody used is forgotten after this, one that was used after that, seconds.
const UNUSED_S: i64 = 86_400;
const USED_S: i64 = 30 * 86_400;
/// Registrations from one address before it has to wait; an hour without one, and they are forgotten.
const FREE_REGISTRATIONS: u32 = 200;

/// What we read of a registration; other members of RFC 7591 are passed over.
#[derive(Deserialize)]
struct Asked {
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    grant_types: Option<Vec<String>>,
}

/// Whether an id is one of ours to give.
pub(crate) fn is_registered_id(client_id: &str) -> bool {
    client_id.starts_with(PREFIX)
}

/// A client that registered itself.
pub(crate) async fn find(state: &State, client_id: &str) -> Result<Option<Client>, Error> {
    if !state.open_registration || client_id.len() > 64 {
        return Ok(None);
    }
    let record = state.store.get(REGISTERED, client_id).await?;
    record.map(|r| serde_json::from_value(r.body).map_err(Error::internal)).transpose()
}

/// Remembers that a client is used: at most once a day.
pub(crate) async fn used(state: &State, client: &Client) -> Result<(), Error> {
    if !is_registered_id(&client.client_id) {
        return Ok(());
    }
    let Some(record) = state.store.get(REGISTERED, &client.client_id).await? else { return Ok(()) };
    let expires_at = state.clock.epoch_seconds() + USED_S;
    if record.expires_at.is_some_and(|at| at > expires_at - 86_400) {
        return Ok(());
    }
    put(state.store.as_ref(), REGISTERED, record.id, Expect::Any, record.body, Some(expires_at)).await
}

/// `POST /register`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let state = &*issuer.0;
    let answer = register(state, source, &headers, body).await;
    answered(state, source, answer)
}

async fn register(
    state: &State,
    source: Source,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, OAuthError> {
    const METADATA: OAuthError =
        OAuthError::new("invalid_client_metadata", "Send a JSON object as RFC 7591 describes it.");
    if !state.open_registration {
        return Err(OAuthError::new(
            "registration_closed",
            "Clients do not register themselves here. Ask an administrator, or use a client ID metadata document.",
        )
        .with_status(StatusCode::FORBIDDEN));
    }
    let body = body.map_err(|rejection| METADATA.with_status(rejection.status()))?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !media_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(METADATA);
    }
    let bucket = Bucket::codes("registration", source.0, FREE_REGISTRATIONS);
    let now = state.clock.epoch_seconds();
    if state.throttle.wait(&[bucket], now).is_some() {
        return Err(OAuthError::new("temporarily_unavailable", "Too many registrations from here. Try again later.")
            .with_status(StatusCode::TOO_MANY_REQUESTS));
    }
    let readable = !strict_json::too_deep(&body);
    let asked: Asked = readable.then(|| serde_json::from_slice(&body).ok()).flatten().ok_or(METADATA)?;
    let name = asked.client_name.as_deref().unwrap_or("An application without a name");
    let client_id = format!("{PREFIX}{}", uuid::Uuid::new_v4());
    let client =
        checked_metadata(client_id, name, asked.redirect_uris, asked.grant_types.as_deref()).map_err(|why| {
            OAuthError::new(if why.contains("redirect") { "invalid_redirect_uri" } else { METADATA.error }, why)
        })?;
    let all = Query { collection: REGISTERED, filter: None, after: None, limit: MOST, descending: false };
    if state.store.list(all).await?.len() >= MOST {
        return Err(OAuthError::new("temporarily_unavailable", "Too many clients registered themselves here already.")
            .with_status(StatusCode::SERVICE_UNAVAILABLE));
    }
    state.throttle.failed(&[bucket], now);
    let record = serde_json::to_value(&client).map_err(Error::internal)?;
    let store = state.store.as_ref();
    put(store, REGISTERED, client.client_id.clone(), Expect::Absent, record, Some(now + UNUSED_S)).await?;
    let mut entry = AuditEntry::event(state.clock.now(), "issuer.client_registered", Outcome::Success);
    entry.source = source.0;
    entry.protocol = Some("oidc".to_owned());
    entry.facts.insert("client_id".into(), json!(client.client_id));
    entry.facts.insert("client_name".into(), json!(client.name));
    state.audit.append(entry).await?;
    Ok((StatusCode::CREATED, Json(answer(&client, now))).into_response())
}

/// What was registered (RFC 7591, section 3.2.1): where it differs from what was asked, this is what holds.
fn answer(client: &Client, now: i64) -> platform::Json {
    json!({
        "client_id": client.client_id,
        "client_id_issued_at": now,
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": client.grants.iter().map(|g| GrantType::name(*g)).collect::<Vec<_>>(),
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "openid profile mcp",
    })
}
