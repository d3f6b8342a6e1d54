//! The tokens that this person has: kept for the next run, renewed before they end, signed in for when nothing else helps.
//!
//! Several processes share one kept sign-in: each renewal and each sign-in happens under a file lock and begins by reading
//! again, because an issuer that sees a rotated refresh token twice ends the whole sign-in (RFC 9700 section 4.14).
//! Where next: [`store`] for where they are kept, [`crate::sign_in`] for how one is got.

mod file;
mod keyring;
pub(crate) mod store;

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::clock::SystemClock;
use platform::{Clock as _, Secret, private_file};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use self::store::Store;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::sign_in::{self, More, Say, Wanted, Way};

/// A token with less life than this is renewed first, seconds.
const FRESH_S: i64 = 30;
/// After a sign-in that nobody completed, no browser is opened again for this long.
const COOL_DOWN: Duration = Duration::from_secs(15);
/// Between two looks at a lock that another process holds.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What is kept of a sign-in.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The protected resource that the token is for, without trailing slash.
    pub(crate) resource: String,
    /// Issuer identifier.
    pub(crate) issuer: String,
    /// The client that it was given to.
    pub(crate) client_id: String,
    /// Granted scopes, separated by spaces.
    pub(crate) scope: String,
    /// The access token.
    pub(crate) access_token: Secret,
    /// Its end, seconds since the epoch.
    pub(crate) expires_at: i64,
    /// What renews it.
    pub(crate) refresh_token: Option<Secret>,
}

/// The kept form. A [`Secret`] has no way out by serde, so that none is written anywhere by accident.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'a> {
    #[serde(borrow)]
    resource: Cow<'a, str>,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    #[serde(borrow)]
    client_id: Cow<'a, str>,
    #[serde(borrow)]
    scope: Cow<'a, str>,
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    expires_at: i64,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Cow<'a, str>>,
}

impl Kept {
    fn to_secret(&self) -> Outcome<Secret> {
        let written = Written {
            resource: (&*self.resource).into(),
            issuer: (&*self.issuer).into(),
            client_id: (&*self.client_id).into(),
            scope: (&*self.scope).into(),
            access_token: self.access_token.expose().into(),
            expires_at: self.expires_at,
            refresh_token: self.refresh_token.as_ref().map(|token| token.expose().into()),
        };
        serde_json::to_string(&written).map(Secret::from).map_err(|e| Failure::internal(&e))
    }

    /// `None` for what is not ours: the person signs in again, and it is replaced.
    fn from_secret(text: &Secret) -> Option<Self> {
        let written: Written<'_> = serde_json::from_str(text.expose()).ok()?;
        Some(Self {
            resource: written.resource.into_owned(),
            issuer: written.issuer.into_owned(),
            client_id: written.client_id.into_owned(),
            scope: written.scope.into_owned(),
            access_token: Secret::new(written.access_token),
            expires_at: written.expires_at,
            refresh_token: written.refresh_token.map(Secret::new),
        })
    }

    fn is_fresh(&self) -> bool {
        self.expires_at - SystemClock.epoch_seconds() > FRESH_S
    }
}

/// What a caller needs of the next token.
#[derive(Debug, Clone)]
enum Need {
    /// One that is valid; nobody is sent to a browser.
    Quiet,
    /// One that is valid.
    Valid,
    /// Another one than this, which was refused.
    NotThis(Secret),
    /// Another one than this (if one is named), by a new sign-in that brings more.
    SignedIn(Option<Secret>, More),
}

impl Need {
    fn met_by(&self, kept: &Kept) -> bool {
        let other = match self {
            Self::Quiet | Self::Valid => true,
            Self::NotThis(refused) | Self::SignedIn(Some(refused), _) => kept.access_token.expose() != refused.expose(),
            Self::SignedIn(None, _) => false,
        };
        other && kept.is_fresh()
    }
}

/// The tokens for one resource. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    resource: String,
    /// `None` takes whichever client signed in before.
    client_id: Option<String>,
    way: Way,
    store: Store,
    say: Box<Say>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    kept: Option<Kept>,
    failed: Option<(Instant, Failure)>,
}

impl Tokens {
    /// For `resource` (without trailing slash), kept in `store`. `say` hears what the person has to do.
    pub(crate) fn new(
        resource: impl Into<String>,
        client_id: Option<String>,
        way: Way,
        store: Store,
        say: Box<Say>,
    ) -> Self {
        let known = Mutex::new(Known::default());
        Self(Arc::new(Inner { resource: resource.into(), client_id, way, store, say, known }))
    }

    /// Where they are kept.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Signs in, whatever is kept.
    pub(crate) async fn sign_in(&self, more: More) -> Outcome<Kept> {
        self.get(Need::SignedIn(None, more)).await
    }

    /// A kept token, renewed without the person where it can be. Errors: `not_signed_in`.
    pub(crate) async fn quiet(&self) -> Outcome<Secret> {
        self.token(Need::Quiet).await
    }

    /// A valid token; the person is asked to sign in when there is none.
    pub(crate) async fn valid(&self) -> Outcome<Secret> {
        self.token(Need::Valid).await
    }

    /// A token instead of `refused`, which the resource did not take: renewed, else signed in for.
    pub(crate) async fn instead_of(&self, refused: &Secret) -> Outcome<Secret> {
        self.token(Need::NotThis(refused.clone())).await
    }

    /// A token instead of `before` by a new sign-in, with what a challenge asked for.
    pub(crate) async fn signed_in_for(&self, before: &Secret, more: More) -> Outcome<Secret> {
        self.token(Need::SignedIn(Some(before.clone()), more)).await
    }

    async fn token(&self, need: Need) -> Outcome<Secret> {
        Ok(self.get(need).await?.access_token)
    }

    /// On a task of its own: a caller that gives up must not tear a person's sign-in or a rotation down half way.
    async fn get(&self, need: Need) -> Outcome<Kept> {
        let (inner, asked) = (Arc::clone(&self.0), Instant::now());
        match tokio::spawn(async move { Box::pin(inner.find(need, asked)).await }).await {
            Ok(found) => found,
            Err(stopped) => Err(Failure::internal(&stopped)),
        }
    }
}

impl Inner {
    async fn find(&self, need: Need, asked: Instant) -> Outcome<Kept> {
        let mut known = self.known.lock().await;
        if let Some(kept) = known.kept.as_ref().filter(|kept| need.met_by(kept)) {
            return Ok(kept.clone());
        }
        // Those who waited while somebody else's sign-in failed hear the same instead of opening one browser each.
        if let Some((when, failure)) = &known.failed
            && (*when >= asked || when.elapsed() < COOL_DOWN)
        {
            return Err(failure.clone());
        }
        let found = self.under_the_lock(&need).await;
        match &found {
            Ok(kept) => *known = Known { kept: Some(kept.clone()), failed: None },
            Err(failure) if failure.exit() == Exit::NotSignedIn as u8 && !matches!(need, Need::Quiet) => {
                known.failed = Some((Instant::now(), failure.clone()));
            }
            Err(_) => {}
        }
        found
    }

    async fn under_the_lock(&self, need: &Need) -> Outcome<Kept> {
        let _lock = self.lock().await?;
        let kept = self.store.load(&self.resource)?.filter(|kept| {
            kept.resource == self.resource && self.client_id.as_ref().is_none_or(|id| *id == kept.client_id)
        });
        if let Some(kept) = kept.as_ref().filter(|kept| need.met_by(kept)) {
            return Ok(kept.clone());
        }
        if let Some(before) = kept.as_ref().filter(|_| !matches!(need, Need::SignedIn(..))) {
            match sign_in::refresh(before).await {
                Ok(Some(renewed)) => {
                    self.store.save(&renewed)?;
                    return Ok(renewed);
                }
                Ok(None) => self.store.remove(&self.resource)?,
                Err(failure) => return Err(failure),
            }
        }
        if matches!(need, Need::Quiet) {
            let why = if kept.is_some() { "Your sign-in has expired." } else { "You are not signed in there." };
            let message = format!("{why} Sign in with `interlock login --url {}`.", self.resource);
            return Err(Failure::new(Exit::NotSignedIn, "not_signed_in", message));
        }
        let more = if let Need::SignedIn(_, more) = need { more.clone() } else { More::default() };
        let client_id = self.client_id.clone().or(kept.map(|kept| kept.client_id));
        let client_id = client_id.unwrap_or_else(|| sign_in::CLIENT_ID.to_owned());
        let wanted = Wanted { resource: self.resource.clone(), client_id, way: self.way, more };
        let signed_in = sign_in::sign_in(&wanted, &*self.say).await?;
        self.store.save(&signed_in)?;
        Ok(signed_in)
    }

    /// The lock of this resource. Asked for again and again instead of in a blocking call, so that a process that should
    /// end can.
    async fn lock(&self) -> Outcome<File> {
        let path = self.store.folder().join(format!("{}.lock", store::name_of(&self.resource)));
        let unusable = |e: &dyn std::fmt::Display| store::unusable(self.store.folder(), e);
        private_file::folder(self.store.folder()).map_err(|e| unusable(&e))?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(|e| unusable(&e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(TryLockError::Error(error)) => return Err(unusable(&error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::Secret;

    use super::{Kept, Need};
    use crate::sign_in::More;

    pub(super) fn kept(token: &str, expires_at: i64) -> Kept {
        Kept {
            resource: "http://127.0.0.1:8080/mcp/x".to_owned(),
            issuer: "http://i".to_owned(),
            client_id: "c".to_owned(),
            scope: "mcp".to_owned(),
            access_token: Secret::new(token),
            expires_at,
            refresh_token: Some(Secret::new("r")),
        }
    }

    #[test]
    fn a_kept_sign_in_comes_back_whole_and_shows_no_token_when_printed() {
        let before = kept("top-secret", 9);
        let after = Kept::from_secret(&before.to_secret().unwrap()).unwrap();
        assert_eq!((after.access_token.expose(), after.expires_at), ("top-secret", 9));
        assert_eq!(after.refresh_token.as_ref().map(Secret::expose), Some("r"));
        assert!(!format!("{before:?}").contains("top-secret"));
        assert!(Kept::from_secret(&Secret::new("{\"token\":1}")).is_none());
    }

    #[test]
    fn a_refused_token_is_not_handed_out_again() {
        let far = i64::MAX / 2;
        assert!(Need::Valid.met_by(&kept("t", far)) && !Need::Valid.met_by(&kept("t", 0)));
        assert!(!Need::NotThis(Secret::new("t")).met_by(&kept("t", far)));
        assert!(Need::NotThis(Secret::new("other")).met_by(&kept("t", far)));
        assert!(!Need::SignedIn(Some(Secret::new("t")), More::default()).met_by(&kept("t", far)));
        assert!(!Need::SignedIn(None, More::default()).met_by(&kept("t", far)));
    }
}
