//! Prompts, as connectors declare them, in the names of the endpoint at which they are asked for. One is offered where its
//! caller may see every tool that it names.

use std::collections::BTreeMap;

use mcp::content::Content;
use mcp::offers::{Page, Prompt, PromptArgument, PromptDescription, Role};
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind};
use serde_json::json;
use tool_runtime::PromptSpec;
use tool_runtime::offers::Piece;

use super::handler::ViewHandler;
use super::{aggregate, resources, view};

/// Longest value of an argument, characters.
const MAX_VALUE: usize = 500;

/// What is added where the tools that a prompt names are not listed.
const BY_NAME: &str =
    "Tools that are not listed are called by `call_read_tool` or `call_write_tool` under these names.";

/// A prompt that a caller may use.
pub(super) struct Offered {
    pub(super) server: String,
    pub(super) spec: &'static PromptSpec,
    /// Its name here.
    pub(super) name: String,
}

impl ViewHandler {
    /// The prompts that this caller may use here, in the order of their declaration.
    pub(super) async fn offered_prompts(&self, cx: &CallContext) -> Result<Vec<Offered>, Error> {
        let visible = self.visible(cx).await?;
        let catalogue = self.catalogue();
        let mut offered = Vec::new();
        for server in view::servers(&self.resource, &catalogue) {
            let owner = &server.facts.name;
            let seen = |tool: &str| visible.iter().any(|t| t.server.name == *owner && t.name() == tool);
            let prompts = server.connector.prompts().iter().filter(|spec| spec.tools().into_iter().all(seen));
            offered.extend(prompts.map(|spec| Offered {
                server: owner.clone(),
                spec,
                name: view::shown(&self.resource, &catalogue, owner, spec.name),
            }));
        }
        Ok(offered)
    }

    pub(super) async fn prompts(&self, cx: &CallContext) -> Result<Page<PromptDescription>, Error> {
        let describe = |o: Offered| PromptDescription {
            name: o.name,
            title: Some(o.spec.title.to_owned()),
            description: Some(o.spec.description.to_owned()),
            arguments: o.spec.arguments.iter().map(argument).collect(),
        };
        Ok(Page::whole(self.offered_prompts(cx).await?.into_iter().map(describe).collect()))
    }

    pub(super) async fn prompt(
        &self,
        cx: &CallContext,
        name: &str,
        given: BTreeMap<String, String>,
    ) -> Result<Prompt, Error> {
        let offered = self.offered_prompts(cx).await?;
        let offered = offered.into_iter().find(|o| o.name == name).ok_or_else(unknown)?;
        let given = checked(offered.spec, given)?;
        let catalogue = self.catalogue();
        let tool = |name: &str| view::shown(&self.resource, &catalogue, &offered.server, name);
        let mut text = filled(offered.spec, &given, tool);
        if self.resource == Resource::Mcp && !aggregate::listed_too(&self.visible(cx).await?) {
            text.push_str("\n\n");
            text.push_str(BY_NAME);
        }
        let mut messages = vec![(Role::User, Content::Text(text))];
        for resource in self.offered_resources(cx).await? {
            let wanted = resource.server == offered.server && offered.spec.links.contains(&resource.spec.path);
            let value = |name: &str| given.get(name).map(String::as_str);
            if let Some(path) = resource.spec.with(value).filter(|_| wanted) {
                let link = Content::Link {
                    uri: resources::uri(&resource.server, &path),
                    name: resource.spec.name.to_owned(),
                    description: Some(resource.spec.description.to_owned()),
                    mime_type: Some(resource.spec.mime_type.to_owned()),
                };
                messages.push((Role::User, link));
            }
        }
        Ok(Prompt { description: Some(offered.spec.description.to_owned()), messages })
    }
}

pub(super) fn unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "prompt_unknown",
        "There is no such prompt for you here. List the prompts to see what there is.",
    )
}

fn argument(spec: &tool_runtime::PromptArgument) -> PromptArgument {
    PromptArgument {
        name: spec.name.to_owned(),
        description: Some(spec.description.to_owned()),
        required: spec.required,
    }
}

/// The arguments that were given; an empty one counts as absent, since forms send it so.
fn checked(spec: &PromptSpec, given: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Error> {
    let given: BTreeMap<String, String> = given.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
    for (name, value) in &given {
        if !spec.arguments.iter().any(|a| a.name == *name) {
            return Err(invalid("", "an argument that this prompt does not have"));
        }
        // It becomes a part of one line of text: what could look like further instructions does not get in.
        if value.chars().count() > MAX_VALUE || value.chars().any(char::is_control) {
            return Err(invalid(name, "is one line of at most 500 characters"));
        }
    }
    match spec.arguments.iter().find(|a| a.required && !given.contains_key(a.name)) {
        Some(missing) => Err(invalid(missing.name, "is needed")),
        None => Ok(given),
    }
}

/// A wrong argument, by its name.
pub(super) fn invalid(name: &str, why: &str) -> Error {
    let (path, place) = if name.is_empty() { (String::new(), "arguments") } else { (format!("/{name}"), name) };
    Error::new(
        ErrorKind::InvalidInput,
        "invalid_arguments",
        format!("The arguments do not fit ({place}: {why}). Correct them and repeat."),
    )
    .with_details(json!({"errors": [{"path": path, "message": why}]}))
}

/// The text; a line with an argument that was not given is left out.
fn filled(spec: &PromptSpec, given: &BTreeMap<String, String>, tool: impl Fn(&str) -> String) -> String {
    let line = |pieces: Vec<Piece>| {
        let mut line = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Argument(name) => line.push_str(given.get(name)?),
                Piece::Tool(name) => line.push_str(&tool(name)),
            }
        }
        Some(line)
    };
    spec.lines().filter_map(line).collect::<Vec<_>>().join("\n")
}
