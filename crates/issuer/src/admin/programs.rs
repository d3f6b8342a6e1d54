//! OAuth clients that somebody here vouches for. A secret is generated here and shown once.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State as Extension};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use platform::{Error, ErrorKind, Secret};
use serde::Deserialize;
use serde_json::json;

use super::{Administrator, Problem, body};
use crate::clients::{Client, GrantType, NewClient};
use crate::issuer::{Issuer, State};
use crate::keys::random_id;
use crate::registration;
use crate::users::checked_groups;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProgram {
    client_id: String,
    name: String,
    /// `grant_type`s as on the wire.
    grants: Vec<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    introspects: Vec<String>,
    /// With a generated secret; otherwise public.
    #[serde(default)]
    confidential: bool,
}

fn shown(client: &Client) -> platform::Json {
    json!({
        "client_id": client.client_id,
        "name": client.name,
        "confidential": !client.is_public(),
        "grants": client.grants.iter().map(|g| g.name()).collect::<Vec<_>>(),
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "backchannel_logout_uri": client.backchannel_logout_uri,
        "groups": client.groups,
        "introspects": client.introspects,
    })
}

pub(super) async fn list(Extension(issuer): Extension<Issuer>, _: Administrator) -> Result<Response, Problem> {
    let clients: Vec<platform::Json> = issuer.0.clients.all().await?.iter().map(shown).collect();
    Ok(Json(json!({"clients": clients})).into_response())
}

pub(super) async fn show(
    Extension(issuer): Extension<Issuer>,
    _: Administrator,
    Path(client_id): Path<String>,
) -> Result<Response, Problem> {
    let unknown = || Error::new(ErrorKind::NotFound, "client_unknown", "There is no client of this id.");
    let client = issuer.0.clients.find(&client_id).await?.ok_or_else(unknown)?;
    Ok(Json(shown(&client)).into_response())
}

pub(super) async fn create(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let new: NewProgram = body(&headers, &bytes)?;
    let facts = json!({"grants": new.grants, "redirect_uris": new.redirect_uris, "groups": new.groups,
        "backchannel_logout_uri": new.backchannel_logout_uri, "introspects": new.introspects});
    let client_id = new.client_id.clone();
    let (client, secret) = admin.act(state, "issuer.client_created", &client_id, facts, made(state, new)).await?;
    let mut body = shown(&client);
    if let Some(secret) = secret {
        body["client_secret"] = json!(secret.expose());
    }
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn made(state: &State, new: NewProgram) -> Result<(Client, Option<Secret>), Error> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidInput, "client_invalid", message);
    let mut grants = Vec::new();
    for name in &new.grants {
        grants.push(GrantType::named(name).ok_or_else(|| invalid(format!("There is no grant `{name}`.")))?);
    }
    if registration::is_registered_id(&new.client_id) {
        return Err(invalid("Ids that begin with `dcr-` are for clients that register themselves.".to_owned()));
    }
    let secret = new.confidential.then(random_id).transpose()?.map(Secret::new);
    let client = NewClient {
        client_id: new.client_id,
        secret: secret.clone(),
        redirect_uris: new.redirect_uris,
        grants,
        groups: checked_groups(new.groups)?,
        name: new.name,
        post_logout_redirect_uris: new.post_logout_redirect_uris,
        backchannel_logout_uri: new.backchannel_logout_uri,
        introspects: new.introspects,
        seeded: false,
    };
    Ok((state.clients.create(client).await?, secret))
}

pub(super) async fn delete(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(client_id): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let act = async {
        let client = state.clients.delete(&client_id).await?;
        if client.may(GrantType::ClientCredentials) {
            // Its own tokens carry its id as their subject.
            state.revoke(platform::revocation::Revoked::Subject(client.client_id.clone())).await?;
            state.end_runs(&client.client_id, None).await?;
        }
        state.end_families("client", &client.client_id).await
    };
    admin.act(state, "issuer.client_deleted", &client_id, json!({}), act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
