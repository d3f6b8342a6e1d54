//! The OpenAPI 3.1 document (<https://spec.openapis.org/oas/v3.1.1>), generated from the catalogue for one caller: what
//! this person may see, and nothing else (T10). It needs a token like every path below `/api/v1`.
//!
//! Each tool has a path of its own, `/api/v1/mcp/catalyst-center/tools/list_devices`: the article's route with the names
//! filled in, and so the same handler. The route itself, with `{server}` and `{tool}`, is not described a second time: it
//! could only promise that any tool takes any arguments, which none does. `x-interlock-route` names it at every operation.
//! The schemas are the published and enforced ones, with two differences: the reserved argument `_interlock` stands as
//! headers, because a document that shows both invites contradictions; and a query has no `null`.
//!
//! Next: [`operation`] for a tool's paths, [`twins`] for those of changes, [`links`] for how one leads to another, [`components`] for what all share.

mod components;
mod links;
mod operation;
mod twins;

use std::sync::Arc;

use platform::{Error, Json, Principal};
use serde_json::{Map, json};
use tool_runtime::catalogue::{OWN_SERVER, RegisteredTool};

use crate::Gateway;

/// One server's part of the document.
struct Shown {
    name: String,
    instructions: &'static str,
    tools: Vec<Arc<RegisteredTool>>,
}

/// The document for a caller.
pub(super) async fn document(gateway: &Gateway, principal: &Principal) -> Result<Json, Error> {
    let visibility = gateway.parts.pipeline.visibility();
    let mut shown = Vec::new();
    for server in visibility.catalogue().servers() {
        let name = server.facts.name.clone();
        let tools = visibility.tools(principal, &name).await?;
        shown.push(Shown { name, instructions: server.connector.instructions(), tools });
    }
    Ok(of(gateway, &shown))
}

fn of(gateway: &Gateway, shown: &[Shown]) -> Json {
    let options = &gateway.parts.options;
    let servers: Vec<&str> = shown.iter().map(|s| s.name.as_str()).collect();
    let mut paths = Map::new();
    let mut schemas = components::shared_schemas();
    for tool in shown.iter().flat_map(|s| &s.tools) {
        let names = operation::Names::of(tool);
        schemas.insert(names.arguments.clone(), components::embedded(&operation::arguments(tool), &names.arguments));
        schemas.insert(names.result.clone(), components::embedded(&tool.published_output, &names.result));
        paths.insert(names.path.clone(), operation::path_of(&options.base, tool, &names));
    }
    for server in shown {
        links::add(&mut paths, &server.tools);
    }
    for server in shown.iter().filter(|s| s.name == OWN_SERVER) {
        twins::add(&mut paths, &server.tools);
    }
    paths.insert("/api/v1/openapi.json".to_owned(), operation::this_document());
    paths.insert("/api/v1/mcp/{server}/tools".to_owned(), operation::tool_list(&servers));
    let tags = shown.iter().map(|s| json!({"name": s.name, "description": s.instructions}));
    let about = json!({"name": "about", "description": "What there is."});
    let (schemes, security) =
        components::security(&gateway.parts.tokens.issuers(), &gateway.parts.tokens.required_scopes());
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Interlock",
            "summary": "The tools of every server that you may use, by HTTP.",
            "description": "Every call is authenticated, authorised by policy, given its credential for the moment, and on \
                record before its answer leaves. Refusals are problem documents (RFC 9457) with a stable code; a refusal that \
                can be met says how.",
            "version": options.version,
        },
        "servers": [{"url": options.base.as_str()}],
        "security": security,
        "tags": std::iter::once(about).chain(tags).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": components::responses(),
            "headers": components::headers(),
            "parameters": components::parameters(),
            "securitySchemes": schemes,
        },
    })
}
