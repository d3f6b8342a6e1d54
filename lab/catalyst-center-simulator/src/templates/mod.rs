//! The template programmer: projects, templates, versions, preview. Its answers carry no envelope.
//!
//! Where next: [`crate::deploy`] for deployments, [`render`] for the languages.

pub(crate) mod render;
mod seeded;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::query::Params;
use crate::reply::{Answer, Fail, accepted, bare, enveloped};
use crate::simulator::{Shared, Simulator};

const TEMPLATES: &str = "template";
const PROJECTS: &str = "project";

/// A committed state of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: Uuid,
    pub(crate) number: u32,
    pub(crate) time_ms: i64,
    pub(crate) comment: String,
    /// The fields of the template at that moment.
    pub(crate) body: Map<String, Value>,
}

/// A template with its versions. `body` holds the vendor's fields of the draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Template {
    pub(crate) id: Uuid,
    pub(crate) project: Uuid,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
    pub(crate) body: Map<String, Value>,
    pub(crate) versions: Vec<Version>,
}

/// A project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Project {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) created_ms: i64,
}

/// A text field of a template body.
pub(crate) fn text<'a>(body: &'a Map<String, Value>, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Template {
    /// The last committed version.
    pub(crate) fn latest(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| version.number)
    }
}

impl Simulator {
    pub(crate) fn template(&self, id: &str) -> Option<Template> {
        self.world.document(TEMPLATES, id).and_then(|value| serde_json::from_value(value).ok())
    }

    pub(crate) fn all_templates(&self) -> Vec<Template> {
        let rows = self.world.documents(TEMPLATES).into_iter();
        rows.filter_map(|(_, value)| serde_json::from_value(value).ok()).collect()
    }

    /// The template and version that an id names: a template (its last version, if any) or a version.
    pub(crate) fn template_or_version(&self, id: &str) -> Option<(Template, Option<Version>)> {
        if let Some(template) = self.template(id) {
            let latest = template.latest().cloned();
            return Some((template, latest));
        }
        self.all_templates().into_iter().find_map(|template| {
            let version = template.versions.iter().find(|version| version.id.to_string() == id).cloned()?;
            Some((template, Some(version)))
        })
    }

    fn keep_template(&self, template: &Template) -> Result<(), Fail> {
        let value = serde_json::to_value(template).map_err(|error| Fail::broken(&error))?;
        Ok(self.world.put_document(TEMPLATES, &template.id.to_string(), value)?)
    }

    pub(crate) fn all_projects(&self) -> Vec<Project> {
        let rows = self.world.documents(PROJECTS).into_iter();
        let mut projects: Vec<Project> = rows.filter_map(|(_, value)| serde_json::from_value(value).ok()).collect();
        projects.sort_by(|one, other| one.name.cmp(&other.name));
        projects
    }

    pub(crate) fn project_of(&self, template: &Template) -> Option<Project> {
        self.all_projects().into_iter().find(|project| project.id == template.project)
    }

    /// Starts a task that is already done when somebody looks: creations take no time worth showing.
    fn done_task(&self, progress: &str, data: String) -> Answer {
        let task = self.start_task("NCTP", progress, false)?;
        self.end_task(task, progress, Some(data), None)?;
        accepted(task)
    }
}

/// Puts the templates of the first day into a fresh world.
pub(crate) fn seed(simulator: &Arc<Simulator>) -> platform::Result<()> {
    if !simulator.world.document_keys(PROJECTS).is_empty() {
        return Ok(());
    }
    let born = simulator.world.born_ms() - 30 * 86_400_000;
    let space = Uuid::new_v5(&Uuid::NAMESPACE_OID, simulator.name.as_bytes());
    let id = |name: &str| Uuid::new_v5(&space, name.as_bytes());
    let keep = |kind: &str, id: Uuid, value: serde_json::Result<Value>| {
        simulator.world.put_document(kind, &id.to_string(), value.map_err(platform::Error::internal)?)
    };
    for template in seeded::TEMPLATES {
        let parameters: Vec<Value> = (1..)
            .zip(template.parameters)
            .map(|(order, (name, kind, required, default))| {
                json!({
                    "id": id(&format!("{}/{name}", template.name)), "parameterName": name, "dataType": kind,
                    "required": required, "defaultValue": default, "order": order, "description": Value::Null,
                    "binding": "", "group": Value::Null, "instructionText": Value::Null, "key": Value::Null,
                    "notParam": false, "paramArray": *name == "servers", "provider": Value::Null, "range": [], "selection": Value::Null,
                    "customOrder": Value::Null, "displayName": Value::Null, "maxLength": Value::Null, "sensitive": false,
                })
            })
            .collect();
        let fields = json!({
            "name": template.name, "description": template.description, "author": "admin", "language": template.language,
            "templateContent": template.content, "templateParams": parameters, "rollbackTemplateParams": [],
            "rollbackTemplateContent": "", "composite": false, "containingTemplates": [], "customParamsOrder": false,
            "deviceTypes": [{ "productFamily": "Switches and Hubs" }], "softwareType": "IOS-XE", "softwareVariant": "XE",
            "softwareVersion": Value::Null, "failurePolicy": "ABORT_TARGET_ON_ERROR", "tags": [],
        });
        let Value::Object(body) = fields else { continue };
        let versions = (1..=template.versions)
            .map(|number| Version {
                id: id(&format!("{}/version/{number}", template.name)),
                number,
                time_ms: born + i64::from(number) * 86_400_000,
                comment: format!("Version {number}"),
                body: body.clone(),
            })
            .collect();
        let row = Template {
            id: id(template.name),
            project: id(template.project),
            created_ms: born,
            updated_ms: born,
            body,
            versions,
        };
        keep(TEMPLATES, row.id, serde_json::to_value(&row))?;
    }
    for (name, description) in seeded::PROJECTS {
        let row = Project {
            id: id(name),
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            created_ms: born,
        };
        keep(PROJECTS, row.id, serde_json::to_value(&row))?;
    }
    Ok(())
}

pub(crate) fn routes() -> Router<Shared> {
    const BASE: &str = "/dna/intent/api/v1/template-programmer";
    const NEXT: &str = "/dna/intent/api/v2/template-programmer";
    Router::new()
        .route(&format!("{BASE}/project"), get(projects).post(create_project))
        .route(&format!("{NEXT}/project"), get(projects_enveloped))
        .route(&format!("{BASE}/project/{{id}}"), get(project).delete(delete_project))
        .route(&format!("{BASE}/project/{{id}}/template"), post(create_template))
        .route(&format!("{BASE}/template"), get(templates).put(update_template))
        .route(&format!("{NEXT}/template"), get(templates_enveloped))
        .route(&format!("{BASE}/template/preview"), put(preview))
        .route(&format!("{BASE}/template/version"), post(commit))
        .route(&format!("{BASE}/template/version/{{id}}"), get(versions))
        .route(&format!("{BASE}/template/{{id}}"), get(template).delete(delete_template))
}

fn project_row(simulator: &Simulator, project: &Project, templates: &[Template]) -> Value {
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
        "id": project.id, "name": project.name, "description": project.description, "tags": [], "createTime": project.created_ms,
        "lastUpdateTime": project.created_ms, "isDeletable": rows.is_empty(), "templates": rows, "author": simulator.username,
    })
}

fn project_rows(simulator: &Simulator, params: &Params) -> Vec<Value> {
    let templates = simulator.all_templates();
    let projects = simulator.all_projects();
    let rows = projects.iter().filter(|project| params.get("name").is_none_or(|name| name == project.name));
    rows.map(|project| project_row(simulator, project, &templates)).collect()
}

async fn projects(State(simulator): State<Shared>, params: Params) -> Answer {
    bare(Value::from(project_rows(&simulator, &params)))
}

async fn projects_enveloped(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(project_rows(&simulator, &params)))
}

async fn project(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let found = simulator.all_projects().into_iter().find(|project| project.id.to_string() == id);
    let found = found.ok_or_else(|| Fail::missing(format!("Project not found: {id}")))?;
    bare(project_row(&simulator, &found, &simulator.all_templates()))
}

async fn create_project(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let name = text(&body, "name").to_owned();
    if name.is_empty() {
        return Err(Fail::bad("Project name is required"));
    }
    if simulator.all_projects().iter().any(|project| project.name == name) {
        return Err(Fail::bad(format!("Project with name {name} already exists")));
    }
    let row = Project {
        id: Uuid::new_v4(),
        name: name.clone(),
        description: text(&body, "description").to_owned(),
        created_ms: simulator.now_ms(),
    };
    let value = serde_json::to_value(&row).map_err(|error| Fail::broken(&error))?;
    simulator.world.put_document(PROJECTS, &row.id.to_string(), value)?;
    simulator.done_task(&format!("Successfully created project with name {name}"), row.id.to_string())
}

async fn delete_project(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let found = simulator.all_projects().into_iter().find(|project| project.id.to_string() == id);
    let found = found.ok_or_else(|| Fail::missing(format!("Project not found: {id}")))?;
    if simulator.all_templates().iter().any(|template| template.project == found.id) {
        return Err(Fail::bad(format!("Project {} is not empty", found.name)));
    }
    simulator.world.remove_document(PROJECTS, &id)?;
    simulator.done_task("Successfully deleted project", id)
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Fail> {
    serde_json::from_slice(body).map_err(|error| Fail::bad(format!("Request body is not a valid JSON object: {error}")))
}

fn template_row(project: Option<&Project>, template: &Template) -> Value {
    let versions: Vec<Value> = template
        .versions
        .iter()
        .map(|version| {
            json!({
                "id": version.id, "version": version.number.to_string(), "versionTime": version.time_ms,
                "author": "admin", "versionComment": version.comment,
            })
        })
        .collect();
    json!({
        "name": text(&template.body, "name"), "projectName": project.map(|project| &project.name), "projectId": template.project,
        "templateId": template.id, "versionsInfo": versions, "composite": false, "language": text(&template.body, "language"),
        "customParamsOrder": false, "projectAssociated": true, "documentDatabase": false,
    })
}

fn template_rows(simulator: &Simulator, params: &Params) -> Vec<Value> {
    let projects = simulator.all_projects();
    let owner = |template: &Template| projects.iter().find(|project| project.id == template.project);
    let uncommitted = params.is_true("unCommitted");
    let mut templates = simulator.all_templates();
    templates.sort_by(|one, other| text(&one.body, "name").cmp(text(&other.body, "name")));
    templates
        .iter()
        .filter(|template| params.get("projectId").is_none_or(|id| template.project.to_string() == id))
        .filter(|template| params.get("name").is_none_or(|name| text(&template.body, "name") == name))
        .filter(|template| {
            let names = params.all("projectNames").into_iter().chain(params.all("projectName")).collect::<Vec<_>>();
            names.is_empty() || owner(template).is_some_and(|project| names.contains(&project.name.as_str()))
        })
        .filter(|template| {
            params
                .get("softwareType")
                .is_none_or(|kind| text(&template.body, "softwareType").eq_ignore_ascii_case(kind))
        })
        .filter(|template| uncommitted || !template.versions.is_empty())
        .map(|template| template_row(owner(template), template))
        .collect()
}

async fn templates(State(simulator): State<Shared>, params: Params) -> Answer {
    bare(Value::from(template_rows(&simulator, &params)))
}

async fn templates_enveloped(State(simulator): State<Shared>, params: Params) -> Answer {
    let page = params.page(500, 500)?;
    enveloped(page.of(template_rows(&simulator, &params)))
}

async fn template(State(simulator): State<Shared>, Path(id): Path<String>, params: Params) -> Answer {
    let (template, version) = simulator
        .template_or_version(&id)
        .ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let named_version = version.as_ref().filter(|version| version.id.to_string() == id);
    let shown = if params.is_true("latestVersion") { version.as_ref() } else { named_version };
    let mut row = shown.map_or_else(|| template.body.clone(), |version| version.body.clone());
    let project = simulator.project_of(&template);
    let own = json!({
        "id": shown.map_or(template.id, |version| version.id), "parentTemplateId": template.id,
        "projectId": template.project, "projectName": project.map(|project| project.name),
        "createTime": template.created_ms, "lastUpdateTime": shown.map_or(template.updated_ms, |version| version.time_ms),
        "latestVersionTime": version.as_ref().map(|version| version.time_ms), "projectAssociated": true,
        "version": shown.map(|version| version.number.to_string()), "documentDatabase": false,
        "validationErrors": { "templateErrors": [], "rollbackTemplateErrors": [], "templateId": template.id, "templateVersion": Value::Null },
    });
    if let Value::Object(own) = own {
        row.extend(own);
    }
    bare(Value::Object(row))
}

async fn versions(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let template =
        simulator.template(&id).ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let project = simulator.project_of(&template);
    bare(json!([template_row(project.as_ref(), &template)]))
}

async fn create_template(State(simulator): State<Shared>, Path(project): Path<String>, body: Bytes) -> Answer {
    let mut body = object(&body)?;
    let found = simulator.all_projects().into_iter().find(|row| row.id.to_string() == project);
    let found = found.ok_or_else(|| Fail::missing(format!("Project not found: {project}")))?;
    let name = text(&body, "name").to_owned();
    if name.is_empty() {
        return Err(Fail::bad("Template name is required"));
    }
    let taken = simulator.all_templates().iter().any(|row| row.project == found.id && text(&row.body, "name") == name);
    if taken {
        return Err(Fail::bad(format!("Template with name {name} already exists in project {}", found.name)));
    }
    body.remove("id");
    body.entry("language").or_insert_with(|| json!("VELOCITY"));
    body.entry("templateParams").or_insert_with(|| json!([]));
    let now = simulator.now_ms();
    let row = Template {
        id: Uuid::new_v4(),
        project: found.id,
        created_ms: now,
        updated_ms: now,
        body,
        versions: Vec::new(),
    };
    simulator.keep_template(&row)?;
    simulator.done_task(&format!("Successfully created template with name {name}"), row.id.to_string())
}

async fn update_template(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let mut body = object(&body)?;
    let id = text(&body, "id").to_owned();
    let mut row =
        simulator.template(&id).ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    body.remove("id");
    row.body.extend(body);
    row.updated_ms = simulator.now_ms();
    simulator.keep_template(&row)?;
    simulator.done_task("Successfully updated template", id)
}

async fn delete_template(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    simulator.template(&id).ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    simulator.world.remove_document(TEMPLATES, &id)?;
    simulator.done_task("Successfully deleted template", id)
}

async fn commit(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let id = text(&body, "templateId").to_owned();
    let mut row =
        simulator.template(&id).ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let number = row.latest().map_or(1, |version| version.number + 1);
    let now = simulator.now_ms();
    let comment = text(&body, "comments").to_owned();
    row.versions.push(Version { id: Uuid::new_v4(), number, time_ms: now, comment, body: row.body.clone() });
    simulator.keep_template(&row)?;
    let progress = format!("Successfully committed template {} to version {number}", text(&row.body, "name"));
    simulator.done_task(&progress, format!("{number}, {now}"))
}

/// The values of a rendering: what was given, and the defaults of what was not. The error names what is required and
/// missing.
pub(crate) fn values(body: &Map<String, Value>, given: &Map<String, Value>) -> Result<render::Scope, Vec<String>> {
    let mut scope = render::Scope::new();
    let mut missing = Vec::new();
    for parameter in body.get("templateParams").and_then(Value::as_array).into_iter().flatten() {
        let name = parameter.get("parameterName").and_then(Value::as_str).unwrap_or_default();
        let required = parameter.get("required").and_then(Value::as_bool).unwrap_or(false);
        let default = parameter.get("defaultValue").filter(|value| !value.is_null() && value.as_str() != Some(""));
        match given.get(name).filter(|value| !value.is_null() && value.as_str() != Some("")).or(default) {
            Some(value) => {
                scope.insert(name.to_owned(), value.clone());
            }
            None if required => missing.push(name.to_owned()),
            None => {}
        }
    }
    for (name, value) in given {
        scope.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if missing.is_empty() { Ok(scope) } else { Err(missing) }
}

async fn preview(State(simulator): State<Shared>, body: Bytes) -> Answer {
    let body = object(&body)?;
    let id = text(&body, "templateId");
    let (template, version) = simulator
        .template_or_version(id)
        .ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))?;
    let device = body.get("deviceId").and_then(Value::as_str).filter(|device| !device.is_empty());
    if let Some(device) = device {
        crate::devices::find(&simulator.world, device)?;
    }
    let source =
        version.as_ref().filter(|version| version.id.to_string() == id).map_or(&template.body, |version| &version.body);
    let empty = Map::new();
    let given = body.get("params").and_then(Value::as_object).unwrap_or(&empty);
    let (cli, errors) = match values(source, given) {
        Ok(scope) => (
            Value::from(render::render(text(source, "language"), text(source, "templateContent"), &scope)),
            Value::Null,
        ),
        Err(missing) => {
            let rows: Map<String, Value> = missing
                .into_iter()
                .map(|name| (name.clone(), Value::from(format!("Value for required parameter {name} is missing"))))
                .collect();
            (Value::Null, Value::Object(rows))
        }
    };
    bare(json!({ "templateId": id, "deviceId": device, "cliPreview": cli, "validationErrors": errors }))
}
