//! `interlock change`: plan a change, hand it in, follow, stop and undo it, and get its evidence. Everything goes over REST to
//! the tools that agents use too, with the same policy and the same audit. A decision is a person's act on the change's page:
//! `approve` and `reject` lead there, and nothing here decides (T16).
//!
//! Next: `look` for list, show and diff, `words` for how a change reads on a terminal, `decide` for the way to the page.

mod decide;
pub(crate) mod evidence;
mod look;
mod plan;
mod steps;
mod words;

use clap::{Args, Subcommand};
use platform::Json;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::Rest;
use crate::terminal::Terminal;

/// The server of the tools for changes.
const SERVER: &str = "interlock";
/// How long one look waits for something to happen, seconds; the tool's most.
const WAIT_S: u64 = 25;

#[derive(Args)]
pub(crate) struct Change {
    #[command(subcommand)]
    command: ChangeCommand,
}

#[derive(Subcommand)]
enum ChangeCommand {
    /// Plan a change: read the devices, predict what will differ, prepare the undo. Nothing is changed.
    Plan(Box<plan::Plan>),
    /// Hand a plan in for approval.
    Submit(steps::Submit),
    /// List changes, the newest first.
    List(look::List),
    /// Show where a change is, and what comes next.
    Show(look::Show),
    /// Show what a change will do to each device.
    Diff(look::Diff),
    /// Open the page where you approve a change.
    Approve(decide::Decide),
    /// Open the page where you reject a change.
    Reject(decide::Decide),
    /// Stop a change: before it runs for good, while it runs after the current device.
    Cancel(steps::Cancel),
    /// Let a held change go on with what is left of its plan.
    Resume(steps::Reasoned),
    /// Undo a change: at once while it is held or checked; later, by a new change that is approved like any other.
    Undo(steps::Reasoned),
    /// Say whether the step happened whose outcome cannot be told. For a person who has looked at the device.
    Settle(steps::Settle),
    /// Get the evidence of a change.
    Evidence(evidence::Evidence),
}

impl Change {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            ChangeCommand::Plan(plan) => plan.run(terminal).await,
            ChangeCommand::Submit(submit) => submit.run(terminal).await,
            ChangeCommand::List(list) => list.run(terminal).await,
            ChangeCommand::Show(show) => show.run(terminal).await,
            ChangeCommand::Diff(diff) => diff.run(terminal).await,
            ChangeCommand::Approve(decide) => decide.run(terminal, decide::Verdict::Approve).await,
            ChangeCommand::Reject(decide) => decide.run(terminal, decide::Verdict::Reject).await,
            ChangeCommand::Cancel(cancel) => cancel.run(terminal).await,
            ChangeCommand::Resume(resume) => resume.run(terminal, "resume_change").await,
            ChangeCommand::Undo(undo) => undo.run(terminal, "undo_change").await,
            ChangeCommand::Settle(settle) => settle.run(terminal).await,
            ChangeCommand::Evidence(evidence) => evidence.run(terminal).await,
        }
    }
}

/// The result of one of the tools for changes.
async fn call(rest: &Rest, tool: &str, arguments: &Json) -> Outcome<Json> {
    Ok(rest.call(SERVER, tool, arguments, None).await?.body["result"].take())
}

/// A change as it is now.
async fn get(rest: &Rest, id: &str) -> Outcome<Json> {
    call(rest, "get_change", &json!({ "change_id": id })).await
}

/// Follows a change until `enough`, with a line on standard error for every state that it goes through.
async fn follow(terminal: &Terminal, rest: &Rest, first: Json, enough: impl Fn(&Json) -> bool) -> Outcome<Json> {
    let mut change = first;
    let mut told = None;
    loop {
        // A held change that goes on by itself says another time at each try; that alone is no news.
        let (state, status) = (text(&change["state"]), text(&change["status"]));
        let news = format!("{state} {status}");
        if told.as_ref() != Some(&news) {
            terminal.progress(&format!("{state}: {}", words::plain(&text(&change["message"]))));
            told = Some(news);
        }
        if enough(&change) {
            return Ok(change);
        }
        let arguments = json!({"change_id": change["change_id"], "wait_s": WAIT_S, "since": change["revision"]});
        change = call(rest, "get_change", &arguments).await?;
    }
}

/// Nothing more happens by itself, and no approval is waited for.
fn rests(change: &Json) -> bool {
    change["status"] != "in_progress" && change["state"] != "submitted"
}

/// Prints a change; a change that ended in another way than it was planned is a failure, and so is one that is stuck.
fn print(terminal: &Terminal, change: &Json) -> Outcome {
    terminal.result(&words::change(change), change)
}

/// The exit of a command that waited for a change.
fn verdict(change: &Json) -> Outcome {
    let stuck = ["held", "parked"].iter().any(|state| change["state"] == *state) && change["status"] != "in_progress";
    if change["status"] == "ended" || stuck { Err(Failure::Shown(Exit::Failed)) } else { Ok(()) }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or("-").to_owned()
}
