//! `interlock doctor`: looks at what a configuration, a lab or a running platform stands on, names the setting that is
//! wrong, and says how to mend it. Every check is told, also the ones that could not be made.
//!
//! Next: `configured` for a platform by its file, `running` for one by its URL, `sign_in` for issuers, `machine` for disk,
//! ports and files.

mod configured;
#[cfg(feature = "lab")]
mod lab;
mod machine;
mod running;
mod sign_in;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Doctor {
    /// Configuration file of a platform, running or not.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// State folder of a lab.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Public base URL of a running platform.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Wrong; `fix` says how to mend it.
    Wrong,
    /// Could not be made, and why.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// What was looked at, stable.
    pub(crate) check: String,
    /// How it ended.
    pub(crate) state: State,
    /// What was seen.
    pub(crate) message: String,
    /// The setting to change and how, where something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

/// All checks, in the order in which an operator mends.
#[derive(Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(check, State::Ok, message.into(), None);
    }

    pub(crate) fn wrong(&mut self, check: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(check, State::Wrong, message.into(), Some(fix.into()));
    }

    pub(crate) fn skipped(&mut self, check: &str, why: impl Into<String>) {
        self.add(check, State::Skipped, why.into(), None);
    }

    /// An error of the platform: its sentence already says what to do.
    pub(crate) fn failed(&mut self, check: &str, failure: &Failure, fix: impl Into<String>) {
        let message = match failure {
            Failure::Said(said) => {
                let detail = said.detail.as_ref().map(|d| format!(" ({d})")).unwrap_or_default();
                format!("{} [{}]{detail}", said.refusal.message, said.refusal.code)
            }
            Failure::Shown(_) | Failure::ReaderGone => "failed".to_owned(),
        };
        self.wrong(check, message, fix);
    }

    fn add(&mut self, check: &str, state: State, message: String, fix: Option<String>) {
        self.0.push(Finding { check: check.to_owned(), state, message, fix });
    }

    fn healthy(&self) -> bool {
        self.0.iter().all(|f| f.state != State::Wrong)
    }

    fn in_words(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.0 {
            let mark = match finding.state {
                State::Ok => "ok     ",
                State::Wrong => "WRONG  ",
                State::Skipped => "skipped",
            };
            lines.push(format!("{mark}  {}: {}", finding.check, finding.message));
            lines.extend(finding.fix.iter().map(|fix| format!("         fix: {fix}")));
        }
        lines.push(match self.0.iter().filter(|f| f.state == State::Wrong).count() {
            0 => "\nNothing is wrong.".to_owned(),
            1 => "\nOne thing is wrong.".to_owned(),
            n => format!("\n{n} things are wrong; mend the first one first."),
        });
        lines.join("\n")
    }
}

impl Doctor {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let mut findings = Findings::default();
        if let Some(file) = &self.config {
            configured::examine(file, &mut findings).await;
        }
        #[cfg(feature = "lab")]
        if let Some(state) = &self.state {
            lab::examine(state, &mut findings).await;
        }
        #[cfg(not(feature = "lab"))]
        if self.state.is_some() {
            findings.skipped("lab", "this build has no lab");
        }
        if let Some(url) = &self.url {
            running::examine(url, &mut findings).await;
        }
        let healthy = findings.healthy();
        terminal.result(&findings.in_words(), &json!({"ok": healthy, "checks": findings.0}))?;
        if healthy { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::Findings;

    #[test]
    fn what_is_wrong_is_told_with_its_fix() {
        let mut findings = Findings::default();
        findings.ok("disk", "5 GiB free");
        findings.wrong("platform.listen", "127.0.0.1:80 is taken", "set `platform.listen` to a free port");
        findings.skipped("secrets", "the store is in use");
        insta::assert_snapshot!(findings.in_words(), @r"
        ok       disk: 5 GiB free
        WRONG    platform.listen: 127.0.0.1:80 is taken
                 fix: set `platform.listen` to a free port
        skipped  secrets: the store is in use

        One thing is wrong.
        ");
        assert!(!findings.healthy());
    }
}
