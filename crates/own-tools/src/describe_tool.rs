//! `describe_tool`: one tool of any server with its schemas, for callers whose list does not show it. What `tools/list`
//! would say of it, and no more: a tool that this caller may not see is unknown here too (T10).

use std::sync::Arc;

use platform::{Error, ErrorKind, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec, Visibility};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Name as `search_tools` gives it, for example `catalyst_center__list_devices`.
    #[schemars(length(min = 1, max = 128))]
    tool: String,
}

#[derive(Serialize, JsonSchema)]
struct Described {
    /// Name at the aggregate endpoint: what `call_read_tool` and `call_write_tool` take.
    name: String,
    /// Server instance.
    server: String,
    /// Name on that server.
    tool: String,
    /// A few words.
    title: String,
    /// What it does.
    description: String,
    /// Risk class.
    risk: String,
    /// `call_read_tool` or `call_write_tool`: which of them calls it.
    call_with: String,
    /// JSON Schema 2020-12 of its arguments.
    input_schema: Json,
    /// JSON Schema 2020-12 of its result.
    output_schema: Json,
    /// Arguments that work, with ids left out.
    example: Option<Json>,
}

pub(super) fn tool(visibility: Arc<Visibility>) -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Described>(
        "describe_tool",
        "Describe a tool",
        "Shows one tool of any server: what it does, the schema of its arguments and of its result, and how to call it.",
    )
    .example(json!({"tool": "search_tools"}));
    typed(spec, move |cx, args: Args| {
        let visibility = Arc::clone(&visibility);
        async move {
            let visible = visibility.visible(&cx.call.principal).await?;
            let catalogue = visibility.catalogue();
            let found = catalogue.by_aggregate_name(&args.tool);
            let found = found.filter(|t| visible.contains(&(t.server.name.clone(), t.name().to_owned())));
            let tool = found.ok_or_else(|| {
                Error::new(
                    ErrorKind::NotFound,
                    "tool_not_found",
                    "There is no such tool for you. `search_tools` finds the names of those that there are.",
                )
                .with_next("search_tools", json!({"query": ""}))
            })?;
            let spec = tool.tool.spec();
            Ok(Described {
                name: args.tool,
                server: tool.server.name.clone(),
                tool: spec.name.to_owned(),
                title: spec.title.to_owned(),
                description: spec.description.to_owned(),
                risk: tool.risk.as_str().to_owned(),
                call_with: if tool.risk.is_write() { "call_write_tool" } else { "call_read_tool" }.to_owned(),
                input_schema: tool.published_input.as_ref().clone(),
                output_schema: tool.published_output.as_ref().clone(),
                example: spec.example.clone(),
            })
        }
    })
}
