//! The only place that writes: results to standard output, everything else to standard error.

use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use platform::{Json, Secret};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// How this run speaks.
pub(crate) struct Terminal {
    /// One JSON document instead of text.
    pub(crate) json: bool,
}

impl Terminal {
    /// Prints a result: `text` for people, `value` with `--json`.
    pub(crate) fn result(&self, text: &str, value: &Json) -> Outcome {
        if self.json { self.line(&pretty(value)) } else { self.line(text.trim_end()) }
    }

    /// Prints a line on standard output.
    pub(crate) fn line(&self, text: &str) -> Outcome {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| gone(&error))
    }

    /// Says how a long work goes on, on standard error. A terminal that is gone does not stop the work.
    pub(crate) fn progress(&self, text: &str) {
        say(text);
    }

    /// Prints a failure and returns its exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        if let Failure::Said(said) = failure {
            if self.json {
                drop(self.line(&pretty(&said.in_json())));
            } else {
                self.progress(&said.in_words());
            }
        }
        ExitCode::from(failure.exit())
    }

    /// Asks a question; only `y` or `yes` agrees. Errors: `not_confirmed` where nobody can be asked.
    pub(crate) fn confirm(&self, question: &str) -> Outcome<bool> {
        let input = io::stdin();
        if !input.is_terminal() {
            let message = format!("{question} Nobody can be asked here; say it with --yes.");
            return Err(Failure::new(Exit::Usage, "not_confirmed", message));
        }
        drop(write!(io::stderr().lock(), "{question} [y/N] "));
        let mut line = String::new();
        input.lock().read_line(&mut line).map_err(|e| Failure::internal(&e))?;
        Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Reads one secret line: with a prompt and without echo at a terminal, else from standard input. Never from the
    /// command line, which others can read.
    pub(crate) fn secret(&self, prompt: &str) -> Outcome<Secret> {
        let input = io::stdin();
        let before = if input.is_terminal() { tcgetattr(&input).ok() } else { None };
        if let Some(before) = &before {
            drop(write!(io::stderr().lock(), "{prompt}: "));
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            tcsetattr(&input, OptionalActions::Flush, &silent).map_err(|e| Failure::internal(&e))?;
        }
        let mut line = String::new();
        let read = input.lock().read_line(&mut line);
        if let Some(before) = &before {
            tcsetattr(&input, OptionalActions::Flush, before).map_err(|e| Failure::internal(&e))?;
            self.progress("");
        }
        read.map_err(|e| Failure::internal(&e))?;
        let end = line.trim_end_matches(['\n', '\r']).len();
        line.truncate(end);
        Ok(Secret::new(line))
    }
}

/// A line on standard error, for what has no terminal at hand.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// What a writer's failure means.
pub(crate) fn gone(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe { Failure::ReaderGone } else { Failure::internal(error) }
}

pub(crate) fn pretty(value: &Json) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
