//! `interlock change submit`, `cancel`, `resume`, `undo` and `settle`: what moves a change on.

use clap::{Args, ValueEnum};
use platform::Json;
use serde_json::{Map, json};

use super::{call, follow, print, rests, verdict};
use crate::failure::Outcome;
use crate::rest::{Connection, Rest};
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Submit {
    /// Id of the change.
    change: String,
    /// The ticket that goes with it, by its system's own id.
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// It does not run before this time (RFC 3339); as soon as it is approved when left out.
    #[arg(long, value_name = "TIME")]
    not_before: Option<jiff::Timestamp>,
    /// It is over by then, its undo included (RFC 3339); within seven days when left out.
    #[arg(long, value_name = "TIME")]
    not_after: Option<jiff::Timestamp>,
    #[command(flatten)]
    after: After,
}

#[derive(Args)]
pub(super) struct Cancel {
    /// Id of the change.
    change: String,
    /// What happens to devices that were written to.
    #[arg(long, value_enum, default_value_t = Mode::Undo)]
    mode: Mode,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    after: After,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    /// They stay as they are, locked, and wait for a person.
    Hold,
    /// They are restored.
    Undo,
}

#[derive(Args)]
pub(super) struct Reasoned {
    /// Id of the change.
    change: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    after: After,
}

#[derive(Args)]
pub(super) struct Settle {
    /// Id of the change.
    change: String,
    /// What you found on the device: whether the step happened.
    #[arg(long, value_enum)]
    outcome: Settled,
    /// What you looked at.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    after: After,
}

#[derive(Clone, Copy, ValueEnum)]
enum Settled {
    /// It happened.
    Done,
    /// It did not.
    NotDone,
}

/// What all of them take.
#[derive(Args)]
struct After {
    /// Wait until it has ended, or needs a person other than an approver; exit code 1 when it did not go as planned.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Submit {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let mut arguments = Map::from_iter([("change_id".to_owned(), self.change.into())]);
        arguments.extend(self.ticket.map(|ticket| ("ticket".to_owned(), ticket.into())));
        let times = [("not_before", self.not_before), ("not_after", self.not_after)];
        arguments.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.to_string().into()))));
        self.after.call(terminal, "submit_change", arguments.into()).await
    }
}

impl Cancel {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let mode = if matches!(self.mode, Mode::Hold) { "hold" } else { "undo" };
        let arguments = json!({"change_id": self.change, "mode": mode, "reason": self.reason});
        self.after.call(terminal, "cancel_change", arguments).await
    }
}

impl Reasoned {
    pub(super) async fn run(self, terminal: &Terminal, tool: &str) -> Outcome {
        let arguments = json!({"change_id": self.change, "reason": self.reason});
        self.after.call(terminal, tool, arguments).await
    }
}

impl Settle {
    pub(super) async fn run(self, terminal: &Terminal) -> Outcome {
        let outcome = if matches!(self.outcome, Settled::Done) { "done" } else { "not_done" };
        let arguments = json!({"change_id": self.change, "outcome": outcome, "reason": self.reason});
        let After { wait, connection } = self.after;
        let rest = connection.open(terminal).await?;
        // A person's own act, with a second factor for this one call (T6).
        let mut reply = rest.call_by_person(terminal, "settle_change", &arguments).await?;
        end(terminal, &rest, reply.body["result"].take(), wait).await
    }
}

impl After {
    async fn call(self, terminal: &Terminal, tool: &str, arguments: Json) -> Outcome {
        let rest = self.connection.open(terminal).await?;
        let change = call(&rest, tool, &arguments).await?;
        end(terminal, &rest, change, self.wait).await
    }
}

async fn end(terminal: &Terminal, rest: &Rest, change: Json, wait: bool) -> Outcome {
    if !wait {
        return print(terminal, &change);
    }
    let change = follow(terminal, rest, change, rests).await?;
    print(terminal, &change)?;
    verdict(&change)
}
