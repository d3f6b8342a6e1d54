//! Sites: areas, buildings, floors.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tool_runtime::combinators::{Page, paged};
use tool_runtime::{Tool, ToolSpec};

use crate::client::{Api, Query};
use crate::model::{Site, VendorSite};

#[derive(Deserialize, JsonSchema)]
struct ListSites {
    /// Site name.
    #[schemars(length(max = 255))]
    name: Option<String>,
    /// Full path, for example `Global/USA/SAN JOSE`.
    #[schemars(length(max = 1024))]
    hierarchy: Option<String>,
    /// `area`, `building` or `floor`.
    #[serde(rename = "type")]
    #[schemars(length(max = 16))]
    kind: Option<String>,
}

pub(super) fn list_sites(api: &Arc<Api>) -> Arc<dyn Tool> {
    let api = Arc::clone(api);
    let spec = ToolSpec::new::<ListSites, Page>(
        "list_sites",
        "List sites",
        "Lists the site hierarchy: areas, buildings and floors.",
    )
    .cache_for(Duration::from_secs(10))
    .example(json!({"type": "building"}));
    paged(spec, move |cx, args: ListSites, page| {
        let api = Arc::clone(&api);
        async move {
            let query =
                Query::default().with("name", args.name).with("nameHierarchy", args.hierarchy).with("type", args.kind);
            api.page::<VendorSite, Site>(&cx, "/dna/intent/api/v1/sites", query, page, None).await
        }
    })
}
