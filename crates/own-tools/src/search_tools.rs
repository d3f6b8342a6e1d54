//! `search_tools`: tools on all servers that this caller may use, best match first.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec, Visibility};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Words to look for in names and descriptions; nothing = everything.
    #[serde(default)]
    #[schemars(length(max = 200))]
    query: String,
    /// Only this server.
    #[schemars(length(max = 40))]
    server: Option<String>,
    /// Most matches.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

fn twenty() -> usize {
    20
}

#[derive(Serialize, JsonSchema)]
struct Found {
    /// Best match first.
    tools: Vec<Match>,
    /// Matches in all.
    total: usize,
}

#[derive(Serialize, JsonSchema)]
struct Match {
    /// Name at the aggregate endpoint `/mcp`: what `describe_tool` and the `call_…` tools take.
    name: String,
    /// Server instance: connect to `/mcp/<server>`.
    server: String,
    /// Tool name there.
    tool: String,
    /// A few words.
    title: String,
    /// What it does.
    description: String,
    /// Risk class.
    risk: String,
}

pub(super) fn tool(visibility: Arc<Visibility>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Found>(
        "search_tools",
        "Search tools",
        "Finds tools on all servers that you may use, by words in their names and descriptions.",
    )
    .example(json!({"query": "device configuration"}));
    typed(spec, move |cx, args: Args| {
        let visibility = Arc::clone(&visibility);
        async move {
            let visible = visibility.visible(&cx.call.principal).await?;
            let catalogue = visibility.catalogue();
            let words = words(&args.query);
            let mut scored = Vec::new();
            for server in catalogue.servers().filter(|s| args.server.as_ref().is_none_or(|n| *n == s.facts.name)) {
                for tool in server.tools() {
                    let spec = tool.tool.spec();
                    let seen = visible.contains(&(server.facts.name.clone(), spec.name.to_owned()));
                    let score = score(&words, spec);
                    if seen && (words.is_empty() || score > 0) {
                        scored.push((score, server, tool));
                    }
                }
            }
            scored.sort_by(|a, b| {
                b.0.cmp(&a.0).then_with(|| (&a.1.facts.name, a.2.name()).cmp(&(&b.1.facts.name, b.2.name())))
            });
            let total = scored.len();
            let tools = scored.into_iter().take(args.limit).map(|(_, server, tool)| {
                let spec = tool.tool.spec();
                Match {
                    name: server.aggregate_name(spec.name),
                    server: server.facts.name.clone(),
                    tool: spec.name.to_owned(),
                    title: spec.title.to_owned(),
                    description: spec.description.to_owned(),
                    risk: tool.risk.as_str().to_owned(),
                }
            });
            Ok(Found { tools: tools.collect(), total })
        }
    })
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.len() > 1).map(str::to_lowercase).collect()
}

/// A word in the name counts three times one in the title or description; the start of a word is enough.
fn score(query: &HashSet<String>, spec: &ToolSpec) -> usize {
    let (name, text) = (words(spec.name), words(&format!("{} {}", spec.title, spec.description)));
    let hits = |all: &HashSet<String>| query.iter().filter(|q| all.iter().any(|w| w.starts_with(q.as_str()))).count();
    3 * hits(&name) + hits(&text)
}
