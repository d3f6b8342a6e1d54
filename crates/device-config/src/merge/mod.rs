//! Lines entered into a configuration, as the device would take them. Next: [`stream`] for which section a line goes to,
//! [`apply`] for what it does there, [`repeat`] for lines that are there already, [`crate::undo`] for the way back.

mod apply;
mod repeat;
mod stream;

use std::fmt;

use crate::Config;

/// Lines to be entered in configuration mode, in order: a rendered template, or a generated undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(String);

impl Lines {
    /// Lines of a text. Indentation says what belongs to what where there is any; where there is none, the commands do, as on
    /// the device.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to enter.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

/// What a configuration becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The predicted configuration.
    pub after: Config,
    /// The lines whose effect is not known for sure. The prediction stands on a guess as soon as there is one.
    pub unmodelled: Vec<Unmodelled>,
}

/// A line whose effect is not known for sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmodelled {
    /// The sections that it stands in, outermost first.
    pub within: Vec<String>,
    /// The line.
    pub line: String,
    /// What is not known.
    pub why: Why,
}

/// Why the effect of a line is not known for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// No row of the platform's table means it. It was added, or taken away, as a line of its own.
    UnknownLine,
    /// It was abbreviated in a way that can be read as several commands. It was left out.
    Abbreviated,
    /// The device may take it for a line of the section above. It was put where its indentation says.
    Section,
    /// It is no configuration: an exec command, a template directive, a line after `end`. It was left out.
    NotConfiguration,
    /// The device refuses it. It was left out.
    Refused,
    /// It changes other lines too, in ways that the model does not follow. Only its own effect is predicted.
    SideEffects,
}

impl Why {
    /// A stable name, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownLine => "unknown_line",
            Self::Abbreviated => "abbreviated",
            Self::Section => "section",
            Self::NotConfiguration => "not_configuration",
            Self::Refused => "refused",
            Self::SideEffects => "side_effects",
        }
    }

    /// A sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownLine => "The model does not know this line; its effect is a guess.",
            Self::Abbreviated => "It can be read as several commands and was left out; write it in full.",
            Self::Section => {
                "The device may take it for a line of the section above it; close that section (exit) or write the section's line again."
            }
            Self::NotConfiguration => "It is no line of a configuration and was left out.",
            Self::Refused => "The device refuses it as things stand, so it was left out.",
            Self::SideEffects => "It changes other lines too, which the model does not follow.",
        }
    }
}

impl fmt::Display for Unmodelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.within {
            write!(f, "{section} > ")?;
        }
        write!(f, "{}: {}", self.line, self.why.sentence())
    }
}

impl Config {
    /// Enters lines, one after the other.
    ///
    /// Modelled are the line semantics of the platform as its vendor documents them: which line replaces which, `no` and
    /// `default`, sections that come and go, lists by number, VLAN lists, interface names and ranges, abbreviations with one
    /// meaning. A line that the model does not know is entered by the generic rule (it is added; its `no` takes it away) and
    /// named in [`Merged::unmodelled`].
    pub fn merge(&self, lines: &Lines) -> Merged {
        stream::Stream::enter(self, lines)
    }
}
