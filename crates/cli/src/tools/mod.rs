//! `interlock tools`: list, describe, call. Over REST, so with the same policy and the same audit as every other client.
//!
//! Next: `arguments` for how `--arg name=value` gets its type.

pub(crate) mod arguments;

use clap::{Args, Subcommand};
use platform::Json;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::{Connection, Reply};
use crate::table::{of_objects, table};
use crate::terminal::{Terminal, pretty};

#[derive(Args)]
pub(crate) struct Tools {
    #[command(subcommand)]
    command: ToolsCommand,
}

#[derive(Subcommand)]
enum ToolsCommand {
    /// List the tools of a server that you may use.
    List {
        /// Server instance, for example `catalyst-center`.
        server: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show what a tool does and takes.
    Describe {
        /// Server instance.
        server: String,
        /// Tool.
        tool: String,
        /// Print an example call for a shell instead; its token comes from INTERLOCK_TOKEN.
        #[arg(long)]
        curl: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Call a tool.
    Call(Box<Call>),
}

#[derive(Args)]
struct Call {
    /// Server instance.
    server: String,
    /// Tool.
    tool: String,
    /// One argument; the tool's schema gives it its type. `a.b=1` reaches into an object.
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arg: Vec<String>,
    /// All arguments as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "arg")]
    json_args: Option<String>,
    /// A repeat with the same key and arguments answers with the first result.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Tools {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            ToolsCommand::List { server, connection } => list(terminal, &server, connection).await,
            ToolsCommand::Describe { server, tool, curl, connection } => {
                describe(terminal, &server, &tool, curl, connection).await
            }
            ToolsCommand::Call(call) => call.run(terminal).await,
        }
    }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

async fn list(terminal: &Terminal, server: &str, connection: Connection) -> Outcome {
    let tools = connection.open(terminal).await?.tools(server).await?;
    let rows: Vec<Vec<String>> =
        tools.iter().map(|t| vec![text(&t["name"]), text(&t["risk"]), text(&t["title"])]).collect();
    let words = match rows.is_empty() {
        true => format!("You may use no tool of `{server}`."),
        false => table(&["tool", "risk", "title"], &rows),
    };
    terminal.result(&words, &json!({"server": server, "count": tools.len(), "tools": tools}))
}

async fn describe(terminal: &Terminal, server: &str, name: &str, curl: bool, connection: Connection) -> Outcome {
    let tools = connection.open(terminal).await?.tools(server).await?;
    let tool = tools.into_iter().find(|t| t["name"] == name).ok_or_else(|| {
        let message = format!(
            "There is no tool `{name}` on `{server}` for you; `interlock tools list {server}` shows what there is."
        );
        Failure::new(Exit::Failed, "tool_unknown", message)
    })?;
    match tool["curl"].as_str().filter(|_| curl) {
        Some(command) => terminal.result(command, &json!({ "curl": command })),
        None => terminal.result(&in_words(server, &tool), &tool),
    }
}

/// A tool for people: what it does, and its arguments with type, need and meaning.
fn in_words(server: &str, tool: &Json) -> String {
    let schema = &tool["input_schema"];
    let required = |name: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|n| n == name));
    let kind = |property: &Json| match &property["type"] {
        Json::Array(kinds) => kinds.iter().map(text).filter(|k| k != "null").collect::<Vec<_>>().join(" or "),
        Json::String(kind) => kind.clone(),
        _ => "any".to_owned(),
    };
    let rows: Vec<Vec<String>> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let need = if required(name) { "required" } else { "" };
            let says = property["description"].as_str().unwrap_or_default().replace('\n', " ");
            vec![name.clone(), kind(property), need.to_owned(), says]
        })
        .collect();
    let arguments = match rows.is_empty() {
        true => "It takes no arguments.".to_owned(),
        false => table(&["argument", "type", "", "meaning"], &rows),
    };
    format!(
        "{} on {server} (risk {})\n{}\n\n{arguments}",
        text(&tool["name"]),
        text(&tool["risk"]),
        text(&tool["description"])
    )
}

impl Call {
    async fn run(self, terminal: &Terminal) -> Outcome {
        let Self { server, tool, arg, json_args, idempotency_key, connection } = self;
        let whole = json_args.map(|text| arguments::object(&text)).transpose()?;
        let rest = connection.open(terminal).await?;
        let arguments = match whole {
            Some(whole) => whole,
            None if arg.is_empty() => json!({}),
            None => {
                // A tool that is hidden from us has no schema here; the call itself then says so.
                let tools = rest.tools(&server).await?;
                let schema = tools.iter().find(|t| t["name"] == tool.as_str()).map(|t| &t["input_schema"]);
                arguments::typed(&arg, schema)?
            }
        };
        let reply = rest.call(&server, &tool, &arguments, idempotency_key.as_deref()).await?;
        show(terminal, &reply)
    }
}

fn show(terminal: &Terminal, reply: &Reply) -> Outcome {
    let result = &reply.body["result"];
    let list = ["items", "templates", "tools"].iter().find_map(|name| of_objects(result[*name].as_array()?));
    let mut words = match list {
        Some(list) => {
            let total = [&result["total"], &result["count"]].iter().find_map(|n| n.as_u64());
            let next = result["next_cursor"].as_str().map(|c| format!("; more with --arg cursor={c}"));
            format!("{list}\n\n{} in all{}", total.map_or("?".to_owned(), |n| n.to_string()), next.unwrap_or_default())
        }
        None => pretty(result),
    };
    if let Some(location) = &reply.location {
        words.push_str(&format!("\n\nThe work goes on; its state is at {location}"));
    }
    let mut value = reply.body.clone();
    if let (Some(members), Some(id)) = (value.as_object_mut(), &reply.request_id) {
        members.insert("request_id".to_owned(), id.as_str().into());
    }
    terminal.result(&words, &value)?;
    let failed = result["status"] == "failure";
    if failed { Err(Failure::Shown(Exit::Failed)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::in_words;

    #[test]
    fn a_tool_is_described_with_its_arguments() {
        let tool = json!({"name": "get_device", "risk": "read", "description": "Shows one device.", "input_schema": {
            "properties": {"device_id": {"type": "string", "description": "Id."}, "n": {"type": ["integer", "null"]}},
            "required": ["device_id"]}});
        insta::assert_snapshot!(in_words("catalyst-center", &tool), @r"
        get_device on catalyst-center (risk read)
        Shows one device.

        ARGUMENT   TYPE               MEANING
        device_id  string   required  Id.
        n          integer
        ");
    }
}
