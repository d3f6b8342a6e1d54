//! `interlock change list`, `show` and `diff`.

use clap::{Args, ValueEnum as _};
use serde_json::{Map, json};

use super::{call, follow, get, print, rests, text, verdict, words};
use crate::failure::Outcome;
use crate::rest::Connection;
use crate::table::table;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct List {
    /// Only changes in this state, for example `submitted`.
    #[arg(long = "in", value_name = "STATE")]
    in_state: Option<String>,
    /// Only those that you asked for.
    #[arg(long)]
    mine: bool,
    /// Only those of this server.
    #[arg(long)]
    server: Option<String>,
    /// Most rows.
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Where the page before ended, as it said.
    #[arg(long)]
    cursor: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let Self { in_state, mine, server, limit, cursor, connection } = self;
        let mut arguments = Map::from_iter([("limit".to_owned(), limit.into())]);
        for (name, value) in [("state", in_state), ("server", server), ("cursor", cursor)] {
            arguments.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        if mine {
            arguments.insert("requester".to_owned(), "me".into());
        }
        let rest = connection.open(terminal).await?;
        let page = call(&rest, "list_changes", &arguments.into()).await?;
        let rows: Vec<Vec<String>> = page["items"].as_array().into_iter().flatten().map(row).collect();
        let mut says = match rows.is_empty() {
            true => "no change".to_owned(),
            false => table(&["change", "state", "server", "devices", "by", "updated", "title"], &rows),
        };
        if let Some(next) = page["next_cursor"].as_str() {
            says.push_str(&format!("\nmore: --cursor {next}"));
        }
        terminal.result(&says, &page)
    }
}

fn row(change: &platform::Json) -> Vec<String> {
    let cell = |name: &str| words::plain(&text(&change[name]));
    vec![
        cell("change_id"),
        cell("state"),
        cell("server"),
        change["devices"].to_string(),
        cell("requested_by"),
        words::moment(&text(&change["updated_at"])),
        cell("title"),
    ]
}

#[derive(Args)]
pub(super) struct Show {
    /// Id of the change.
    change: String,
    /// Wait until it has ended, or needs a person other than an approver; exit code 1 when it did not go as planned.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Show {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let rest = self.connection.open(terminal).await?;
        let change = get(&rest, &self.change).await?;
        if !self.wait {
            return print(terminal, &change);
        }
        let change = follow(terminal, &rest, change, rests).await?;
        print(terminal, &change)?;
        verdict(&change)
    }
}

#[derive(Args)]
pub(super) struct Diff {
    /// Id of the change.
    change: String,
    /// Print the whole public plan as JSON instead: its SHA-256 over RFC 8785 JSON is what approvals bind.
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    colour: Colour,
    #[command(flatten)]
    connection: Connection,
}

/// Whether a difference is coloured.
#[derive(Args)]
pub(super) struct Colour {
    /// Colours: on terminals, unless NO_COLOR is set.
    #[arg(long = "color", value_enum, default_value_t = When::Auto, value_name = "WHEN")]
    when: When,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

impl Colour {
    pub(super) fn is_on(&self) -> bool {
        match self.when {
            When::Always => true,
            When::Never => false,
            When::Auto => words::terminal_has_colours(),
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

impl Diff {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let rest = self.connection.open(terminal).await?;
        let view = if self.plan { "plan" } else { "diff" };
        let shown = call(&rest, "get_change_plan", &json!({"change_id": self.change, "view": view})).await?;
        match self.plan {
            true => terminal.result(&crate::terminal::pretty(&shown["plan"]), &shown),
            false => terminal.result(&words::difference(&shown, self.colour.is_on()), &shown),
        }
    }
}
