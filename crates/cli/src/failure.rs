//! How a command goes wrong: a refusal as callers see it everywhere (T11), an exit code, and what only the person at this
//! terminal may read.

use platform::error::Refusal;
use platform::{Error, Json};
use serde_json::json;

use crate::exit::Exit;

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It was refused, or failed, with a code and a sentence.
    Said(Box<Said>),
    /// Everything is said already: the output itself shows what is wrong.
    Shown(Exit),
    /// Nobody reads our output any more, as in `| head`.
    ReaderGone,
}

/// A refusal and its circumstances.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) exit: Exit,
    pub(crate) refusal: Refusal,
    /// The cause in the words of a library or an engine.
    pub(crate) detail: Option<String>,
    /// `x-request-id` of the reply.
    pub(crate) request_id: Option<String>,
}

impl Failure {
    /// A failure of our own making.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        let refusal = Refusal {
            code: code.to_owned(),
            message: message.into(),
            unmet: Vec::new(),
            next: None,
            url: None,
            change_id: None,
            retry_after_s: None,
            details: None,
        };
        Self::Said(Box::new(Said { exit, refusal, detail: None, request_id: None }))
    }

    /// What should not happen.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        Error::internal(error).into()
    }

    /// Adds the cause.
    pub(crate) fn with_detail(mut self, cause: &dyn std::fmt::Display) -> Self {
        if let Self::Said(said) = &mut self {
            said.detail = Some(cause.to_string());
        }
        self
    }

    /// Says it on standard error in words, whatever `--json` says, and keeps only the exit code.
    pub(crate) fn on_stderr(self, terminal: &crate::terminal::Terminal) -> Self {
        match self {
            Self::Said(said) => {
                terminal.progress(&said.in_words());
                Self::Shown(said.exit)
            }
            other => other,
        }
    }

    /// The process's exit code.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Said(said) => said.exit as u8,
            Self::Shown(exit) => *exit as u8,
            Self::ReaderGone => 0,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Said(Box::new(Said {
            exit: Exit::of(error.kind()),
            refusal: error.refusal().clone(),
            detail: error.detail().map(str::to_owned),
            request_id: None,
        }))
    }
}

impl Said {
    /// For people: the sentence, the code, and what comes next.
    pub(crate) fn in_words(&self) -> String {
        let refusal = &self.refusal;
        let refused = matches!(self.exit, Exit::Refused);
        let mut text = format!("{}{} [{}]", if refused { "Refused. " } else { "" }, refusal.message, refusal.code);
        let mut line = |label: &str, value: &str| text.push_str(&format!("\n  {label:<8} {value}"));
        for unmet in &refusal.unmet {
            line("needs", &format!("{}: {}", unmet.obligation, unmet.message));
        }
        if let Some(url) = &refusal.url {
            line("open", url);
        }
        if let Some(next) = &refusal.next {
            line("next", &format!("{} {}", next.tool, next.arguments));
        }
        if let Some(change) = &refusal.change_id {
            line("change", change);
        }
        if let Some(seconds) = refusal.retry_after_s {
            line("retry", &format!("after {seconds} s"));
        }
        if let Some(details) = &refusal.details {
            line("details", &details.to_string());
        }
        if let Some(detail) = &self.detail {
            line("cause", detail);
        }
        if let Some(id) = &self.request_id {
            line("request", id);
        }
        text
    }

    /// For programs: `{"error": {code, message, …}, "exit": n}`.
    pub(crate) fn in_json(&self) -> Json {
        let mut error = serde_json::to_value(&self.refusal).unwrap_or_default();
        if let Some(members) = error.as_object_mut() {
            members.extend(self.detail.iter().map(|d| ("detail".to_owned(), Json::from(d.as_str()))));
            members.extend(self.request_id.iter().map(|id| ("request_id".to_owned(), Json::from(id.as_str()))));
        }
        json!({"error": error, "exit": self.exit as u8})
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use platform::{Error, ErrorKind};
    use serde_json::json;

    use super::Failure;

    fn refusal() -> Failure {
        Error::new(ErrorKind::Unmet, "step_up_required", "It needs a second factor.")
            .with_unmet("step_up", "Open the link.")
            .with_url("http://127.0.0.1:8080/elevate/1")
            .with_next("explain_refusal", json!({"id": "1"}))
            .with_retry_after(Duration::from_millis(1500))
            .into()
    }

    #[test]
    fn t11_a_refusal_reads_with_reason_link_next_step_and_wait() {
        let Failure::Said(said) = refusal() else { panic!("said") };
        insta::assert_snapshot!(said.in_words(), @r#"
        Refused. It needs a second factor. [step_up_required]
          needs    step_up: Open the link.
          open     http://127.0.0.1:8080/elevate/1
          next     explain_refusal {"id":"1"}
          retry    after 2 s
        "#);
        assert_eq!(said.in_json()["error"]["code"], "step_up_required");
        assert_eq!(refusal().exit(), 4);
    }
}
