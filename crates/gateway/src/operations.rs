//! For operators and newcomers: health, metrics, the first page, the pages that explain error codes, and the answer to
//! paths that do not exist.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, header};
use platform::context::Protocol;
use platform::resource::Resource;
use platform::telemetry::OPENMETRICS_CONTENT_TYPE;
use platform::{Error, ErrorKind};
use serde_json::json;

use crate::Gateway;
use crate::edge::{Door, authenticate};
use crate::pages::layout;
use crate::problem::Problem;

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    let mut metrics = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(gateway));
    if !gateway.parts.options.open_metrics {
        let door = Door { gateway: Arc::clone(gateway), resource: Resource::Rest, protocol: Protocol::Rest };
        metrics = metrics.route_layer(from_fn_with_state(door, authenticate));
    }
    Router::new()
        .route("/", get(home))
        .route("/healthz", get(healthy))
        .route("/errors/{code}", get(explain))
        .with_state(Arc::clone(gateway))
        .merge(metrics)
}

pub(crate) async fn not_found() -> Response {
    Problem::from(Error::new(ErrorKind::NotFound, "path_unknown", "There is nothing at this path.")).into_response()
}

async fn healthy(State(gateway): State<Arc<Gateway>>) -> Response {
    Json(json!({"status": "ok", "version": gateway.parts.options.version})).into_response()
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> Response {
    let text = gateway.parts.metrics.render();
    ([(header::CONTENT_TYPE, HeaderValue::from_static(OPENMETRICS_CONTENT_TYPE))], text).into_response()
}

async fn home(State(gateway): State<Arc<Gateway>>) -> Response {
    layout::home(&gateway)
}

/// The page of an error code, as it stands in the documentation.
async fn explain(Path(code): Path<String>) -> Response {
    match error_page(&code) {
        Some(text) => layout::document(&code, text),
        None => Problem::from(Error::new(ErrorKind::NotFound, "error_code_unknown", "There is no such error code."))
            .into_response(),
    }
}

include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));
