//! Elevations (rule T4): a person passed a second factor for (issuer, subject, client, server), for at most 15 minutes;
//! for `disruptive` tools once, and only for one tool with one set of arguments.
//!
//! A refusal opens a *request*; the page that the refusal names shows it, and after the sign-in at the issuer the
//! platform stores the *elevation* and forgets the request, in one transaction: a link is good for one grant. The
//! request's id says nothing and opens nothing by itself: only the person it was made for can fulfil it, by signing in.
//!
//! Next: [`request`] for what a refusal opens, [`shown`] for what the page may tell about a call.

mod request;
pub mod shown;

use std::sync::Arc;

use platform::policy::ElevationFacts;
use platform::seal::Sealer;
use platform::store::{Collection, Conflict, Expect, Index, Op, Query, Store, TransactError, remove_all};
use platform::{Error, ErrorKind, Principal, SharedClock};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub(crate) use self::request::single_use;
pub use self::request::{ElevationRequest, Wanted};
use self::request::{REQUESTS, request_unknown};

/// Longest life of an elevation, seconds.
pub const ELEVATION_S: i64 = 15 * 60;
/// How far an issuer's clock may be ahead of ours, seconds.
const AHEAD_S: i64 = 60;
/// How far an issuer's clock may be behind ours when a factor has to be younger than a request, seconds.
const BEHIND_S: i64 = 5;
/// Most elevations of one person that are listed; each lives minutes.
const MAX_LISTED: usize = 200;

const ELEVATIONS: Collection =
    Collection { name: "elevations", indexes: &[Index { name: "owner", pointer: "/owner" }] };

/// Who signed in to fulfil a request, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactor<'a> {
    /// Issuer.
    pub issuer: &'a str,
    /// Subject.
    pub subject: &'a str,
    /// Whether this issuer's entry says that more than one factor was used.
    pub mfa: bool,
    /// When, seconds since the epoch.
    pub auth_time: Option<i64>,
}

impl<'a> From<&'a Principal> for SecondFactor<'a> {
    fn from(p: &'a Principal) -> Self {
        Self { issuer: &p.issuer, subject: &p.subject, mfa: p.mfa, auth_time: p.auth_time }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elevation {
    authenticated_at: i64,
    expires_at: i64,
    single_use: bool,
    /// Unique per grant; consumed by a single-use call.
    nonce: String,
    /// [`owner`] of the person.
    owner: String,
    client_id: String,
    server: String,
    /// The one tool of a single-use elevation.
    tool: Option<String>,
}

/// An elevation as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldElevation {
    /// Names it to [`Elevations::end`].
    pub id: String,
    /// OAuth client.
    pub client_id: String,
    /// Server instance.
    pub server: String,
    /// The one tool that it is for; nothing = every tool of the server that a second factor opens.
    pub tool: Option<String>,
    /// When the factor was passed, seconds since the epoch.
    pub authenticated_at: i64,
    /// Its end, seconds since the epoch.
    pub expires_at: i64,
    /// Good for one call.
    pub single_use: bool,
}

/// What was granted.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// Names it to [`Elevations::end`].
    pub id: String,
    /// Its facts.
    pub facts: ElevationFacts,
}

/// An elevation that covers a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Covering {
    /// For policy.
    pub facts: ElevationFacts,
    /// For single-use elevations: what uses it up with the call.
    pub single_use: Option<SingleUse>,
}

/// An elevation for one call.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleUse {
    id: String,
    elevation: Elevation,
}

impl SingleUse {
    /// Uses it up: of two calls at once only one gets it, and afterwards the next refusal offers a new link.
    pub fn consume(&self) -> [Op; 2] {
        let Elevation { nonce, expires_at, .. } = &self.elevation;
        [
            Op::ConsumeOnce { namespace: "elevation", id: nonce.clone(), expires_at: *expires_at },
            Op::Delete { collection: ELEVATIONS, id: self.id.clone(), expect: Expect::Any },
        ]
    }

    /// Gives it back to a call that was not begun (T7), unless the person has made a new one since. The used nonce stays
    /// used.
    pub fn give_back(&self) -> Result<Op, Error> {
        let elevation = Elevation { nonce: nonce()?, ..self.elevation.clone() };
        elevation.put(self.id.clone(), Expect::Absent)
    }
}

fn nonce() -> Result<String, Error> {
    platform::seal::random_text::<16>()
}

/// A person's name in the index of elevations.
fn owner(issuer: &str, subject: &str) -> String {
    format!("{issuer}|{subject}")
}

/// Requests and elevations in the store.
pub struct Elevations {
    store: Arc<dyn Store>,
    clock: SharedClock,
    sealer: Arc<Sealer>,
    granted: Notify,
}

impl Elevations {
    /// Over the store; `sealer` keeps what a page shows of a call from everybody who reads the store.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock, sealer: Arc<Sealer>) -> Self {
        Self { store, clock, sealer, granted: Notify::new() }
    }

    /// Stores the elevation that a request asked for, after the person signed in with more than one factor. What is for
    /// one call needs a factor that was passed after the call was refused: one that was given for something else shows
    /// nothing of this call.
    pub async fn grant(&self, request: &ElevationRequest, factor: SecondFactor<'_>) -> Result<Granted, Error> {
        if factor.issuer != request.issuer || factor.subject != request.subject {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "elevation_other_person",
                "You are signed in as somebody else than the person whose call was refused. Nothing was granted.",
            ));
        }
        let now = self.clock.epoch_seconds();
        let mut oldest = now - ELEVATION_S;
        if request.single_use() {
            oldest = oldest.max(request.opened_at - BEHIND_S);
        }
        let fresh = factor.auth_time.filter(|at| factor.mfa && (oldest..=now + AHEAD_S).contains(at));
        let Some(authenticated_at) = fresh.map(|at| at.min(now)) else {
            return Err(Error::new(
                ErrorKind::Unmet,
                "second_factor_missing",
                "The sign-in did not include a fresh second factor. Open the link again and pass the second factor.",
            ));
        };
        let elevation = Elevation {
            authenticated_at,
            expires_at: authenticated_at + ELEVATION_S,
            single_use: request.single_use(),
            nonce: nonce()?,
            owner: owner(&request.issuer, &request.subject),
            client_id: request.client_id.clone(),
            server: request.server.clone(),
            tool: request.single_use().then(|| request.tool.clone()),
        };
        let id = request.wanted().elevation_id((&request.issuer, &request.subject, &request.client_id))?;
        let ops = vec![
            Op::Delete { collection: REQUESTS, id: request.id.clone(), expect: Expect::Revision(request.revision) },
            elevation.put(id.clone(), Expect::Any)?,
        ];
        match self.store.transact(ops).await {
            Ok(_) => {}
            Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => return Err(request_unknown()),
            Err(error) => return Err(error.into()),
        }
        self.granted.notify_waiters();
        Ok(Granted { id, facts: elevation.facts() })
    }

    /// The elevation that covers a call now, if there is one.
    pub async fn covering(&self, principal: &Principal, wanted: &Wanted<'_>) -> Result<Option<Covering>, Error> {
        let id = wanted.elevation_id((&principal.issuer, &principal.subject, &principal.client_id))?;
        let Some(record) = self.store.get(ELEVATIONS, &id).await? else { return Ok(None) };
        // One of an older form lives minutes; the person makes a new one.
        let Ok(elevation) = serde_json::from_value::<Elevation>(record.body) else { return Ok(None) };
        if elevation.expires_at <= self.clock.epoch_seconds() {
            return Ok(None);
        }
        let facts = elevation.facts();
        let single_use = elevation.single_use.then_some(SingleUse { id, elevation });
        Ok(Some(Covering { facts, single_use }))
    }

    /// A person's elevations, the one that ends first in front.
    pub async fn held(&self, issuer: &str, subject: &str) -> Result<Vec<HeldElevation>, Error> {
        let now = self.clock.epoch_seconds();
        let owner = owner(issuer, subject);
        let query = Query {
            collection: ELEVATIONS,
            filter: Some(("owner", &owner)),
            after: None,
            limit: MAX_LISTED,
            descending: false,
        };
        let mut held = Vec::new();
        for record in self.store.list(query).await? {
            let Ok(e) = serde_json::from_value::<Elevation>(record.body) else { continue };
            if e.expires_at > now {
                held.push(HeldElevation {
                    id: record.id,
                    client_id: e.client_id,
                    server: e.server,
                    tool: e.tool,
                    authenticated_at: e.authenticated_at,
                    expires_at: e.expires_at,
                    single_use: e.single_use,
                });
            }
        }
        held.sort_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)));
        Ok(held)
    }

    /// Ends one of a person's elevations before its time. Another's and an unknown one are the same error,
    /// `elevation_unknown`.
    pub async fn end(&self, issuer: &str, subject: &str, id: &str) -> Result<HeldElevation, Error> {
        let found = self.held(issuer, subject).await?.into_iter().find(|held| held.id == id);
        let found = found.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "elevation_unknown",
                "You have no such elevation any more: it was used, has expired, or was ended before.",
            )
        })?;
        let delete = Op::Delete { collection: ELEVATIONS, id: id.to_owned(), expect: Expect::Any };
        self.store.transact(vec![delete]).await?;
        Ok(found)
    }

    /// Ends every elevation of a person, and says how many there were.
    pub async fn end_all(&self, issuer: &str, subject: &str) -> Result<usize, Error> {
        let held = self.held(issuer, subject).await?;
        let count = held.len();
        let delete = |held: HeldElevation| Op::Delete { collection: ELEVATIONS, id: held.id, expect: Expect::Any };
        if count > 0 {
            self.store.transact(held.into_iter().map(delete).collect()).await?;
        }
        Ok(count)
    }
}

/// Voids every elevation and every open request, in a store that was restored from a backup (T24): nobody knows which
/// were used since. Says how many there were.
pub async fn void_after_restore(store: &dyn Store) -> Result<u64, Error> {
    Ok(remove_all(store, ELEVATIONS).await? + remove_all(store, REQUESTS).await?)
}

impl Elevation {
    fn facts(&self) -> ElevationFacts {
        ElevationFacts {
            authenticated_at: self.authenticated_at,
            expires_at: self.expires_at,
            single_use: self.single_use,
        }
    }

    fn put(&self, id: String, expect: Expect) -> Result<Op, Error> {
        let body = serde_json::to_value(self).map_err(Error::internal)?;
        Ok(Op::Put { collection: ELEVATIONS, id, expect, body, expires_at: Some(self.expires_at) })
    }
}
