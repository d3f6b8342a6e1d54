//! `interlock check`: a configuration as the platform reads it, with the origin of each value, and what `serve` would
//! refuse about it (T30). Touches nothing else; `doctor` looks at the world outside the file.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::command::read_config;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Check {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Check {
    pub(crate) fn run(self, terminal: &Terminal) -> Outcome {
        let loaded = read_config(&self.config)?;
        let refusals = server::production_refusals(&loaded.config);
        let rows: Vec<Vec<String>> = loaded
            .origins
            .iter()
            .map(|(key, (value, origin))| vec![key.clone(), value.clone(), origin.to_string()])
            .collect();
        let mut text = table(&["key", "value", "from"], &rows);
        for refusal in &refusals {
            text.push_str(&format!("\n\n`serve` refuses this: {} [{}]", refusal.message(), refusal.code()));
        }
        if refusals.is_empty() {
            text.push_str(
                "\n\n`serve` accepts this configuration. `interlock doctor` looks at keys, ports and systems.",
            );
        }
        let values: serde_json::Map<_, _> = loaded
            .origins
            .iter()
            .map(|(key, (value, origin))| (key.clone(), json!({"value": value, "from": origin.to_string()})))
            .collect();
        let refused: Vec<_> = refusals.iter().map(|r| json!({"code": r.code(), "message": r.message()})).collect();
        terminal.result(&text, &json!({"ok": refusals.is_empty(), "values": values, "refused": refused}))?;
        if refusals.is_empty() { Ok(()) } else { Err(Failure::Shown(Exit::Usage)) }
    }
}
