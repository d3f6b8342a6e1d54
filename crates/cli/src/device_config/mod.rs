//! `interlock device-config`: what the platform understands of configurations, for engineers and scripts. Files or standard
//! input, offline. Each command has a file of its own name; the understanding itself is the crate `device-config`.

mod classify;
mod diff;
mod mask;
mod merge;
mod parse;
mod undo;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use server::offline::device_config::Platform;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct DeviceConfig {
    #[command(subcommand)]
    command: DeviceConfigCommand,
}

#[derive(Subcommand)]
enum DeviceConfigCommand {
    /// Say what each line does: read, probe, change or disruptive, and why. What is unknown is disruptive.
    Classify(classify::Classify),
    /// Hide the secrets of a configuration.
    Mask(mask::Mask),
    /// Print a configuration in canonical form: no volatile lines, no comments, one form for one meaning.
    Parse(parse::Parse),
    /// Predict what lines make of a configuration, and name the lines whose effect is not known.
    Merge(merge::Merge),
    /// Say in what two configurations differ, secrets hidden.
    Diff(diff::Differ),
    /// Print the lines that take a change back, proven on the model, or why there are none.
    Undo(undo::TakeBack),
}

/// Which platform a text belongs to, and where it stands.
#[derive(Args)]
struct Given {
    /// `ios-xe`, `nx-os`, `ios-xr` or `asa`.
    #[arg(long)]
    platform: Platform,
    /// The text; standard input when left out, or for `-`.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Given {
    fn read(&self) -> Outcome<String> {
        read(self.file.as_deref())
    }
}

/// A text, and the configuration that it is entered into or compared with.
#[derive(Args)]
struct Against {
    /// The running configuration: `show running-config` of the device.
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    #[command(flatten)]
    given: Given,
}

impl Against {
    fn platform(&self) -> Platform {
        self.given.platform
    }

    /// The base and the text.
    fn read(&self) -> Outcome<(String, String)> {
        let stdin = |file: Option<&Path>| file.is_none_or(|file| file == Path::new("-"));
        if stdin(Some(&self.base)) && stdin(self.given.file.as_deref()) {
            let message = "Standard input can be the base or the text, and not both; name a file for one of them.";
            return Err(Failure::new(Exit::Usage, "input_twice", message));
        }
        Ok((read(Some(&self.base))?, self.given.read()?))
    }
}

impl DeviceConfig {
    pub(crate) fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            DeviceConfigCommand::Classify(classify) => classify.run(terminal),
            DeviceConfigCommand::Mask(mask) => mask.run(terminal),
            DeviceConfigCommand::Parse(parse) => parse.run(terminal),
            DeviceConfigCommand::Merge(merge) => merge.run(terminal),
            DeviceConfigCommand::Diff(diff) => diff.run(terminal),
            DeviceConfigCommand::Undo(undo) => undo.run(terminal),
        }
    }
}

/// The text of a file, or of standard input.
pub(crate) fn read(file: Option<&Path>) -> Outcome<String> {
    let (shown, text) = match file.filter(|file| *file != Path::new("-")) {
        Some(file) => (file.display().to_string(), std::fs::read_to_string(file)),
        None => ("Standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
    };
    text.map_err(|e| Failure::new(Exit::Usage, "input_unreadable", format!("{shown} cannot be read.")).with_detail(&e))
}
