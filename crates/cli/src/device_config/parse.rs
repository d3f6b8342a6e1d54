//! `interlock device-config parse`.

use clap::Args;
use serde_json::json;
use server::offline::device_config::{Node, parse};

use super::Given;
use crate::failure::Outcome;
use crate::terminal::Terminal;
use platform::Json;

#[derive(Args)]
pub(super) struct Parse {
    #[command(flatten)]
    given: Given,
}

impl Parse {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let config = parse(self.given.platform, &self.given.read()?);
        let text = config.text();
        let value = json!({
            "platform": config.platform().name(),
            "lines": config.lines(),
            "text": text,
            "tree": config.nodes().iter().map(tree).collect::<Vec<_>>(),
        });
        terminal.result(&text, &value)
    }
}

/// A line and what stands below it.
pub(super) fn tree(node: &Node) -> Json {
    json!({"line": node.text, "lines": node.children.iter().map(tree).collect::<Vec<_>>()})
}
