//! Refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14): each is used once and followed by the next of its family;
//! one that comes a second time ends the family and the access tokens that it brought. The store holds a keyed hash of
//! the newest only; an older one is recognised by its own authentication code.
//!
//! A token is base64url of family (16 bytes), generation (4), random (24), HMAC-SHA256 (32).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::revocation::Revoked;
use platform::store::{Collection, Conflict, Expect, Index, Op, Query, TransactError};
use platform::{Error, Secret, seal};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::grants::Granted;
use crate::issuer::State;
use crate::sealing::Sealer;

pub(crate) const FAMILIES: Collection = Collection {
    name: "issuer_refresh",
    indexes: &[
        Index { name: "session", pointer: "/granted/sid" },
        Index { name: "subject", pointer: "/granted/sub" },
        Index { name: "client", pointer: "/granted/client_id" },
    ],
};

/// A family ends this long after the sign-in that began it, seconds.
pub(crate) const LONGEST_LIFE_S: i64 = 30 * 86_400;
/// And this long after its last use.
const IDLE_S: i64 = 7 * 86_400;
/// Access tokens of one family that can be alive at once: a client that asks for more loses the oldest. The list is what
/// a reuse revokes, so it has to have an end.
const MOST_ACCESS: usize = 32;

/// 76 bytes in base64url.
const LENGTH: usize = 102;

/// What the store keeps of a family.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Family {
    granted: Granted,
    /// Keyed hash of the newest token, hexadecimal.
    newest: String,
    generation: u32,
    began_at: i64,
    used_at: i64,
    /// `jti` and `exp` of access tokens that may still be alive.
    access: Vec<(String, i64)>,
}

impl Family {
    fn ends_at(&self) -> i64 {
        (self.began_at + LONGEST_LIFE_S).min(self.used_at + IDLE_S)
    }
}

/// A token that was presented and is the newest of its family.
pub(crate) struct Presented {
    id: [u8; 16],
    revision: u64,
    family: Family,
}

impl Presented {
    /// What the person granted.
    pub(crate) fn granted(&self) -> &Granted {
        &self.family.granted
    }

    /// When it can be used no more, seconds since the epoch.
    pub(crate) fn ends_at(&self) -> i64 {
        self.family.ends_at()
    }
}

/// What came of a presented token.
pub(crate) enum Found {
    /// It is the newest of its family.
    Newest(Box<Presented>),
    /// It was used before: its family is gone, and so are the access tokens that it brought.
    Reused(Box<Granted>),
    /// It is not ours, or its family has ended.
    Nothing,
}

fn make(sealer: &Sealer, family: [u8; 16], generation: u32) -> Result<Secret, Error> {
    let mut bytes = family.to_vec();
    bytes.extend(generation.to_be_bytes());
    bytes.extend(seal::random::<24>()?);
    let code = sealer.refresh_code(&bytes);
    bytes.extend(code.as_ref());
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The family of a token that we made, of whatever generation.
fn family_of(sealer: &Sealer, token: &str) -> Option<[u8; 16]> {
    let bytes = (token.len() == LENGTH).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten()?;
    let (told, code) = bytes.split_at_checked(44)?;
    sealer.refresh_code_holds(told, code).then(|| told.first_chunk::<16>().copied()).flatten()
}

fn at_rest(sealer: &Sealer, token: &Secret) -> String {
    sealer.at_rest("refresh token", token.expose())
}

impl State {
    /// The first refresh token of a new family, beside the access token `jti` that ends at `exp`.
    pub(crate) async fn begin_family(&self, granted: Granted, jti: &str, exp: i64) -> Result<Secret, Error> {
        let id = seal::random::<16>()?;
        let token = make(&self.sealer, id, 1)?;
        let now = self.clock.epoch_seconds();
        let family = Family {
            granted,
            newest: at_rest(&self.sealer, &token),
            generation: 1,
            began_at: now,
            used_at: now,
            access: vec![(jti.to_owned(), exp)],
        };
        self.store.transact(vec![put(id, &family, Expect::Absent)?]).await?;
        Ok(token)
    }

    /// Finds out what a refresh token is worth. A reuse has ended the family when this returns.
    pub(crate) async fn present(&self, token: &str) -> Result<Found, Error> {
        let Some(id) = family_of(&self.sealer, token) else { return Ok(Found::Nothing) };
        let Some(record) = self.store.get(FAMILIES, &hex::encode(id)).await? else { return Ok(Found::Nothing) };
        let family: Family = serde_json::from_value(record.body).map_err(Error::internal)?;
        if family.ends_at() <= self.clock.epoch_seconds() {
            return Ok(Found::Nothing);
        }
        let mut kept = self.sealer.kept_at_rest("refresh token", token).into_iter();
        if !kept.any(|newest| bool::from(newest.as_bytes().ct_eq(family.newest.as_bytes()))) {
            self.end(id).await?;
            return Ok(Found::Reused(Box::new(family.granted)));
        }
        Ok(Found::Newest(Box::new(Presented { id, revision: record.revision, family })))
    }

    /// The next token of the family, beside the access token `jti` that ends at `exp`. When two requests present the same
    /// token at once, one gets here second: `None`, and the family has ended.
    pub(crate) async fn follow(&self, presented: Presented, jti: &str, exp: i64) -> Result<Option<Secret>, Error> {
        let Presented { id, revision, mut family } = presented;
        let now = self.clock.epoch_seconds();
        family.access.retain(|(_, exp)| *exp > now);
        if family.access.len() >= MOST_ACCESS {
            let (oldest, _) = family.access.remove(0);
            self.revoke(Revoked::Token(oldest)).await?;
        }
        family.access.push((jti.to_owned(), exp));
        family.generation = family.generation.saturating_add(1);
        let token = make(&self.sealer, id, family.generation)?;
        family.newest = at_rest(&self.sealer, &token);
        family.used_at = now;
        match self.store.transact(vec![put(id, &family, Expect::Revision(revision))?]).await {
            Ok(_) => Ok(Some(token)),
            Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => {
                // The other one's tokens are as suspect as ours; ours never leaves.
                self.end(id).await?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a family by its newest token, with its access tokens.
    pub(crate) async fn end_presented(&self, presented: &Presented) -> Result<(), Error> {
        self.end(presented.id).await
    }

    /// Ends every family of a session (`session`), a subject (`subject`) or a client (`client`), with their access tokens.
    pub(crate) async fn end_families(&self, index: &'static str, value: &str) -> Result<(), Error> {
        loop {
            let page = Query {
                collection: FAMILIES,
                filter: Some((index, value)),
                after: None,
                limit: 500,
                descending: false,
            };
            let records = self.store.list(page).await?;
            if records.is_empty() {
                return Ok(());
            }
            for record in records {
                self.end_named(&record.id).await?;
            }
        }
    }

    /// Revokes what the family brought, then removes it; again, if it was used in between.
    async fn end(&self, id: [u8; 16]) -> Result<(), Error> {
        self.end_named(&hex::encode(id)).await
    }

    async fn end_named(&self, name: &str) -> Result<(), Error> {
        while let Some(record) = self.store.get(FAMILIES, name).await? {
            let family: Family = serde_json::from_value(record.body).map_err(Error::internal)?;
            let now = self.clock.epoch_seconds();
            for (jti, _) in family.access.into_iter().filter(|(_, exp)| *exp > now) {
                self.revoke(Revoked::Token(jti)).await?;
            }
            let expect = Expect::Revision(record.revision);
            match self.store.transact(vec![Op::Delete { collection: FAMILIES, id: name.to_owned(), expect }]).await {
                Ok(_) => break,
                Err(TransactError::Conflict { .. }) => {}
                Err(TransactError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

fn put(id: [u8; 16], family: &Family, expect: Expect) -> Result<Op, Error> {
    Ok(Op::Put {
        collection: FAMILIES,
        id: hex::encode(id),
        expect,
        body: serde_json::to_value(family).map_err(Error::internal)?,
        expires_at: Some(family.ends_at()),
    })
}

#[cfg(test)]
mod tests {
    use platform::keys::PurposeKey;
    use platform::secret::SecretKey;

    use super::{LENGTH, family_of, make};
    use crate::sealing::Sealer;

    #[test]
    fn a_refresh_token_is_recognised_by_its_maker_only_and_only_whole() {
        let sealer = Sealer::new(&PurposeKey::fixed(SecretKey::new([1; 32])));
        let token = make(&sealer, [9; 16], 1).unwrap();
        assert_eq!(token.expose().len(), LENGTH);
        assert_eq!(family_of(&sealer, token.expose()), Some([9; 16]));
        assert_ne!(token.expose(), make(&sealer, [9; 16], 1).unwrap().expose());
        assert!(family_of(&Sealer::new(&PurposeKey::fixed(SecretKey::new([2; 32]))), token.expose()).is_none());
        for at in [0, 30, 60, 100] {
            let mut changed = token.expose().to_owned();
            let other = if changed.as_bytes()[at] == b'A' { "E" } else { "A" };
            changed.replace_range(at..=at, other);
            assert!(family_of(&sealer, &changed).is_none(), "{at}");
        }
        assert!(family_of(&sealer, "").is_none());
        assert!(family_of(&sealer, &token.expose()[..LENGTH - 1]).is_none());
    }
}
