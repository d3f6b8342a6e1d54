//! A revocation reaches what rests on a token and is no token itself: the pages' browser sessions and a person's
//! elevations (T3). Whoever raises a floor does it through [`Revoking`]; then none of them can be forgotten.

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use platform::revocation::{Revocations, Revoked};
use tool_runtime::Pipeline;

use crate::pages::BrowserSessions;

/// Raises floors in the verifier, and ends what the revoked person or session holds here.
pub struct Revoking {
    floors: Arc<dyn Revocations>,
    sessions: BrowserSessions,
    pipeline: Arc<Pipeline>,
}

impl Revoking {
    /// Over the verifier's floors.
    pub fn new(floors: Arc<dyn Revocations>, sessions: BrowserSessions, pipeline: Arc<Pipeline>) -> Self {
        Self { floors, sessions, pipeline }
    }
}

#[async_trait]
impl Revocations for Revoking {
    /// The floor first: if the rest fails, the tokens are dead all the same, and the caller hears that it did not go
    /// through.
    async fn revoke(&self, issuer: &str, what: Revoked, at: i64) -> Result<(), Error> {
        self.floors.revoke(issuer, what.clone(), at).await?;
        self.sessions.end(issuer, &what).await?;
        if let Revoked::Subject(subject) = &what {
            self.pipeline.elevations().end_all(issuer, subject).await?;
        }
        Ok(())
    }
}
