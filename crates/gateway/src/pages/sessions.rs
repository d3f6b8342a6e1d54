//! Browser sessions of the pages: a person signed in at the issuer, and the browser holds nothing but an opaque id.
//!
//! Everything else is in the store, under the id's hash. A session ends 30 minutes after it was last used, 8 hours after
//! it began, when the person ends it, and with the revocation of what it came from: the person, the issuer's session,
//! the key that signed its ID token (T3). A session opens pages only; no door takes it for a token.
//! Next: `super::visitor` for the cookie and who comes with one, `crate::revoking` for how revocations reach sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::audit::AuditActor;
use platform::revocation::Revoked;
use platform::store::{Collection, Conflict, Expect, Index, Op, Query, Record, Store, TransactError};
use platform::{Error, Principal, Result, Secret, SharedClock, canonical, seal};
use serde::{Deserialize, Serialize};

/// A session that nobody uses ends, seconds.
const IDLE_S: i64 = 30 * 60;
/// Longest life, seconds.
const LONGEST_S: i64 = 8 * 3600;
/// How exactly the last use is written down, seconds: not every page view is a write.
const SEEN_S: i64 = 60;
/// Most sessions of one person; the one that was used longest ago makes room.
const MOST: usize = 20;
/// Records looked at in one step.
const PAGE: usize = 500;
/// Most submissions of which a session remembers that they were shown; the one that was shown longest ago makes room.
const MOST_SHOWN: usize = 50;
/// How often a note in a session is tried again when somebody else was faster.
const TRIES: usize = 8;

const SESSIONS: Collection = Collection {
    name: "browser_sessions",
    indexes: &[Index { name: "owner", pointer: "/owner" }, Index { name: "sid", pointer: "/session" }],
};

/// A session as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Issuer and subject, for the index.
    owner: String,
    /// Issuer and `sid`, for the index.
    session: Option<String>,
    /// `kid` of the ID token.
    key: Option<String>,
    actor: AuditActor,
    /// Whether the sign-in that began it used more than one factor.
    mfa: bool,
    /// When the person was asked, seconds since the epoch.
    auth_time: Option<i64>,
    /// The elevation request that the second factor was given for, until it is used.
    factor_for: Option<String>,
    /// The decision about a change that the second factor was given for, until it is used.
    #[serde(default)]
    decides: Option<ShownSubmission>,
    /// Submissions of changes that were shown here, by digest, and when; milliseconds since the epoch.
    #[serde(default)]
    shown: BTreeMap<String, i64>,
    /// Who signed in, as the ID token said; nothing in a session that began before this was kept.
    #[serde(default)]
    person: Option<Principal>,
    /// What every form of this session carries.
    form_token: String,
    /// What the browser calls itself.
    browser: String,
    source: String,
    began_at: i64,
    seen_at: i64,
}

impl Kept {
    fn ends_at(&self) -> i64 {
        (self.began_at + LONGEST_S).min(self.seen_at + IDLE_S)
    }

    fn put(&self, id: String, expect: Expect) -> Result<Op> {
        let body = serde_json::to_value(self).map_err(Error::internal)?;
        Ok(Op::Put { collection: SESSIONS, id, expect, body, expires_at: Some(self.ends_at()) })
    }
}

/// A submission as a person has seen it (T16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownSubmission {
    /// The change.
    pub(crate) change: String,
    /// Digest of what was submitted.
    pub(crate) submission: String,
    /// When it was shown, milliseconds since the epoch.
    pub(crate) shown_at_ms: i64,
}

/// A live session. No `Debug`: it holds the token of its forms.
#[derive(Clone)]
pub(crate) struct Session {
    /// Hash of the cookie's value: names the session on its person's page, and opens nothing.
    pub(crate) id: String,
    revision: u64,
    kept: Kept,
}

/// What a sign-in began with.
pub(crate) struct Began<'a> {
    /// The verified person of the ID token.
    pub(crate) person: &'a Principal,
    /// The elevation request that the second factor was given for.
    pub(crate) factor_for: Option<String>,
    /// The decision about a change that it was given for.
    pub(crate) decides: Option<ShownSubmission>,
    /// `User-Agent`.
    pub(crate) browser: &'a str,
    /// Address.
    pub(crate) source: String,
}

impl Session {
    fn of(record: Record) -> Option<Self> {
        let kept = serde_json::from_value(record.body).ok()?;
        Some(Self { id: record.id, revision: record.revision, kept })
    }

    pub(crate) fn actor(&self) -> &AuditActor {
        &self.kept.actor
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.kept.actor.issuer
    }

    pub(crate) fn subject(&self) -> &str {
        &self.kept.actor.subject
    }

    pub(crate) fn mfa(&self) -> bool {
        self.kept.mfa
    }

    pub(crate) fn auth_time(&self) -> Option<i64> {
        self.kept.auth_time
    }

    pub(crate) fn form_token(&self) -> &str {
        &self.kept.form_token
    }

    pub(crate) fn browser(&self) -> &str {
        &self.kept.browser
    }

    pub(crate) fn source(&self) -> &str {
        &self.kept.source
    }

    pub(crate) fn began_at(&self) -> i64 {
        self.kept.began_at
    }

    pub(crate) fn seen_at(&self) -> i64 {
        self.kept.seen_at
    }

    pub(crate) fn is_persons(&self, issuer: &str, subject: &str) -> bool {
        self.issuer() == issuer && self.subject() == subject
    }

    /// The same sign-in, without what its second factor is worth.
    pub(crate) fn without_factor(&self) -> Self {
        Self { kept: Kept { mfa: false, factor_for: None, decides: None, ..self.kept.clone() }, ..self.clone() }
    }

    /// Whether the second factor of this session was given for that elevation request, and was not used yet.
    pub(crate) fn factor_is_for(&self, request: &str) -> bool {
        self.kept.factor_for.as_deref() == Some(request)
    }

    /// The decision that the second factor of this session was given for, while it is not used.
    pub(crate) fn decides(&self) -> Option<&ShownSubmission> {
        self.kept.decides.as_ref()
    }

    /// When a submission was shown in this session, milliseconds since the epoch.
    pub(crate) fn shown_at(&self, submission: &str) -> Option<i64> {
        self.kept.shown.get(submission).copied()
    }

    /// Who signed in, with what their issuer said about it. Error: `session_missing`, for a session of an earlier program.
    pub(crate) fn principal(&self) -> Result<&Principal> {
        self.kept.person.as_ref().ok_or_else(super::visitor::not_signed_in)
    }
}

fn pair(issuer: &str, what: &str) -> String {
    format!("{issuer}|{what}")
}

/// 256 random bits as text: long enough for a PKCE verifier (RFC 7636: at least 43 characters) too.
pub(crate) fn random() -> Result<String> {
    seal::random_text::<32>()
}

/// What a cookie's value is stored under: who reads the store cannot use a session.
fn hashed(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(canonical::sha256(value.as_bytes()))
}

/// The sessions of all browsers.
#[derive(Clone)]
pub struct BrowserSessions {
    store: Arc<dyn Store>,
    clock: SharedClock,
}

impl BrowserSessions {
    /// Over the store.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// Begins a session under a new id, whatever id the browser brought: that one ends in the same transaction, so that an
    /// id that somebody else planted or saw opens nothing. Returns the cookie's value.
    pub(crate) async fn begin(&self, began: Began<'_>, before: Option<&Session>) -> Result<(Secret, Session)> {
        let now = self.clock.epoch_seconds();
        let person = began.person;
        let kept = Kept {
            owner: person.key(),
            session: person.token.session.as_ref().map(|sid| pair(&person.issuer, sid)),
            key: person.token.key.clone(),
            actor: AuditActor::from(person),
            mfa: person.mfa,
            auth_time: person.auth_time,
            factor_for: began.factor_for,
            decides: began.decides,
            shown: BTreeMap::new(),
            person: Some(person.clone()),
            form_token: random()?,
            browser: began.browser.chars().filter(|c| !c.is_control()).take(200).collect(),
            source: began.source,
            began_at: now,
            seen_at: now,
        };
        let mut ending: Vec<String> = before.map(|s| s.id.clone()).into_iter().collect();
        let mut others = self.of_owner(&kept.owner).await?;
        others.retain(|s| !ending.contains(&s.id));
        others.sort_by_key(|s| std::cmp::Reverse(s.kept.seen_at));
        ending.extend(others.into_iter().skip(MOST - 1).map(|s| s.id));
        self.replace(kept, ending).await
    }

    /// The same session under a new id and with a new form token: after what raised its worth. The second factor that it
    /// held is used.
    pub(crate) async fn rotate(&self, session: &Session) -> Result<(Secret, Session)> {
        let kept = Kept { factor_for: None, decides: None, form_token: random()?, ..session.kept.clone() };
        self.replace(kept, vec![session.id.clone()]).await
    }

    /// Notes that a submission is shown now, before it is: what is not noted was not seen. The first time counts, so that a
    /// second look does not make the factor of the first one too old.
    pub(crate) async fn note_shown(&self, session: &Session, submission: &str, at_ms: i64) -> Result<()> {
        let mut session = session.clone();
        for _ in 0..TRIES {
            if session.shown_at(submission).is_some() {
                return Ok(());
            }
            session.kept.shown.insert(submission.to_owned(), at_ms);
            while session.kept.shown.len() > MOST_SHOWN {
                let oldest = session.kept.shown.iter().min_by_key(|(_, at)| **at).map(|(digest, _)| digest.clone());
                oldest.and_then(|digest| session.kept.shown.remove(&digest));
            }
            let put = session.kept.put(session.id.clone(), Expect::Revision(session.revision))?;
            match self.store.transact(vec![put]).await {
                Ok(_) => return Ok(()),
                Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => {
                    let newest = self.store.get(SESSIONS, &session.id).await?.and_then(Session::of);
                    session = newest.ok_or_else(super::visitor::not_signed_in)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal("a session is written to all the time"))
    }

    async fn replace(&self, kept: Kept, ending: Vec<String>) -> Result<(Secret, Session)> {
        let value = random()?;
        let id = hashed(&value);
        let delete = |id| Op::Delete { collection: SESSIONS, id, expect: Expect::Any };
        let mut ops: Vec<Op> = ending.into_iter().map(delete).collect();
        ops.push(kept.put(id.clone(), Expect::Absent)?);
        self.store.transact(ops).await?;
        Ok((Secret::new(value), Session { id, revision: 1, kept }))
    }

    /// The live session of a cookie's value, which counts as used now.
    pub(crate) async fn find(&self, value: &str) -> Result<Option<Session>> {
        let record = self.store.get(SESSIONS, &hashed(value)).await?;
        let Some(session) = record.and_then(Session::of) else { return Ok(None) };
        let now = self.clock.epoch_seconds();
        if session.kept.ends_at() <= now {
            return Ok(None);
        }
        if now - session.kept.seen_at < SEEN_S {
            return Ok(Some(session));
        }
        let kept = Kept { seen_at: now, ..session.kept };
        match self.store.transact(vec![kept.put(session.id.clone(), Expect::Revision(session.revision))?]).await {
            Ok(_) => Ok(Some(Session { revision: session.revision + 1, kept, ..session })),
            // Somebody else was faster: used it too, or ended it.
            Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => {
                Ok(self.store.get(SESSIONS, &session.id).await?.and_then(Session::of))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A person's sessions, the one that was used last in front.
    pub(crate) async fn of_person(&self, issuer: &str, subject: &str) -> Result<Vec<Session>> {
        let mut sessions = self.of_owner(&pair(issuer, subject)).await?;
        sessions.sort_by_key(|s| std::cmp::Reverse(s.kept.seen_at));
        Ok(sessions)
    }

    async fn of_owner(&self, owner: &str) -> Result<Vec<Session>> {
        let query =
            Query { collection: SESSIONS, filter: Some(("owner", owner)), after: None, limit: PAGE, descending: false };
        let now = self.clock.epoch_seconds();
        let live = |s: &Session| s.kept.ends_at() > now;
        Ok(self.store.list(query).await?.into_iter().filter_map(Session::of).filter(live).collect())
    }

    /// Ends one session.
    pub(crate) async fn end_one(&self, id: &str) -> Result<()> {
        self.delete(vec![id.to_owned()]).await.map(drop)
    }

    /// Ends every session of `issuer` that rests on what was revoked, and says how many there were. A revoked access
    /// token says nothing about a sign-in to the pages, and ends none.
    pub async fn end(&self, issuer: &str, what: &Revoked) -> Result<usize> {
        let ids = match what {
            Revoked::Subject(subject) => self.matching(Some(("owner", &pair(issuer, subject))), |_| true).await?,
            Revoked::Sessionless(subject) => {
                self.matching(Some(("owner", &pair(issuer, subject))), |kept| kept.session.is_none()).await?
            }
            Revoked::Session(sid) => self.matching(Some(("sid", &pair(issuer, sid))), |_| true).await?,
            Revoked::Key(kid) => {
                self.matching(None, |kept| kept.actor.issuer == issuer && kept.key.as_ref() == Some(kid)).await?
            }
            // A run is no session, and whoever lost a group is told so by the issuer's own floor.
            Revoked::Token(_) | Revoked::Runs(_) | Revoked::RunsByGroup { .. } => Vec::new(),
        };
        self.delete(ids).await
    }

    /// Ends every session of everybody, in a store that was restored from a backup (T24); says how many there were.
    pub async fn end_all(&self) -> Result<usize> {
        let ids = self.matching(None, |_| true).await?;
        self.delete(ids).await
    }

    async fn matching(
        &self,
        filter: Option<(&'static str, &str)>,
        fits: impl Fn(&Kept) -> bool,
    ) -> Result<Vec<String>> {
        let (mut ids, mut after) = (Vec::new(), None::<String>);
        loop {
            let query = Query { collection: SESSIONS, filter, after: after.as_deref(), limit: PAGE, descending: false };
            let records = self.store.list(query).await?;
            let full = records.len() == PAGE;
            after = records.last().map(|r| r.id.clone());
            ids.extend(records.into_iter().filter_map(Session::of).filter(|s| fits(&s.kept)).map(|s| s.id));
            if !full {
                return Ok(ids);
            }
        }
    }

    async fn delete(&self, ids: Vec<String>) -> Result<usize> {
        let count = ids.len();
        let delete = |id| Op::Delete { collection: SESSIONS, id, expect: Expect::Any };
        if count > 0 {
            self.store.transact(ids.into_iter().map(delete).collect()).await?;
        }
        Ok(count)
    }
}
