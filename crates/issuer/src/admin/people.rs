//! Users and groups. A group is what users and clients say they are in; it exists as long as somebody is.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extension};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use platform::{Error, ErrorKind};
use serde::Deserialize;
use serde_json::json;

use super::{ADMINISTRATORS, Administrator, Problem, body};
use crate::enrolment::{self, Link};
use crate::issuer::{Issuer, State};
use crate::logout;
use crate::users::{User, checked_groups};

/// Most users of one page.
const PAGE: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    name: String,
    display_name: String,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Groups {
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
}

fn shown(user: &User) -> platform::Json {
    json!({
        "name": user.name,
        "display_name": user.display_name,
        "subject": user.sub,
        "groups": user.groups,
        "disabled": user.disabled,
        "enrolled": user.password.is_some(),
        "second_factor": user.has_totp(),
    })
}

/// A user with the link by which the person enrols: shown once, here.
fn invited(user: &User, link: &Link) -> platform::Json {
    let mut body = shown(user);
    body["enrolment_url"] = json!(link.url.expose());
    body["enrolment_expires_at"] = json!(link.expires_at);
    body
}

pub(super) async fn list(
    Extension(issuer): Extension<Issuer>,
    _: Administrator,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let users = issuer.0.users.page(page.after.as_deref(), PAGE).await?;
    let next = users.last().filter(|_| users.len() == PAGE).map(|u| u.name.clone());
    Ok(Json(json!({"users": users.iter().map(shown).collect::<Vec<_>>(), "next": next})).into_response())
}

pub(super) async fn show(
    Extension(issuer): Extension<Issuer>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    Ok(Json(shown(&find(&issuer.0, &name).await?)).into_response())
}

pub(super) async fn create(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let new: NewPerson = body(&headers, &bytes)?;
    let facts = json!({"groups": new.groups});
    let name = new.name.clone();
    let act = async {
        let user = state.users.create(&new.name, &new.display_name, new.groups).await?;
        enrolment::link(state, &user.name).await
    };
    let (user, link) = admin.act(state, "issuer.user_created", &name, facts, act).await?;
    Ok((StatusCode::CREATED, Json(invited(&user, &link))).into_response())
}

/// New factors by a new link; the old ones and all that they brought end now.
pub(super) async fn reset(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let _one = state.administering.lock().await;
    let act = async {
        let user = find(state, &name).await?;
        keeps_an_administrator(state, &user).await?;
        enrolment::link(state, &user.name).await
    };
    let (user, link) = admin.act(state, "issuer.user_reset", &name, json!({}), act).await?;
    Ok(Json(invited(&user, &link)).into_response())
}

pub(super) async fn disable(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let _one = state.administering.lock().await;
    let act = async {
        keeps_an_administrator(state, &find(state, &name).await?).await?;
        let disabled = state.users.change(&name, |user| {
            user.disabled = true;
            // Browser sessions carry the old mark, and do not come back with the person.
            user.renew_credentials()
        });
        let (_, user) = disabled.await?;
        logout::end_everything(state, &user).await?;
        state.end_runs(&user.sub, None).await?;
        Ok(user)
    };
    let user = admin.act(state, "issuer.user_disabled", &name, json!({}), act).await?;
    Ok(Json(shown(&user)).into_response())
}

pub(super) async fn enable(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let act = async {
        let enabled = state.users.change(&name, |user| {
            user.disabled = false;
            Ok(())
        });
        enabled.await.map(|(_, user)| user)
    };
    let user = admin.act(state, "issuer.user_enabled", &name, json!({}), act).await?;
    Ok(Json(shown(&user)).into_response())
}

pub(super) async fn delete(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let _one = state.administering.lock().await;
    let act = async {
        keeps_an_administrator(state, &find(state, &name).await?).await?;
        let user = state.users.delete(&name).await?;
        logout::end_everything(state, &user).await?;
        state.end_runs(&user.sub, None).await
    };
    admin.act(state, "issuer.user_deleted", &name, json!({}), act).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ends every session and token of a person, who may sign in again.
pub(super) async fn sign_out(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let act = async {
        // New credentials' mark, same factors: sessions and grants that carry the old mark end with it.
        let (_, user) = state.users.change(&name, User::renew_credentials).await?;
        logout::end_everything(state, &user).await?;
        Ok(user)
    };
    let user = admin.act(state, "issuer.user_signed_out", &name, json!({}), act).await?;
    Ok(Json(shown(&user)).into_response())
}

/// Ends the runs of changes that a person asked for or approved, before their next batch; sessions and tokens go on.
pub(super) async fn end_runs(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let act = async {
        let user = find(state, &name).await?;
        state.end_runs(&user.sub, None).await?;
        Ok(user)
    };
    let user = admin.act(state, "issuer.user_runs_ended", &name, json!({}), act).await?;
    Ok(Json(shown(&user)).into_response())
}

pub(super) async fn set_groups(
    Extension(issuer): Extension<Issuer>,
    admin: Administrator,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let groups = checked_groups(body::<Groups>(&headers, &bytes)?.groups)?;
    let _one = state.administering.lock().await;
    let facts = json!({"groups": groups});
    let act = async {
        if !groups.iter().any(|g| g == ADMINISTRATORS) {
            keeps_an_administrator(state, &find(state, &name).await?).await?;
        }
        let changed = state.users.change(&name, |user| {
            user.groups = groups;
            Ok(())
        });
        let (before, after) = changed.await?;
        let lost: Vec<String> = before.groups.into_iter().filter(|group| !after.groups.contains(group)).collect();
        if !lost.is_empty() {
            // Tokens that carry the lost group end; refresh tokens go on, and bring the groups of now.
            state.revoke(platform::revocation::Revoked::Subject(after.sub.clone())).await?;
            state.end_runs(&after.sub, Some(&lost)).await?;
        }
        Ok(after)
    };
    let user = admin.act(state, "issuer.user_groups_set", &name, facts, act).await?;
    Ok(Json(shown(&user)).into_response())
}

pub(super) async fn groups(Extension(issuer): Extension<Issuer>, _: Administrator) -> Result<Response, Problem> {
    let state = &*issuer.0;
    let mut groups: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for user in state.users.all().await? {
        for group in user.groups {
            groups.entry(group).or_default().0.push(user.name.clone());
        }
    }
    for client in state.clients.all().await? {
        for group in client.groups {
            groups.entry(group).or_default().1.push(client.client_id.clone());
        }
    }
    let groups: Vec<platform::Json> = groups
        .into_iter()
        .map(|(name, (members, clients))| json!({"name": name, "members": members, "clients": clients}))
        .collect();
    Ok(Json(json!({"groups": groups})).into_response())
}

async fn find(state: &State, name: &str) -> Result<User, Error> {
    let unknown = || Error::new(ErrorKind::NotFound, "user_unknown", "There is no user of this name.");
    state.users.find(name).await?.ok_or_else(unknown)
}

/// Refuses what would leave nobody to administer. The caller holds `administering`, so that two at once cannot.
async fn keeps_an_administrator(state: &State, without: &User) -> Result<(), Error> {
    let administers =
        |user: &User| user.can_sign_in() && user.has_totp() && user.groups.iter().any(|g| g == ADMINISTRATORS);
    if !administers(without) {
        return Ok(());
    }
    let others = state.users.all().await?.iter().any(|user| user.sub != without.sub && administers(user));
    others.then_some(()).ok_or_else(|| {
        Error::new(
            ErrorKind::Conflict,
            "last_administrator",
            "This is the last administrator who can sign in. Let somebody else of the group `admin` enrol first.",
        )
    })
}
