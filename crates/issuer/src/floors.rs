//! What the issuer has revoked (rule T3): told to the platform's verifier through `platform::revocation`, and remembered
//! here for the issuer's own endpoints until the last token that it could meet has ended.

use platform::Error;
use platform::revocation::Revoked;
use platform::store::{Collection, Expect, Store, remove_all};

use crate::claims::{AccessClaims, TOKEN_S};
use crate::issuer::State;
use crate::users::put;

const REVOKED: Collection = Collection { name: "issuer_revoked", indexes: &[] };
/// Id of the floor under everything that the issuer ever issued.
const EVERYTHING: &str = "everything";

/// In a store that was restored from a backup (T24): what was issued at or before `at` (epoch seconds) is dead, and so are
/// refresh tokens, device codes and enrolment links, of which nobody knows whether they were used since the backup. Says how
/// many of these there were.
pub async fn void_after_restore(store: &dyn Store, at: i64) -> Result<u64, Error> {
    // As long as the longest of them: a refreshed family could not outlive it.
    let until = Some(at.saturating_add(crate::refresh::LONGEST_LIFE_S));
    put(store, REVOKED, EVERYTHING.to_owned(), Expect::Any, serde_json::json!({ "at": at }), until).await?;
    let mut removed = 0;
    for collection in [crate::refresh::FAMILIES, crate::device::DEVICES, crate::enrolment::ENROLMENTS] {
        removed += remove_all(store, collection).await?;
    }
    Ok(removed)
}

/// Everything at or before this time (epoch seconds) is dead, whatever it is.
pub(crate) async fn floor_of_all(store: &dyn Store) -> Result<Option<i64>, Error> {
    Ok(store.get(REVOKED, EVERYTHING).await?.and_then(|record| record.body["at"].as_i64()))
}

impl State {
    /// Revokes what was issued up to now. Only when this returns may anybody be told so.
    pub(crate) async fn revoke(&self, what: Revoked) -> Result<(), Error> {
        let at = self.clock.epoch_seconds();
        let record = serde_json::json!({ "at": at });
        let store = self.store.as_ref();
        put(store, REVOKED, id(&what), Expect::Any, record, Some(at + TOKEN_S + 60)).await?;
        self.revocations.revoke(&self.url, what, at).await
    }

    /// Ends the runs of changes that rest on somebody, or on their membership of some groups (T3). These floors are the
    /// verifier's alone: no endpoint of the issuer looks at them.
    pub(crate) async fn end_runs(&self, sub: &str, groups: Option<&[String]>) -> Result<(), Error> {
        let at = self.clock.epoch_seconds();
        let Some(groups) = groups else {
            return self.revocations.revoke(&self.url, Revoked::Runs(sub.to_owned()), at).await;
        };
        for group in groups {
            let what = Revoked::RunsByGroup { subject: sub.to_owned(), group: group.clone() };
            self.revocations.revoke(&self.url, what, at).await?;
        }
        Ok(())
    }

    /// Whether a token with these claims was revoked, by itself, with its session, or with everything of its subject.
    pub(crate) async fn is_revoked(&self, claims: &AccessClaims) -> Result<bool, Error> {
        if floor_of_all(self.store.as_ref()).await?.is_some_and(|at| claims.iat <= at) {
            return Ok(true);
        }
        let mut all = vec![Revoked::Token(claims.jti.clone()), Revoked::Subject(claims.sub.clone())];
        all.extend(claims.authentication.as_ref().map(|a| Revoked::Session(a.sid.clone())));
        for what in all {
            let record = self.store.get(REVOKED, &id(&what)).await?;
            let floor = record.and_then(|r| r.body["at"].as_i64());
            if floor.is_some_and(|at| claims.iat <= at) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Claims of an access token of ours that holds now: signed, in time, not revoked. Its audience is the caller's to
    /// check.
    pub(crate) async fn live_token(&self, token: &str) -> Result<Option<AccessClaims>, Error> {
        let now = self.clock.epoch_seconds();
        let verified = (token.len() <= 16_384)
            .then(|| self.keys.verify::<AccessClaims>(crate::keys::ACCESS_TOKEN, token, now))
            .flatten();
        let in_time = verified.filter(|c| c.iss == self.url && c.exp > now && c.iat <= now);
        match in_time {
            Some(claims) if !self.is_revoked(&claims).await? => Ok(Some(claims)),
            _ => Ok(None),
        }
    }
}

fn id(what: &Revoked) -> String {
    match what {
        Revoked::Subject(sub) => format!("subject:{sub}"),
        Revoked::Sessionless(sub) => format!("sessionless:{sub}"),
        Revoked::Session(sid) => format!("session:{sid}"),
        Revoked::Token(jti) => format!("token:{jti}"),
        Revoked::Key(kid) => format!("key:{kid}"),
        Revoked::Runs(sub) => format!("runs:{sub}"),
        Revoked::RunsByGroup { subject, group } => format!("runs:{subject}:{group}"),
    }
}
