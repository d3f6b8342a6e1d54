//! Protected resource metadata (RFC 9728): one document per resource (T1), at the well-known path inserted before the
//! resource's own, and for the platform itself at the root.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use platform::resource::{BaseUrl, Resource};
use platform::{Error, ErrorKind};
use serde_json::json;

use crate::problem::Problem;
use crate::{Gateway, mcp_door};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Where a resource's document stands.
pub(crate) fn document_url(base: &BaseUrl, resource: &Resource) -> String {
    format!("{base}{WELL_KNOWN}{}", resource.path())
}

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    Router::new()
        .route(WELL_KNOWN, get(platform_document))
        .route(&format!("{WELL_KNOWN}/{{*path}}"), get(resource_document))
        .with_state(Arc::clone(gateway))
}

async fn platform_document(State(gateway): State<Arc<Gateway>>) -> Response {
    document(&gateway, &Resource::Platform)
}

async fn resource_document(State(gateway): State<Arc<Gateway>>, Path(path): Path<String>) -> Response {
    let resource = match path.as_str() {
        "api/v1" => Some(Resource::Rest),
        "pages" => Some(Resource::Pages),
        path => {
            let catalogue = gateway.parts.pipeline.visibility().catalogue();
            mcp_door::endpoints(&catalogue).into_iter().find(|r| r.path().strip_prefix('/') == Some(path))
        }
    };
    match resource {
        Some(resource) => document(&gateway, &resource),
        None => Problem::from(Error::new(
            ErrorKind::NotFound,
            "resource_unknown",
            "There is no such protected resource. The document at the root names the platform.",
        ))
        .into_response(),
    }
}

fn document(gateway: &Gateway, resource: &Resource) -> Response {
    let parts = &gateway.parts;
    Json(json!({
        "resource": resource.identifier(&parts.options.base),
        "resource_name": mcp_door::title(resource),
        "authorization_servers": parts.tokens.issuers(),
        "scopes_supported": parts.tokens.required_scopes(),
        "bearer_methods_supported": ["header"],
    }))
    .into_response()
}
