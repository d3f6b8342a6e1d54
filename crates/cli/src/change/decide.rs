//! `interlock change approve` and `reject`: to the change's page, with what is decided about printed first. The decision is made
//! there, with a new second factor for exactly the submission that the page has shown (T16).

use clap::Args;
use serde_json::json;
use url::Url;

use super::{call, follow, get, text, words};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::rest::Connection;
use crate::sign_in::browser;
use crate::terminal::Terminal;

#[derive(Args)]
pub(super) struct Decide {
    /// Id of the change.
    change: String,
    /// Only print the page's address.
    #[arg(long)]
    no_browser: bool,
    /// Wait until it is decided.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What the person means to decide. The page asks again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Approve,
    Reject,
}

impl Decide {
    pub(super) async fn run(self, terminal: &Terminal, verdict: Verdict) -> Outcome {
        let rest = self.connection.open(terminal).await?;
        let change = get(&rest, &self.change).await?;
        let digest = change["submission"]["digest"].as_str().filter(|_| change["state"] == "submitted");
        let Some(digest) = digest else {
            let message =
                format!("This change is {}: it does not wait for approvals.", words::plain(&text(&change["state"])));
            return Err(Failure::new(Exit::Failed, "change_state", message));
        };
        let page = Url::parse(&text(&change["url"])).map_err(|e| Failure::internal(&e))?;
        let plan = call(&rest, "get_change_plan", &json!({ "change_id": self.change })).await?;
        let does = if verdict == Verdict::Approve { "Approve" } else { "Reject" };
        let opened = !self.no_browser && browser::open(&page);
        let how = if opened { "The page is open in your browser." } else { "Open this page in a browser." };
        let says = format!(
            "{}\n\n{}\n\n{does} it there, with a new second factor. {how}\n\n  {page}",
            words::change(&change),
            words::difference(&plan, words::terminal_has_colours())
        );
        if !self.wait {
            let told =
                json!({"change_id": change["change_id"], "submission": digest, "url": page.as_str(), "opened": opened});
            return terminal.result(&says, &told);
        }
        terminal.progress(&says);
        let decided = follow(terminal, &rest, change, |change| change["state"] != "submitted").await?;
        terminal.result(&words::change(&decided), &decided)?;
        let as_meant = match verdict {
            Verdict::Approve => decided["state"] != "rejected" && decided["state"] != "voided",
            Verdict::Reject => decided["state"] == "rejected",
        };
        if as_meant { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
    }
}
