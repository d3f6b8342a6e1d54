//! People: what the store keeps of them, and how they are created. Passwords as Argon2id, TOTP secrets sealed (T5).

use std::sync::Arc;

use platform::store::{Collection, Expect, Op, Store};
use platform::{Error, ErrorKind, Secret};
use serde::{Deserialize, Serialize};
use totp_rs::Totp;

use crate::passwords::{PasswordHash, Passwords};
use crate::sealing::{Purpose, Sealer};
use crate::second_factor;

const USERS: Collection = Collection { name: "issuer_users", indexes: &[] };

/// A user to create or replace.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Sign-in name: 1 to 64 of `a-z`, digits, `.`, `_`, `-`, `@`; capitals are folded.
    pub name: String,
    /// Name for people, at most 128 characters.
    pub display_name: String,
    /// Password, 8 to 1024 characters.
    pub password: Secret,
    /// TOTP secret, base32 of at least 128 bits; without one the user cannot pass a second factor.
    pub totp_secret: Option<Secret>,
    /// Groups, as tokens carry them.
    pub groups: Vec<String>,
    /// Every sign-in asks for the second factor, whatever the client wants.
    pub mfa_always: bool,
    /// This is a lab's user, seeded at every start: a keyed digest of the password is kept beside its Argon2id hash, so
    /// that an unchanged user costs no hashing. Never for real people: who held the store *and* the sealing key could
    /// guess against that digest quickly.
    pub seeded: bool,
}

/// A user as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    /// Subject: random, never reused, never changed.
    pub(crate) sub: String,
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) password: PasswordHash,
    /// Sealed under [`Purpose::Totp`] for `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) mfa_always: bool,
    /// New with every change of password or TOTP secret; sessions and codes of the old ones end with it.
    pub(crate) credentials: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
}

impl User {
    /// The generator of the user's codes, if there is a second factor.
    pub(crate) fn totp(&self, sealer: &Sealer) -> Result<Option<Totp>, Error> {
        self.totp_secret(sealer)?.map(|secret| second_factor::generator(&secret)).transpose()
    }

    /// Whether the user can pass a second factor.
    pub(crate) fn has_totp(&self) -> bool {
        self.totp.is_some()
    }

    fn totp_secret(&self, sealer: &Sealer) -> Result<Option<Secret>, Error> {
        let Some(sealed) = &self.totp else { return Ok(None) };
        let opened = sealer.open(Purpose::Totp, &self.sub, sealed);
        let text = opened.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(|t| Some(Secret::new(t)))
            .ok_or_else(|| Error::internal("a TOTP secret does not open under this sealing key"))
    }
}

/// The collection of users.
pub(crate) struct Users {
    store: Arc<dyn Store>,
}

impl Users {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A user by sign-in name as a person types it.
    pub(crate) async fn find(&self, name: &str) -> Result<Option<User>, Error> {
        match folded(name) {
            Some(name) => Ok(self.load(&name).await?.map(|(_, user)| user)),
            None => Ok(None),
        }
    }

    async fn load(&self, name: &str) -> Result<Option<(u64, User)>, Error> {
        let Some(record) = self.store.get(USERS, name).await? else { return Ok(None) };
        let user = serde_json::from_value(record.body).map_err(Error::internal)?;
        Ok(Some((record.revision, user)))
    }

    /// Creates or replaces a user; returns the subject.
    pub(crate) async fn upsert(&self, new: NewUser, passwords: &Passwords, sealer: &Sealer) -> Result<String, Error> {
        let name =
            folded(&new.name).ok_or_else(|| invalid("A user's name has 1 to 64 letters, digits or any of . _ - @."))?;
        if new.display_name.is_empty() || new.display_name.chars().count() > 128 {
            return Err(invalid("A user's display name has 1 to 128 characters."));
        }
        if !(8..=1024).contains(&new.password.expose().chars().count()) {
            return Err(invalid("A password has 8 to 1024 characters."));
        }
        if new.mfa_always && new.totp_secret.is_none() {
            return Err(invalid("A user who must always pass a second factor needs a TOTP secret."));
        }
        if let Some(secret) = &new.totp_secret {
            second_factor::generator(secret)?;
        }
        let found = self.load(&name).await?;
        let expect = found.as_ref().map_or(Expect::Absent, |(revision, _)| Expect::Revision(*revision));
        let old = found.map(|(_, user)| user);
        let sub = old.as_ref().map_or_else(|| uuid::Uuid::new_v4().to_string(), |u| u.sub.clone());

        let seed = new.seeded.then(|| sealer.seed_digest(&sub, new.password.expose()));
        let same_password = match &old {
            Some(user) if seed.is_some() && user.seed.is_some() => user.seed == seed,
            Some(user) => {
                let turn = passwords.turn().await?;
                passwords.verify(turn, new.password.clone(), Some(user.password.clone())).await?.0
            }
            None => false,
        };
        let old_totp = old.as_ref().map(|u| u.totp_secret(sealer)).transpose()?.flatten();
        let same_totp = old_totp.as_ref().map(Secret::expose) == new.totp_secret.as_ref().map(Secret::expose);

        let password = match &old {
            Some(user) if same_password => user.password.clone(),
            _ => passwords.hash(new.password).await?,
        };
        let totp = match (&old, &new.totp_secret) {
            (Some(user), _) if same_totp => user.totp.clone(),
            (_, Some(secret)) => Some(sealer.seal(Purpose::Totp, &sub, secret.expose().as_bytes())?),
            (_, None) => None,
        };
        let credentials = match &old {
            Some(user) if same_password && same_totp => user.credentials.clone(),
            _ => crate::keys::random_id()?,
        };
        let user = User {
            sub: sub.clone(),
            name: name.clone(),
            display_name: new.display_name,
            password,
            totp,
            groups: new.groups,
            mfa_always: new.mfa_always,
            credentials,
            seed,
        };
        if old.as_ref() != Some(&user) {
            let body = serde_json::to_value(&user).map_err(Error::internal)?;
            put(self.store.as_ref(), USERS, name, expect, body).await?;
        }
        Ok(sub)
    }
}

/// Writes one record.
pub(crate) async fn put(
    store: &dyn Store,
    collection: Collection,
    id: String,
    expect: Expect,
    body: platform::Json,
) -> Result<(), Error> {
    use platform::store::TransactError;
    match store.transact(vec![Op::Put { collection, id, expect, body, expires_at: None }]).await {
        Ok(_) => Ok(()),
        Err(TransactError::Conflict { .. }) => Err(Error::new(
            ErrorKind::Conflict,
            "record_changed",
            "Somebody else changed this record at the same moment. Read it and try again.",
        )),
        Err(TransactError::Store(error)) => Err(error),
    }
}

/// The name under which a user is kept, if it can be one.
pub(crate) fn folded(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
    ((1..=64).contains(&name.len()) && name.chars().all(allowed)).then_some(name)
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "user_invalid", message)
}
