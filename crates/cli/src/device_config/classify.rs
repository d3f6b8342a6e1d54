//! `interlock device-config classify`.

use clap::Args;
use serde_json::json;
use server::offline::device_config::{Class, Classified, Mode, class_of, classify};

use super::Given;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Classify {
    #[command(flatten)]
    given: Given,
    /// Where the lines are typed: `exec` or `config`.
    #[arg(long, default_value = "exec")]
    mode: Mode,
    /// Fail, with exit code 1, when a line is more than this: `read`, `probe`, `change`.
    #[arg(long, value_name = "CLASS")]
    at_most: Option<Class>,
}

impl Classify {
    pub(super) fn run(self, terminal: &Terminal) -> Outcome {
        let text = self.given.read()?;
        let lines = classify(self.given.platform, self.mode, &text);
        let class = class_of(&lines);
        let rows: Vec<_> = lines
            .iter()
            .map(|line| json!({"line": line.line, "class": line.class.name(), "reason": line.reason}))
            .collect();
        terminal.result(&table(&lines), &json!({"class": class.name(), "lines": rows}))?;
        match self.at_most {
            Some(most) if class > most => Err(Failure::Shown(Exit::Failed)),
            _ => Ok(()),
        }
    }
}

/// Class, line and reason in columns. A line of strange characters shows them as escapes, so that a terminal cannot be
/// told anything by what it prints.
fn table(lines: &[Classified<'_>]) -> String {
    const WIDEST: usize = 60;
    let shown: Vec<String> = lines.iter().map(|line| line.line.chars().flat_map(visible).collect()).collect();
    let width = shown.iter().map(|line| line.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let rows = lines.iter().zip(&shown).map(|(line, text)| {
        let class = line.class;
        format!("{class:<10}  {text:<width$}  {reason}\n", reason = line.reason)
    });
    rows.collect()
}

fn visible(c: char) -> impl Iterator<Item = char> {
    let plain = c == ' ' || c.is_ascii_graphic();
    let escaped = (!plain).then(|| c.escape_default());
    plain.then_some(c).into_iter().chain(escaped.into_iter().flatten())
}
