//! What `show` commands print, read into values: what checks before and after a change need, on IOS XE and NX-OS.
//!
//! The functions read by words and headings, not by columns, because widths differ between releases. A text that is not the
//! command's output is a fault, never an empty answer: a check that compares two empty lists would pass for the wrong reason.
//! Next: [`system`], [`ports`], [`neighbors`], [`routing`].

pub mod neighbors;
pub mod ports;
pub mod routing;
pub mod system;

use std::fmt;

use crate::Platform;

/// Why an output was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowFault {
    /// This command is not read on this platform.
    Unsupported {
        /// The platform.
        platform: Platform,
        /// The command, as on IOS XE.
        command: &'static str,
    },
    /// The text is not what the command prints: another command's output, an error of the device, or cut short before its
    /// heading.
    NotThis {
        /// The command, as on IOS XE.
        command: &'static str,
    },
}

impl fmt::Display for ShowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { platform, command } => write!(f, "`{command}` is unsupported on {platform}"),
            Self::NotThis { command } => write!(f, "the text is not the output of `{command}`"),
        }
    }
}

impl std::error::Error for ShowFault {}

/// The two systems whose outputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Os {
    IosXe,
    NxOs,
}

fn os(platform: Platform, command: &'static str) -> Result<Os, ShowFault> {
    match platform {
        Platform::IosXe => Ok(Os::IosXe),
        Platform::NxOs => Ok(Os::NxOs),
        Platform::IosXr | Platform::Asa => Err(ShowFault::Unsupported { platform, command }),
    }
}

/// The lines behind the heading that has these words in this order; a fault when there is none.
fn behind_heading<'t>(text: &'t str, heading: &[&str], command: &'static str) -> Result<Vec<&'t str>, ShowFault> {
    let mut lines = text.lines();
    lines.find(|line| is_heading(line, heading)).ok_or(ShowFault::NotThis { command })?;
    Ok(lines.collect())
}

fn is_heading(line: &str, heading: &[&str]) -> bool {
    let mut rest = line;
    heading.iter().all(|word| match rest.find(word) {
        Some(at) => {
            rest = rest.get(at + word.len()..).unwrap_or_default();
            true
        }
        None => false,
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn number<T: std::str::FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

/// What follows a beginning, without blanks.
fn behind<'t>(line: &'t str, beginning: &str) -> Option<&'t str> {
    line.trim_start().strip_prefix(beginning).map(str::trim)
}
