//! `interlock policy`: a bundle's tests and guard rails before it goes live, and single decisions. Without a server.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use platform::Json;
use platform::policy::Profile;
use serde_json::json;
use server::offline::policy as offline;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, pretty};

#[derive(Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// Run a bundle's own tests and the platform's guard rails: what an activation asks for.
    Test(BundleArguments),
    /// Decide one input and print the decision document.
    Eval(Question),
    /// Decide one input and say it in sentences.
    Explain(Question),
}

#[derive(Args)]
struct BundleArguments {
    /// Folder of the shape of `policies/`; the bundle in this binary when left out.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// `production` or `lab-open`.
    #[arg(long, default_value = "production")]
    profile: Profile,
}

#[derive(Args)]
struct Question {
    /// Decision input as JSON; `-` reads standard input. An audit record's input can be used as it is.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    bundle: BundleArguments,
}

impl Policy {
    pub(crate) fn run(self, terminal: &Terminal) -> Outcome {
        match self.command {
            PolicyCommand::Test(bundle) => test(&bundle, terminal),
            PolicyCommand::Eval(question) => {
                let decision = question.engine()?.eval(&question.read()?)?;
                let value = serde_json::to_value(&decision).map_err(|e| Failure::internal(&e))?;
                terminal.result(&pretty(&value), &value)
            }
            PolicyCommand::Explain(question) => {
                let (engine, input) = (question.engine()?, question.read()?);
                let text = engine.explain(&input)?;
                let decision = serde_json::to_value(engine.eval(&input)?).map_err(|e| Failure::internal(&e))?;
                terminal.result(&text, &json!({"explanation": text, "decision": decision}))
            }
        }
    }
}

impl BundleArguments {
    fn read(&self) -> Outcome<offline::Bundle> {
        offline::bundle(self.bundle.as_deref(), self.profile).map_err(refused)
    }
}

impl Question {
    fn engine(&self) -> Outcome<offline::RegoEngine> {
        offline::engine(self.bundle.read()?).map_err(refused)
    }

    fn read(&self) -> Outcome<Json> {
        let text = if self.input.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(&self.input)
        };
        let shown = self.input.display();
        let text = text.map_err(|e| {
            Failure::new(Exit::Usage, "input_unreadable", format!("{shown} cannot be read.")).with_detail(&e)
        })?;
        serde_json::from_str(&text)
            .map_err(|e| Failure::new(Exit::Usage, "input_unreadable", format!("{shown} is not JSON.")).with_detail(&e))
    }
}

/// A bundle that stays out is a failed check, not a wrong command line.
fn refused(error: platform::Error) -> Failure {
    match Failure::from(error) {
        Failure::Said(mut said) => {
            said.exit = Exit::Failed;
            Failure::Said(said)
        }
        other => other,
    }
}

fn test(arguments: &BundleArguments, terminal: &Terminal) -> Outcome {
    let bundle = arguments.read()?;
    let report = bundle.test().map_err(platform::Error::from).map_err(refused)?;
    let revision = bundle.revision().map_err(platform::Error::from).map_err(refused)?;
    let failed: Vec<_> = report.tests.iter().filter(|t| !t.passed).collect();
    let mut lines: Vec<String> = failed
        .iter()
        .map(|t| format!("FAILED {}:{} {} ({})", t.path, t.line, t.name, t.reason.as_deref().unwrap_or("not true")))
        .collect();
    // The rails are asked only of a bundle whose own tests hold, as an activation does.
    let rails = match failed.is_empty() {
        true => offline::engine(bundle).map(drop).map_err(|e| e.detail().unwrap_or_else(|| e.message()).to_owned()),
        false => Err("not asked: the bundle's own tests do not hold".to_owned()),
    };
    lines.push(format!("{} of {} tests hold", report.tests.len() - failed.len(), report.tests.len()));
    lines.push(match &rails {
        Ok(()) => "the guard rails hold".to_owned(),
        Err(why) => format!("guard rails: {why}"),
    });
    lines.push(format!("revision {revision}, profile {}", arguments.profile));
    let tests: Vec<Json> = report
        .tests
        .iter()
        .map(|t| json!({"name": t.name, "path": t.path, "line": t.line, "passed": t.passed, "reason": t.reason}))
        .collect();
    let ok = rails.is_ok();
    let value = json!({"ok": ok, "revision": revision, "profile": arguments.profile.as_str(), "tests": tests,
        "guard_rails": rails.err()});
    terminal.result(&lines.join("\n"), &value)?;
    if ok { Ok(()) } else { Err(Failure::Shown(Exit::Failed)) }
}
