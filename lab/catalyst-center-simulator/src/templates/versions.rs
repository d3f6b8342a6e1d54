//! Committed versions of templates: lists in the shapes of both generations, one version, commit.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BASE, Project, Template, Version, bent, object, text};
use crate::effects::Origin;
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const OWN: &str = "/dna/intent/api/v1/templates/{id}/versions";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/template/version"), post(commit))
        .route(&format!("{BASE}/template/version/{{id}}"), get(versions))
        .route(OWN, get(own_list))
        .route(&format!("{OWN}/count"), get(own_count))
        .route(&format!("{OWN}/commit"), post(own_commit))
        .route(&format!("{OWN}/{{version}}"), get(own_one))
}

/// The row of the old lists.
pub(super) fn list_row(project: Option<&Project>, template: &Template) -> Value {
    json!({
        "name": text(&template.body, "name"), "projectName": project.map(|project| &project.name), "projectId": template.project,
        "templateId": template.id, "versionsInfo": version_info(template), "composite": false,
        "language": text(&template.body, "language"), "customParamsOrder": false, "projectAssociated": true,
        "documentDatabase": false,
    })
}

/// The versions of a template in no order that anybody may rely on: here the oldest comes last.
pub(super) fn version_info(template: &Template) -> Value {
    let mut versions: Vec<&Version> = template.versions.iter().collect();
    let first = versions.len().min(1);
    versions.rotate_left(first);
    let row = |version: &&Version| {
        json!({
            "id": version.id, "version": version.number.to_string(), "versionTime": version.time_ms,
            "author": "admin", "versionComment": version.comment, "description": version.comment,
        })
    };
    Value::from(versions.iter().map(row).collect::<Vec<_>>())
}

async fn versions(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let template = simulator.known_template(&id)?;
    bare(json!([list_row(simulator.project_of(&template).as_ref(), &template)]))
}

/// The row of `/templates/{id}/versions`.
fn own_row(template: &Template, version: &Version) -> Value {
    json!({
        "versionId": version.id, "templateId": template.id, "version": version.number, "versionTime": version.time_ms,
        "commitNote": version.comment, "name": text(&version.body, "name"), "projectId": template.project,
        "language": text(&version.body, "language"), "author": "admin",
        "templateContent": text(&version.body, "templateContent"),
        "templateParams": version.body.get("templateParams"), "productFamily": version.body.get("deviceTypes"),
        "softwareFamily": text(&version.body, "softwareType"),
    })
}

fn matching<'a>(template: &'a Template, params: &Params) -> Result<Vec<&'a Version>, Fail> {
    let number = params.number("versionNumber")?;
    let latest = template.latest().map(|version| version.number);
    let mut versions: Vec<&Version> = template
        .versions
        .iter()
        .filter(|version| number.is_none_or(|number| i64::from(version.number) == number))
        .filter(|version| !params.is_true("latestVersion") || Some(version.number) == latest)
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    if params.get("order").is_some_and(|order| order.eq_ignore_ascii_case("asc")) {
        versions.reverse();
    }
    Ok(versions)
}

async fn own_list(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let template = simulator.known_template(&id)?;
    let rows = page.of(matching(&template, &params)?);
    enveloped(rows.into_iter().map(|version| own_row(&template, version)).collect::<Vec<_>>())
}

async fn own_count(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let template = simulator.known_template(&id)?;
    enveloped(json!({ "count": matching(&template, &params)?.len() }))
}

async fn own_one(State(simulator): State<Shared>, Path((id, version)): Path<(String, String)>) -> Answer {
    let template = simulator.known_template(&id)?;
    let found = template.versions.iter().find(|held| held.id.to_string() == version);
    let found = found.ok_or_else(|| Fail::missing(format!("NCTP11003: Version not found: {version}")))?;
    enveloped(own_row(&template, found))
}

async fn commit(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body = object(&body)?;
    let path = format!("{BASE}/template/version");
    commit_as(&simulator, &headers, path, text(&body, "templateId"), text(&body, "comments"))
}

async fn own_commit(
    State(simulator): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let body = object(&body)?;
    let path = format!("/dna/intent/api/v1/templates/{id}/versions/commit");
    commit_as(&simulator, &headers, path, &id, text(&body, "commitNote"))
}

fn commit_as(simulator: &Simulator, headers: &HeaderMap, path: String, id: &str, comment: &str) -> Answer {
    let mut row = simulator.known_template(id)?;
    let number = row.latest().map_or(1, |version| version.number + 1);
    let now = simulator.now_ms();
    let origin = Origin::new("POST", path, "template", headers);
    let effects = simulator.effects_on_objects(&origin);
    let mut body = row.body.clone();
    bent(effects, &mut body);
    row.versions.push(Version { id: Uuid::new_v4(), number, time_ms: now, comment: comment.to_owned(), body });
    if !effects.bend.drop_all {
        simulator.keep_template(&row)?;
    }
    let progress = format!("Successfully committed template {} to version {number}", text(&row.body, "name"));
    simulator.done_task(&origin, &progress, format!("{number}, {now}"))
}
