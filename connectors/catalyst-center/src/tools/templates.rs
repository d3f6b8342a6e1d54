//! Templates: the list in the article's shape, one template with its text and parameters, and a preview for a device.

use std::sync::Arc;

use platform::{Error, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use tool_runtime::combinators::single;
use tool_runtime::{Tool, ToolCx, ToolSpec};

use super::devices::DEVICE;
use crate::client::{Api, Query, segment};
use crate::vendor;
use crate::vendor::templates::{TEMPLATES, VendorTemplate, VendorVersion, is_reserved, open_to_all, versions};

#[derive(Deserialize, JsonSchema)]
struct AllTemplates {
    /// Only of this project.
    #[schemars(length(max = 255))]
    project: Option<String>,
}

/// A template of the list.
#[derive(Serialize, JsonSchema)]
struct TemplateRow {
    /// Catalyst Center's id of the template: `template_id` elsewhere.
    template_id: String,
    /// Name.
    name: String,
    /// Id of its project.
    project_id: Option<String>,
    /// Its project.
    project: Option<String>,
    /// Made of other templates.
    composite: bool,
    /// Latest committed version; nothing when none was committed, and then it cannot be deployed.
    latest_version: Option<u64>,
}

/// The article's result.
#[derive(Serialize, JsonSchema)]
struct Templates {
    /// `success`.
    status: String,
    /// Number of templates.
    count: usize,
    /// Templates.
    templates: Vec<TemplateRow>,
}

pub(super) fn get_all_templates(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<AllTemplates, Templates>(
        "get_all_templates",
        "List templates",
        "Lists all configuration templates with their projects and latest committed versions.",
    );
    single(api, spec, |api, cx, args: AllTemplates| async move {
        let all: Vec<VendorTemplate> =
            api.get(&cx, &Query::default().with("unCommitted", Some(true)).on(TEMPLATES)).await?;
        let wanted = |t: &VendorTemplate| {
            (args.project.is_none() || t.project_name == args.project) && !is_reserved(t.project_name.as_deref())
        };
        let templates: Vec<_> = all.into_iter().filter(wanted).map(TemplateRow::from).collect();
        Ok(Templates { status: "success".to_owned(), count: templates.len(), templates })
    })
}

impl From<VendorTemplate> for TemplateRow {
    fn from(t: VendorTemplate) -> Self {
        Self {
            latest_version: t.latest().and_then(VendorVersion::number),
            template_id: t.template_id,
            name: t.name,
            project_id: t.project_id,
            project: t.project_name,
            composite: t.composite,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct OneTemplate {
    /// Catalyst Center's id of the template, from `get_all_templates`.
    #[schemars(length(min = 1, max = 64))]
    template_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorTemplateDetail {
    id: String,
    name: Option<String>,
    description: Option<String>,
    project_name: Option<String>,
    language: Option<String>,
    software_type: Option<String>,
    version: Option<Json>,
    failure_policy: Option<String>,
    template_content: Option<String>,
    #[serde(default)]
    template_params: Vec<VendorParameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorParameter {
    parameter_name: String,
    data_type: Option<String>,
    #[serde(default)]
    required: Option<bool>,
    default_value: Option<Json>,
    description: Option<String>,
}

/// A template.
#[derive(Serialize, JsonSchema)]
struct Template {
    /// Catalyst Center's id.
    template_id: String,
    /// Name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Its project.
    project: Option<String>,
    /// `JINJA` or `VELOCITY`.
    language: Option<String>,
    /// Software it is for.
    software_type: Option<String>,
    /// Version of this text.
    version: Option<String>,
    /// What Catalyst Center does when a line fails.
    failure_policy: Option<String>,
    /// Its text; secrets written into it are masked.
    content: String,
    /// Its parameters.
    parameters: Vec<Parameter>,
}

/// A parameter of a template.
#[derive(Serialize, JsonSchema)]
struct Parameter {
    /// Name: a member of `params`.
    name: String,
    /// `STRING`, `INTEGER`, `IPADDRESS`, `MACADDRESS`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Must be given.
    required: bool,
    /// What it is for.
    description: Option<String>,
    /// Value when it is not given.
    default: Option<Json>,
}

pub(super) fn get_template(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<OneTemplate, Template>(
        "get_template",
        "Get a template",
        "Shows one configuration template: its text and its parameters.",
    );
    single(api, spec, |api, cx, args: OneTemplate| async move {
        let path = format!("{TEMPLATES}/{}", segment(&args.template_id)?);
        let found: VendorTemplateDetail = api.get(&cx, &path).await?;
        open_to_all(found.project_name.as_deref())?;
        Ok(Template::from(found))
    })
}

impl From<VendorTemplateDetail> for Template {
    fn from(t: VendorTemplateDetail) -> Self {
        let content = t.template_content.unwrap_or_default();
        Self {
            template_id: t.id,
            name: t.name,
            description: t.description,
            project: t.project_name,
            language: t.language,
            software_type: t.software_type,
            failure_policy: t.failure_policy,
            version: t.version.map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
            content: device_config::mask(device_config::Platform::IosXe, &content).text,
            parameters: t.template_params.into_iter().map(Parameter::from).collect(),
        }
    }
}

impl From<VendorParameter> for Parameter {
    fn from(p: VendorParameter) -> Self {
        Self {
            name: p.parameter_name,
            kind: p.data_type,
            required: p.required.unwrap_or(false),
            description: p.description,
            default: p.default_value.filter(|v| !v.is_null()),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct PreviewTemplate {
    /// Catalyst Center's id of the template, from `get_all_templates`.
    #[schemars(length(min = 1, max = 64))]
    template_id: String,
    /// Catalyst Center's id of the device, from `list_devices`.
    #[schemars(length(min = 1, max = 64))]
    device_id: String,
    /// Values of the template's parameters.
    #[serde(default)]
    params: Map<String, Json>,
}

/// What a deployment would send.
#[derive(Serialize, JsonSchema)]
struct Preview {
    /// Template.
    template_id: String,
    /// Device.
    device_id: String,
    /// Rendered lines; secrets are masked.
    lines: Option<String>,
    /// What Catalyst Center finds wrong; empty when nothing is.
    errors: Vec<String>,
}

pub(super) fn preview_template(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<PreviewTemplate, Preview>(
        "preview_template",
        "Preview a template",
        "Renders a template for a device with given parameters, without touching the device.",
    )
    .targets(DEVICE)
    .example(json!({"template_id": "…", "device_id": "…", "params": {"vlan_id": 120, "vlan_name": "GUESTS"}}));
    single(api, spec, |api, cx, args: PreviewTemplate| async move { preview(&api, &cx, args).await })
}

async fn preview(api: &Api, cx: &ToolCx, args: PreviewTemplate) -> Result<Preview, Error> {
    // What a deployment would send is the latest committed version; only a template without one shows its draft.
    let template = versions(api, cx, &args.template_id).await?;
    open_to_all(template.project_name.as_deref())?;
    let id = template.latest().map_or(&args.template_id, |version| &version.id);
    let found = vendor::templates::preview(api, cx, id, &args.device_id, &args.params).await?;
    Ok(Preview {
        lines: found.lines().map(|t| device_config::mask(device_config::Platform::IosXe, t).text),
        errors: found.errors(),
        template_id: args.template_id,
        device_id: args.device_id,
    })
}
