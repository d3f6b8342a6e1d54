//! The template programmer: projects, templates, versions, preview. Its older answers carry no envelope.
//!
//! Where next: [`projects`], [`drafts`], [`versions`], [`preview`] for the routes, [`render`] for the languages,
//! [`crate::deploy`] for deployments.

mod drafts;
mod preview;
mod projects;
pub(crate) mod render;
mod seeded;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

pub(crate) use self::preview::values;
use crate::effects::{Effects, Origin};
use crate::reply::{Answer, Fail, accepted};
use crate::simulator::{Shared, Simulator};

const BASE: &str = "/dna/intent/api/v1/template-programmer";
const NEXT: &str = "/dna/intent/api/v2/template-programmer";

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
    #[serde(default)]
    pub(crate) updated_ms: i64,
    #[serde(default)]
    pub(crate) tags: Value,
}

impl Project {
    fn updated(&self) -> i64 {
        self.updated_ms.max(self.created_ms)
    }
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

    fn keep_project(&self, project: &Project) -> Result<(), Fail> {
        let value = serde_json::to_value(project).map_err(|error| Fail::broken(&error))?;
        Ok(self.world.put_document(PROJECTS, &project.id.to_string(), value)?)
    }

    fn project(&self, id: &str) -> Result<Project, Fail> {
        let found = self.world.document(PROJECTS, id).and_then(|value| serde_json::from_value(value).ok());
        found.ok_or_else(|| Fail::missing(format!("Project not found: {id}")))
    }

    fn known_template(&self, id: &str) -> Result<Template, Fail> {
        self.template(id).ok_or_else(|| Fail::missing(format!("NCTP11002: Template not found: {id}")))
    }

    pub(crate) fn all_projects(&self) -> Vec<Project> {
        let rows = self.world.documents(PROJECTS).into_iter();
        let mut projects: Vec<Project> = rows.filter_map(|(_, value)| serde_json::from_value(value).ok()).collect();
        projects.sort_by(|one, other| one.name.cmp(&other.name));
        projects
    }

    pub(crate) fn project_of(&self, template: &Template) -> Option<Project> {
        self.project(&template.project.to_string()).ok()
    }

    /// Starts a task that is already done when somebody looks: these changes take no time worth showing.
    fn done_task(&self, origin: &Origin, progress: &str, data: String) -> Answer {
        let task = self.start_work(origin, &[], "NCTP", progress)?;
        self.end_task(task, progress, Some(data), None)?;
        accepted(task)
    }
}

/// The content that a bent change keeps.
fn bent(effects: Effects, body: &mut Map<String, Value>) {
    let content = text(body, "templateContent");
    let lines: Vec<&str> = content.lines().collect();
    let kept: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| effects.keeps(*at, lines.len())).map(|(_, line)| *line).collect();
    if kept.len() < lines.len() {
        let kept = kept.join("\n");
        body.insert("templateContent".to_owned(), Value::from(kept));
    }
}

fn object(body: &Bytes) -> Result<Map<String, Value>, Fail> {
    serde_json::from_slice(body).map_err(|error| Fail::bad(format!("Request body is not a valid JSON object: {error}")))
}

pub(crate) fn routes() -> Router<Shared> {
    projects::routes().merge(drafts::routes()).merge(versions::routes()).merge(preview::routes())
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
            "deviceTypes": families(template.project), "softwareType": "IOS-XE", "softwareVariant": "XE",
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
            updated_ms: born,
            tags: json!([]),
        };
        keep(PROJECTS, row.id, serde_json::to_value(&row))?;
    }
    Ok(())
}

/// The product families that a seeded template is for: what is about ports is for switches.
fn families(project: &str) -> Value {
    if project == "Campus Access" {
        json!([{ "productFamily": "Switches and Hubs" }])
    } else {
        json!([
            { "productFamily": "Switches and Hubs" }, { "productFamily": "Routers" }, { "productFamily": "Wireless Controller" },
        ])
    }
}
