//! The gate of a bundle (rule T8): it parses, all of its own tests hold, and the platform's guard rails hold; otherwise it
//! stays out and the error says which test or rail, and where. Next: `engine.rs`, which swaps an accepted bundle in.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use platform::policy::Decision;
use platform::policy::guard_rails::{self, Violation};
use platform::{Error, ErrorKind, Json};
use regorus::languages::rego::compiler::Compiler;
use regorus::{Engine, PolicyLengthConfig, Value};

use crate::answer;
use crate::bundle::Bundle;
use crate::machine::{self, Compiled, Limits};

/// The decision document.
pub(crate) const DECISION: &str = "data.interlock.authz.decision";
/// The visibility query.
pub(crate) const VISIBLE: &str = "data.interlock.authz.visible";
/// Generations of all engines of this process: a thread's machine serves whichever engine it is asked for.
static GENERATION: AtomicU64 = AtomicU64::new(1);
/// Violations that an error repeats; more help nobody.
const SHOWN_VIOLATIONS: usize = 5;

/// The name of an activated policy revision: the first 16 hexadecimal digits of a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(pub String);

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a bundle stays out. The policy that was active before stays active.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// A file or folder cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// File or folder.
        path: String,
        /// Why.
        reason: String,
    },
    /// A data document is broken or misplaced.
    #[error("data document `{name}`: {reason}")]
    Data {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A source is not valid Rego v1, or calls what the engine does not have.
    #[error("{path} is refused: {reason}")]
    Source {
        /// Path in the bundle.
        path: String,
        /// The engine's words, with line and column.
        reason: String,
    },
    /// The sources do not fit together, or lack `decision` or `visible` in package `interlock.authz`.
    #[error("the policy does not compile: {0}")]
    Compile(String),
    /// A test of the bundle does not hold.
    #[error("{path}:{line}: test `{test}` does not hold: {reason}")]
    Test {
        /// The test's rule.
        test: String,
        /// Path in the bundle.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What it was instead of true.
        reason: String,
    },
    /// The policy breaks guard rails (T8).
    #[error("the policy breaks the guard rail `{}` ({count} cases): {}", .first.first().map_or("", |v| v.rail.as_str()), .first.first().map_or(String::new(), ToString::to_string))]
    GuardRails {
        /// The first violations.
        first: Vec<Violation>,
        /// Names of all rails that are broken, in order.
        rails: BTreeSet<guard_rails::Rail>,
        /// Number of cases that were answered wrong.
        count: usize,
    },
}

impl From<ActivationError> for Error {
    fn from(error: ActivationError) -> Self {
        let message = "The policy was refused and the one before it stays active; the message names the file, test or rail to mend.";
        Self::new(ErrorKind::InvalidInput, "policy_refused", message).with_detail(error)
    }
}

/// One test of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOutcome {
    /// The rule's path, for example `data.interlock.authz_test.test_t8_every_input_decides`.
    pub name: String,
    /// File in the bundle.
    pub path: String,
    /// Line in that file, from 1.
    pub line: usize,
    /// Whether it is true.
    pub passed: bool,
    /// What it was instead of true.
    pub reason: Option<String>,
    /// Wall time.
    pub duration: Duration,
}

/// All tests of a bundle, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestReport {
    /// The tests.
    pub tests: Vec<TestOutcome>,
}

impl TestReport {
    /// Whether every test passed.
    pub fn passed(&self) -> bool {
        self.tests.iter().all(|test| test.passed)
    }
}

/// A bundle that passed the gate.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) bundle: Bundle,
    pub(crate) revision: String,
    pub(crate) compiled: Compiled,
}

/// Takes a bundle through the gate.
pub(crate) fn accept(bundle: Bundle) -> Result<Accepted, ActivationError> {
    bundle.risk_table()?;
    let accepted = compile(bundle)?;
    let report = run_tests(&accepted.bundle)?;
    if let Some(failed) = report.tests.into_iter().find(|test| !test.passed) {
        let TestOutcome { name: test, path, line, reason, .. } = failed;
        return Err(ActivationError::Test { test, path, line, reason: reason.unwrap_or_default() });
    }
    let decide = |input: &Json| decide(&accepted, input, Limits::ACTIVATION);
    let violations = guard_rails::check(accepted.bundle.profile(), &accepted.bundle.vocabulary(), decide);
    if violations.is_empty() {
        return Ok(accepted);
    }
    Err(ActivationError::GuardRails {
        rails: violations.iter().map(|violation| violation.rail).collect(),
        count: violations.len(),
        first: violations.into_iter().take(SHOWN_VIOLATIONS).collect(),
    })
}

/// Compiles what answers, without the tests.
pub(crate) fn compile(bundle: Bundle) -> Result<Accepted, ActivationError> {
    let revision = bundle.revision()?;
    let data = Value::from(bundle.data_document(&revision)?);
    let program = {
        let mut engine = parse(bundle.policies(), data.clone())?;
        guarded(|| {
            let policy = engine.compile_with_entrypoint(&DECISION.into()).map_err(|error| error.to_string())?;
            Compiler::compile_from_policy(&policy, &[DECISION, VISIBLE]).map_err(|error| error.to_string())
        })
        .map_err(ActivationError::Compile)?
    };
    let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
    Ok(Accepted { bundle, revision, compiled: Compiled { generation, program: Arc::clone(&program), data } })
}

/// Runs every rule whose name begins with `test_`, on the interpreter (the virtual machine has no `with`).
pub(crate) fn run_tests(bundle: &Bundle) -> Result<TestReport, ActivationError> {
    let revision = bundle.revision()?;
    let data = Value::from(bundle.data_document(&revision)?);
    let mut engine = parse(bundle.policies().chain(bundle.tests()), data)?;
    engine.set_execution_timer_config(Limits::ACTIVATION.time());
    let policy = guarded(|| engine.compile_with_entrypoint(&DECISION.into()).map_err(|error| error.to_string()))
        .map_err(ActivationError::Compile)?;
    let is_test = |rule: &&String| rule.rsplit('.').next().is_some_and(|name| name.starts_with("test_"));
    let names: BTreeSet<String> = policy.get_rules().keys().filter(is_test).cloned().collect();
    let tests = names.into_iter().map(|name| run_test(bundle, &mut engine, name)).collect();
    Ok(TestReport { tests })
}

fn run_test(bundle: &Bundle, engine: &mut Engine, name: String) -> TestOutcome {
    let started = Instant::now();
    let result = guarded(|| engine.eval_rule(name.clone()).map_err(|error| error.to_string()));
    let duration = started.elapsed();
    let reason = match result {
        Ok(Value::Bool(true)) => None,
        Ok(Value::Undefined) => Some("it is undefined".to_owned()),
        Ok(other) => Some(format!("it is {other}")),
        Err(error) => Some(error),
    };
    let rule = name.rsplit('.').next().unwrap_or(&name);
    let (path, line) = place(bundle, rule);
    TestOutcome { path, line, passed: reason.is_none(), reason, duration, name }
}

/// File and line where a rule stands; line 0 of no file when the text hides it.
fn place(bundle: &Bundle, rule: &str) -> (String, usize) {
    for (path, text) in bundle.tests().chain(bundle.policies()) {
        let begins = |line: &str| {
            line.strip_prefix(rule).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        if let Some(nth) = text.lines().position(begins) {
            return (path.to_owned(), nth + 1);
        }
    }
    (String::new(), 0)
}

fn parse<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>, data: Value) -> Result<Engine, ActivationError> {
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig::default());
    for (path, text) in sources {
        guarded(|| engine.add_policy(path.to_owned(), text.to_owned()).map_err(|error| error.to_string()))
            .map_err(|reason| ActivationError::Source { path: path.to_owned(), reason })?;
    }
    guarded(|| engine.add_data(data).map_err(|error| error.to_string())).map_err(ActivationError::Compile)?;
    Ok(engine)
}

/// Runs a piece of the engine's work with a net under panics.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the policy engine panicked".to_owned()))
}

/// Asks an accepted bundle for a decision. Whatever is not one is `policy_unavailable`.
pub(crate) fn decide(accepted: &Accepted, input: &impl serde::Serialize, limits: Limits) -> Result<Decision, Error> {
    let input = machine_value(input)?;
    let value = machine::evaluate(&accepted.compiled, DECISION, input, limits).map_err(unavailable)?;
    answer::decision(&value, &accepted.revision).map_err(unavailable)
}

/// JSON of a typed input, as the machine's value.
pub(crate) fn machine_value(input: &impl serde::Serialize) -> Result<Value, Error> {
    let text = serde_json::to_string(input).map_err(unavailable)?;
    serde_json::from_str(&text).map_err(unavailable)
}

/// The refusal of a call for which there is no decision.
pub(crate) fn unavailable(why: impl std::fmt::Display) -> Error {
    let message =
        "No decision could be made for this call, so it is refused; try again, and tell the operator if it lasts.";
    Error::new(ErrorKind::Unavailable, "policy_unavailable", message).with_detail(why)
}
