//! The template programmer: which versions a template has, what a version renders to, and the projects that are reserved for
//! changes (T21).

use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use serde_json::{Map, json};
use tool_runtime::ToolCx;

use crate::client::{Api, segment};

/// `…/template`, without an envelope.
pub(crate) const TEMPLATES: &str = "/dna/intent/api/v1/template-programmer/template";
/// How the names of projects begin that are reserved for changes.
pub(crate) const RESERVED: &str = "interlock-";

/// A template in a list, and what its versions route says of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorTemplate {
    pub(crate) template_id: String,
    pub(crate) name: String,
    pub(crate) project_id: Option<String>,
    pub(crate) project_name: Option<String>,
    #[serde(default)]
    pub(crate) composite: bool,
    #[serde(default)]
    pub(crate) versions_info: Vec<VendorVersion>,
}

/// A committed version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorVersion {
    pub(crate) id: String,
    /// A number, as text.
    version: Option<Json>,
}

impl VendorVersion {
    /// Its number.
    pub(crate) fn number(&self) -> Option<u64> {
        number(self.version.as_ref())
    }
}

/// A number, or a number as text.
pub(crate) fn number(value: Option<&Json>) -> Option<u64> {
    match value? {
        Json::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

impl VendorTemplate {
    /// The latest committed version: only that may be deployed by hand.
    pub(crate) fn latest(&self) -> Option<&VendorVersion> {
        self.versions_info.iter().max_by_key(|version| version.number())
    }

    /// The same, or `template_not_committed`.
    pub(crate) fn latest_committed(&self) -> Result<&VendorVersion, Error> {
        self.latest().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "template_not_committed",
                "This template has no committed version, so it cannot be deployed. Commit it in Catalyst Center first.",
            )
        })
    }
}

/// A template with its versions; `target_not_found` for one that the controller does not know.
pub(crate) async fn versions(api: &Api, cx: &ToolCx, template_id: &str) -> Result<VendorTemplate, Error> {
    let found: Vec<VendorTemplate> = api.get(cx, &format!("{TEMPLATES}/version/{}", segment(template_id)?)).await?;
    found.into_iter().next().ok_or_else(|| {
        let message = "Catalyst Center does not know what the arguments name.";
        Error::new(ErrorKind::NotFound, "target_not_found", message)
    })
}

/// Whether a project is reserved for a change.
pub(crate) fn is_reserved(project: Option<&str>) -> bool {
    // The vendor compares names without regard to case in places.
    project.and_then(|name| name.get(..RESERVED.len())).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

/// The refusal for what is staged for a change, to everybody but that change.
pub(crate) fn reserved() -> Error {
    Error::new(
        ErrorKind::Forbidden,
        "template_reserved",
        "This template holds what is staged for a change. Only that change shows and deploys it; follow it there.",
    )
}

/// Refuses a template that is staged for a change.
pub(crate) fn open_to_all(project: Option<&str>) -> Result<(), Error> {
    if is_reserved(project) { Err(reserved()) } else { Ok(()) }
}

/// What a version renders to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorPreview {
    pub(crate) template_id: Option<String>,
    cli_preview: Option<Json>,
    validation_errors: Option<Json>,
}

impl VendorPreview {
    /// The lines.
    pub(crate) fn lines(&self) -> Option<&str> {
        self.cli_preview.as_ref().and_then(Json::as_str)
    }

    /// What is wrong, in the vendor's words.
    pub(crate) fn errors(&self) -> Vec<String> {
        match &self.validation_errors {
            None | Some(Json::Null) => Vec::new(),
            Some(Json::Array(errors)) => errors.iter().map(readable).collect(),
            Some(Json::Object(errors)) => errors.iter().map(|(name, e)| format!("{name}: {}", readable(e))).collect(),
            Some(other) => vec![readable(other)],
        }
    }
}

fn readable(error: &Json) -> String {
    error.as_str().map_or_else(|| error.to_string(), str::to_owned)
}

/// Renders a template or a version, by its id, for a device. Nothing is kept and nothing touched.
pub(crate) async fn preview(
    api: &Api,
    cx: &ToolCx,
    id: &str,
    device_id: &str,
    params: &Map<String, Json>,
) -> Result<VendorPreview, Error> {
    let body = json!({"templateId": id, "deviceId": device_id, "params": params});
    let request = Request::new(Method::PUT, format!("{TEMPLATES}/preview"), cx.deadline).idempotent(true);
    api.request(cx, request.json(&body)?).await?.json()
}
