//! Where changes are kept: collections of the store of truth. A row here is the truth about a change; the journal of a
//! workflow engine only drives it, and a signal only says that it is worth looking.

use std::sync::Arc;

use platform::policy::Risk;
use platform::store::{Collection, Conflict, Expect, Index, Op, OpResult, Query, Record, Store, TransactError};
use platform::{Error, ErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::approval::PersonRef;
use crate::model::attempt::{Attempt, Direction};
use crate::model::change::{ApproversNeeded, Change, ChangeId, unknown};
use crate::model::plan::{InstanceReference, PublicPlan, TypeReference};
use crate::model::state::State;

/// Changes, by id.
pub const CHANGES: Collection = Collection {
    name: "changes",
    indexes: &[Index { name: "state", pointer: "/state" }, Index { name: "requester", pointer: "/requester_key" }],
};
/// Public plans, by the id of their change: apart, because lists do not need them.
pub const PLANS: Collection = Collection { name: "change_plans", indexes: &[] };
/// Attempts, by [`Attempt::id`].
pub const ATTEMPTS: Collection = Collection {
    name: "change_attempts",
    indexes: &[Index { name: "change", pointer: "/change" }, Index { name: "outcome", pointer: "/outcome/outcome" }],
};
/// How often an update is tried again when somebody else was faster.
pub(crate) const TRIES: usize = 16;

/// A change with the revision that it was read at.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// The change.
    pub change: Change,
    /// Revision of its row.
    pub revision: u64,
}

/// What a list needs of a change. The rest of its row, by far the larger part, is not looked at.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Listed {
    /// Id.
    pub id: ChangeId,
    /// Where it is.
    pub state: State,
    /// Its type.
    #[serde(rename = "type")]
    pub change_type: TypeReference,
    /// Where it is done.
    pub instance: InstanceReference,
    /// A line for people.
    pub title: String,
    /// Who asked.
    pub requester: ListedRequester,
    /// Device ids that the requester named.
    pub device_ids: Vec<String>,
    /// The highest risk of its steps, once planned.
    pub risk: Option<Risk>,
    /// What was handed in.
    pub submission: Option<ListedSubmission>,
    /// Who must approve.
    pub approvers: Option<ApproversNeeded>,
    /// How far its run is.
    pub run: ListedRun,
    /// When it was asked for, milliseconds since the epoch.
    pub created_at_ms: i64,
    /// When something happened last.
    pub updated_at_ms: i64,
}

/// Who asked, in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListedRequester {
    /// The person, or the program.
    pub who: PersonRef,
}

/// How far a run is, in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListedRun {
    /// When a held one tries again by itself, milliseconds since the epoch.
    #[serde(default)]
    pub goes_on_at_ms: Option<i64>,
}

/// What was handed in, in a list.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ListedSubmission {
    /// The ticket.
    pub ticket: Option<String>,
}

/// Which changes are wanted, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest<'a> {
    /// All.
    All,
    /// Those in a state.
    InState(State),
    /// Those of a requester: [`Requester::key`](crate::model::change::Requester::key).
    OfRequester(&'a str),
}

/// Why an update did not happen.
#[derive(Debug)]
pub enum Refused {
    /// An operation beside the change's own, by its place, and what it found.
    Condition {
        /// Its place.
        index: usize,
        /// What it found.
        conflict: Conflict,
    },
    /// Everything else.
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Where no condition was meant to fail.
impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Error(error) => error,
            Refused::Condition { index, conflict } => Self::internal(format!("operation {index}: {conflict}")),
        }
    }
}

/// Changes, plans and attempts in the store.
#[derive(Clone)]
pub struct ChangeBook {
    store: Arc<dyn Store>,
}

impl ChangeBook {
    /// Over the store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store, for what has to change together with a row of the book.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Writes a new change down.
    pub async fn add(&self, change: &Change) -> Result<(), Error> {
        self.transact(vec![put(change, Expect::Absent)?]).await.map(drop)
    }

    /// A change. Error: `change_unknown`.
    pub async fn get(&self, id: &ChangeId) -> Result<Kept, Error> {
        let record = self.store.get(CHANGES, id.as_str()).await?.ok_or_else(unknown)?;
        Ok(Kept { revision: record.revision, change: read(record)? })
    }

    /// Changes in a state, ordered by id, that is by age; at most `limit`, at most 1,000.
    pub async fn in_state(&self, state: State, after: Option<&ChangeId>, limit: usize) -> Result<Vec<Kept>, Error> {
        let filter = Some(("state", state.as_str()));
        let after = after.map(ChangeId::as_str);
        let records = self.store.list(Query { collection: CHANGES, filter, after, limit, descending: false }).await?;
        records.into_iter().map(|r| Ok(Kept { revision: r.revision, change: read(r)? })).collect()
    }

    /// Changes, the newest first, older than `before`; at most `limit`, at most 1,000.
    pub async fn newest(
        &self,
        which: Newest<'_>,
        before: Option<&ChangeId>,
        limit: usize,
    ) -> Result<Vec<Listed>, Error> {
        let filter = match which {
            Newest::All => None,
            Newest::InState(state) => Some(("state", state.as_str())),
            Newest::OfRequester(key) => Some(("requester", key)),
        };
        let after = before.map(ChangeId::as_str);
        let query = Query { collection: CHANGES, filter, after, limit, descending: true };
        let records = self.store.list(query).await?;
        records.into_iter().map(read).collect()
    }

    /// Changes a change: `edit` is called again with the newest row when somebody else was faster. What `edit` refuses is
    /// handed on, and nothing is written; `more` goes into the same transaction.
    pub async fn update<T>(
        &self,
        id: &ChangeId,
        edit: impl FnMut(&mut Change) -> Result<(T, Vec<Op>), Error>,
    ) -> Result<(T, Change), Error> {
        Ok(self.update_where(id, edit).await?)
    }

    /// As [`ChangeBook::update`], for operations whose own conditions may not hold.
    pub async fn update_where<T>(
        &self,
        id: &ChangeId,
        mut edit: impl FnMut(&mut Change) -> Result<(T, Vec<Op>), Error>,
    ) -> Result<(T, Change), Refused> {
        for _ in 0..TRIES {
            let kept = self.get(id).await?;
            if let Some(done) = self.update_at(kept, &mut edit).await? {
                return Ok(done);
            }
        }
        Err(Refused::Error(busy()))
    }

    /// As [`ChangeBook::update_where`], over exactly this row; nothing, and nothing is written, where somebody else was faster.
    pub async fn update_at<T>(
        &self,
        kept: Kept,
        edit: impl FnOnce(&mut Change) -> Result<(T, Vec<Op>), Error>,
    ) -> Result<Option<(T, Change)>, Refused> {
        let Kept { mut change, revision } = kept;
        let (result, more) = edit(&mut change)?;
        let mut ops = vec![put(&change, Expect::Revision(revision))?];
        ops.extend(more);
        match self.store.transact(ops).await {
            Ok(_) => Ok(Some((result, change))),
            Err(TransactError::Conflict { index: 0, conflict: Conflict::Revision { .. } }) => Ok(None),
            Err(TransactError::Conflict { index, conflict }) => {
                Err(Refused::Condition { index: index.saturating_sub(1), conflict })
            }
            Err(TransactError::Store(error)) => Err(Refused::Error(error)),
        }
    }

    /// The public plan of a change.
    pub async fn plan(&self, id: &ChangeId) -> Result<Option<PublicPlan>, Error> {
        self.store.get(PLANS, id.as_str()).await?.map(read).transpose()
    }

    /// What writes a public plan down.
    pub fn put_plan(id: &ChangeId, plan: &PublicPlan) -> Result<Op, Error> {
        let body = serde_json::to_value(plan).map_err(Error::internal)?;
        Ok(Op::Put { collection: PLANS, id: id.to_string(), expect: Expect::Any, body, expires_at: None })
    }

    /// One attempt.
    pub async fn attempt(
        &self,
        id: &ChangeId,
        device_id: &str,
        direction: Direction,
        number: u32,
    ) -> Result<Option<Attempt>, Error> {
        let id = Attempt::id(id.as_str(), device_id, direction, number);
        self.store.get(ATTEMPTS, &id).await?.map(read).transpose()
    }

    /// The attempt of an id ([`Attempt::id`]).
    pub async fn attempt_by_id(&self, id: &str) -> Result<Option<Attempt>, Error> {
        self.store.get(ATTEMPTS, id).await?.map(read).transpose()
    }

    /// All attempts of a change, at most 1,000.
    pub async fn attempts(&self, id: &ChangeId) -> Result<Vec<Attempt>, Error> {
        let filter = Some(("change", id.as_str()));
        let records = self
            .store
            .list(Query { collection: ATTEMPTS, filter, after: None, limit: 1000, descending: false })
            .await?;
        records.into_iter().map(read).collect()
    }

    /// Attempts of all changes whose outcome has this name, at most 1,000: the live ones are few.
    pub async fn attempts_that_are(&self, outcome: &str) -> Result<Vec<Attempt>, Error> {
        let filter = Some(("outcome", outcome));
        let records = self
            .store
            .list(Query { collection: ATTEMPTS, filter, after: None, limit: 1000, descending: false })
            .await?;
        records.into_iter().map(read).collect()
    }

    /// An attempt with the revision of its row.
    pub async fn attempt_at(&self, id: &str) -> Result<Option<(Attempt, u64)>, Error> {
        let record = self.store.get(ATTEMPTS, id).await?;
        record.map(|record| Ok((record.revision, read(record)?))).transpose().map(|r| r.map(|(n, a)| (a, n)))
    }

    /// What writes an attempt down.
    pub fn put_attempt(attempt: &Attempt, expect: Expect) -> Result<Op, Error> {
        let id = Attempt::id(&attempt.change, &attempt.device_id, attempt.direction, attempt.number);
        let body = serde_json::to_value(attempt).map_err(Error::internal)?;
        Ok(Op::Put { collection: ATTEMPTS, id, expect, body, expires_at: None })
    }

    /// A transaction of the store, with the platform's error.
    pub async fn transact(&self, ops: Vec<Op>) -> Result<Vec<OpResult>, Error> {
        Ok(self.store.transact(ops).await?)
    }
}

fn put(change: &Change, expect: Expect) -> Result<Op, Error> {
    let body = serde_json::to_value(change).map_err(Error::internal)?;
    Ok(Op::Put { collection: CHANGES, id: change.id.to_string(), expect, body, expires_at: None })
}

fn read<T: DeserializeOwned>(record: Record) -> Result<T, Error> {
    serde_json::from_value(record.body).map_err(Error::internal)
}

/// What is told when others are faster each time.
pub(crate) fn busy() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "change_busy",
        "The change is being changed by others all the time. Try again in a moment.",
    )
}
