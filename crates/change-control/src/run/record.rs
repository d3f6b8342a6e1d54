//! What the platform puts on record about a change by itself: where its run stopped and how it ended, and why, with both digests where
//! there are two (T18, T25). Each call of a run has its own records; these tell what the calls came to.
//!
//! A record stands before its row. It is made of the very row that the move is written over, whose revision it names: where
//! somebody else was faster, another record is made of the newer row, or one that says that nothing came of the first.

use platform::Error;
use platform::audit::{AuditEntry, Outcome};
use platform::store::Op;
use serde_json::json;

use crate::book::{Kept, Refused, TRIES, busy};
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId, Trouble};
use crate::model::state::State;

/// A row as a record tells of it.
struct Row {
    revision: u64,
    state: State,
    plan_hash: Option<String>,
}

impl Row {
    fn of(kept: &Kept) -> Self {
        let plan_hash = kept.change.plan.as_ref().map(|plan| plan.hash.clone());
        Self { revision: kept.revision, state: kept.change.state, plan_hash }
    }
}

/// A stop that is put on record.
#[derive(Clone, Copy)]
pub(crate) struct Stop<'a> {
    /// Where the change goes.
    pub(crate) to: State,
    /// A few safe words.
    pub(crate) why: &'a str,
    /// What is wrong.
    pub(crate) trouble: Option<&'a Trouble>,
}

impl Changes {
    /// Changes a change as [`ChangeBook::update_where`](crate::ChangeBook::update_where) does, with the record of it before,
    /// where `stop` says that the row is told to stop. A crash in between records it twice rather than never.
    pub(crate) async fn update_on_record<'a, T>(
        &self,
        id: &ChangeId,
        stop: impl Fn(&Change) -> Option<Stop<'a>>,
        mut edit: impl FnMut(&mut Change) -> Result<(T, Vec<Op>), Error>,
    ) -> Result<(T, Change), Refused> {
        let mut told: Option<(Stop<'a>, Row)> = None;
        for _ in 0..TRIES {
            let kept = self.book().get(id).await?;
            match (stop(&kept.change), told.take()) {
                (Some(stop), _) => {
                    let row = Row::of(&kept);
                    self.record_stop(id, &row, &stop, true).await?;
                    told = Some((stop, row));
                }
                (None, Some((stop, row))) => self.record_stop(id, &row, &stop, false).await?,
                (None, None) => {}
            }
            match Box::pin(self.book().update_at(kept, &mut edit)).await {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => {}
                Err(refused) => {
                    if let Some((stop, row)) = told {
                        self.record_stop(id, &row, &stop, false).await?;
                    }
                    return Err(refused);
                }
            }
        }
        Err(busy().into())
    }

    /// One record; `stands` is false where nothing came of the one before it, which named the same revision.
    async fn record_stop(&self, id: &ChangeId, row: &Row, stop: &Stop<'_>, stands: bool) -> Result<(), Error> {
        let action = if stop.to.is_terminal() { "change.ended" } else { "change.stopped" };
        let outcome = match (stop.to, stop.trouble) {
            _ if !stands => Outcome::Refused,
            (State::Done | State::Undone, None) => Outcome::Success,
            _ => Outcome::Failure,
        };
        let mut entry = AuditEntry::event(self.parts.clock.now(), action, outcome);
        entry.code = match stands {
            true => stop.trouble.map(|trouble| trouble.code.clone()),
            false => Some("change_state".to_owned()),
        };
        // What undoes goes on when the disk is full, and so does its record.
        entry.undo = row.state == State::Undoing;
        entry.facts.insert("change".into(), id.as_str().into());
        entry.facts.insert("revision".into(), row.revision.into());
        entry.facts.insert("from".into(), row.state.as_str().into());
        entry.facts.insert("state".into(), stop.to.as_str().into());
        let why = if stands { stop.why } else { "nothing came of it: the change had moved on, or its locks were lost" };
        entry.facts.insert("why".into(), why.into());
        if let Some(hash) = &row.plan_hash {
            entry.facts.insert("plan_hash".into(), hash.as_str().into());
        }
        if let Some(trouble) = stop.trouble {
            entry.facts.insert("trouble".into(), json!({"message": trouble.message, "detail": trouble.detail}));
        }
        self.parts.audit.append(entry).await.map(drop)
    }
}
