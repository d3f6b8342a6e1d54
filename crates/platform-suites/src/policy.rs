//! A policy engine that a test writes as closures.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use platform::error::Error;
use platform::policy::{Decision, DecisionInput, Effect, PolicyEngine, VisibilityInput};

type Decide = dyn Fn(&DecisionInput) -> Result<Decision, Error> + Send + Sync;
type Visible = dyn Fn(&VisibilityInput) -> Result<BTreeSet<(String, String)>, Error> + Send + Sync;

/// Answers with what the closures say; without more ado everything in the catalogue is visible.
pub struct StaticPolicy {
    decide: Box<Decide>,
    visible: Box<Visible>,
}

impl StaticPolicy {
    /// Decides by this closure.
    pub fn new(decide: impl Fn(&DecisionInput) -> Result<Decision, Error> + Send + Sync + 'static) -> Self {
        Self { decide: Box::new(decide), visible: Box::new(|input| Ok(everything(input))) }
    }

    /// Allows everything.
    pub fn allowing() -> Self {
        Self::new(|_| Ok(Self::decision(Effect::Allow, &["grant:test"])))
    }

    /// Denies everything, and shows nothing.
    pub fn denying() -> Self {
        Self::new(|_| Ok(Self::decision(Effect::Deny, &["deny:test"]))).with_visible(|_| Ok(BTreeSet::new()))
    }

    /// Answers visibility by this closure.
    #[must_use]
    pub fn with_visible(
        mut self,
        visible: impl Fn(&VisibilityInput) -> Result<BTreeSet<(String, String)>, Error> + Send + Sync + 'static,
    ) -> Self {
        self.visible = Box::new(visible);
        self
    }

    /// A decision with this effect and these reasons, without obligations, not cacheable.
    pub fn decision(effect: Effect, reasons: &[&str]) -> Decision {
        Decision {
            allow: effect == Effect::Allow,
            effect,
            reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
            obligations: BTreeMap::new(),
            valid_until: None,
            revision: "test".to_owned(),
        }
    }
}

fn everything(input: &VisibilityInput) -> BTreeSet<(String, String)> {
    input.tools.iter().map(|entry| (entry.server.name.clone(), entry.tool.name.clone())).collect()
}

#[async_trait]
impl PolicyEngine for StaticPolicy {
    async fn decide(&self, input: &DecisionInput) -> Result<Decision, Error> {
        (self.decide)(input)
    }

    async fn visible(&self, input: &VisibilityInput) -> Result<BTreeSet<(String, String)>, Error> {
        (self.visible)(input)
    }

    fn revision(&self) -> String {
        "test".to_owned()
    }
}
