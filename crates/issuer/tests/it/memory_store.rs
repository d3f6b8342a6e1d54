//! A store and an audit log in memory: what the issuer uses of the two contracts, and nothing else.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use platform::Error;
use platform::audit::{AuditEntry, AuditFilter, AuditLog, AuditPosition};
use platform::store::{Collection, Conflict, Expect, Op, OpResult, OpenIntent, Query, Record, Store, TransactError};

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Records and used one-time ids.
#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    records: BTreeMap<(String, String), Record>,
    used: HashSet<(String, String)>,
    writes: u64,
}

impl MemoryStore {
    /// How many transactions have written.
    pub(crate) fn writes(&self) -> u64 {
        self.0.lock().unwrap().writes
    }

    /// Everything, as text.
    pub(crate) fn dump(&self) -> String {
        format!("{:?}", self.0.lock().unwrap().records)
    }

    fn apply(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, TransactError> {
        let mut inner = self.0.lock().unwrap();
        assert_eq!(ops.len(), 1, "the issuer writes one thing at a time");
        inner.writes += 1;
        let conflict = |conflict| Err(TransactError::Conflict { index: 0, conflict });
        match ops.into_iter().next().unwrap() {
            Op::Put { collection, id, expect, body, expires_at } => {
                let key = (collection.name.to_owned(), id.clone());
                let current = inner.records.get(&key).map(|r| r.revision);
                let fits = match expect {
                    Expect::Any => true,
                    Expect::Absent => current.is_none(),
                    Expect::Revision(r) => current == Some(r),
                };
                if !fits {
                    return conflict(Conflict::Revision { current });
                }
                let revision = current.unwrap_or(0) + 1;
                inner.records.insert(key, Record { id, revision, body, expires_at });
                Ok(vec![OpResult::Revision(revision)])
            }
            Op::ConsumeOnce { namespace, id, .. } => {
                if inner.used.insert((namespace.to_owned(), id)) {
                    Ok(vec![OpResult::Done])
                } else {
                    conflict(Conflict::AlreadyUsed)
                }
            }
            other => panic!("the issuer does not use {other:?}"),
        }
    }
}

// Written out, because `async-trait` is not among the issuer's dependencies.
impl Store for MemoryStore {
    fn transact<'a, 'b>(&'a self, ops: Vec<Op>) -> BoxFuture<'b, Result<Vec<OpResult>, TransactError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { self.apply(ops) })
    }

    fn get<'a, 'b, 'c>(&'a self, collection: Collection, id: &'b str) -> BoxFuture<'c, Result<Option<Record>, Error>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        let key = (collection.name.to_owned(), id.to_owned());
        Box::pin(async move { Ok(self.0.lock().unwrap().records.get(&key).cloned()) })
    }

    fn list<'a, 'b, 'c>(&'a self, _: Query<'b>) -> BoxFuture<'c, Result<Vec<Record>, Error>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(async { Err(Error::internal("the issuer lists nothing")) })
    }

    fn open_intents<'a, 'b>(&'a self) -> BoxFuture<'b, Result<Vec<OpenIntent>, Error>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { Ok(vec![]) })
    }

    fn release_abandoned<'a, 'b>(&'a self) -> BoxFuture<'b, Result<u64, Error>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { Ok(0) })
    }
}

/// Keeps entries; `break_it` makes it refuse.
#[derive(Default)]
pub(crate) struct MemoryAudit {
    entries: Mutex<Vec<AuditEntry>>,
    broken: std::sync::atomic::AtomicBool,
}

impl MemoryAudit {
    /// All entries of one action.
    pub(crate) fn of(&self, action: &str) -> Vec<AuditEntry> {
        self.entries.lock().unwrap().iter().filter(|e| e.action == action).cloned().collect()
    }

    /// From now on every append fails.
    pub(crate) fn break_it(&self) {
        self.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

impl AuditLog for MemoryAudit {
    fn append<'a, 'b>(&'a self, entry: AuditEntry) -> BoxFuture<'b, Result<AuditPosition, Error>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(Error::new(platform::ErrorKind::Unavailable, "audit_unavailable", "No audit."));
            }
            let mut entries = self.entries.lock().unwrap();
            entries.push(entry);
            Ok(AuditPosition(entries.len() as u64))
        })
    }

    fn append_detached(&self, entry: AuditEntry) {
        self.entries.lock().unwrap().push(entry);
    }

    fn recent<'a, 'b>(&'a self, _: AuditFilter, _: usize) -> BoxFuture<'b, Result<Vec<platform::Json>, Error>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { Ok(vec![]) })
    }
}
