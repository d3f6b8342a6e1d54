//! What every workflow engine must keep, as one suite that runs against any of them, and the scripted body that it is played
//! with. Only ever a dev-dependency.
//!
//! Where next: [`suite`] for the rules, one function each; [`script`] for bodies that are data; [`world`] for the activities,
//! which write down what they did.
#![expect(clippy::unwrap_used, clippy::panic, reason = "this crate is test code: a broken contract ends the test")]

pub mod script;
pub mod suite;
pub mod world;

use std::time::Duration;

use async_trait::async_trait;
use workflow_api::{RunSummary, WorkflowClient, WorkflowDefinition};

pub use script::{Op, Program, Script, Scripted};
pub use suite::suite;
pub use world::World;

/// Takes the kinds of workflows that an engine under test must know.
pub trait Registry: Sized {
    /// With one more.
    #[must_use]
    fn with<D: WorkflowDefinition>(self) -> Self;
}

/// An engine under test, over an empty journal, driven, with the kinds of [`Program::Current`] and the activities of a
/// [`World`].
#[async_trait]
pub trait Bench: Send {
    /// Its door.
    fn client(&self) -> &dyn WorkflowClient;

    /// What its activities did, in all its lives.
    fn world(&self) -> &World;

    /// Ends it as a crash would, activities in the middle, and lets `program` drive the same journal.
    async fn crash(&mut self, program: Program);

    /// Moves the clock.
    fn advance(&self, by: Duration);

    /// The run, once it fulfils `is`. Waits for it without end.
    async fn until(&self, id: &str, is: &(dyn for<'a> Fn(&'a RunSummary) -> bool + Sync)) -> RunSummary;
}
