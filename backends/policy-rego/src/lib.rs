//! Rego in process (rules T6, T8, T9, T10): the policy of `policies/`, compiled once for regorus' virtual machine and
//! swapped as a whole.
//!
//! [`Bundle`] is what is activated (`bundle.rs`); [`RegoEngine`] activates it (`activation.rs`: parse, its own tests, the
//! platform's guard rails, then the swap) and answers (`engine.rs`). One evaluation, with its limits and its
//! `catch_unwind`, is in `machine.rs`; the strict reading of what comes back in `answer.rs`. The policy itself and its
//! tests are in `policies/interlock/`.

mod activation;
mod answer;
mod bundle;
mod configured;
mod engine;
mod explain;
mod machine;
mod passed_gate;

pub use self::activation::{ActivationError, Revision, TestOutcome, TestReport};
pub use self::bundle::Bundle;
pub use self::engine::RegoEngine;
pub use self::passed_gate::PassedGate;
