//! Revocation floors (T3): for a subject, a session or one token, the moment at or before which everything issued is dead.
//! Looked at on every call, cached or not. This is the pushed copy in memory; the store keeps the truth.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use platform::revocation::{Revocations, Revoked};
use platform::{Error, Principal};

#[derive(Debug, Default)]
struct Floors {
    subjects: HashMap<String, i64>,
    sessions: HashMap<String, i64>,
    tokens: HashMap<String, i64>,
    keys: HashMap<String, i64>,
}

/// The floors of all issuers. Fed by logout, deprovisioning, events and operators.
#[derive(Debug, Default)]
pub struct RevocationFloors(RwLock<HashMap<String, Floors>>);

impl RevocationFloors {
    /// Raises the floor: what `issuer` issued for `what` at or before `at` (epoch seconds) is dead. A floor never sinks.
    pub fn revoke(&self, issuer: &str, what: Revoked, at: i64) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let floors = all.entry(issuer.to_owned()).or_default();
        let (map, id) = match what {
            Revoked::Subject(id) => (&mut floors.subjects, id),
            Revoked::Session(id) => (&mut floors.sessions, id),
            Revoked::Token(id) => (&mut floors.tokens, id),
            Revoked::Key(id) => (&mut floors.keys, id),
        };
        let floor = map.entry(id).or_insert(at);
        *floor = at.max(*floor);
    }

    /// Whether this principal's token is dead.
    pub fn is_revoked(&self, principal: &Principal) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(floors) = all.get(&principal.issuer) else { return false };
        let token = &principal.token;
        let below = |floor: Option<&i64>| floor.is_some_and(|at| token.issued_at <= *at);
        below(floors.subjects.get(&principal.subject))
            || token.session.as_ref().is_some_and(|id| below(floors.sessions.get(id)))
            || token.id.as_ref().is_some_and(|id| below(floors.tokens.get(id)))
            || token.key.as_ref().is_some_and(|id| below(floors.keys.get(id)))
    }

    /// Forgets floors at or before `at` (epoch seconds): no token from before then can still be valid.
    pub fn forget_before(&self, at: i64) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for floors in all.values_mut() {
            for map in [&mut floors.subjects, &mut floors.sessions, &mut floors.tokens, &mut floors.keys] {
                map.retain(|_, floor| *floor > at);
            }
        }
    }
}

#[async_trait]
impl Revocations for RevocationFloors {
    async fn revoke(&self, issuer: &str, what: Revoked, at: i64) -> Result<(), Error> {
        Self::revoke(self, issuer, what, at);
        Ok(())
    }
}
