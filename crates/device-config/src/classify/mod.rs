//! What a command does to a device: reads it, costs it work, changes it, or may break it.
//!
//! The rule of doubt: what is unknown, ambiguous or written so that it could be something else is
//! [`Class::Disruptive`], with the reason. A device would refuse most of it; whether it does is not a thing to try.
//!
//! A class says what the command *does*; the risk under which a tool runs it is another matter. `show version` is of class
//! read and runs on a device, so a tool that sends it is of risk `probe`.
//!
//! [`exec`] reads commands of the prompt, [`config`] configuration lines, [`banner`](crate::banner) tells text from
//! lines, `trees/` holds the commands. `docs/command-classes.md` is the page for people.

mod config;
mod exec;
mod hygiene;
mod tree;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::Platform;
use crate::banner;
use tree::Verdict;

/// What a command does, from harmless to not. The order is that of the harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Prints state, or concerns this session only.
    Read,
    /// Changes nothing, but costs the device or the network work: packets, a busy processor, a question to a server.
    Probe,
    /// Changes configuration, files, counters or somebody's session.
    Change,
    /// May stop traffic, lock everybody out, lose what cannot be got back, or run what is not seen here.
    Disruptive,
}

impl Class {
    /// All of them, from harmless to not.
    pub const ALL: [Self; 4] = [Self::Read, Self::Probe, Self::Change, Self::Disruptive];

    /// `read`, `probe`, `change`, `disruptive`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Probe => "probe",
            Self::Change => "change",
            Self::Disruptive => "disruptive",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no class's or no mode's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName(&'static str);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UnknownName {}

impl FromStr for Class {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = "the classes are read, probe, change and disruptive";
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or(UnknownName(known))
    }
}

/// Where a text is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// At the privileged prompt.
    Exec,
    /// In configuration mode.
    Config,
}

impl Mode {
    /// `exec`, `config`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Config => "config",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Exec, Self::Config]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or(UnknownName("the modes are exec and config"))
    }
}

/// A line and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified<'t> {
    /// The line as given, without its end.
    pub line: &'t str,
    /// What it is: a command of the prompt, or a configuration line. In configuration mode, a command is what stands
    /// behind `do`, and what the prompt would run.
    pub mode: Mode,
    /// What it does.
    pub class: Class,
    /// Why, in a few words; it may quote a short, escaped word of the line.
    pub reason: Cow<'static, str>,
}

/// The class of every line of a text that is typed into this mode. `configure terminal` and `end` change the mode for the
/// lines that follow them. As many lines come back as [`str::lines`] counts.
pub fn classify(platform: Platform, mode: Mode, text: &str) -> Vec<Classified<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut mode = mode;
    let mut classified = Vec::with_capacity(lines.len());
    while let Some(&line) = lines.get(classified.len()) {
        let at = classified.len();
        if mode == Mode::Config
            && let Some(body) = banner::body(platform, lines.get(at..).unwrap_or_default())
        {
            classified.push(of(line, mode, config::banner_line(platform, line, body.closed)));
            let text = lines.iter().skip(at + 1).take(body.lines);
            classified.extend(text.map(|line| of(line, mode, config::banner_text(line))));
            continue;
        }
        let verdict = match mode {
            Mode::Exec => exec::line(platform, line),
            Mode::Config => config::line(platform, line),
        };
        classified.push(of(line, mode, verdict));
        mode = match mode {
            Mode::Exec if exec::enters_configuration(platform, line) => Mode::Config,
            Mode::Config if config::leaves_configuration(line) => Mode::Exec,
            mode => mode,
        };
    }
    classified
}

fn of(line: &str, mode: Mode, verdict: Verdict) -> Classified<'_> {
    let mode = if verdict.command { Mode::Exec } else { mode };
    Classified { line, mode, class: verdict.class, reason: verdict.reason }
}

/// The class of a whole text: that of its worst line.
pub fn class_of(lines: &[Classified<'_>]) -> Class {
    lines.iter().map(|line| line.class).max().unwrap_or(Class::Read)
}
