//! After a crash (T7, T25): intents without an outcome are settled as unknown, keys that were only reserved are released, and
//! one record says so.

use platform::Error;
use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::store::{Op, Store};

/// To be done once at start, before anything is called.
pub async fn settle_after_crash(store: &dyn Store, audit: &dyn AuditLog, now: jiff::Timestamp) -> Result<(), Error> {
    let released = store.release_abandoned().await?;
    let open = store.open_intents().await?;
    for intent in &open {
        let close = Op::CloseIntent { call_id: intent.call_id.clone(), outcome: "unknown".to_owned() };
        store.transact(vec![close]).await.map_err(Error::internal)?;
    }
    if released > 0 || !open.is_empty() {
        let mut entry = AuditEntry::event(now, "platform.settled_after_crash", Outcome::Success);
        entry.facts.insert("released_keys".into(), released.into());
        entry.facts.insert("unknown_outcomes".into(), open.iter().map(|i| i.call_id.clone()).collect());
        audit.append(entry).await?;
    }
    Ok(())
}
