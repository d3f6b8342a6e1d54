//! Projects of templates, in the three shapes that releases know: the bare list, the enveloped one, and `/projects`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::get;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{BASE, NEXT, PROJECTS, Project, Template, object, text};
use crate::effects::Origin;
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const OWN: &str = "/dna/intent/api/v1/projects";

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/project"), get(list).post(create).put(update))
        .route(&format!("{NEXT}/project"), get(list_enveloped))
        .route(&format!("{BASE}/project/{{id}}"), get(one).delete(delete))
        .route(OWN, get(own_list).post(create))
        .route(&format!("{OWN}/count"), get(own_count))
        .route(&format!("{OWN}/{{id}}"), get(own_one).put(update_by_id).delete(delete))
}

fn row(simulator: &Simulator, project: &Project, templates: &[Template]) -> Value {
    let own = templates.iter().filter(|template| template.project == project.id);
    let rows: Vec<Value> = own
        .map(|template| {
            json!({
                "id": template.id, "name": text(&template.body, "name"), "composite": false,
                "language": text(&template.body, "language"), "customParamsOrder": false,
                "lastUpdateTime": template.updated_ms, "latestVersionTime": template.latest().map(|version| version.time_ms),
                "projectAssociated": true, "documentDatabase": false,
            })
        })
        .collect();
    json!({
        "id": project.id, "name": project.name, "description": project.description, "tags": project.tags,
        "createTime": project.created_ms, "lastUpdateTime": project.updated(), "isDeletable": rows.is_empty(),
        "templates": rows, "author": simulator.username,
    })
}

/// The row of `/projects`.
fn own_row(project: &Project) -> Value {
    json!({
        "projectId": project.id, "id": project.id, "name": project.name, "description": project.description,
        "createTime": project.created_ms, "lastUpdateTime": project.updated(),
    })
}

fn matching(simulator: &Simulator, params: &Params) -> Vec<Project> {
    let mut projects = simulator.all_projects();
    projects.retain(|project| params.get("name").is_none_or(|name| name == project.name));
    projects.retain(|project| params.get("id").is_none_or(|id| project.id.to_string() == id));
    if params
        .get("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("des") || order.eq_ignore_ascii_case("desc"))
    {
        projects.reverse();
    }
    projects
}

fn rows(simulator: &Simulator, projects: &[Project]) -> Vec<Value> {
    let templates = simulator.all_templates();
    projects.iter().map(|project| row(simulator, project, &templates)).collect()
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    bare(Value::from(rows(&simulator, &matching(&simulator, &params))))
}

async fn list_enveloped(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(rows(&simulator, &page.of(matching(&simulator, &params))))
}

async fn own_list(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(matching(&simulator, &params)).iter().map(own_row).collect::<Vec<_>>())
}

async fn own_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator, &params).len() }))
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    bare(row(&simulator, &simulator.project(&id)?, &simulator.all_templates()))
}

async fn own_one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(own_row(&simulator.project(&id)?))
}

fn free_name(simulator: &Simulator, name: &str, of: Option<Uuid>) -> Result<(), Fail> {
    if name.is_empty() {
        return Err(Fail::bad("Project name is required"));
    }
    if simulator.all_projects().iter().any(|project| project.name == name && Some(project.id) != of) {
        return Err(Fail::bad(format!("NCTP10004: Project with name {name} already exists")));
    }
    Ok(())
}

async fn create(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let body = object(&body)?;
    let name = text(&body, "name").to_owned();
    free_name(&simulator, &name, None)?;
    let now = simulator.now_ms();
    let row = Project {
        id: Uuid::new_v4(),
        name: name.clone(),
        description: text(&body, "description").to_owned(),
        created_ms: now,
        updated_ms: now,
        tags: body.get("tags").filter(|tags| tags.is_array()).cloned().unwrap_or_else(|| json!([])),
    };
    let origin = Origin::new("POST", format!("{BASE}/project"), "template", &headers);
    if simulator.effects_on_objects(&origin).keeps(0, 1) {
        simulator.keep_project(&row)?;
    }
    simulator.done_task(&origin, &format!("Successfully created project with name {name}"), row.id.to_string())
}

async fn update(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let fields = object(&body)?;
    let id = text(&fields, "id").to_owned();
    change(&simulator, &headers, &id, &body)
}

async fn update_by_id(
    State(simulator): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    change(&simulator, &headers, &id, &body)
}

fn change(simulator: &Simulator, headers: &HeaderMap, id: &str, body: &Bytes) -> Answer {
    let body = object(body)?;
    let mut row = simulator.project(id)?;
    if body.contains_key("name") {
        text(&body, "name").clone_into(&mut row.name);
        free_name(simulator, &row.name, Some(row.id))?;
    }
    if body.contains_key("description") {
        text(&body, "description").clone_into(&mut row.description);
    }
    row.updated_ms = simulator.now_ms();
    let origin = Origin::new("PUT", format!("{BASE}/project"), "template", headers);
    if simulator.effects_on_objects(&origin).keeps(0, 1) {
        simulator.keep_project(&row)?;
    }
    simulator.done_task(&origin, "Successfully updated project", row.id.to_string())
}

async fn delete(State(simulator): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let found = simulator.project(&id)?;
    if simulator.all_templates().iter().any(|template| template.project == found.id) {
        return Err(Fail::bad(format!("NCTP10009: Project {} is not empty", found.name)));
    }
    let origin = Origin::new("DELETE", format!("{BASE}/project/{id}"), "template", &headers);
    if simulator.effects_on_objects(&origin).keeps(0, 1) {
        simulator.world.remove_document(PROJECTS, &id)?;
    }
    simulator.done_task(&origin, "Successfully deleted project", id)
}
