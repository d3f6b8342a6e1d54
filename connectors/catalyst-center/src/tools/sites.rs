//! Sites: areas, buildings, floors.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tool_runtime::combinators::{Page, listed};
use tool_runtime::{Tool, ToolSpec};

use crate::client::{Api, Filter, Query};
use crate::model::{Site, VendorSite};

#[derive(Deserialize, JsonSchema)]
struct ListSites {
    /// Site name.
    name: Option<Filter>,
    /// Full path, for example `Global/USA/SAN JOSE`.
    hierarchy: Option<Filter>,
    /// `area`, `building` or `floor`.
    #[serde(rename = "type")]
    kind: Option<Filter>,
}

pub(super) fn list_sites(api: &Arc<Api>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<ListSites, Page>(
        "list_sites",
        "List sites",
        "Lists the site hierarchy: areas, buildings and floors.",
    )
    .cache_for(Duration::from_secs(10))
    .example(json!({"type": "building"}));
    listed(api, spec, |api, cx, args: ListSites, page| async move {
        let query = Query::of([("name", args.name), ("nameHierarchy", args.hierarchy), ("type", args.kind)]);
        api.page::<VendorSite, Site>(&cx, "/dna/intent/api/v1/sites", query, page).await
    })
}
