//! What must still reach the store although it could not be written just now: the end of an intent, the result under a
//! key, a reservation that is given back. It is tried again until the store takes it, so that a full disk or a database
//! that was away leaves nothing behind when it is back (T7). A process that ends meanwhile leaves it to the next start.

use std::sync::Arc;
use std::time::Duration;

use platform::store::{Op, TransactError};

use super::Pipeline;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes `ops`, now or later. The error of the first attempt, when it has to be later.
pub(super) async fn write(road: &Pipeline, what: &'static str, ops: Vec<Op>) -> Result<(), TransactError> {
    let failed = match road.parts.store.transact(ops.clone()).await {
        Ok(_) => return Ok(()),
        Err(failed) => failed,
    };
    tracing::error!(error.message = %failed, "{what} could not be stored");
    if matches!(failed, TransactError::Store(_)) {
        let store = Arc::clone(&road.parts.store);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(PAUSE).await;
                match store.transact(ops.clone()).await {
                    Err(TransactError::Store(_)) => {}
                    Ok(_) => break tracing::info!("{what} is stored now"),
                    // An attempt that was said to fail had done it, or somebody settled it meanwhile.
                    Err(TransactError::Conflict { .. }) => break,
                }
            }
        });
    }
    Err(failed)
}
