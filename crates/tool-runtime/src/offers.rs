//! What a connector offers beside its tools: named sets of them, resources, prompts and completions. All of it is data
//! over registered tools, because there is one road (rule T13): reading a resource *is* a call of its tool, with the same
//! policy, masking and audit.
//!
//! [`check`] runs when the catalogue is built, so that nothing is offered that names a tool or an argument which does not
//! exist. Next: [`crate::catalogue`], which calls it; `gateway::mcp_door`, which serves all of this.

use std::collections::{BTreeMap, BTreeSet};

use platform::Json;

use crate::connector::Connector;
use crate::tool::ToolSpec;

/// Most bytes of a connector's instructions: every client puts them into its model's prompt.
const MAX_INSTRUCTIONS: usize = 1_000;

/// A named set of a connector's tools, served at `/mcp/<server>/x/<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toolset {
    /// `[a-z][a-z0-9-]{0,39}`.
    pub name: &'static str,
    /// For people: a few words.
    pub title: &'static str,
    /// Listed tools.
    pub tools: &'static [&'static str],
}

/// Families of resources of the platform's own server that are addressed by their own name, `interlock://changes/<path>`. No
/// server has such a name.
pub const OWN_FAMILIES: [&str; 1] = ["changes"];

/// A resource, or a family of them, at `interlock://<server>/<path>`; those of [`OWN_FAMILIES`] at `interlock://<path>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceSpec {
    /// Segments between slashes; one in braces is a variable, and an argument of the tool: `devices/{device_id}/config`.
    pub path: &'static str,
    /// Programmatic name.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it holds.
    pub description: &'static str,
    /// Media type.
    pub mime_type: &'static str,
    /// The tool that reads it; a listed one or a port, and never one that writes.
    pub tool: &'static str,
    /// JSON pointer to the text in the tool's result; `None` = the whole result as JSON.
    pub text: Option<&'static str>,
    /// Which completion proposes values, by variable.
    pub completions: &'static [(&'static str, &'static str)],
}

impl ResourceSpec {
    /// Whether it stands for many.
    pub fn is_template(&self) -> bool {
        self.variables().next().is_some()
    }

    /// Its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(variable)
    }

    /// The variables' values in `path`, or `None` when this is not one of its paths. Values are percent-decoded, and
    /// never empty.
    pub fn matches(&self, path: &str) -> Option<BTreeMap<&'static str, String>> {
        let (mut own, mut given) = (self.path.split('/'), path.split('/'));
        let mut values = BTreeMap::new();
        loop {
            match (own.next(), given.next()) {
                (None, None) => return Some(values),
                (Some(own), Some(given)) => match variable(own) {
                    Some(name) => {
                        let value = percent_encoding::percent_decode_str(given).decode_utf8().ok()?;
                        if value.is_empty() {
                            return None;
                        }
                        values.insert(name, value.into_owned());
                    }
                    None if own == given => {}
                    None => return None,
                },
                _ => return None,
            }
        }
    }

    /// The path with these values, percent-encoded; `None` when one is missing.
    pub fn with<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
        let segment = |own: &'static str| match variable(own) {
            None => Some(own.to_owned()),
            Some(name) => {
                let value = value(name).filter(|v| !v.is_empty())?;
                Some(percent_encoding::utf8_percent_encode(value, SEGMENT).to_string())
            }
        };
        self.path.split('/').map(segment).collect::<Option<Vec<_>>>().map(|segments| segments.join("/"))
    }
}

/// Everything but RFC 3986's unreserved characters.
const SEGMENT: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Values for an argument while it is typed, found by a tool that lists them.
#[derive(Debug, Clone, Copy)]
pub struct CompletionSpec {
    /// What prompts and resources name it by.
    pub name: &'static str,
    /// A tool that lists; a listed one or a port, and never one that writes.
    pub tool: &'static str,
    /// Its arguments, given what was typed so far.
    pub arguments: fn(&str) -> Json,
    /// JSON pointer to the rows in its result.
    pub rows: &'static str,
    /// Member of a row that is proposed.
    pub value: &'static str,
    /// Members of a row that are compared with what was typed; the case of letters does not count.
    pub compared: &'static [&'static str],
}

/// A prompt that people choose by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptSpec {
    /// `verb_noun`, `[a-z0-9_]{1,40}`.
    pub name: &'static str,
    /// For people.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it takes.
    pub arguments: &'static [PromptArgument],
    /// What the model reads. `{name}` is an argument and `{tool:name}` what the tool is called at this endpoint; a line
    /// with an argument that was not given is left out.
    pub text: &'static str,
    /// Paths of resources that go along as links, where the arguments that they need are given.
    pub links: &'static [&'static str],
}

/// An argument of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptArgument {
    /// Name.
    pub name: &'static str,
    /// What it means.
    pub description: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Which completion proposes values.
    pub completion: Option<&'static str>,
}

/// A piece of a prompt's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(&'static str),
    /// An argument's value.
    Argument(&'static str),
    /// A tool's name at the endpoint.
    Tool(&'static str),
}

impl PromptSpec {
    /// The text, line by line, in pieces.
    pub fn lines(&self) -> impl Iterator<Item = Vec<Piece>> {
        self.text.lines().map(pieces)
    }

    /// The tools it names. It is offered only where all of them are.
    pub fn tools(&self) -> BTreeSet<&'static str> {
        let tool = |piece| if let Piece::Tool(name) = piece { Some(name) } else { None };
        self.lines().flatten().filter_map(tool).collect()
    }
}

fn pieces(line: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, inner, after)) = rest
        .split_once('{')
        .and_then(|(before, tail)| tail.split_once('}').map(|(inner, after)| (before, inner, after)))
    {
        pieces.push(Piece::Text(before));
        pieces.push(inner.strip_prefix("tool:").map_or(Piece::Argument(inner), Piece::Tool));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}

/// Finds what is wrong with a connector's offers.
pub(crate) fn check(connector: &dyn Connector) -> Result<(), String> {
    let tools = connector.tools();
    let tools: BTreeMap<&str, &ToolSpec> = tools.iter().map(|t| (t.spec().name, t.spec())).collect();
    let most = connector.instructions().len();
    if most > MAX_INSTRUCTIONS {
        return Err(format!("the instructions have {most} bytes, and {MAX_INSTRUCTIONS} are allowed"));
    }
    let completions: BTreeSet<&str> = connector.completions().iter().map(|c| c.name).collect();
    unique("toolset", connector.toolsets().iter().map(|t| t.name))?;
    unique("completion", connector.completions().iter().map(|c| c.name))?;
    unique("resource", connector.resources().iter().map(|r| r.path))?;
    unique("prompt", connector.prompts().iter().map(|p| p.name))?;
    for set in connector.toolsets() {
        check_toolset(set, &tools).map_err(|e| format!("toolset `{}`: {e}", set.name))?;
    }
    for completion in connector.completions() {
        let tool = tools.get(completion.tool).ok_or_else(|| format!("there is no tool `{}`", completion.tool));
        let fits = tool.and_then(|spec| arguments_fit(spec, &(completion.arguments)("a")));
        fits.map_err(|e| format!("completion `{}`: {e}", completion.name))?;
    }
    for resource in connector.resources() {
        check_resource(resource, &tools, &completions).map_err(|e| format!("resource `{}`: {e}", resource.path))?;
    }
    for prompt in connector.prompts() {
        let paths: Vec<_> = connector.resources().iter().map(|r| r.path).collect();
        check_prompt(prompt, &tools, &completions, &paths).map_err(|e| format!("prompt `{}`: {e}", prompt.name))?;
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    names.into_iter().try_for_each(|n| if seen.insert(n) { Ok(()) } else { Err(format!("two of {what} `{n}`")) })
}

fn check_toolset(set: &Toolset, tools: &BTreeMap<&str, &ToolSpec>) -> Result<(), String> {
    if !crate::catalogue::is_label(set.name) {
        return Err("names are [a-z][a-z0-9-]{0,39}".to_owned());
    }
    if set.tools.is_empty() {
        return Err("it is empty".to_owned());
    }
    unique("tool", set.tools.iter().copied())?;
    let unknown = set.tools.iter().find(|name| !tools.get(**name).is_some_and(|spec| spec.listed));
    unknown.map_or(Ok(()), |name| Err(format!("`{name}` is not a listed tool")))
}

fn check_resource(
    resource: &ResourceSpec,
    tools: &BTreeMap<&str, &ToolSpec>,
    completions: &BTreeSet<&str>,
) -> Result<(), String> {
    let spec = tools.get(resource.tool).ok_or_else(|| format!("there is no tool `{}`", resource.tool))?;
    let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !resource.path.split('/').all(|segment| variable(segment).is_some() || plain(segment)) {
        return Err("a segment is [a-z0-9-]+ or a variable in braces".to_owned());
    }
    unique("variable", resource.variables())?;
    let given = resource.variables().map(|name| (name.to_owned(), Json::from("a"))).collect();
    arguments_fit(spec, &Json::Object(given))?;
    for (variable, completion) in resource.completions {
        if !resource.variables().any(|known| known == *variable) || !completions.contains(completion) {
            return Err(format!("`{variable}` or its completion `{completion}` does not exist"));
        }
    }
    Ok(())
}

/// Whether the tool knows these arguments and needs no others.
fn arguments_fit(spec: &ToolSpec, given: &Json) -> Result<(), String> {
    let has = |name: &str| given.get(name).is_some();
    let known = spec.input.get("properties").and_then(Json::as_object);
    if let Some(name) = given
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .find(|name| !known.is_some_and(|known| known.contains_key(*name)))
    {
        return Err(format!("`{}` has no argument `{name}`", spec.name));
    }
    let required = spec.input.get("required").and_then(Json::as_array);
    let missing = required.into_iter().flatten().filter_map(Json::as_str).find(|name| !has(name));
    missing.map_or(Ok(()), |name| Err(format!("`{}` needs `{name}`", spec.name)))
}

fn check_prompt(
    prompt: &PromptSpec,
    tools: &BTreeMap<&str, &ToolSpec>,
    completions: &BTreeSet<&str>,
    resources: &[&str],
) -> Result<(), String> {
    if !crate::catalogue::is_tool_name(prompt.name) {
        return Err("names are [a-z0-9_]{1,40}".to_owned());
    }
    unique("argument", prompt.arguments.iter().map(|a| a.name))?;
    let argument = |name: &str| prompt.arguments.iter().any(|a| a.name == name);
    for piece in prompt.lines().flatten() {
        match piece {
            Piece::Text(_) => {}
            Piece::Argument(name) if argument(name) => {}
            Piece::Tool(name) if tools.get(name).is_some_and(|spec| spec.listed) => {}
            Piece::Argument(name) | Piece::Tool(name) => return Err(format!("its text names `{name}`")),
        }
    }
    let unknown = prompt.arguments.iter().filter_map(|a| a.completion).find(|c| !completions.contains(c));
    if let Some(name) = unknown {
        return Err(format!("there is no completion `{name}`"));
    }
    for link in prompt.links {
        let variables = link.split('/').filter_map(variable);
        if !resources.contains(link) || !variables.into_iter().all(argument) {
            return Err(format!("its link `{link}` is no resource over its arguments"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Piece, ResourceSpec, pieces};

    const CONFIG: ResourceSpec = ResourceSpec {
        path: "devices/{device_id}/config",
        name: "config",
        title: "Configuration",
        description: "A configuration.",
        mime_type: "text/plain",
        tool: "get_config",
        text: Some("/config"),
        completions: &[],
    };

    #[test]
    fn a_path_gives_its_variables_back_and_a_value_never_becomes_more_of_the_path() {
        let path = CONFIG.with(|name| (name == "device_id").then_some("a/b ü")).unwrap_or_default();
        assert_eq!(path, "devices/a%2Fb%20%C3%BC/config");
        assert_eq!(CONFIG.matches(&path).and_then(|v| v.get("device_id").cloned()).as_deref(), Some("a/b ü"));
        for other in ["devices//config", "devices/a/b/config", "devices/a", "devices/a/config/", "devices/%ff/config"] {
            assert_eq!(CONFIG.matches(other), None, "{other}");
        }
        assert_eq!(CONFIG.with(|_| None), None);
    }

    #[test]
    fn a_line_falls_into_text_arguments_and_tools() {
        let expected = [Piece::Text("Call "), Piece::Tool("list"), Piece::Text(" with "), Piece::Argument("site")];
        assert_eq!(pieces("Call {tool:list} with {site}"), expected);
        assert_eq!(pieces("no } braces {"), [Piece::Text("no } braces {")]);
        assert!(pieces("").is_empty());
    }
}
