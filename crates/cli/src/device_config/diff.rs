//! `interlock device-config diff`.

use clap::Args;
use platform::Json;
use serde_json::json;
use server::offline::device_config::{Change, diff, lines_between, parse};

use super::Against;
use super::parse::tree;
use super::undo::way;
use crate::failure::Outcome;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Differ {
    #[command(flatten)]
    given: Against,
    /// Print the lines that lead from the base to the text, proven on the model.
    #[arg(long, conflicts_with = "show_secrets")]
    lines: bool,
    /// Do not hide secrets.
    #[arg(long)]
    show_secrets: bool,
}

impl Differ {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let (base, wanted) = self.given.read()?;
        let (before, after) = (parse(self.given.platform(), &base), parse(self.given.platform(), &wanted));
        if self.lines {
            return way(terminal, &lines_between(&before, &after), &[]);
        }
        let found = diff(&before, &after);
        let shown = if self.show_secrets { found.clone() } else { found.masked() };
        let (removed, added) = found.counts();
        let text = if found.is_empty() { "They say the same.".to_owned() } else { shown.text() };
        terminal.result(&text, &json!({"removed": removed, "added": added, "changes": changes(&shown.changes)}))
    }
}

pub(super) fn changes(list: &[Change]) -> Json {
    list.iter()
        .map(|change| match change {
            Change::Removed(node) => json!({"removed": tree(node)}),
            Change::Added(node) => json!({"added": tree(node)}),
            Change::Inside { section, was, changes: inner } => {
                json!({"section": section, "was": was, "changes": changes(inner)})
            }
        })
        .collect()
}
