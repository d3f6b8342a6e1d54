//! Counting results: what a test program, a doc test or a client's script says at its end. Next: [`super::rust`].

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::terminal;

/// How many tests passed, failed, were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    pub(crate) const fn one_failed() -> Self {
        Self { passed: 0, failed: 1, skipped: 0 }
    }

    pub(crate) const fn one_skipped() -> Self {
        Self { passed: 0, failed: 0, skipped: 1 }
    }

    /// The line of a test program, so that readers of logs find every part's result in one form.
    pub(crate) fn cargo_line(self) -> String {
        let verdict = if self.failed == 0 { "ok" } else { "FAILED" };
        format!("test result: {verdict}. {} passed; {} failed; {} ignored", self.passed, self.failed, self.skipped)
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …` (the Rust test harness, and our clients' scripts).
    pub(crate) fn read(line: &str) -> Option<Self> {
        let rest = line.trim().strip_prefix("test result:")?;
        let counts = rest.split_once('.')?.1;
        let count = |name: &str| {
            let part = counts.split(';').find(|p| p.trim().ends_with(name))?;
            part.split_whitespace().next()?.parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored").unwrap_or(0) })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Runs a program, passes its standard output on line by line, and counts what it reports. A program that fails without
/// a failed test of its own counts as one failure; one that ends well without any report counts as `silent`.
pub(crate) fn run_and_count(command: &mut Command, silent: Tally) -> Result<Tally> {
    let shown = format!("{:?}", command.get_program());
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{shown} does not start"))?;
    let lines = child.stdout.take().map(count_lines).unwrap_or_default();
    let status = child.wait().with_context(|| format!("{shown} cannot be waited for"))?;
    Ok(verdict(lines, status.success(), silent))
}

/// Passes lines on and sums what they report; `None` when none of them reports.
pub(crate) fn count_lines(from: impl Read) -> Option<Tally> {
    let mut sum = None;
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        terminal::say(&line);
        if let Some(found) = Tally::read(&line) {
            *sum.get_or_insert_with(Tally::default) += found;
        }
    }
    sum
}

pub(crate) fn verdict(reported: Option<Tally>, success: bool, silent: Tally) -> Tally {
    let mut tally = reported.unwrap_or(if success { silent } else { Tally::default() });
    if !success && tally.failed == 0 {
        tally.failed = 1;
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::{Tally, verdict};

    #[test]
    fn summaries_of_the_harness_and_of_ours_are_read() {
        let line = "test result: FAILED. 14 passed; 1 failed; 2 ignored; 0 measured; 5 filtered out; finished in 0.10s";
        let tally = Tally { passed: 14, failed: 1, skipped: 2 };
        assert_eq!(Tally::read(line), Some(tally));
        assert_eq!(Tally::read(&tally.cargo_line()), Some(tally));
        assert_eq!(Tally::read("test result: nonsense"), None);
        assert_eq!(Tally::read("test t7_one ... ok"), None);
    }

    #[test]
    fn a_program_that_dies_without_a_word_is_a_failure_and_never_a_pass() {
        let silent = Tally { passed: 1, failed: 0, skipped: 0 };
        assert_eq!(verdict(None, false, silent), Tally::one_failed());
        assert_eq!(verdict(Some(silent), false, silent), Tally { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(verdict(None, true, silent), silent);
    }

    #[test]
    fn the_last_line_is_plain() {
        assert_eq!(Tally { passed: 342, failed: 0, skipped: 0 }.to_string(), "342 passed, 0 failed");
        assert_eq!(Tally { passed: 1, failed: 0, skipped: 2 }.to_string(), "1 passed, 0 failed, 2 skipped");
    }
}
