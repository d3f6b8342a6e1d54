//! `echo`: answers with what it was given.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tool_runtime::tool::typed;
use tool_runtime::{Tool, ToolSpec};

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Any text of at most 10,000 characters.
    #[schemars(length(max = 10_000))]
    message: String,
}

#[derive(Serialize, JsonSchema)]
struct Echoed {
    /// The same text.
    message: String,
}

pub(super) fn tool() -> Arc<dyn Tool> {
    let spec = ToolSpec::new::<Args, Echoed>("echo", "Echo", "Answers with the message it was given.")
        .example(json!({"message": "hello"}));
    typed(spec, |_cx, args: Args| async move { Ok(Echoed { message: args.message }) })
}
