//! Revocation floors (T3): for a subject, a session or one token, the moment at or before which everything issued is dead,
//! and keys that are dead altogether. Looked at on every call, cached or not.
//!
//! The store keeps the truth, each floor with the number of the write that raised it; this copy in memory is filled at
//! start and never knows less than the store, because one process has the store.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use platform::revocation::{Revocations, Revoked, RevokedCheck, RunFloors};
use platform::store::{Collection, Conflict, Expect, Op, Query, Store, TransactError};
use platform::{Error, Principal, SharedClock, canonical};
use serde::{Deserialize, Serialize};

use crate::entry::LONGEST_LIFE_S;

const FLOORS: Collection = Collection { name: "revocation_floors", indexes: &[] };
/// One record, whose revision numbers the writes.
const SEQUENCE: Collection = Collection { name: "revocation_sequence", indexes: &[] };
const SEQUENCE_ID: &str = "floors";
/// Records of one page when the floors are read at start.
const PAGE: usize = 1000;
/// How often a write is tried again because another one was numbered first.
const ATTEMPTS: u32 = 8;
/// How often the copy in memory forgets what no living token can be older than, in seconds.
const FORGET_EVERY_S: i64 = 3600;

/// The one record under which everything of every issuer is dead.
const EVERYTHING: Collection = Collection { name: "revocation_of_everything", indexes: &[] };
const EVERYTHING_ID: &str = "floor";

/// In a store that was restored from a backup (T24): what any issuer issued at or before `at` (epoch seconds) is dead, for
/// what was revoked since the backup is not known any more.
pub async fn revoke_everything(store: &dyn Store, at: i64) -> Result<(), Error> {
    let put = Op::Put {
        collection: EVERYTHING,
        id: EVERYTHING_ID.to_owned(),
        expect: Expect::Any,
        body: serde_json::json!({ "at": at }),
        // Nothing that was issued before it lives longer.
        expires_at: Some(at.saturating_add(LONGEST_LIFE_S)),
    };
    store.transact(vec![put]).await.map(drop).map_err(Error::internal)
}

/// A floor as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    issuer: String,
    what: Revoked,
    at: i64,
    sequence: u64,
}

#[derive(Debug, Default)]
struct Floors {
    subjects: HashMap<String, i64>,
    sessionless: HashMap<String, i64>,
    sessions: HashMap<String, i64>,
    tokens: HashMap<String, i64>,
    keys: HashMap<String, i64>,
    runs: HashMap<String, i64>,
    /// By subject and group, as JSON: both may hold any character.
    runs_by_group: HashMap<String, i64>,
}

impl Floors {
    fn place(&mut self, what: &Revoked) -> (&mut HashMap<String, i64>, String) {
        match what {
            Revoked::Subject(id) => (&mut self.subjects, id.clone()),
            Revoked::Sessionless(id) => (&mut self.sessionless, id.clone()),
            Revoked::Session(id) => (&mut self.sessions, id.clone()),
            Revoked::Token(id) => (&mut self.tokens, id.clone()),
            Revoked::Key(id) => (&mut self.keys, id.clone()),
            Revoked::Runs(id) => (&mut self.runs, id.clone()),
            Revoked::RunsByGroup { subject, group } => (&mut self.runs_by_group, membership(subject, group)),
        }
    }
}

fn membership(subject: &str, group: &str) -> String {
    serde_json::json!([subject, group]).to_string()
}

/// The floors of all issuers. Fed by logout, deprovisioning, events and operators.
pub struct RevocationFloors {
    floors: RwLock<HashMap<String, Floors>>,
    /// Under everything, whatever its issuer; raised by a restore and never while the platform runs.
    everything: Option<i64>,
    store: Arc<dyn Store>,
    clock: SharedClock,
    /// Held while a floor is written; when floors were last forgotten, epoch seconds.
    writing: tokio::sync::Mutex<i64>,
}

impl RevocationFloors {
    /// The floors that `store` keeps. Error: the store's.
    pub async fn open(store: Arc<dyn Store>, clock: SharedClock) -> Result<Self, Error> {
        let now = clock.epoch_seconds();
        let everything = match store.get(EVERYTHING, EVERYTHING_ID).await? {
            // A floor that cannot be read must not be taken for no floor.
            Some(record) => {
                Some(record.body["at"].as_i64().ok_or_else(|| Error::internal("a revocation floor has no time"))?)
            }
            None => None,
        };
        let writing = tokio::sync::Mutex::new(now);
        let floors = Self { floors: RwLock::default(), everything, store, clock, writing };
        let mut after: Option<String> = None;
        loop {
            let query =
                Query { collection: FLOORS, filter: None, after: after.as_deref(), limit: PAGE, descending: false };
            let page = floors.store.list(query).await?;
            after = page.last().map(|record| record.id.clone());
            let full = page.len() == PAGE;
            for record in page {
                // A floor that cannot be read must not be taken for no floor.
                let stored: Stored = serde_json::from_value(record.body).map_err(Error::internal)?;
                floors.raise(&stored.issuer, &stored.what, stored.at);
            }
            if !full {
                return Ok(floors);
            }
        }
    }

    /// Raises the copy in memory and returns the floor that stands now. A floor never sinks.
    fn raise(&self, issuer: &str, what: &Revoked, at: i64) -> i64 {
        let mut all = self.floors.write().unwrap_or_else(PoisonError::into_inner);
        let (map, id) = all.entry(issuer.to_owned()).or_default().place(what);
        let floor = map.entry(id).or_insert(at);
        *floor = at.max(*floor);
        *floor
    }

    /// Writes a floor under the next number.
    async fn keep(&self, issuer: &str, what: &Revoked, at: i64) -> Result<(), Error> {
        let id = canonical::digest_hex(&(issuer, what))?;
        // A key's floor does not look at times: it lasts, however long the issuer goes on publishing the key. A change may be
        // older than every token when its run begins.
        let lasts = matches!(what, Revoked::Key(_) | Revoked::Runs(_) | Revoked::RunsByGroup { .. });
        let expires_at = (!lasts).then(|| at.saturating_add(LONGEST_LIFE_S));
        for _ in 0..ATTEMPTS {
            let last = self.store.get(SEQUENCE, SEQUENCE_ID).await?.map_or(0, |record| record.revision);
            let expect = if last == 0 { Expect::Absent } else { Expect::Revision(last) };
            let sequence = last.saturating_add(1);
            let stored = Stored { issuer: issuer.to_owned(), what: what.clone(), at, sequence };
            let number = Op::Put {
                collection: SEQUENCE,
                id: SEQUENCE_ID.to_owned(),
                expect,
                body: serde_json::json!({}),
                expires_at: None,
            };
            let floor = Op::Put {
                collection: FLOORS,
                id: id.clone(),
                expect: Expect::Any,
                body: serde_json::to_value(&stored).map_err(Error::internal)?,
                expires_at,
            };
            match self.store.transact(vec![number, floor]).await {
                Ok(_) => return Ok(()),
                Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::internal("another writer numbers every revocation first"))
    }

    /// Forgets floors at or before `at` (epoch seconds): no token from before then can still be valid. Those of keys and of
    /// runs stay.
    fn forget_before(&self, at: i64) {
        let mut all = self.floors.write().unwrap_or_else(PoisonError::into_inner);
        for floors in all.values_mut() {
            let Floors { subjects, sessionless, sessions, tokens, keys: _, runs: _, runs_by_group: _ } = floors;
            for map in [subjects, sessionless, sessions, tokens] {
                map.retain(|_, floor| *floor > at);
            }
        }
    }
}

#[async_trait]
impl Revocations for RevocationFloors {
    async fn revoke(&self, issuer: &str, what: Revoked, at: i64) -> Result<(), Error> {
        // Dead here at once, also when the write fails; then the caller hears of it and says nothing is revoked.
        self.raise(issuer, &what, at);
        let mut forgotten = self.writing.lock().await;
        // Read again under the lock: of two floors for one thing, the higher one must be the last that is written.
        let at = self.raise(issuer, &what, at);
        self.keep(issuer, &what, at).await?;
        let now = self.clock.epoch_seconds();
        if now.saturating_sub(*forgotten) >= FORGET_EVERY_S {
            *forgotten = now;
            self.forget_before(now.saturating_sub(LONGEST_LIFE_S));
        }
        Ok(())
    }
}

impl RevokedCheck for RevocationFloors {
    fn is_revoked(&self, principal: &Principal) -> bool {
        if self.everything.is_some_and(|at| principal.token.issued_at <= at) {
            return true;
        }
        let all = self.floors.read().unwrap_or_else(PoisonError::into_inner);
        let Some(floors) = all.get(&principal.issuer) else { return false };
        let token = &principal.token;
        let below = |floor: Option<&i64>| floor.is_some_and(|at| token.issued_at <= *at);
        let session = token.session.as_ref();
        below(floors.subjects.get(&principal.subject))
            || session.is_some_and(|id| below(floors.sessions.get(id)))
            || (session.is_none() && below(floors.sessionless.get(&principal.subject)))
            || token.id.as_ref().is_some_and(|id| below(floors.tokens.get(id)))
            // Whoever has a lost key writes any time into what he signs.
            || token.key.as_ref().is_some_and(|id| floors.keys.contains_key(id))
    }
}

impl RunFloors for RevocationFloors {
    fn is_ended(&self, issuer: &str, subject: &str, groups: &[String], at: i64) -> bool {
        // A restored store does not know whose account was disabled since the backup (T24).
        if self.everything.is_some_and(|floor| at <= floor) {
            return true;
        }
        let all = self.floors.read().unwrap_or_else(PoisonError::into_inner);
        let Some(floors) = all.get(issuer) else { return false };
        let below = |floor: Option<&i64>| floor.is_some_and(|floor| at <= *floor);
        below(floors.runs.get(subject))
            || groups.iter().any(|group| below(floors.runs_by_group.get(&membership(subject, group))))
    }
}

impl std::fmt::Debug for RevocationFloors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationFloors").finish_non_exhaustive()
    }
}
