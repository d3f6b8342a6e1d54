//! `interlock device-config merge`.

use clap::Args;
use platform::Json;
use serde_json::json;
use server::offline::device_config::{Lines, Unmodelled, diff, parse};

use super::{Against, diff::changes};
use crate::failure::Outcome;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Merge {
    #[command(flatten)]
    given: Against,
    /// Print what the lines change instead of what the configuration becomes.
    #[arg(long)]
    diff: bool,
}

impl Merge {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let (base, lines) = self.given.read()?;
        let before = parse(self.given.platform(), &base);
        let merged = before.merge(&Lines::new(lines));
        let predicted = diff(&before, &merged.after);
        if !terminal.json {
            say_unmodelled(terminal, &merged.unmodelled);
        }
        let after = merged.after.text();
        let value = json!({
            "after": after,
            "changes": changes(&predicted.changes),
            "unmodelled": merged.unmodelled.iter().map(unmodelled).collect::<Vec<_>>(),
        });
        terminal.result(&if self.diff { predicted.masked_text() } else { after }, &value)
    }
}

/// On standard error, so that the result can be piped on.
pub(super) fn say_unmodelled(terminal: &Terminal, lines: &[Unmodelled]) {
    for line in lines {
        terminal.progress(&format!("unmodelled: {line}"));
    }
}

pub(super) fn unmodelled(line: &Unmodelled) -> Json {
    json!({"within": line.within, "line": line.line, "why": line.why.name(), "message": line.why.sentence()})
}
