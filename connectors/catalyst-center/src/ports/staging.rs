//! Texts that are committed ahead of a change, in the project that is reserved for it (T21). A template is named by its device
//! and the digest of its text, so that a repeat finds what the first attempt left behind, at whatever step that ended.

use http::Method;
use platform::artifacts::ArtifactKind;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::ToolCx;
use tool_runtime::ports::config_changer::{Carrier, SealedLines, Staged};

use super::CenterPorts;
use super::changer::project_of;
use super::literal::{Literal, literal};
use crate::client::{Api, Query, segment};
use crate::model::Device;
use crate::vendor::tasks;
use crate::vendor::templates::{self, TEMPLATES, VendorTemplate};

const PROJECTS: &str = "/dna/intent/api/v1/template-programmer/project";
const LANGUAGE: &str = "JINJA";
/// The device stops at its first complaint, and what comes after is not entered.
const ON_FAILURE: &str = "ABORT_TARGET_ON_ERROR";

#[derive(Deserialize)]
struct Project {
    id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    template_content: Option<String>,
    language: Option<String>,
    failure_policy: Option<String>,
}

pub(super) async fn stage(
    ports: &CenterPorts,
    cx: &ToolCx,
    change: &str,
    device_id: &str,
    lines: &SealedLines,
) -> Result<Staged, Error> {
    let api = &*ports.api;
    let (device, platform) = ports.configured(cx, device_id).await?;
    let bytes = cx.artifacts.open_unmasked(&lines.artifact.id).await?;
    let text = String::from_utf8(bytes).map_err(|_| Error::internal("sealed lines are no text"))?;
    let sha256 = hex::encode(platform::canonical::sha256(text.as_bytes()));
    if sha256 != lines.sha256 {
        return Err(Error::internal("sealed lines are not those of their digest"));
    }
    let made = literal(platform, &text)?;
    let project = project(api, cx, &project_of(change)).await?;
    let name = format!("{}-{}", device.id, sha256.get(..16).unwrap_or(&sha256));
    let template_id = match found(api, cx, &project, &name).await? {
        Some(template) => template.template_id,
        None => {
            let path = format!("{PROJECTS}/{}/template", segment(&project)?);
            let task = tasks::start(api, cx, Method::POST, &path, &body(&name, change, &device, &made)).await?;
            tasks::succeed(api, cx, &task).await?;
            found(api, cx, &project, &name).await?.ok_or_else(absent)?.template_id
        }
    };
    let version_id = version(api, cx, &template_id, change, &made).await?;
    let secrets = sealed(cx, &made).await?;
    proven(api, cx, &version_id, &device.id, &text, &made).await?;
    Ok(Staged { carrier: Carrier { template_id, version_id }, secrets })
}

/// The project's id; it is made where there is none.
async fn project(api: &Api, cx: &ToolCx, name: &str) -> Result<String, Error> {
    if let Some(id) = project_id(api, cx, name).await? {
        return Ok(id);
    }
    let body =
        json!({"name": name, "description": "Reserved: texts of a change. Managed by the platform.", "tags": []});
    match tasks::start(api, cx, Method::POST, PROJECTS, &body).await {
        Ok(task) => drop(tasks::succeed(api, cx, &task).await?),
        // Somebody was faster, for another device of the same change.
        Err(error) if error.code() == "target_refused_arguments" => {}
        Err(error) => return Err(error),
    }
    project_id(api, cx, name).await?.ok_or_else(absent)
}

async fn project_id(api: &Api, cx: &ToolCx, name: &str) -> Result<Option<String>, Error> {
    let all: Vec<Project> = api.get(cx, &Query::default().with("name", Some(name)).on(PROJECTS)).await?;
    Ok(all.into_iter().find(|project| project.name == name).map(|project| project.id))
}

async fn found(api: &Api, cx: &ToolCx, project: &str, name: &str) -> Result<Option<VendorTemplate>, Error> {
    let query = Query::default().with("projectId", Some(project)).with("unCommitted", Some(true));
    let all: Vec<VendorTemplate> = api.get(cx, &query.on(TEMPLATES)).await?;
    Ok(all.into_iter().find(|t| t.name == name && t.project_id.as_deref() == Some(project)))
}

/// What was made and is not there.
fn absent() -> Error {
    let message = "Catalyst Center says that it has made something, and does not show it. Repeat later.";
    Error::new(ErrorKind::Upstream, "target_garbled", message)
}

fn body(name: &str, change: &str, device: &Device, made: &Literal) -> Json {
    let parameters: Vec<Json> = (1..)
        .zip(made.secrets.keys())
        .map(|(order, name)| {
            json!({
                "parameterName": name, "dataType": "STRING", "required": true, "order": order, "defaultValue": null,
                "displayName": name, "sensitive": true,
            })
        })
        .collect();
    json!({
        "name": name, "description": format!("Staged for the change {change}."), "language": LANGUAGE,
        "templateContent": made.content, "templateParams": parameters, "composite": false, "containingTemplates": [],
        "deviceTypes": [{"productFamily": device.family}], "softwareType": device.software_type,
        "failurePolicy": ON_FAILURE, "customParamsOrder": false, "tags": [],
    })
}

/// The committed version that holds the text, of a template that holds nothing else. One that somebody has changed is left
/// alone: it is not ours to undo.
async fn version(api: &Api, cx: &ToolCx, template_id: &str, change: &str, made: &Literal) -> Result<String, Error> {
    let mut template = templates::versions(api, cx, template_id).await?;
    if template.versions_info.is_empty() {
        holds(api, cx, template_id, made).await?;
        let body = json!({"templateId": template_id, "comments": format!("Change {change}")});
        let task = tasks::start(api, cx, Method::POST, &format!("{TEMPLATES}/version"), &body).await?;
        tasks::succeed(api, cx, &task).await?;
        template = templates::versions(api, cx, template_id).await?;
    }
    let version = template.versions_info.into_iter().max_by_key(|version| version.number()).ok_or_else(absent)?.id;
    holds(api, cx, &version, made).await?;
    Ok(version)
}

/// Whether a template, or a version of one, holds the text.
async fn holds(api: &Api, cx: &ToolCx, id: &str, made: &Literal) -> Result<(), Error> {
    let held: Content = api.get(cx, &format!("{TEMPLATES}/{}", segment(id)?)).await?;
    let same = held.template_content.as_deref().map(str::trim_end) == Some(made.content.trim_end())
        && held.language.as_deref() == Some(LANGUAGE)
        && held.failure_policy.as_deref() == Some(ON_FAILURE);
    if same { Ok(()) } else { Err(altered()) }
}

fn altered() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "staged_text_altered",
        "What was staged for this change was altered in Catalyst Center. Somebody has to look at its reserved project.",
    )
}

/// The secrets, where nobody reads them; a step names them.
async fn sealed(cx: &ToolCx, made: &Literal) -> Result<Option<tool_runtime::ArtifactReference>, Error> {
    if made.secrets.is_empty() {
        return Ok(None);
    }
    let bytes = serde_json::to_vec(&made.secrets).map_err(Error::internal)?;
    cx.artifacts.put_sealed_unmasked(ArtifactKind::Plan, "application/json", &bytes).await.map(Some)
}

/// Proves that the version renders to the text: escapes that the vendor reads otherwise than its documents say are found
/// here, and not on a device.
async fn proven(
    api: &Api,
    cx: &ToolCx,
    version: &str,
    device_id: &str,
    text: &str,
    made: &Literal,
) -> Result<(), Error> {
    let params: Map<String, Json> = made.secrets.iter().map(|(name, v)| (name.clone(), v.as_str().into())).collect();
    let preview = templates::preview(api, cx, version, device_id, &params).await?;
    let plain = |text: &str| -> Vec<String> {
        let without = text.replace("<MLTCMD>", "").replace("</MLTCMD>", "");
        let words = |line: &str| {
            let indent = line.len() - line.trim_start().len();
            format!("{indent} {}", line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        without.lines().filter(|line| !line.trim().is_empty()).map(words).collect()
    };
    if preview.errors().is_empty() && preview.lines().is_some_and(|lines| plain(lines) == plain(text)) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Upstream,
        "staged_text_differs",
        "Catalyst Center renders what was staged to another text. It is not used; look at the reserved project.",
    ))
}
