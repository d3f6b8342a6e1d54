//! Revocation (rule T3): from which moment on what an issuer issued before is dead, and who is told of it.
//!
//! A floor never sinks. Writers of floors are sign-out, token revocation, deprovisioning, key retirement and operators;
//! the one reader is the token verifier, on every call, cached or not. Implementations: `backends/tokens-oidc`.

use async_trait::async_trait;

use crate::error::Error;

/// What is revoked, always within one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// Everything of a subject (`sub`).
    Subject(String),
    /// One session (`sid`).
    Session(String),
    /// One token (`jti`).
    Token(String),
    /// Everything that one key signed (`kid`): a key that was lost.
    Key(String),
}

/// Takes floors. When it returns, the next call with such a token is refused, warm caches or not, and a restart does not
/// forget it.
#[async_trait]
pub trait Revocations: Send + Sync + 'static {
    /// What `issuer` issued for `what` at or before `at` (epoch seconds) is dead. Error: the store's; then nothing may be
    /// said to be revoked.
    async fn revoke(&self, issuer: &str, what: Revoked, at: i64) -> Result<(), Error>;
}
