//! The engine: one accepted bundle behind an atomic pointer, and the questions that it answers. Next: `activation.rs` for
//! how a bundle gets in.

use std::collections::BTreeSet;
use std::path::Path;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use platform::policy::{Decision, DecisionInput, PolicyEngine, Profile, RiskTable, VisibilityInput};
use platform::{Error, Json};

use crate::activation::{self, Accepted, ActivationError, Revision, TestReport};
use crate::bundle::Bundle;
use crate::machine::{self, Limits};
use crate::passed_gate::PassedGate;
use crate::{answer, explain};

/// Answers authorisation questions with the active bundle. Evaluations run on the calling thread, tens of microseconds
/// each and never longer than 50 ms; threads share nothing but the compiled policy.
#[derive(Debug)]
pub struct RegoEngine {
    active: ArcSwap<Accepted>,
}

impl RegoEngine {
    /// The bundle that ships in the binary.
    pub fn embedded(profile: Profile) -> Result<Self, ActivationError> {
        Self::new(Bundle::embedded(profile)?)
    }

    /// The bundle that ships in the binary; `passed` spares it the gate when this very program let it through before.
    pub fn embedded_unless_passed(profile: Profile, passed: &PassedGate) -> Result<Self, ActivationError> {
        Self::unless_passed(Bundle::embedded(profile)?, passed)
    }

    /// Private to the crate: only the embedded bundle may be spared.
    pub(crate) fn unless_passed(bundle: Bundle, passed: &PassedGate) -> Result<Self, ActivationError> {
        if passed.holds_for(&bundle) {
            bundle.risk_table()?;
            return Ok(Self { active: ArcSwap::from_pointee(activation::compile(bundle)?) });
        }
        let engine = Self::new(bundle)?;
        passed.keep(&engine.active.load().bundle);
        Ok(engine)
    }

    /// A bundle from a folder of the shape of `policies/`.
    pub fn from_dir(folder: &Path, profile: Profile) -> Result<Self, ActivationError> {
        Self::new(Bundle::from_dir(folder, profile)?)
    }

    /// An engine with its first bundle, which passes the same gate as every later one.
    pub fn new(bundle: Bundle) -> Result<Self, ActivationError> {
        Ok(Self { active: ArcSwap::from_pointee(activation::accept(bundle)?) })
    }

    /// Takes a bundle through the gate and makes it the active one. On an error nothing has changed. Takes a good part of
    /// a second: call it off the request path.
    pub fn activate(&self, bundle: Bundle) -> Result<Revision, ActivationError> {
        let accepted = activation::accept(bundle)?;
        let revision = Revision(accepted.revision.clone());
        self.active.store(accepted.into());
        Ok(revision)
    }

    /// The operator's risk table of the active bundle.
    pub fn risk_table(&self) -> Result<RiskTable, ActivationError> {
        self.active.load().bundle.risk_table()
    }

    /// The profile of the active bundle.
    pub fn profile(&self) -> Profile {
        self.active.load().bundle.profile()
    }

    /// Runs the tests of the active bundle again, for `interlock policy test`.
    pub fn test(&self) -> Result<TestReport, ActivationError> {
        activation::run_tests(&self.active.load().bundle)
    }

    /// Decides any JSON input, for `interlock policy eval`.
    pub fn eval(&self, input: &Json) -> Result<Decision, Error> {
        activation::decide(&self.active.load_full(), input, Limits::DECISION)
    }

    /// The decision on an input in sentences, for `interlock policy explain`.
    pub fn explain(&self, input: &Json) -> Result<String, Error> {
        Ok(explain::text(input, &self.eval(input)?))
    }
}

#[async_trait]
impl PolicyEngine for RegoEngine {
    async fn decide(&self, input: &DecisionInput) -> Result<Decision, Error> {
        let decision = activation::decide(&self.active.load_full(), input, Limits::DECISION);
        if let Err(error) = &decision {
            tracing::error!(tool = %input.tool.name, server = %input.server.name, request_id = %input.request_id,
                detail = error.detail().unwrap_or_default(), "no policy decision; the call is refused");
        }
        decision
    }

    async fn visible(&self, input: &VisibilityInput) -> Result<BTreeSet<(String, String)>, Error> {
        let active = self.active.load_full();
        let input = activation::machine_value(input)?;
        let value = machine::evaluate(&active.compiled, activation::VISIBLE, input, Limits::CATALOGUE)
            .map_err(activation::unavailable)?;
        answer::visible(&value).map_err(activation::unavailable)
    }

    fn revision(&self) -> String {
        self.active.load().revision.clone()
    }
}
