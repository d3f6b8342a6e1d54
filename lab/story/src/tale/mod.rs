//! The guided tale: what a newcomer would do in the first three minutes, told step by step, with no model in it. Each step
//! says what it shows; a step that goes otherwise ends the tale with an error.
//!
//! Next: `chapters` for the tale of a second factor, `changes` for the one of changes: which of them depends on the lab's
//! policy profile.

mod change_read;
mod changes;
mod chapters;

use platform::{Error, Json, SharedClock};
use serde::Serialize;

use crate::ready::Ready;

/// One step that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// From 1.
    pub step: usize,
    /// What is done, as a heading.
    pub title: String,
    /// What happened, a line each.
    pub lines: Vec<String>,
    /// What this shows about the platform.
    pub shows: String,
}

/// Who hears the tale.
pub trait Listener: Send {
    /// A step is about to begin.
    fn begins(&mut self, title: &str);
    /// A step was told.
    fn told(&mut self, told: &Told);
    /// A step takes longer, and why.
    fn waits(&self, why: &str);
}

/// The audit log as the tale reads it: beside the running platform, without asking it.
pub trait Ledger: Send + Sync {
    /// Records of a request, oldest first.
    fn about(&self, request_id: &str) -> Result<Vec<Json>, Error>;
    /// Whether the log verifies, and how many records it has.
    fn verify(&self) -> Result<(bool, u64), Error>;
}

/// What the tale needs.
pub struct Tale<'a> {
    /// The running lab.
    pub ready: &'a Ready,
    /// The lab's clock.
    pub clock: SharedClock,
    /// Its audit log.
    pub ledger: &'a dyn Ledger,
}

/// Plays the whole tale against a running lab. Errors: `story_interrupted` when the platform did otherwise than told, and
/// those of the sign-in.
pub async fn play(tale: &Tale<'_>, listener: &mut dyn Listener) -> Result<Vec<Told>, Error> {
    let chapters = chapters::Chapters::new(tale, listener);
    // What a write needs there is what there is to tell.
    match tale.ready.profile.as_str() {
        "lab-open" => Box::pin(chapters.all()).await,
        _ => Box::pin(chapters.changes()).await,
    }
}
