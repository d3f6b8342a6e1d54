//! People: what the store keeps of them, and how they are created. Passwords as Argon2id, TOTP secrets sealed (T5).

use std::sync::Arc;

use platform::store::{Collection, Expect, Op, Query, Store, TransactError};
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
    /// None until the person has enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<PasswordHash>,
    /// Sealed under [`Purpose::Totp`] for `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) mfa_always: bool,
    /// New with every change of password or TOTP secret; sessions and codes of the old ones end with it.
    pub(crate) credentials: String,
    /// May not sign in, and holds nothing that was issued before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) disabled: bool,
    /// The enrolment link that is open, by the hash of its code; an older one is worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrolment: Option<String>,
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

    /// Whether a lab put the person there.
    pub(crate) fn is_seeded(&self) -> bool {
        self.seed.is_some()
    }

    /// Whether the person has a password and is not disabled.
    pub(crate) fn can_sign_in(&self) -> bool {
        self.password.is_some() && !self.disabled
    }

    /// The password that a sign-in is compared with: none for an account that may not sign in.
    pub(crate) fn usable_password(&self) -> Option<PasswordHash> {
        self.password.clone().filter(|_| !self.disabled)
    }

    /// Sets both factors, proven just now; what the old ones brought ends.
    pub(crate) fn enrol(&mut self, password: PasswordHash, totp: &Secret, sealer: &Sealer) -> Result<(), Error> {
        self.totp = Some(sealer.seal(Purpose::Totp, &self.sub, totp.expose().as_bytes())?);
        self.password = Some(password);
        self.credentials = crate::keys::random_id()?;
        self.enrolment = None;
        self.seed = None;
        Ok(())
    }

    /// A new mark for the same factors: what was begun under the old one ends.
    pub(crate) fn renew_credentials(&mut self) -> Result<(), Error> {
        self.credentials = crate::keys::random_id()?;
        Ok(())
    }

    /// Takes both factors away, until the person enrols by the link whose code has this hash.
    pub(crate) fn reset(&mut self, enrolment: String) -> Result<(), Error> {
        self.totp = None;
        self.password = None;
        self.credentials = crate::keys::random_id()?;
        self.enrolment = Some(enrolment);
        self.seed = None;
        Ok(())
    }

    /// Seals the second factor under the current key.
    fn reseal(&mut self, sealer: &Sealer) -> Result<(), Error> {
        if let Some(secret) = self.totp_secret(sealer)? {
            self.totp = Some(sealer.seal(Purpose::Totp, &self.sub, secret.expose().as_bytes())?);
        }
        Ok(())
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

    /// A user who may sign in and whose credentials still are these.
    pub(crate) async fn live(&self, name: &str, credentials: &str) -> Result<Option<User>, Error> {
        Ok(self.find(name).await?.filter(|u| !u.disabled && u.credentials == credentials))
    }

    /// Users whose name comes after `after`, in order: at most `limit`.
    pub(crate) async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, Error> {
        let records =
            self.store.list(Query { collection: USERS, filter: None, after, limit, descending: false }).await?;
        records.into_iter().map(|r| serde_json::from_value(r.body).map_err(Error::internal)).collect()
    }

    /// Everybody.
    pub(crate) async fn all(&self) -> Result<Vec<User>, Error> {
        let mut all: Vec<User> = Vec::new();
        loop {
            let page = self.page(all.last().map(|u| u.name.as_str()), 1_000).await?;
            let last = page.len() < 1_000;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    /// Creates somebody who has not enrolled. Errors: `user_invalid`, `user_exists`.
    pub(crate) async fn create(&self, name: &str, display_name: &str, groups: Vec<String>) -> Result<User, Error> {
        let user = User {
            sub: uuid::Uuid::new_v4().to_string(),
            name: checked_name(name)?,
            display_name: checked_display_name(display_name)?,
            password: None,
            totp: None,
            groups: checked_groups(groups)?,
            mfa_always: false,
            credentials: crate::keys::random_id()?,
            disabled: false,
            enrolment: None,
            seed: None,
        };
        let body = serde_json::to_value(&user).map_err(Error::internal)?;
        let created = put(self.store.as_ref(), USERS, user.name.clone(), Expect::Absent, body, None).await;
        match created {
            Ok(()) => Ok(user),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(Error::new(
                ErrorKind::Conflict,
                "user_exists",
                format!("There is a user {} already. Choose another name.", user.name),
            )),
            Err(error) => Err(error),
        }
    }

    /// Changes a user's record: reads it, lets `change` decide, writes it unless nothing changed. Returns what stood before
    /// and what stands now. Errors: `user_unknown`, `record_changed`, those of `change`.
    pub(crate) async fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut User) -> Result<(), Error>,
    ) -> Result<(User, User), Error> {
        let (before, after, ops) = self.prepare(name, change).await?;
        if before != after {
            transact(self.store.as_ref(), ops).await?;
        }
        Ok((before, after))
    }

    /// The same without the writing, for a caller that has more to write in the same transaction.
    pub(crate) async fn prepare(
        &self,
        name: &str,
        change: impl FnOnce(&mut User) -> Result<(), Error>,
    ) -> Result<(User, User, Vec<Op>), Error> {
        let name = folded(name).ok_or_else(unknown)?;
        let (revision, before) = self.load(&name).await?.ok_or_else(unknown)?;
        let mut after = before.clone();
        change(&mut after)?;
        let body = serde_json::to_value(&after).map_err(Error::internal)?;
        let expect = Expect::Revision(revision);
        Ok((before, after, vec![Op::Put { collection: USERS, id: name, expect, body, expires_at: None }]))
    }

    /// Seals every second factor under the current key, and returns how many there are. Whoever changes at the same moment
    /// is sealed under it anyway. Errors: the store's.
    pub(crate) async fn reseal(&self, sealer: &Sealer) -> Result<u64, Error> {
        let mut resealed = 0;
        for user in self.all().await?.iter().filter(|user| user.has_totp()) {
            match self.change(&user.name, |user| user.reseal(sealer)).await {
                Ok(_) => resealed += 1,
                Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(resealed)
    }

    /// Removes a user; the subject is never used again. Errors: `user_unknown`, `record_changed`.
    pub(crate) async fn delete(&self, name: &str) -> Result<User, Error> {
        let name = folded(name).ok_or_else(unknown)?;
        let (revision, user) = self.load(&name).await?.ok_or_else(unknown)?;
        let gone = Op::Delete { collection: USERS, id: name, expect: Expect::Revision(revision) };
        transact(self.store.as_ref(), vec![gone]).await?;
        Ok(user)
    }

    async fn load(&self, name: &str) -> Result<Option<(u64, User)>, Error> {
        let Some(record) = self.store.get(USERS, name).await? else { return Ok(None) };
        let user = serde_json::from_value(record.body).map_err(Error::internal)?;
        Ok(Some((record.revision, user)))
    }

    /// Creates or replaces a user; returns the subject.
    pub(crate) async fn upsert(&self, new: NewUser, passwords: &Passwords, sealer: &Sealer) -> Result<String, Error> {
        let name = checked_name(&new.name)?;
        let display_name = checked_display_name(&new.display_name)?;
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
            Some(User { seed: Some(kept), .. }) if new.seeded => sealer.seed_holds(&sub, new.password.expose(), kept),
            Some(user) => {
                let turn = passwords.turn().await?;
                passwords.verify(turn, new.password.clone(), user.password.clone()).await?.0
            }
            None => false,
        };
        let old_totp = old.as_ref().map(|u| u.totp_secret(sealer)).transpose()?.flatten();
        let same_totp = old_totp.as_ref().map(Secret::expose) == new.totp_secret.as_ref().map(Secret::expose);

        let password = match &old {
            Some(user) if same_password => user.password.clone(),
            _ => Some(passwords.hash(new.password).await?),
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
            display_name,
            password,
            totp,
            groups: new.groups,
            mfa_always: new.mfa_always,
            credentials,
            disabled: old.as_ref().is_some_and(|u| u.disabled),
            enrolment: None,
            seed,
        };
        if old.as_ref() != Some(&user) {
            let body = serde_json::to_value(&user).map_err(Error::internal)?;
            put(self.store.as_ref(), USERS, name, expect, body, None).await?;
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
    expires_at: Option<i64>,
) -> Result<(), Error> {
    transact(store, vec![Op::Put { collection, id, expect, body, expires_at }]).await
}

/// All of these, or none.
pub(crate) async fn transact(store: &dyn Store, ops: Vec<Op>) -> Result<(), Error> {
    match store.transact(ops).await {
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

/// Whether these can be a user's names. Error: `user_invalid`.
pub(crate) fn checked(name: &str, display_name: &str) -> Result<(), Error> {
    checked_name(name)?;
    checked_display_name(display_name).map(drop)
}

fn checked_name(name: &str) -> Result<String, Error> {
    folded(name).ok_or_else(|| invalid("A user's name has 1 to 64 letters, digits or any of . _ - @."))
}

fn checked_display_name(name: &str) -> Result<String, Error> {
    let fits = (1..=128).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned()).ok_or_else(|| invalid("A user's display name has 1 to 128 characters."))
}

/// Groups as tokens carry them: sorted, each once, at most 64.
pub(crate) fn checked_groups(mut groups: Vec<String>) -> Result<Vec<String>, Error> {
    groups.sort();
    groups.dedup();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let good = |g: &String| (1..=64).contains(&g.len()) && g.bytes().all(allowed);
    if groups.len() > 64 || !groups.iter().all(good) {
        return Err(invalid(
            "A group's name has 1 to 64 letters, digits or any of . _ -, and a user at most 64 groups.",
        ));
    }
    Ok(groups)
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "user_unknown", "There is no user of this name.")
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "user_invalid", message)
}
