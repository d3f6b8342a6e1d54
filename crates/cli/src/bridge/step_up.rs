//! Step-up on the client's behalf (T4): a call was refused until the person passes a second factor on a page of the
//! platform. The bridge brings the person there, repeats the call until the refusal is gone, and gives up after a while;
//! it can grant nothing itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use url::Url;

use super::upstream::{Answer, Upstream};
use crate::sign_in::browser;

/// How long the person may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);
/// Between two repeats of the refused call: each is a call, and is audited as one.
pub(crate) const PAUSE: Duration = Duration::from_secs(3);

/// How a person gets to the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StepUpBy {
    /// By the client where it declared that it can show a link, else by the browser, else the refusal is passed on.
    Auto,
    /// By this machine's browser.
    Browser,
    /// By a link on standard error.
    Print,
    /// Not at all: the client gets the refusal, with the link in it.
    Pass,
}

/// What the bridge does about one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Ask the client to show the link.
    Elicit,
    /// Open the page and wait.
    Open,
    /// Print the link and wait.
    Print,
    /// Hand the refusal on.
    Pass,
}

impl StepUpBy {
    /// Whether a sign-in that a challenge asks for may be begun.
    pub(super) fn reaches_the_person(self, browser: bool) -> bool {
        matches!(self.act(false, browser), Act::Open | Act::Print)
    }

    /// The way for this client on this machine.
    pub(super) fn act(self, client_shows_links: bool, browser: bool) -> Act {
        match self {
            Self::Auto if client_shows_links => Act::Elicit,
            Self::Auto if browser => Act::Open,
            Self::Auto | Self::Pass => Act::Pass,
            Self::Browser => Act::Open,
            Self::Print => Act::Print,
        }
    }
}

/// The pages that were opened: several refused calls share one elevation and need one page.
#[derive(Default)]
pub(super) struct Opened(Mutex<HashMap<String, Instant>>);

impl Opened {
    /// Opens a page unless that was done a moment ago; `false` where no browser starts.
    pub(super) fn open(&self, page: &Url) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(page.to_string(), Instant::now());
        before.is_some_and(|when| when.elapsed() < PATIENCE) || browser::open(page)
    }

    /// The page is done with; a new refusal may open it again.
    pub(super) fn done(&self, page: &Url) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(page.as_str());
    }
}

/// The page that would lift this refusal. Only a page of the platform itself: a link from anywhere else is text.
pub(super) fn page(answer: &Answer, upstream: &Upstream) -> Option<Url> {
    let result = answer.result();
    let refusal = &result["structuredContent"];
    if result["isError"] != true || refusal["code"] != "step_up_required" {
        return None;
    }
    let page = Url::parse(refusal["url"].as_str()?).ok()?;
    upstream.owns(&page).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::{Act, StepUpBy};

    #[test]
    fn t4_a_person_is_only_sent_to_a_page_where_there_is_a_way_to_show_it() {
        assert_eq!(StepUpBy::Auto.act(true, true), Act::Elicit);
        assert_eq!(StepUpBy::Auto.act(false, true), Act::Open);
        assert_eq!(StepUpBy::Auto.act(false, false), Act::Pass);
        assert_eq!(StepUpBy::Pass.act(true, true), Act::Pass);
        assert_eq!(StepUpBy::Print.act(true, true), Act::Print);
    }
}
