//! `interlock device-config`: what the platform understands of configurations, for engineers and scripts. Files or standard
//! input, offline. Each command has a file of its own name; the understanding itself is the crate `device-config`.

mod classify;
mod mask;

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

impl DeviceConfig {
    pub(crate) fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            DeviceConfigCommand::Classify(classify) => classify.run(terminal),
            DeviceConfigCommand::Mask(mask) => mask.run(terminal),
        }
    }
}

/// The text of a file, or of standard input.
fn read(file: Option<&Path>) -> Outcome<String> {
    let (shown, text) = match file.filter(|file| *file != Path::new("-")) {
        Some(file) => (file.display().to_string(), std::fs::read_to_string(file)),
        None => ("Standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
    };
    text.map_err(|e| Failure::new(Exit::Usage, "input_unreadable", format!("{shown} cannot be read.")).with_detail(&e))
}
