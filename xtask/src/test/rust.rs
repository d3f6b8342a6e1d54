//! The parts that cargo builds: one build of all test programs, then each of them in turn.
//!
//! One build, because cargo resolves features per selection: asking for one package at a time would compile shared
//! libraries again. Next: [`super::tally`].

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Message, PackageId};
use engines::{EngineError, Postgres};

use super::tally::{self, Tally};
use crate::{machine, terminal, workspace};

/// The package whose tests go over sockets to a whole lab.
const END_TO_END: &str = "interlock-e2e";

pub(super) struct Suite {
    packages: HashMap<PackageId, (String, PathBuf)>,
    binary: PathBuf,
    postgres: Option<Postgres>,
}

/// One test program.
pub(super) struct Test {
    package: String,
    folder: PathBuf,
    target: String,
    program: PathBuf,
}

impl Test {
    pub(super) fn is_end_to_end(&self) -> bool {
        self.package == END_TO_END
    }
}

impl Suite {
    pub(super) fn new() -> Result<Self> {
        let metadata = workspace::metadata()?;
        let binary = workspace::debug_binary(&metadata);
        let folder = |p: &cargo_metadata::Package| p.manifest_path.parent().map(|f| f.as_std_path().to_owned());
        let packages = metadata
            .packages
            .iter()
            .map(|p| (p.id.clone(), (p.name.to_string(), folder(p).unwrap_or_default())))
            .collect();
        Ok(Self { packages, binary, postgres: None })
    }

    /// Starts the one PostgreSQL that all tests of the run use, and that stops with this value. Without it its tests say
    /// that they are skipped; with `ci` that is an error.
    pub(super) fn start_engines(&mut self, ci: bool) -> Result<()> {
        match Postgres::start(false) {
            Ok(server) => {
                terminal::say(format_args!("PostgreSQL {} at {}", server.installation().version, server.url()));
                self.postgres = Some(server);
            }
            Err(error @ EngineError::Missing { .. }) if !ci => {
                terminal::say(format_args!("tests over PostgreSQL are skipped: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The shipped program, which end-to-end tests and clients start.
    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// Builds every test program of the workspace.
    pub(super) fn build(&self) -> Result<Vec<Test>> {
        let mut cargo = machine::cargo();
        cargo.current_dir(workspace::root());
        cargo.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"]);
        cargo.arg("--message-format=json-render-diagnostics");
        let mut child = cargo.stdout(Stdio::piped()).spawn().context("cargo does not start")?;
        let out = child.stdout.take().context("cargo has no output")?;
        let mut tests = Vec::new();
        for message in Message::parse_stream(BufReader::new(out)) {
            let Message::CompilerArtifact(artifact) = message.context("cargo's messages cannot be read")? else {
                continue;
            };
            let Some(program) = artifact.executable.filter(|_| artifact.profile.test) else { continue };
            let Some((package, folder)) = self.packages.get(&artifact.package_id) else { continue };
            tests.push(Test {
                package: package.clone(),
                folder: folder.clone(),
                target: artifact.target.name,
                program: program.into(),
            });
        }
        if !child.wait().context("cargo cannot be waited for")?.success() {
            bail!("the tests do not build");
        }
        tests.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
        Ok(tests)
    }

    /// Runs test programs one after the other, as `cargo test` would: in the package's folder, with its variables.
    pub(super) fn run<'a>(&self, tests: impl Iterator<Item = &'a Test>) -> Result<Tally> {
        let mut sum = Tally::default();
        for test in tests {
            terminal::say(format_args!("     Running {} ({})", test.package, test.target));
            let began = Instant::now();
            let mut command = std::process::Command::new(&test.program);
            command.current_dir(&test.folder).env("CARGO_MANIFEST_DIR", &test.folder);
            command.env("CARGO_PKG_NAME", &test.package).env("INTERLOCK_BIN", &self.binary);
            if let Some(server) = &self.postgres {
                command.env(engines::TEST_POSTGRES, server.url());
            }
            let tally = tally::run_and_count(&mut command, Tally::default())?;
            terminal::say(format_args!(
                "     {} ({}): {}\n",
                test.package,
                test.target,
                terminal::took(began.elapsed())
            ));
            sum += tally;
        }
        Ok(sum)
    }

    /// Runs the examples in doc comments.
    pub(super) fn run_doc(&self) -> Result<Tally> {
        let mut cargo = machine::cargo();
        cargo.current_dir(workspace::root()).args(["test", "--workspace", "--doc"]);
        tally::run_and_count(&mut cargo, Tally::default())
    }
}
