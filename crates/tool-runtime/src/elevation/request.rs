//! What a refused call asks for: the request behind the link of the refusal, until it is fulfilled or ends. Next:
//! [`super::Elevations::grant`] for what fulfils it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::policy::Risk;
use platform::seal::Sealer;
use platform::store::{Collection, Conflict, Expect, Op, Record, TransactError};
use platform::{CallContext, Error, ErrorKind, canonical};
use serde::{Deserialize, Serialize};

use super::Elevations;
use super::shown::Shown;

/// How long a refusal's link can be followed, seconds.
const REQUEST_S: i64 = 15 * 60;
/// How often a waiting caller looks at the store by itself: another replica may have granted.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

pub(super) const REQUESTS: Collection = Collection { name: "elevation_requests", indexes: &[] };

/// The call that needs an elevation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Server instance.
    pub server: &'a str,
    /// Tool.
    pub tool: &'a str,
    /// The operator's risk class.
    pub risk: Risk,
    /// SHA-256 of the canonical arguments, hexadecimal.
    pub arguments_digest: &'a str,
}

impl Wanted<'_> {
    pub(super) fn single_use(&self) -> bool {
        single_use(self.risk)
    }

    /// One elevation per (issuer, subject, client, server), and for single-use ones also per tool and arguments.
    pub(super) fn elevation_id(&self, principal: (&str, &str, &str)) -> Result<String, Error> {
        let bound = self.single_use().then_some((self.tool, self.arguments_digest));
        canonical::digest_hex(&(principal.0, principal.1, principal.2, self.server, bound))
    }
}

/// Bound to one tool with one set of arguments, and used up by it.
pub(crate) fn single_use(risk: Risk) -> bool {
    matches!(risk, Risk::Disruptive | Risk::Control)
}

/// What an elevation is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElevationRequest {
    /// The last part of its link.
    #[serde(skip)]
    pub id: String,
    #[serde(skip)]
    pub(super) revision: u64,
    /// Issuer of the caller.
    pub issuer: String,
    /// Subject of the caller.
    pub subject: String,
    /// What the page calls them.
    pub name: String,
    /// OAuth client the call came through.
    pub client_id: String,
    /// The caller's address.
    pub source: String,
    /// Server instance.
    pub server: String,
    /// Tool that was refused.
    pub tool: String,
    /// Its risk.
    pub risk: Risk,
    /// SHA-256 of its canonical arguments: binds a single-use elevation.
    pub arguments_digest: String,
    /// What the call is about, for the person and nobody else.
    #[serde(skip)]
    pub shown: Vec<Shown>,
    /// The same as the store keeps it: sealed, because it repeats what the caller sent (T26).
    sealed: String,
    /// First refusal that it stands for, seconds since the epoch.
    pub opened_at: i64,
    /// End of the link, seconds since the epoch.
    pub expires_at: i64,
}

impl ElevationRequest {
    /// Bound to one tool with one set of arguments, and used up by it.
    pub fn single_use(&self) -> bool {
        single_use(self.risk)
    }

    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { server: &self.server, tool: &self.tool, risk: self.risk, arguments_digest: &self.arguments_digest }
    }

    fn of(record: Record, sealer: &Sealer) -> Option<Self> {
        let request: Self = serde_json::from_value(record.body).ok()?;
        let opened = sealer.open(&place(&record.id), &URL_SAFE_NO_PAD.decode(&request.sealed).ok()?)?;
        let shown = serde_json::from_slice(&opened).ok()?;
        Some(Self { id: record.id, revision: record.revision, shown, ..request })
    }
}

/// What the lines about a call are sealed to.
fn place(id: &str) -> String {
    format!("elevation request|{id}")
}

impl Elevations {
    /// Opens a request, or finds the one that an equal refusal opened before, and returns its id.
    pub async fn request(&self, cx: &CallContext, wanted: &Wanted<'_>, shown: Vec<Shown>) -> Result<String, Error> {
        let now = self.clock.epoch_seconds();
        let principal = &cx.principal;
        // Equal refusals within a window share one request, so that a caller in a loop fills nothing up.
        let expires_at = (now / REQUEST_S + 2) * REQUEST_S;
        let identity = (
            (&principal.issuer, &principal.subject, &principal.client_id),
            (wanted.server, wanted.tool, wanted.risk, wanted.arguments_digest),
            expires_at,
        );
        let id = URL_SAFE_NO_PAD.encode(canonical::sha256(&canonical::to_bytes(&identity)?));
        let lines = serde_json::to_vec(&shown).map_err(Error::internal)?;
        let request = ElevationRequest {
            id: id.clone(),
            revision: 0,
            issuer: principal.issuer.clone(),
            subject: principal.subject.clone(),
            name: principal.name.clone(),
            client_id: principal.client_id.clone(),
            source: cx.source.to_string(),
            server: wanted.server.to_owned(),
            tool: wanted.tool.to_owned(),
            risk: wanted.risk,
            arguments_digest: wanted.arguments_digest.to_owned(),
            shown,
            sealed: URL_SAFE_NO_PAD.encode(self.sealer.seal(&place(&id), &lines)?),
            opened_at: now,
            expires_at,
        };
        let put = Op::Put {
            collection: REQUESTS,
            id: id.clone(),
            expect: Expect::Absent,
            body: serde_json::to_value(&request).map_err(Error::internal)?,
            expires_at: Some(expires_at),
        };
        match self.store.transact(vec![put]).await {
            Ok(_) | Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => Ok(id),
            Err(error) => Err(error.into()),
        }
    }

    /// A request that can still be fulfilled.
    pub async fn find(&self, id: &str) -> Result<ElevationRequest, Error> {
        let record = self.store.get(REQUESTS, id).await?;
        let request = record.and_then(|record| ElevationRequest::of(record, &self.sealer));
        request.filter(|r| r.expires_at > self.clock.epoch_seconds()).ok_or_else(request_unknown)
    }

    /// Waits until a request was fulfilled or has ended, and says whether that came about within `patience`.
    pub async fn answered(&self, id: &str, patience: Duration) -> Result<bool, Error> {
        let until = Instant::now() + patience;
        loop {
            // Listen first, then look: a grant between the two is heard.
            let mut heard = std::pin::pin!(self.granted.notified());
            heard.as_mut().enable();
            match self.find(id).await {
                Ok(_) => {}
                Err(ended) if ended.kind() == ErrorKind::NotFound => return Ok(true),
                Err(error) => return Err(error),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Heard or not, the store has the last word.
            drop(tokio::time::timeout(left.min(LOOK_AGAIN), heard).await);
        }
    }
}

pub(super) fn request_unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "elevation_request_unknown",
        "This link is unknown, was used, or has expired. Repeat the call that was refused to get a new one.",
    )
}
