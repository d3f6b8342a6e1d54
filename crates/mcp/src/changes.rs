//! How a server tells its callers that a list changed (MCP 2026-07-28 "Subscriptions"): a handle that the handler keeps,
//! and what the endpoint does with it. A change says *that* something changed and never *what*: the caller lists again,
//! and sees what it may see.
//!
//! Next: `bridge::listen` for the stream.

use tokio::sync::broadcast;

/// How many changes a slow stream may lag behind before it is told of all of them at once.
const BEHIND: usize = 64;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources or of their templates.
    Resources,
    /// What this resource holds.
    Resource(String),
}

/// Tells every open stream of one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Changes {
    /// Tells those who listen; nobody may.
    pub fn tell(&self, change: Change) {
        // An error only says that nobody listens.
        drop(self.0.send(change));
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
