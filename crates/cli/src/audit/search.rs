//! `interlock audit search`: the newest records first, a page at a time.

use clap::Args;
use platform::Json;
use serde_json::json;
use server::offline::audit::{Before, search};

use super::filters::Filters;
use super::{folder, said};
use crate::command::Place;
use crate::failure::Outcome;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Search {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    filters: Filters,
    /// Most records of a page.
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only records before this one: the next page, as the page before named it.
    #[arg(long, value_name = "POSITION")]
    before: Option<Before>,
}

impl Search {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let folder = folder(&self.place)?;
        let (filter, before, limit) = (self.filters.filter(), self.before, self.limit as usize);
        let page = super::off_thread(move || search(&folder, &filter, before.as_ref(), limit)).await?.map_err(said)?;
        let next = page.next.map(|next| next.to_string());
        let mut text = match page.records.is_empty() {
            true => "no record".to_owned(),
            false => table(&COLUMNS.map(|(name, _)| name), &page.records.iter().map(row).collect::<Vec<_>>()),
        };
        if let Some(next) = &next {
            text.push_str(&format!("\nmore: --before {next}"));
        }
        terminal.result(&text, &json!({"records": page.records, "next": next}))
    }
}

const COLUMNS: [(&str, &[&str]); 8] = [
    ("position", &["/event/sequence"]),
    ("time", &["/@timestamp"]),
    ("person", &["/user/name"]),
    ("action", &["/event/action"]),
    ("tool", &["/interlock/server", "/interlock/tool"]),
    ("outcome", &["/interlock/phase", "/interlock/outcome"]),
    ("code", &["/event/code"]),
    ("request", &["/http/request/id"]),
];

fn row(record: &Json) -> Vec<String> {
    let cell = |pointers: &[&str]| {
        let said: Vec<String> = pointers.iter().filter_map(|pointer| word(record.pointer(pointer)?)).collect();
        if said.is_empty() { "-".to_owned() } else { said.join("/") }
    };
    COLUMNS.iter().map(|(_, pointers)| cell(pointers)).collect()
}

fn word(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        // What a caller said may hold anything; a terminal must not be told to do things.
        Json::String(text) => Some(text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::row;

    #[test]
    fn a_record_is_a_row_and_cannot_command_the_terminal() {
        let record = json!({"@timestamp": "T", "user": {"name": "al\u{1b}[2Jice"},
            "event": {"action": "tool.call", "code": "denied", "sequence": 7},
            "interlock": {"server": "s", "tool": "t", "outcome": "refused", "phase": "call"}});
        let cells = ["7", "T", "al\u{fffd}[2Jice", "tool.call", "s/t", "call/refused", "denied", "-"];
        assert_eq!(row(&record), cells);
    }
}
