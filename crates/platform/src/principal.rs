//! Who is calling, as the platform verified it: never more than the token's issuer entry allows (rule T2).

use serde::{Deserialize, Serialize};

/// Whether a person or a program of its own signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person, by an interactive sign-in.
    Person,
    /// A client by client credentials.
    Client,
}

/// How the names of groups begin that the platform keeps for itself: no issuer gives one to anybody.
pub const PLATFORM_GROUPS: &str = "platform:";

/// One actor of RFC 8693's `act` chain, outermost first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The actor's subject.
    pub subject: String,
    /// The actor's issuer, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// What proved a token, and so how much it can prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenProof {
    /// The issuer's signature.
    #[default]
    Signature,
    /// The issuer's answer about it (RFC 7662).
    Introspection,
    /// The issuer's userinfo endpoint took it: audience and sign-in are not proven (T2).
    Userinfo,
}

/// What the token said about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFacts {
    /// `jti`, where present.
    pub id: Option<String>,
    /// `sid`, where present.
    pub session: Option<String>,
    /// `kid` of the key that signed it, where it is signed.
    #[serde(default)]
    pub key: Option<String>,
    /// What proved it.
    #[serde(default)]
    pub proof: TokenProof,
    /// `iat`, seconds since the epoch.
    pub issued_at: i64,
    /// `exp`, seconds since the epoch.
    pub expires_at: i64,
}

/// A verified caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Issuer identifier (RFC 8414 `issuer`), exactly as in the token.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// The configured immutable claim by which people are counted (T2); `sub` unless the issuer's entry says otherwise.
    pub person: String,
    /// What to call them on a page or in a log: `preferred_username`, `name`, or the subject.
    pub name: String,
    /// Person or client.
    pub kind: PrincipalKind,
    /// Groups that the issuer's allow-list let through; sorted, without duplicates.
    pub groups: Vec<String>,
    /// `client_id` or `azp`.
    pub client_id: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// `acr`.
    pub acr: Option<String>,
    /// `amr`.
    pub amr: Vec<String>,
    /// `auth_time`, seconds since the epoch.
    pub auth_time: Option<i64>,
    /// Whether this issuer's configured `acr`/`amr` values say that more than one factor was used (T4).
    pub mfa: bool,
    /// RFC 8693 actor chain; empty when the person acts alone.
    pub actors: Vec<Actor>,
    /// Facts of the token.
    pub token: TokenFacts,
}

impl Principal {
    /// A key that names this principal in limits, idempotency and elevations: issuer and subject, unambiguous.
    pub fn key(&self) -> String {
        format!("{}|{}", self.issuer, self.subject)
    }
}
