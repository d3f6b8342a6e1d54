//! Equal reads that are under way at the same time are one (T31): the second one waits for the answer of the first, and its
//! target is asked once. Equal means what it means to the cache: instance, tool, arguments, obligations; and the same class of
//! callers, so that a person never waits in the line of an agent. It stands after authorisation and its rates, so that nobody
//! is answered who would not have been allowed to ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use platform::http::Class;
use platform::policy::Risk;
use platform::{CallContext, Error, ErrorKind, canonical};
use tokio::sync::watch;
use tokio::time::Instant;

use super::audit_guard::AuditGuard;
use super::authorise::Authorised;
use super::validate::Validated;
use super::{Answer, Granted, Pipeline, execute};
use crate::connector::CredentialKind;

/// What came of a read, and which call made it.
#[derive(Clone)]
struct Landed {
    call_id: String,
    result: Result<Answer, Error>,
}

type Seat = watch::Receiver<Option<Landed>>;

/// Reads under way.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<[u8; 32], Seat>>>);

/// One read under way. When it is dropped without an answer (its caller went away), those who wait make the read themselves.
struct Flight {
    flights: Flights,
    key: [u8; 32],
    seats: watch::Sender<Option<Landed>>,
}

/// How a read goes on.
enum Boarded {
    /// It is the first one.
    Leads(Flight),
    /// Another one is under way.
    Follows(Seat),
}

/// What equal reads have in common; nothing where a read is its caller's own.
fn key(call: &Validated, authorised: &Authorised, class: Class) -> Result<Option<[u8; 32]>, Error> {
    let (tool, spec) = (&call.tool, call.tool.tool.spec());
    // A probe touches devices: who asks for one wants what is there after the asking. A refresh is one at a time anyhow.
    let alone = tool.risk != Risk::Read
        || !spec.listed
        || spec.confidential
        || spec.per_caller
        || tool.has_secret_arguments()
        || tool.connector.credential() == CredentialKind::None;
    if alone {
        return Ok(None);
    }
    let obligations: Vec<_> = authorised.decision().obligations.iter().map(|(name, o)| (name, &o.parameters)).collect();
    let identity = (&tool.server.name, tool.name(), &call.digest, obligations, class.as_str());
    Ok(Some(canonical::sha256(&serde_json::to_vec(&identity).map_err(Error::internal)?)))
}

impl Flights {
    fn board(&self, key: [u8; 32]) -> Boarded {
        let mut flights = self.lock();
        if let Some(seat) = flights.get(&key) {
            return Boarded::Follows(seat.clone());
        }
        let (seats, seat) = watch::channel(None);
        flights.insert(key, seat);
        Boarded::Leads(Flight { flights: self.clone(), key, seats })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Hands the answer to those who wait. What failed for a reason of this caller's own (its deadline, its place in the line)
    /// is no answer for them.
    fn land(self, call_id: String, result: &Result<Answer, Error>) {
        // Out of the list first: who comes now makes a read of its own, and gets what is true now.
        self.flights.lock().remove(&self.key);
        let own = |error: &Error| {
            matches!(error.kind(), ErrorKind::Timeout | ErrorKind::RateLimited | ErrorKind::Internal)
                || error.code() == "decision_expired"
        };
        // Nobody can join any more. Where nobody waits, nothing is copied: a page of a list is a thousand small texts.
        if self.seats.receiver_count() > 0 && !result.as_ref().is_err_and(own) {
            self.seats.send_replace(Some(Landed { call_id, result: result.clone() }));
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // A later read under the same key is another's.
        if flights.get(&self.key).is_some_and(|seat| seat.same_channel(&self.seats.subscribe())) {
            flights.remove(&self.key);
        }
    }
}

impl Pipeline {
    /// A read that an equal one is under way for is answered by that one (T31).
    pub(super) async fn perform_or_share(
        &self,
        cx: &Arc<CallContext>,
        granted: Granted,
        guard: &mut AuditGuard,
    ) -> Result<Answer, Error> {
        let Some(key) = key(&granted.call, &granted.authorised, guard.claim().class())? else {
            return self.perform(cx, granted, guard).await;
        };
        let deadline = execute::deadline(cx, &granted.call);
        loop {
            match self.flights.board(key) {
                Boarded::Leads(flight) => {
                    let result = self.perform(cx, granted, guard).await;
                    flight.land(cx.request_id.to_string(), &result);
                    return result;
                }
                Boarded::Follows(seat) => {
                    let landed = guard.stage("execute", follow(seat, deadline.into())).await?;
                    if let Some(landed) = landed {
                        guard.shared(&granted.call.tool.server.name, &landed.call_id);
                        return landed.result;
                    }
                }
            }
        }
    }
}

/// Waits for the answer of the read that is under way; `None` where it ended without one for others.
async fn follow(mut seat: Seat, deadline: Instant) -> Result<Option<Landed>, Error> {
    match tokio::time::timeout_at(deadline, seat.wait_for(Option::is_some)).await {
        Ok(Ok(landed)) => Ok(landed.clone()),
        Ok(Err(_gone)) => Ok(None),
        Err(_elapsed) => Err(execute::too_late()),
    }
}
