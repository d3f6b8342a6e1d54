//! The controller about itself: release and packages.

use axum::Router;
use axum::routing::get;
use serde_json::json;

use crate::reply::{Answer, enveloped};
use crate::simulator::Shared;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/dnac-release", get(release))
        .route("/dna/intent/api/v1/dnac-packages", get(packages))
}

async fn release() -> Answer {
    enveloped(json!({
        "name": "dnac", "displayName": "2.3.7.9-70301", "installedVersion": "2.3.7.9-70301", "displayVersion": "2.3.7.9-70301",
        "systemVersion": "2.1.719.70301", "supportedDirectUpdates": [], "packages": [],
    }))
}

async fn packages() -> Answer {
    enveloped(json!([
        { "name": "assurance", "displayName": "Assurance - Base", "version": "2.3.7.9.1" },
        { "name": "template-programmer", "displayName": "Template Programmer", "version": "2.3.7.9.1" },
    ]))
}
