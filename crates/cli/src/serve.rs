//! `interlock serve`: the platform by its configuration.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use platform::config::LogFormat;
use platform::telemetry::{Format, Options, init};

use crate::command::read_config;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::Terminal;

#[derive(Args)]
pub(crate) struct Serve {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// While nobody can sign in at the built-in issuer: show the code for the first administrator on standard error even
    /// where that is no terminal. Whoever reads it there first is administrator.
    #[arg(long)]
    print_setup_code: bool,
    /// Refused: what the conformance suite asks for stands outside the road and belongs to a lab.
    #[arg(long, hide = true)]
    conformance: bool,
}

impl Serve {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        if self.conformance {
            return Err(server::no_fixtures_in_production().into());
        }
        platform::process::forbid_core_dumps()?;
        let config = read_config(&self.config)?.config;
        let format = match config.telemetry.format {
            LogFormat::Ecs => Format::Ecs,
            LogFormat::Human => Format::Human,
        };
        start_logging(&Options { format, filter: config.telemetry.filter.clone(), ..Options::default() })?;
        let show = |text: &str| terminal.progress(text);
        let seen = self.print_setup_code || std::io::stderr().is_terminal();
        Ok(Box::pin(server::serve(config, seen.then_some(&show as &(dyn Fn(&str) + Sync)))).await?)
    }
}

/// Sets up the log lines of a process that serves.
pub(crate) fn start_logging(options: &Options) -> Outcome {
    init(options).map_err(|e| {
        let message = "The log cannot be set up; mend `telemetry.filter` or leave it out.";
        Failure::new(Exit::Usage, "telemetry_unusable", message).with_detail(&e)
    })
}
