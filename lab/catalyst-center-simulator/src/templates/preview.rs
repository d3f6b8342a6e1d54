//! Rendering a template with values without touching a device.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::put;
use serde_json::{Map, Value, json};

use super::{BASE, object, render, text};
use crate::reply::{Answer, Fail, bare};
use crate::simulator::Shared;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(&format!("{BASE}/template/preview"), put(preview))
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
