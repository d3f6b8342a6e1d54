//! `interlock device-config undo`.

use clap::Args;
use serde_json::json;
use server::offline::device_config::{Lines, Undo, Unmodelled, parse, undo};

use super::Against;
use super::merge::{say_unmodelled, unmodelled};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct TakeBack {
    #[command(flatten)]
    given: Against,
}

impl TakeBack {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let (base, lines) = self.given.read()?;
        let before = parse(self.given.platform(), &base);
        let merged = before.merge(&Lines::new(lines));
        way(terminal, &undo(&before, &merged), &merged.unmodelled)
    }
}

/// Prints the lines of a way, or why there are none.
pub(super) fn way(terminal: &Terminal, way: &Undo, doubts: &[Unmodelled]) -> Outcome {
    let doubts_json: Vec<_> = doubts.iter().map(unmodelled).collect();
    match way {
        Undo::Generated(lines) => {
            let text = if lines.is_empty() { "! There is nothing to enter." } else { lines.text() };
            let list: Vec<&str> = lines.text().lines().collect();
            terminal.result(text, &json!({"kind": "generated", "lines": list, "unmodelled": doubts_json}))
        }
        Undo::None(reason) => {
            let (code, sentence) = (reason.name(), reason.to_string());
            if terminal.json {
                let value = json!({"kind": "none", "reason": code, "message": sentence, "unmodelled": doubts_json});
                terminal.result("", &value)?;
            } else {
                say_unmodelled(terminal, doubts);
                terminal.progress(&format!("There are no proven lines. {sentence} [{code}]"));
            }
            Err(Failure::Shown(Exit::Failed))
        }
    }
}
