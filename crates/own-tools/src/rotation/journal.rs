//! What a rotation has done so far, as the store keeps it: one record per server. Each step is written down before it is
//! taken, so that a rotation which was cut off is finished or undone, and never guessed.
//!
//! The record is also the lock: a step is written over the revision of the step before, so that of two rotations only one
//! goes on, and one that was taken over stops at its next step.

use std::sync::Arc;

use platform::store::{Collection, Conflict, Expect, Op, OpResult, Query, Record, Store, TransactError};
use platform::{Error, ErrorKind, SharedClock};
use serde::{Deserialize, Serialize};

const ROTATIONS: Collection = Collection { name: "credential_rotations", indexes: &[] };
/// How long a rotation may be silent before another one takes over, seconds: longer than the longest request to a target.
const LEASE_S: i64 = 90;
/// Most servers of one platform that are looked at when it starts.
const MOST: usize = 1000;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// The new version is about to be written.
    Switching,
    /// The new version is in force; it is about to be tried in use.
    Switched,
    /// The old version is about to be put back in force.
    Undoing,
    /// The old version is about to be deleted.
    Retiring,
    /// Nothing is under way.
    Done,
}

/// A server's rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    pub(super) step: Step,
    /// The version that was in force.
    pub(super) from: u64,
    /// The call that rotates.
    pub(super) call_id: String,
    /// When the silence has lasted too long, seconds since the epoch.
    lease_until: i64,
    /// Versions that rotations deleted and the next one destroys.
    pub(super) retired: Vec<u64>,
}

/// The record in our hands.
pub(super) struct Held {
    server: String,
    revision: u64,
    pub(super) rotation: Rotation,
}

pub(super) struct Journal {
    store: Arc<dyn Store>,
    clock: SharedClock,
}

impl Journal {
    pub(super) fn new(store: Arc<dyn Store>, clock: SharedClock) -> Self {
        Self { store, clock }
    }

    /// Begins a rotation of the version `from`. Error: `rotation_in_progress`.
    pub(super) async fn begin(&self, server: &str, from: u64, call_id: &str) -> Result<Held, Error> {
        let known = self.known(server).await?;
        let (revision, retired) = match known {
            None => (0, Vec::new()),
            Some(held) if held.rotation.step == Step::Done => (held.revision, held.rotation.retired),
            Some(_) => return Err(in_progress()),
        };
        let rotation = Rotation { step: Step::Switching, from, call_id: call_id.to_owned(), lease_until: 0, retired };
        let mut held = Held { server: server.to_owned(), revision, rotation };
        self.write(&mut held).await?;
        Ok(held)
    }

    /// The next step, written down before it is taken.
    pub(super) async fn step(&self, held: &mut Held, step: Step) -> Result<(), Error> {
        held.rotation.step = step;
        self.write(held).await
    }

    /// A rotation that was cut off: its lease has run out, or nobody else can be at work on it (`alone`). It is ours from now
    /// on. Error: `rotation_in_progress` while another one is at work.
    pub(super) async fn take_over(&self, server: &str, alone: bool) -> Result<Option<Held>, Error> {
        let Some(mut held) = self.known(server).await? else { return Ok(None) };
        if held.rotation.step == Step::Done {
            return Ok(None);
        }
        if !alone && held.rotation.lease_until > self.clock.epoch_seconds() {
            return Err(in_progress());
        }
        self.write(&mut held).await?;
        Ok(Some(held))
    }

    /// Servers with a rotation that is not done.
    pub(super) async fn open(&self) -> Result<Vec<String>, Error> {
        let query = Query { collection: ROTATIONS, filter: None, after: None, limit: MOST, descending: false };
        let mut open = Vec::new();
        for record in self.store.list(query).await? {
            let held = read(record)?;
            if held.rotation.step != Step::Done {
                open.push(held.server);
            }
        }
        Ok(open)
    }

    async fn known(&self, server: &str) -> Result<Option<Held>, Error> {
        self.store.get(ROTATIONS, server).await?.map(read).transpose()
    }

    async fn write(&self, held: &mut Held) -> Result<(), Error> {
        held.rotation.lease_until = self.clock.epoch_seconds().saturating_add(LEASE_S);
        let expect = if held.revision == 0 { Expect::Absent } else { Expect::Revision(held.revision) };
        let put = Op::Put {
            collection: ROTATIONS,
            id: held.server.clone(),
            expect,
            body: serde_json::to_value(&held.rotation).map_err(Error::internal)?,
            expires_at: None,
        };
        match self.store.transact(vec![put]).await {
            Ok(results) => {
                let Some(OpResult::Revision(revision)) = results.first() else {
                    return Err(Error::internal("a record was written and has no revision"));
                };
                held.revision = *revision;
                Ok(())
            }
            Err(TransactError::Conflict { conflict: Conflict::Revision { .. }, .. }) => Err(in_progress()),
            Err(error) => Err(error.into()),
        }
    }
}

fn read(record: Record) -> Result<Held, Error> {
    // A rotation that cannot be read must not be taken for none.
    let rotation = serde_json::from_value(record.body).map_err(Error::internal)?;
    Ok(Held { server: record.id, revision: record.revision, rotation })
}

fn in_progress() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "rotation_in_progress",
        "The credential of this server is being rotated by another call. Repeat this one when that has ended.",
    )
    .with_retry_after(std::time::Duration::from_secs(10))
}
