//! `cargo xtask tidy`: the rules of the house that the compiler cannot know. Every rule is a function over plain data
//! with a test that shows it a bad sample.
//!
//! Next: [`arrows`] for who may depend on whom, [`source`] for files, [`text`] for what no file may hold, [`codes`] and
//! [`records`] for the pages that must exist.

mod arrows;
pub(crate) mod codes;
pub(crate) mod records;
mod source;
mod text;

use std::fmt;

use anyhow::{Result, bail};

use crate::{docs, terminal, workspace};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Said, and let through.
    Warn,
    /// Stops the build.
    Fail,
}

/// One thing that is not in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) weight: Weight,
    /// A path, or a crate.
    pub(crate) place: String,
    /// What, and what to do about it.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn fail(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { weight: Weight::Fail, place: place.into(), message: message.into() }
    }

    pub(crate) fn warn(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { weight: Weight::Warn, place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.weight {
            Weight::Warn => "warning",
            Weight::Fail => "error",
        };
        write!(f, "{word}: {}: {}", self.place, self.message)
    }
}

/// One file with its text, path relative to the root.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files of the workspace that hold text.
pub(crate) fn read_files() -> Result<Vec<SourceFile>> {
    let root = workspace::root();
    let mut files = Vec::new();
    for path in workspace::files()? {
        // What is not UTF-8 is a picture or an archive, and no rule reads those.
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            files.push(SourceFile { path, text });
        }
    }
    Ok(files)
}

pub(crate) fn run() -> Result<()> {
    let metadata = workspace::metadata()?;
    let files = read_files()?;
    let mut findings = arrows::check(&arrows::packages(&metadata));
    findings.extend(source::check(&files));
    findings.extend(text::check(&files));
    findings.extend(codes::check(&files));
    findings.extend(records::check(&files));
    findings.extend(docs::stale(&files));
    findings.sort_by(|a, b| (a.weight, &a.place, &a.message).cmp(&(b.weight, &b.place, &b.message)));
    findings.iter().for_each(terminal::say);
    let failed = findings.iter().filter(|f| f.weight == Weight::Fail).count();
    if failed > 0 {
        bail!("{failed} of the house's rules are broken; CONTRIBUTING.md explains them");
    }
    terminal::say(format_args!("tidy: {} files in order, {} warnings", files.len(), findings.len()));
    Ok(())
}
