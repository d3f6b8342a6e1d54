//! Single sign-on sessions: in memory, keyed by the hash of a random cookie value that is new after every sign-in and
//! every second factor (rule T5). Losing them with a restart costs a new sign-in and nothing else.

use std::time::Duration;

use moka::sync::Cache;
use platform::canonical::sha256;
use platform::{Error, Secret};

use crate::keys::random_id;

/// A session ends this long after its password.
pub(crate) const SESSION_S: i64 = 8 * 3_600;
const MOST_SESSIONS: u64 = 50_000;

/// Who signed in at this browser, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The user's name; the record itself is read again at every use.
    pub(crate) name: String,
    /// The user's credentials at sign-in: a session ends when they change.
    pub(crate) credentials: String,
    /// When the password was given, seconds since the epoch. This is `auth_time`, also after a later second factor:
    /// the older of the two, so that a code alone never makes an old sign-in look fresh.
    pub(crate) password_at: i64,
    /// A second factor was passed.
    pub(crate) mfa: bool,
    /// `sid` of tokens; survives a step-up.
    pub(crate) sid: String,
}

/// All sessions.
pub(crate) struct Sessions {
    live: Cache<[u8; 32], Session>,
    /// Sessions that were signed out, by `sid`, for as long as anything could still name them.
    ended: Cache<String, ()>,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        let lifetime = Duration::from_secs(SESSION_S.unsigned_abs());
        Self {
            live: Cache::builder().max_capacity(MOST_SESSIONS).time_to_live(lifetime).build(),
            ended: Cache::builder().max_capacity(MOST_SESSIONS).time_to_live(lifetime).build(),
        }
    }

    /// The session of a cookie, if it is live at `now`.
    pub(crate) fn find(&self, cookie: &str, now: i64) -> Option<Session> {
        let found = self.live.get(&sha256(cookie.as_bytes()));
        found.filter(|s| now - s.password_at < SESSION_S && !self.has_ended(&s.sid))
    }

    /// Starts a session and ends the one it follows. Returns the new cookie's value.
    pub(crate) fn start(&self, session: Session, former_cookie: Option<&str>) -> Result<Secret, Error> {
        let id = random_id()?;
        if let Some(former) = former_cookie {
            self.live.invalidate(&sha256(former.as_bytes()));
        }
        self.live.insert(sha256(id.as_bytes()), session);
        Ok(Secret::new(id))
    }

    /// Ends a session in every browser that holds it, and whatever was begun in it and is not finished.
    pub(crate) fn end(&self, sid: &str) {
        self.ended.insert(sid.to_owned(), ());
    }

    /// Whether a session was signed out.
    pub(crate) fn has_ended(&self, sid: &str) -> bool {
        self.ended.contains_key(sid)
    }
}
