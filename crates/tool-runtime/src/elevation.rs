//! Elevations (rule T4): a person passed a second factor for (issuer, subject, client, server), for at most 15 minutes;
//! for `disruptive` tools once, and only for one tool with one set of arguments.
//!
//! A refusal opens a *request*; the page that the refusal names shows it, and after the sign-in at the issuer the
//! platform stores the *elevation*. The request's id says nothing and opens nothing by itself: only the person it was
//! made for can fulfil it, by signing in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::policy::{ElevationFacts, Risk};
use platform::store::{Collection, Conflict, Expect, Op, Store, TransactError};
use platform::{Error, ErrorKind, Principal, SharedClock, canonical};
use serde::{Deserialize, Serialize};

/// Longest life of an elevation, seconds.
pub const ELEVATION_S: i64 = 15 * 60;
/// How long a refusal's link can be followed, seconds.
const REQUEST_S: i64 = 15 * 60;

const REQUESTS: Collection = Collection { name: "elevation_requests", indexes: &[] };
const ELEVATIONS: Collection = Collection { name: "elevations", indexes: &[] };

/// What an elevation is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElevationRequest {
    /// Issuer of the caller.
    pub issuer: String,
    /// Subject of the caller.
    pub subject: String,
    /// What the page calls them.
    pub name: String,
    /// OAuth client the call came through.
    pub client_id: String,
    /// Server instance.
    pub server: String,
    /// Tool that was refused.
    pub tool: String,
    /// Its risk.
    pub risk: Risk,
    /// SHA-256 of its canonical arguments: binds a single-use elevation.
    pub arguments_digest: String,
    /// End of the link, seconds since the epoch.
    pub expires_at: i64,
}

impl ElevationRequest {
    /// Bound to one tool with one set of arguments, and used up by it.
    pub fn single_use(&self) -> bool {
        matches!(self.risk, Risk::Disruptive | Risk::Control)
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
        Ok(Op::Put {
            collection: ELEVATIONS,
            id: self.id.clone(),
            expect: Expect::Absent,
            body: serde_json::to_value(&elevation).map_err(Error::internal)?,
            expires_at: Some(elevation.expires_at),
        })
    }
}

fn nonce() -> Result<String, Error> {
    Ok(URL_SAFE_NO_PAD.encode(platform::seal::random::<16>()?))
}

/// Requests and elevations in the store.
pub struct Elevations {
    store: Arc<dyn Store>,
    clock: SharedClock,
}

impl Elevations {
    /// Over the store.
    pub fn new(store: Arc<dyn Store>, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// Opens a request, or finds the one that an equal refusal opened before, and returns its id.
    pub async fn request(
        &self,
        principal: &Principal,
        server: &str,
        tool: &str,
        risk: Risk,
        arguments_digest: &str,
    ) -> Result<String, Error> {
        let now = self.clock.epoch_seconds();
        let request = ElevationRequest {
            issuer: principal.issuer.clone(),
            subject: principal.subject.clone(),
            name: principal.name.clone(),
            client_id: principal.client_id.clone(),
            server: server.to_owned(),
            tool: tool.to_owned(),
            risk,
            arguments_digest: arguments_digest.to_owned(),
            // Equal refusals within a window share one request, so that a caller in a loop fills nothing up.
            expires_at: (now / REQUEST_S + 2) * REQUEST_S,
        };
        let id = URL_SAFE_NO_PAD.encode(canonical::sha256(&canonical::to_bytes(&request)?));
        let put = Op::Put {
            collection: REQUESTS,
            id: id.clone(),
            expect: Expect::Absent,
            body: serde_json::to_value(&request).map_err(Error::internal)?,
            expires_at: Some(request.expires_at),
        };
        match self.store.transact(vec![put]).await {
            Ok(_) | Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => Ok(id),
            Err(e) => Err(store_failed(e)),
        }
    }

    /// A request that can still be fulfilled.
    pub async fn find(&self, id: &str) -> Result<ElevationRequest, Error> {
        let record = self.store.get(REQUESTS, id).await?;
        let request = record.and_then(|r| serde_json::from_value::<ElevationRequest>(r.body).ok());
        request.filter(|r| r.expires_at > self.clock.epoch_seconds()).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "elevation_request_unknown",
                "This link is unknown or has expired. Repeat the call that was refused to get a new one.",
            )
        })
    }

    /// Stores the elevation that a request asked for, after `person` signed in with more than one factor.
    pub async fn grant(&self, request: &ElevationRequest, person: &Principal) -> Result<ElevationFacts, Error> {
        if person.issuer != request.issuer || person.subject != request.subject {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "elevation_other_person",
                "You are signed in as somebody else than the person whose call was refused. Nothing was granted.",
            ));
        }
        let now = self.clock.epoch_seconds();
        let fresh = person.auth_time.is_some_and(|at| (now - ELEVATION_S..=now + 60).contains(&at));
        if !person.mfa || !fresh {
            return Err(Error::new(
                ErrorKind::Unmet,
                "second_factor_missing",
                "The sign-in did not include a fresh second factor. Open the link again and pass the second factor.",
            ));
        }
        let authenticated_at = person.auth_time.unwrap_or(now).min(now);
        let elevation = Elevation {
            authenticated_at,
            expires_at: authenticated_at + ELEVATION_S,
            single_use: request.single_use(),
            nonce: nonce()?,
        };
        let put = Op::Put {
            collection: ELEVATIONS,
            id: id_of(request)?,
            expect: Expect::Any,
            body: serde_json::to_value(&elevation).map_err(Error::internal)?,
            expires_at: Some(elevation.expires_at),
        };
        self.store.transact(vec![put]).await.map_err(store_failed)?;
        Ok(facts(&elevation))
    }

    /// The elevation that covers a call now, if there is one.
    pub async fn covering(
        &self,
        principal: &Principal,
        server: &str,
        tool: &str,
        risk: Risk,
        arguments_digest: &str,
    ) -> Result<Option<Covering>, Error> {
        let request = ElevationRequest {
            issuer: principal.issuer.clone(),
            subject: principal.subject.clone(),
            name: String::new(),
            client_id: principal.client_id.clone(),
            server: server.to_owned(),
            tool: tool.to_owned(),
            risk,
            arguments_digest: arguments_digest.to_owned(),
            expires_at: 0,
        };
        let id = id_of(&request)?;
        let Some(record) = self.store.get(ELEVATIONS, &id).await? else { return Ok(None) };
        let elevation: Elevation = serde_json::from_value(record.body).map_err(Error::internal)?;
        if elevation.expires_at <= self.clock.epoch_seconds() {
            return Ok(None);
        }
        let facts = facts(&elevation);
        let single_use = elevation.single_use.then_some(SingleUse { id, elevation });
        Ok(Some(Covering { facts, single_use }))
    }
}

fn facts(elevation: &Elevation) -> ElevationFacts {
    ElevationFacts {
        authenticated_at: elevation.authenticated_at,
        expires_at: elevation.expires_at,
        single_use: elevation.single_use,
    }
}

/// One elevation per (issuer, subject, client, server), and for single-use ones also per tool and arguments.
fn id_of(request: &ElevationRequest) -> Result<String, Error> {
    let bound = request.single_use().then_some((&request.tool, &request.arguments_digest));
    canonical::digest_hex(&(&request.issuer, &request.subject, &request.client_id, &request.server, bound))
}

pub(crate) fn store_failed(error: TransactError) -> Error {
    match error {
        TransactError::Store(error) => error,
        TransactError::Conflict { index, conflict } => Error::internal(format!("operation {index}: {conflict}")),
    }
}
