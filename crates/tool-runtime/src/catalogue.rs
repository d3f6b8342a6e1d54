//! The catalogue: every server instance, its tools with the operator's risk, their compiled schemas, and what is
//! published about them. Built once at start; names and schemas are checked here, so that nothing half-described is
//! ever served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jsonschema::Validator;
use platform::policy::{CatalogueEntry, Risk, RiskTable, ServerFacts, ToolFacts};
use platform::{Error, Json, canonical};
use serde_json::json;

use crate::connector::Connector;
use crate::offers;
use crate::reach::is_change_tool;
use crate::secret_arguments::{self, SecretPlaces};
use crate::tool::Tool;

/// The reserved argument of write tools (T12).
pub const REFERENCES_ARGUMENT: &str = "_interlock";

/// The server of the platform's own tools; at the aggregate endpoint they have their plain names.
pub const OWN_SERVER: &str = "interlock";

/// Longest name of a tool or prompt at the aggregate endpoint.
const MAX_AGGREGATE_NAME: usize = 64;

/// One server instance to register.
pub struct Instance {
    /// `/mcp/<name>`.
    pub name: String,
    /// As configured.
    pub environment: String,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
}

/// A registered instance.
pub struct Server {
    /// Name, connector, environment.
    pub facts: ServerFacts,
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    tools: Vec<Arc<RegisteredTool>>,
}

impl Server {
    /// Listed tools, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<RegisteredTool>> {
        self.tools.iter().filter(|t| t.tool.spec().listed)
    }

    /// A tool that can be called from outside.
    pub fn tool(&self, name: &str) -> Option<&Arc<RegisteredTool>> {
        self.tools().find(|t| t.tool.spec().name == name)
    }

    /// Listed tools and ports, by name.
    pub fn tools_and_ports(&self) -> impl Iterator<Item = &Arc<RegisteredTool>> {
        self.tools.iter()
    }

    /// A listed tool or a port.
    pub fn tool_or_port(&self, name: &str) -> Option<&Arc<RegisteredTool>> {
        self.tools.iter().find(|t| t.tool.spec().name == name)
    }

    /// What one of its tools or prompts is called at the aggregate endpoint: `catalyst_center__list_devices`.
    pub fn aggregate_name(&self, name: &str) -> String {
        aggregate_name(&self.facts.name, name)
    }
}

/// A registered tool.
pub struct RegisteredTool {
    /// The instance it belongs to.
    pub server: ServerFacts,
    /// The tool.
    pub tool: Arc<dyn Tool>,
    /// The instance's connector.
    pub connector: Arc<dyn Connector>,
    /// The operator's risk class.
    pub risk: Risk,
    /// The toolsets that it is in.
    pub toolsets: Vec<&'static str>,
    /// Published input schema, and the enforced one; writes have the reserved argument in it.
    pub published_input: Arc<Json>,
    /// Published output schema of a result.
    pub published_output: Arc<Json>,
    /// Which arguments are secrets.
    pub(crate) secrets: SecretPlaces,
    /// The published input schema, compiled.
    pub(crate) input: Validator,
    /// Enforced on results.
    pub(crate) output: Validator,
}

impl RegisteredTool {
    /// As a visibility query names it.
    pub fn entry(&self) -> CatalogueEntry {
        CatalogueEntry {
            server: self.server.clone(),
            tool: ToolFacts { name: self.name().to_owned(), risk: self.risk },
            action: self.risk.action(),
        }
    }

    /// Tool name.
    pub fn name(&self) -> &'static str {
        self.tool.spec().name
    }

    /// Whether any of its arguments is a secret (T27): then nobody repeats them.
    pub fn has_secret_arguments(&self) -> bool {
        !self.secrets.is_empty()
    }
}

/// All servers and tools.
#[derive(Default)]
pub struct Catalogue {
    servers: BTreeMap<String, Server>,
    /// Listed tools by their name at the aggregate endpoint.
    aggregate: BTreeMap<String, Arc<RegisteredTool>>,
    revision: String,
}

impl Catalogue {
    /// Checks and compiles everything. An error here is a defect of a connector or of the configuration.
    pub fn build(instances: Vec<Instance>, risks: &RiskTable) -> Result<Self, Error> {
        let mut servers = BTreeMap::new();
        for instance in instances {
            let server = register(instance, risks)?;
            let name = server.facts.name.clone();
            if servers.insert(name.clone(), server).is_some() {
                return Err(defect(&name, "two servers have this name"));
            }
        }
        let described: Vec<_> = servers
            .values()
            .flat_map(|s| s.tools.iter())
            .map(|t| (t.entry(), &t.published_input, &t.published_output))
            .collect();
        let revision = canonical::digest_hex(&described)?;
        let mut aggregate = BTreeMap::new();
        for tool in servers.values().flat_map(Server::tools) {
            let name = aggregate_name(&tool.server.name, tool.name());
            if name.len() > MAX_AGGREGATE_NAME {
                return Err(defect(
                    &name,
                    format!("is longer than {MAX_AGGREGATE_NAME}: give the server a shorter name"),
                ));
            }
            if aggregate.insert(name.clone(), Arc::clone(tool)).is_some() {
                return Err(defect(&name, "two tools have this name at the aggregate endpoint"));
            }
        }
        Ok(Self { servers, aggregate, revision })
    }

    /// Changes when anything about any tool changes.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// One server.
    pub fn server(&self, name: &str) -> Option<&Server> {
        self.servers.get(name)
    }

    /// All servers, by name.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.values()
    }

    /// A listed tool by its name at the aggregate endpoint.
    pub fn by_aggregate_name(&self, name: &str) -> Option<&Arc<RegisteredTool>> {
        self.aggregate.get(name)
    }

    /// Every tool, ports too, by server and name.
    pub fn entries(&self) -> Vec<CatalogueEntry> {
        self.servers().flat_map(|s| s.tools.iter().map(|t| t.entry())).collect()
    }
}

fn defect(what: &str, why: impl std::fmt::Display) -> Error {
    Error::internal(format!("catalogue: {what}: {why}"))
}

/// The name of a server, a connector or a toolset: `[a-z][a-z0-9-]{0,39}`.
pub(crate) fn is_label(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The name of a tool or a prompt: `[a-z0-9_]{1,40}`.
pub(crate) fn is_tool_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 40
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn aggregate_name(server: &str, name: &str) -> String {
    if server == OWN_SERVER { name.to_owned() } else { format!("{}__{name}", server.replace('-', "_")) }
}

fn register(instance: Instance, risks: &RiskTable) -> Result<Server, Error> {
    let connector = instance.connector;
    if !is_label(&instance.name) || !is_label(connector.name()) {
        return Err(defect(&instance.name, "names are [a-z][a-z0-9-]{0,39}"));
    }
    if offers::OWN_FAMILIES.contains(&instance.name.as_str()) {
        return Err(defect(&instance.name, "is a name of the platform's own resources"));
    }
    offers::check(connector.as_ref()).map_err(|e| defect(&instance.name, e))?;
    let facts =
        ServerFacts { name: instance.name, connector: connector.name().to_owned(), environment: instance.environment };
    let mut seen = BTreeSet::new();
    let mut tools = Vec::new();
    for tool in connector.tools().into_iter().chain(connector.ports().tools()) {
        let registered = register_tool(&facts, &connector, tool, risks)?;
        if !seen.insert(registered.name()) {
            return Err(defect(registered.name(), "two tools have this name"));
        }
        tools.push(Arc::new(registered));
    }
    tools.sort_by_key(|t| t.name());
    let server = Server { facts, connector, tools };
    let reading = server.connector.resources().iter().map(|r| r.tool);
    for name in reading.chain(server.connector.completions().iter().map(|c| c.tool)) {
        if server.tool_or_port(name).is_none_or(|tool| tool.risk.is_write()) {
            return Err(defect(name, "is read as a resource or for a completion, and writes by the operator's table"));
        }
    }
    Ok(server)
}

fn register_tool(
    server: &ServerFacts,
    connector: &Arc<dyn Connector>,
    tool: Arc<dyn Tool>,
    risks: &RiskTable,
) -> Result<RegisteredTool, Error> {
    let spec = tool.spec();
    if !is_tool_name(spec.name) {
        return Err(defect(spec.name, "tool names are [a-z0-9_]{1,40}"));
    }
    if server.name != OWN_SERVER && is_change_tool(spec.name) {
        return Err(defect(
            spec.name,
            "is a name of the platform's own tools for changes, which stand in the same lists",
        ));
    }
    let risk = risks.risk(connector.name(), spec.name);
    let secrets = SecretPlaces::of(&spec.input).map_err(|e| defect(spec.name, e))?;
    if spec.targets.iter().any(|target| secrets.has(target.argument)) {
        return Err(defect(spec.name, "an argument cannot both name a target and be a secret"));
    }
    let mut published = spec.input.clone();
    secret_arguments::publish(&mut published);
    close_object(&mut published).ok_or_else(|| defect(spec.name, "the input schema is not an object schema"))?;
    if risk.is_write()
        && let Some(properties) = published.get_mut("properties").and_then(Json::as_object_mut)
    {
        properties.insert(REFERENCES_ARGUMENT.to_owned(), references_schema());
    }
    let input = compile(&published).map_err(|e| defect(spec.name, e))?;
    let output = compile(&spec.output).map_err(|e| defect(spec.name, e))?;
    Ok(RegisteredTool {
        server: server.clone(),
        connector: Arc::clone(connector),
        risk,
        toolsets: connector.toolsets().iter().filter(|s| s.tools.contains(&spec.name)).map(|s| s.name).collect(),
        published_input: Arc::new(published),
        published_output: Arc::new(spec.output.clone()),
        secrets,
        input,
        output,
        tool,
    })
}

/// Unknown arguments are refused: a misspelt optional argument must not be ignored in silence.
fn close_object(schema: &mut Json) -> Option<()> {
    let schema = schema.as_object_mut()?;
    if schema.get("type").and_then(Json::as_str) != Some("object") {
        return None;
    }
    schema.remove("title");
    schema.entry("properties").or_insert_with(|| json!({}));
    schema.entry("additionalProperties").or_insert(Json::Bool(false));
    Some(())
}

fn compile(schema: &Json) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(schema)
        .map_err(|e| e.to_string())
}

/// What is published of [`REFERENCES_ARGUMENT`].
pub fn references_schema() -> Json {
    json!({
        "type": "object",
        "description": "References of this call; leave out unless a refusal or an operator told you to set it.",
        "properties": {
            "change": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$",
                "description": "Id of the approved change that covers this call."},
            "idempotency_key": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$",
                "description": "A repeat with the same key answers with the first result and does not act again."}
        },
        "additionalProperties": false
    })
}
