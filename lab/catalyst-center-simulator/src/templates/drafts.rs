//! Templates as they are edited: lists, one, create, update, delete, clone.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::versions::{list_row, version_info};
use super::{BASE, NEXT, Project, TEMPLATES, Template, Version, bent, object, text};
use crate::effects::Origin;
use crate::query::Params;
use crate::reply::{Answer, Fail, bare, enveloped};
use crate::simulator::{Shared, Simulator};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route(&format!("{BASE}/project/{{id}}/template"), post(create))
        .route(&format!("{BASE}/template"), get(list).put(update))
        .route(&format!("{NEXT}/template"), get(list_enveloped))
        .route(&format!("{BASE}/template/{{id}}"), get(one).delete(delete))
        .route(&format!("{BASE}/clone/name/{{name}}/project/{{project}}/template/{{id}}"), post(clone))
}

/// The templates that pass the filters, by name, with their projects.
fn matching(simulator: &Simulator, params: &Params) -> (HashMap<Uuid, Project>, Vec<Template>) {
    let projects: HashMap<Uuid, Project> =
        simulator.all_projects().into_iter().map(|project| (project.id, project)).collect();
    let names: Vec<&str> = params.all("projectNames").into_iter().chain(params.all("projectName")).collect();
    let uncommitted = params.is_true("unCommitted");
    let is = |body: &Map<String, Value>, key: &str| {
        params.get(key).is_none_or(|wanted| text(body, key).eq_ignore_ascii_case(wanted))
    };
    let for_kind = |body: &Map<String, Value>, key: &str| {
        let mut kinds = body.get("deviceTypes").and_then(Value::as_array).into_iter().flatten();
        params.get(key).is_none_or(|wanted| kinds.any(|kind| kind.get(key).and_then(Value::as_str) == Some(wanted)))
    };
    let mut templates = simulator.all_templates();
    templates.retain(|template| {
        let body = &template.body;
        params.get("projectId").is_none_or(|id| template.project.to_string() == id)
            && params.get("id").is_none_or(|id| template.id.to_string() == id)
            && params.get("name").is_none_or(|name| text(body, "name") == name)
            && (names.is_empty()
                || projects.get(&template.project).is_some_and(|project| names.contains(&project.name.as_str())))
            && is(body, "softwareType")
            && for_kind(body, "productFamily")
            && for_kind(body, "productSeries")
            && (uncommitted || !template.versions.is_empty())
    });
    templates.sort_by(|one, other| text(&one.body, "name").cmp(text(&other.body, "name")));
    if params
        .get("sortOrder")
        .is_some_and(|order| order.eq_ignore_ascii_case("des") || order.eq_ignore_ascii_case("desc"))
    {
        templates.reverse();
    }
    (projects, templates)
}

async fn list(State(simulator): State<Shared>, params: Params) -> Answer {
    let (projects, templates) = matching(&simulator, &params);
    let rows = templates.iter().map(|template| list_row(projects.get(&template.project), template));
    bare(Value::from(rows.collect::<Vec<_>>()))
}

/// The newer list: whole templates, with `versionsInfo` where the caller asks for details of versions.
async fn list_enveloped(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    let (projects, templates) = matching(&simulator, &params);
    let detailed = params.is_true("allTemplateAttributes");
    let with_versions = params.is_true("includeVersionDetails") || params.get("includeVersionDetails").is_none();
    let rows = page.of(templates).into_iter().map(|template| {
        let project = projects.get(&template.project);
        let mut row = if detailed { full(&template, project, None) } else { list_row(project, &template) };
        if let Value::Object(row) = &mut row {
            row.insert("id".to_owned(), json!(template.id));
            row.insert("templateId".to_owned(), json!(template.id));
            if with_versions {
                row.insert("versionsInfo".to_owned(), version_info(&template));
            } else {
                row.remove("versionsInfo");
            }
        }
        row
    });
    enveloped(rows.collect::<Vec<_>>())
}

/// A whole template, as its draft or as one of its versions.
fn full(template: &Template, project: Option<&Project>, shown: Option<&Version>) -> Value {
    let mut row = shown.map_or_else(|| template.body.clone(), |version| version.body.clone());
    let own = json!({
        "id": shown.map_or(template.id, |version| version.id), "parentTemplateId": template.id,
        "projectId": template.project, "projectName": project.map(|project| &project.name),
        "createTime": template.created_ms, "lastUpdateTime": shown.map_or(template.updated_ms, |version| version.time_ms),
        "latestVersionTime": template.latest().map(|version| version.time_ms), "projectAssociated": true,
        "version": shown.map(|version| version.number.to_string()), "documentDatabase": false,
        "validationErrors": {
            "templateErrors": [], "rollbackTemplateErrors": [], "templateId": template.id, "templateVersion": Value::Null,
        },
    });
    if let Value::Object(own) = own {
        row.extend(own);
    }
    Value::Object(row)
}

async fn one(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let (template, version) = simulator
        .template_or_version(&id)
        .ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let named_version = version.as_ref().filter(|version| version.id.to_string() == id);
    let shown = if params.is_true("latestVersion") { version.as_ref() } else { named_version };
    bare(full(&template, simulator.project_of(&template).as_ref(), shown))
}

fn free_name(simulator: &Simulator, project: &Project, name: &str, of: Option<Uuid>) -> Result<(), Fail> {
    if name.is_empty() {
        return Err(Fail::bad("Template name is required"));
    }
    let taken = simulator
        .all_templates()
        .iter()
        .any(|row| row.project == project.id && text(&row.body, "name") == name && Some(row.id) != of);
    if taken {
        return Err(Fail::bad(format!(
            "NCTP10005: Template with name {name} already exists in project {}",
            project.name
        )));
    }
    Ok(())
}

/// What a body must hold before it is kept.
fn check(body: &Map<String, Value>) -> Result<(), Fail> {
    let language = text(body, "language");
    if !["JINJA", "VELOCITY"].contains(&language) {
        return Err(Fail::bad(format!("Invalid language {language}: it must be JINJA or VELOCITY")));
    }
    if body.get("templateParams").is_some_and(|params| !params.is_array()) {
        return Err(Fail::bad("templateParams must be a list"));
    }
    Ok(())
}

async fn create(
    State(simulator): State<Shared>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut body = object(&body)?;
    let found = simulator.project(&project)?;
    let name = text(&body, "name").to_owned();
    free_name(&simulator, &found, &name, None)?;
    body.remove("id");
    body.entry("language").or_insert_with(|| json!("VELOCITY"));
    body.entry("templateParams").or_insert_with(|| json!([]));
    body.entry("templateContent").or_insert_with(|| json!(""));
    check(&body)?;
    keep_new(&simulator, &headers, &format!("{BASE}/project/{project}/template"), &found, body, "created")
}

fn keep_new(
    simulator: &Simulator,
    headers: &HeaderMap,
    path: &str,
    project: &Project,
    mut body: Map<String, Value>,
    verb: &str,
) -> Answer {
    let name = text(&body, "name").to_owned();
    let origin = Origin::new("POST", path, "template", headers);
    let effects = simulator.effects_on_objects(&origin);
    bent(effects, &mut body);
    let now = simulator.now_ms();
    let row = Template {
        id: Uuid::new_v4(),
        project: project.id,
        created_ms: now,
        updated_ms: now,
        body,
        versions: Vec::new(),
    };
    if !effects.bend.drop_all {
        simulator.keep_template(&row)?;
    }
    simulator.done_task(&origin, &format!("Successfully {verb} template with name {name}"), row.id.to_string())
}

async fn update(State(simulator): State<Shared>, headers: HeaderMap, body: Bytes) -> Answer {
    let mut body = object(&body)?;
    let id = text(&body, "id").to_owned();
    let mut row = simulator.known_template(&id)?;
    if let (Some(project), true) = (simulator.project_of(&row), body.contains_key("name")) {
        free_name(&simulator, &project, text(&body, "name"), Some(row.id))?;
    }
    body.remove("id");
    row.body.extend(body);
    check(&row.body)?;
    row.updated_ms = simulator.now_ms();
    let origin = Origin::new("PUT", format!("{BASE}/template"), "template", &headers);
    let effects = simulator.effects_on_objects(&origin);
    bent(effects, &mut row.body);
    if !effects.bend.drop_all {
        simulator.keep_template(&row)?;
    }
    simulator.done_task(&origin, "Successfully updated template", id)
}

async fn delete(State(simulator): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    simulator.known_template(&id)?;
    let origin = Origin::new("DELETE", format!("{BASE}/template/{id}"), "template", &headers);
    if simulator.effects_on_objects(&origin).keeps(0, 1) {
        simulator.world.remove_document(TEMPLATES, &id)?;
    }
    simulator.done_task(&origin, "Successfully deleted template", id)
}

async fn clone(
    State(simulator): State<Shared>,
    Path((name, project, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Answer {
    let project = simulator.project(&project)?;
    let mut body = simulator.known_template(&id)?.body;
    free_name(&simulator, &project, &name, None)?;
    body.insert("name".to_owned(), json!(name));
    let path = format!("{BASE}/clone/name/{name}/project/{}/template/{id}", project.id);
    keep_new(&simulator, &headers, &path, &project, body, "cloned")
}
