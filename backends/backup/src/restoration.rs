//! What a restored platform remembers of its restore: written into the restored store, told to the audit log at the next
//! start, and then forgotten.

use platform::audit::{AuditEntry, AuditLog, Outcome};
use platform::store::{Collection, Expect, Op, Query, Store};
use platform::{Error, Json};
use serde_json::Map;

const RESTORATIONS: Collection = Collection { name: "restorations", indexes: &[] };

/// Notes a restore. `told` says what was restored ([`Manifest::told`](crate::Manifest::told) of an archive), `voided` counts
/// what was given up.
pub async fn note(
    store: &dyn Store,
    mut told: Map<String, Json>,
    at: &str,
    voided: Map<String, Json>,
) -> Result<(), Error> {
    told.insert("restored_at".to_owned(), at.into());
    told.insert("voided".to_owned(), voided.into());
    let body = Json::from(told);
    let put = Op::Put { collection: RESTORATIONS, id: at.to_owned(), expect: Expect::Any, body, expires_at: None };
    store.transact(vec![put]).await.map(drop).map_err(Error::internal)
}

/// Tells the audit log of every restore that it has not heard of. Durable before it is forgotten here.
pub async fn tell(store: &dyn Store, audit: &dyn AuditLog, now: jiff::Timestamp) -> Result<(), Error> {
    let query = Query { collection: RESTORATIONS, filter: None, after: None, limit: 100, descending: false };
    for record in store.list(query).await? {
        let mut entry = AuditEntry::event(now, "platform.restored", Outcome::Success);
        entry.facts.insert("restore".into(), record.body);
        audit.append(entry).await?;
        let forget = Op::Delete { collection: RESTORATIONS, id: record.id, expect: Expect::Any };
        store.transact(vec![forget]).await.map_err(Error::internal)?;
    }
    Ok(())
}
