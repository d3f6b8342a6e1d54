//! Revocation (rule T3): from which moment on what an issuer issued before is dead, and who is told of it.
//!
//! A floor never sinks. Writers of floors are sign-out, token revocation, deprovisioning, key retirement and operators;
//! the readers are the token verifier, on every call, cached or not, and what
//! lives longer than a call ([`RevokedCheck`]). Implementations: `backends/tokens-oidc`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::principal::Principal;

/// What is revoked, always within one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// Everything of a subject (`sub`).
    Subject(String),
    /// Everything of a subject that names no session: when one of its sessions ends, any of it may be of that one.
    Sessionless(String),
    /// One session (`sid`).
    Session(String),
    /// One token (`jti`).
    Token(String),
    /// Everything that one key signed (`kid`), whatever time stands in it: a key that was lost.
    Key(String),
    /// The runs of changes that rest on a subject (`sub`): the account was disabled or deleted, or an operator says so. Signing
    /// out and revoked tokens leave runs alone (T19).
    Runs(String),
    /// Those of them that rest on the subject's membership of a group, which is lost.
    RunsByGroup {
        /// `sub`.
        subject: String,
        /// The group.
        group: String,
    },
}

/// Takes floors. When it returns, the next call with such a token is refused, warm caches or not, and a restart does not
/// forget it.
#[async_trait]
pub trait Revocations: Send + Sync + 'static {
    /// What `issuer` issued for `what` at or before `at` (epoch seconds) is dead. Error: the store's; then nothing may be
    /// said to be revoked.
    async fn revoke(&self, issuer: &str, what: Revoked, at: i64) -> Result<(), Error>;
}

/// Reads floors: for whatever lives longer than one call and was begun with a token, such as a browser session.
pub trait RevokedCheck: Send + Sync + 'static {
    /// Whether this principal's token is dead.
    fn is_revoked(&self, principal: &Principal) -> bool;
}

/// Reads the *run floor* (T3): whether what somebody did at some time may still carry the run of a change. Not by a token: a run
/// has none.
pub trait RunFloors: Send + Sync + 'static {
    /// Whether runs are ended that rest on what `subject` of `issuer`, as a member of `groups`, did at `at` (epoch seconds).
    fn is_ended(&self, issuer: &str, subject: &str, groups: &[String], at: i64) -> bool;
}

/// A sign-out that an issuer announced; one of subject and session is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// Issuer identifier.
    pub issuer: String,
    /// `sub`.
    pub subject: Option<String>,
    /// `sid`.
    pub session: Option<String>,
}

/// Takes logout tokens (OpenID Connect Back-Channel Logout 1.0). Implementations: `backends/tokens-oidc`.
#[async_trait]
pub trait LogoutTokens: Send + Sync + 'static {
    /// Checks a logout token and raises the floors that it means; when it returns, the next call of that session is
    /// refused. Errors: `logout_token_invalid`, `issuer_unavailable`, the store's.
    async fn accept(&self, logout_token: &str) -> Result<Logout, Error>;
}
