//! Reserve: idempotency key and single-use elevation in one transaction (T7). The clock is read again here: what was
//! valid when policy was asked must still be valid now (T9).

use platform::store::{Conflict, Op, TransactError};
use platform::{CallContext, Error, ErrorKind};

use super::authorise::Authorised;
use super::validate::Validated;
use super::{Answer, Pipeline, change, later, replay};
use crate::elevation::SingleUse;

/// Proof of the reservation; nothing is reserved for reads.
pub(super) struct Reserved {
    key: Option<ReservedKey>,
    elevation: Option<SingleUse>,
}

struct ReservedKey {
    scope: String,
    key: String,
}

impl Reserved {
    /// Stores the result under the reserved key, with the intent's outcome.
    pub(super) fn complete(&self, road: &Pipeline, result: &Result<Answer, Error>) -> Result<Option<Op>, Error> {
        let Some(ReservedKey { scope, key }) = &self.key else { return Ok(None) };
        let result = replay::sealed(road, scope, key, result)?;
        Ok(Some(Op::CompleteKey { scope: scope.clone(), key: key.clone(), result }))
    }

    /// What gives each part back: the call did not happen. They are apart, so that one that is refused leaves the other.
    fn give_back(&self) -> Result<Vec<Op>, Error> {
        let key = self.key.as_ref().map(|k| Op::ReleaseKey { scope: k.scope.clone(), key: k.key.clone() });
        let elevation = self.elevation.as_ref().map(SingleUse::give_back).transpose()?;
        Ok(key.into_iter().chain(elevation).collect())
    }
}

pub(super) async fn reserve(
    road: &Pipeline,
    cx: &CallContext,
    call: &Validated,
    authorised: &Authorised,
) -> Result<Reserved, Error> {
    let now = road.parts.clock.epoch_seconds();
    if authorised.decision().valid_until.is_some_and(|until| now >= until) {
        return Err(Error::new(
            ErrorKind::Unmet,
            "decision_expired",
            "What allowed this call ended while it was being prepared. Repeat it.",
        ));
    }
    if !call.tool.risk.is_write() {
        return Ok(Reserved { key: None, elevation: None });
    }
    // T7: the grant once more, and its locks in the same transaction.
    let mut ops = change::again(road, cx, call, authorised).await?;
    let key = call.references.idempotency_key.clone().map(|key| ReservedKey { scope: replay::scope(cx, call), key });
    if let Some(ReservedKey { scope, key }) = &key {
        let keep = i64::try_from(road.parts.limits.keep_results.as_secs()).unwrap_or(i64::MAX);
        ops.push(Op::ReserveKey {
            scope: scope.clone(),
            key: key.clone(),
            digest: call.digest.clone(),
            call_id: cx.request_id.to_string(),
            expires_at: now.saturating_add(keep),
        });
    }
    let elevation = authorised.single_use().cloned();
    ops.extend(elevation.iter().flat_map(SingleUse::consume));
    if !ops.is_empty()
        && let Err(error) = road.parts.store.transact(ops).await
    {
        return Err(refused(road, key.as_ref(), &call.digest, error).await);
    }
    Ok(Reserved { key, elevation })
}

async fn refused(road: &Pipeline, key: Option<&ReservedKey>, digest: &str, error: TransactError) -> Error {
    match (error, key) {
        (TransactError::Conflict { conflict: Conflict::AlreadyUsed, .. }, _) => Error::new(
            ErrorKind::Unmet,
            "step_up_used",
            "The second factor for this call was used up by an earlier call. Repeat the call to get a new link.",
        ),
        (TransactError::Conflict { conflict: Conflict::LockLost, .. }, _) => change::lock_lost(),
        // The key was free a moment ago: another call with it won the race. Its result, if it is there, is for a repeat.
        (TransactError::Conflict { .. }, Some(ReservedKey { scope, key })) => {
            match replay::known(road, scope, key, digest).await {
                Ok(Some(known)) => replay::answer(road, scope, key, known).err().unwrap_or_else(just_finished),
                Ok(None) => just_finished(),
                Err(error) => error,
            }
        }
        (error, _) => error.into(),
    }
}

fn just_finished() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "idempotency_in_progress",
        "The call with this idempotency key has just finished. Repeat it to get its result.",
    )
    .with_retry_after(std::time::Duration::from_secs(1))
}

/// Gives the reservation back after a failure before `execute`, and hands that failure on.
pub(super) async fn release(road: &Pipeline, reserved: Reserved, error: Error) -> Error {
    let parts = match reserved.give_back() {
        Ok(parts) => parts,
        Err(failed) => {
            tracing::error!(error.message = failed.detail(), "a reservation could not be released");
            return error;
        }
    };
    for part in parts {
        // What cannot be given back now is given back when the store can be written, or by the next start.
        drop(later::write(road, "the release of a reservation", vec![part]).await);
    }
    error
}
