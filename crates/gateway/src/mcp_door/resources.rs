//! Resources: `interlock://<server>/<path>`, as connectors declare them, and `interlock://changes/<path>` for changes. Reading one is a call of the tool behind it (T13):
//! the same policy, the same masking, the same record; so a resource is offered to those who may see that tool here.

use std::sync::Arc;

use mcp::content::{Body, ResourceContents};
use mcp::offers::{Page, ResourceDescription, ResourceRead, ResourceTemplate};
use platform::context::CallReferences;
use platform::{CallContext, Error, ErrorKind, Json};
use tool_runtime::artifacts::READ_ARTIFACT;
use tool_runtime::catalogue::OWN_SERVER;
use tool_runtime::{CallRequest, OWN_FAMILIES, ResourceSpec};

use super::handler::ViewHandler;
use super::view;

const SCHEME: &str = "interlock://";

/// Longest address that is looked at.
const MAX_URI: usize = 1_000;

/// A resource that a caller may see.
pub(super) struct Offered {
    pub(super) server: String,
    pub(super) spec: &'static ResourceSpec,
}

impl Offered {
    /// Its address; a template when it has variables.
    pub(super) fn uri(&self) -> String {
        uri(&self.server, self.spec.path)
    }
}

/// The address of a path on a server.
pub(super) fn uri(server: &str, path: &str) -> String {
    if is_of_own_family(server, path) { format!("{SCHEME}{path}") } else { format!("{SCHEME}{server}/{path}") }
}

/// Whether a path is one of the platform's own that are addressed without its name.
fn is_of_own_family(server: &str, path: &str) -> bool {
    let family = path.split('/').next().unwrap_or_default();
    server == OWN_SERVER && OWN_FAMILIES.contains(&family)
}

/// The server and the path of an address.
fn place_of(uri: &str) -> Option<(&str, &str)> {
    let path = uri.strip_prefix(SCHEME).filter(|_| uri.len() <= MAX_URI)?;
    if is_of_own_family(OWN_SERVER, path) { Some((OWN_SERVER, path)) } else { path.split_once('/') }
}

impl ViewHandler {
    /// The resources that this caller may see here, in the order of their declaration.
    pub(super) async fn offered_resources(&self, cx: &CallContext) -> Result<Vec<Offered>, Error> {
        let visible = self.pipeline.visibility().reachable_with_ports(&cx.principal, &self.resource).await?;
        let catalogue = self.catalogue();
        let mut offered = Vec::new();
        for server in catalogue.servers() {
            let name = &server.facts.name;
            let in_view = view::server_name(&self.resource).is_none_or(|view| view == name);
            let here = |spec: &&ResourceSpec| in_view || is_of_own_family(name, spec.path);
            let seen = |spec: &&ResourceSpec| visible.iter().any(|t| t.server.name == *name && t.name() == spec.tool);
            let resources = server.connector.resources().iter().filter(here).filter(seen);
            offered.extend(resources.map(|spec| Offered { server: name.clone(), spec }));
        }
        Ok(offered)
    }

    /// The artifacts, where the platform's own server is not in view.
    async fn artifacts(&self, cx: &CallContext) -> Result<Option<Offered>, Error> {
        let visible = self.pipeline.visibility().visible(&cx.principal).await?;
        let seen = visible.contains(&(OWN_SERVER.to_owned(), READ_ARTIFACT.to_owned()));
        let catalogue = self.catalogue();
        let own = catalogue.server(OWN_SERVER).filter(|_| seen);
        let spec = own.and_then(|own| own.connector.resources().iter().find(|spec| spec.tool == READ_ARTIFACT));
        Ok(spec.map(|spec| Offered { server: OWN_SERVER.to_owned(), spec }))
    }

    pub(super) async fn resources(&self, cx: &CallContext) -> Result<Page<ResourceDescription>, Error> {
        let catalogue = self.catalogue();
        let describe = |o: Offered| ResourceDescription {
            uri: o.uri(),
            name: view::shown(&self.resource, &catalogue, &o.server, o.spec.name),
            title: Some(o.spec.title.to_owned()),
            description: Some(o.spec.description.to_owned()),
            mime_type: Some(o.spec.mime_type.to_owned()),
        };
        let offered = self.offered_resources(cx).await?;
        Ok(Page::whole(offered.into_iter().filter(|o| !o.spec.is_template()).map(describe).collect()))
    }

    pub(super) async fn templates(&self, cx: &CallContext) -> Result<Page<ResourceTemplate>, Error> {
        let catalogue = self.catalogue();
        let describe = |o: Offered| ResourceTemplate {
            uri_template: o.uri(),
            name: view::shown(&self.resource, &catalogue, &o.server, o.spec.name),
            title: Some(o.spec.title.to_owned()),
            description: Some(o.spec.description.to_owned()),
            mime_type: Some(o.spec.mime_type.to_owned()),
        };
        let offered = self.offered_resources(cx).await?;
        Ok(Page::whole(offered.into_iter().filter(|o| o.spec.is_template()).map(describe).collect()))
    }

    pub(super) async fn read(&self, cx: &Arc<CallContext>, uri: String) -> Result<ResourceRead, Error> {
        let place = place_of(&uri);
        let mut offered = self.offered_resources(cx).await?;
        // A result names its artifact at every endpoint, so it can be read there; what made it decides.
        if !offered.iter().any(|o| o.spec.tool == READ_ARTIFACT)
            && let Some(artifacts) = self.artifacts(cx).await?
        {
            offered.push(artifacts);
        }
        let found = place.and_then(|(server, path)| {
            let here = offered.iter().filter(|o| o.server == server);
            here.filter_map(|o| Some((o, o.spec.matches(path)?))).min_by_key(|(o, _)| o.spec.is_template())
        });
        let Some((Offered { server, spec }, values)) = found else {
            // On record like a tool that does not exist, so that nobody looks for hidden ones unseen.
            let server = place.map_or(OWN_SERVER, |(server, _)| server).to_owned();
            let request = CallRequest {
                server,
                tool: "resources/read".to_owned(),
                arguments: Json::Null,
                references: CallReferences::default(),
            };
            return Err(self.pipeline.refuse(cx, &request, unknown()).await);
        };
        let arguments = values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let request = CallRequest {
            server: server.clone(),
            tool: spec.tool.to_owned(),
            arguments: Json::Object(arguments),
            references: CallReferences::default(),
        };
        let answer = self.pipeline.call_port(Arc::clone(cx), request).await.map_err(|e| match e.code() {
            "tool_unknown" => unknown(),
            _ => e,
        })?;
        let text = spec.text.and_then(|pointer| answer.structured.pointer(pointer)).and_then(Json::as_str);
        // A result that was too large is a reference, whatever the resource holds otherwise.
        let referred = spec.text.is_some() && text.is_none();
        let text = text.map_or_else(|| answer.structured.to_string(), str::to_owned);
        // An artifact says itself what it is.
        let media_type = answer.structured.pointer("/artifact/media_type").and_then(Json::as_str);
        let media_type = media_type.filter(|_| spec.tool == READ_ARTIFACT).unwrap_or(spec.mime_type);
        let media_type = if referred { "application/json" } else { media_type };
        let catalogue = self.catalogue();
        let tool = catalogue.server(server).and_then(|s| s.tool_or_port(spec.tool));
        let kept = tool.and_then(|t| t.tool.spec().cache_for).unwrap_or_default();
        Ok(ResourceRead {
            contents: vec![ResourceContents { uri, mime_type: Some(media_type.to_owned()), body: Body::Text(text) }],
            ttl_ms: u64::try_from(kept.as_millis()).unwrap_or(0),
        })
    }
}

pub(super) fn unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "mcp_resource_unknown",
        "There is no such resource for you here. List the resources and resource templates to see what there is.",
    )
}
