//! What doors show of changes: one of them, their list, and the plan. Who may see which is decided in [`sight`], and
//! everything else about a change is unknown, as if it were not there.
//!
//! - [`shown`]: a change as callers see it; no secret stands in it (T15, T27)
//! - [`meaning`]: what its state means, and what may follow
//! - [`difference`]: the plan as people and models read it, devices with the same difference together
//! - [`sight`]: who sees what

pub mod difference;
pub mod meaning;
pub mod shown;
pub(crate) mod sight;

use std::time::Instant;

use platform::{CallContext, Error, ErrorKind, Principal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tool_runtime::combinators::{Poll, poll_until};

use self::difference::PlanView;
use self::shown::{ChangeRow, ChangeView};
use crate::book::{Kept, Listed, Newest};
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId, unknown};
use crate::model::plan::PublicPlan;
use crate::model::state::State;

/// Most rows of a page.
pub const MAX_ROWS: usize = 200;
/// Rows that one request looks at, whatever of them the caller may see: a page may come short, and has a next one then.
const LOOKED_AT: usize = 400;
/// Fewest rows that are read at a time once the first ones did not make a page: whoever sees few is not served one by one.
const STEP: usize = 100;

/// Whose changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Requesters {
    /// Those that the caller asked for.
    Me,
    /// All that the caller may see.
    #[default]
    All,
}

/// Which changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Whose.
    pub requester: Requesters,
    /// Only those of this server instance.
    pub server: Option<String>,
}

/// A page of changes, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangePage {
    /// Changes.
    pub items: Vec<ChangeRow>,
    /// Pass as `cursor` for older ones; nothing on the last page. A page may be short, or empty, and still have a next one.
    pub next_cursor: Option<String>,
}

impl Changes {
    /// A change as this caller sees it. Error: `change_unknown`, also for one that the caller may not see.
    pub async fn view(&self, cx: &CallContext, id: &ChangeId) -> Result<ChangeView, Error> {
        let kept = self.seen(&cx.principal, id).await?;
        self.shown(kept).await
    }

    /// The same, once the change is at another revision than `since` (nothing: than now), or `until` is over. A change that
    /// has ended is shown at once.
    pub async fn view_when_changed(
        &self,
        cx: &CallContext,
        id: &ChangeId,
        since: Option<u64>,
        until: Instant,
    ) -> Result<ChangeView, Error> {
        let first = self.seen(&cx.principal, id).await?;
        let since = since.unwrap_or(first.revision);
        let looked = |kept: Kept| {
            let over = kept.revision != since || kept.change.state.is_terminal();
            if over { Poll::Ready(kept) } else { Poll::Pending(kept) }
        };
        let kept = match looked(first) {
            Poll::Ready(kept) => kept,
            Poll::Pending(_) => match poll_until(until, || async { Ok(looked(self.book().get(id).await?)) }).await? {
                Poll::Ready(kept) | Poll::Pending(kept) => kept,
            },
        };
        self.shown(kept).await
    }

    /// Changes that this caller may see, the newest first; at most `limit`, at most [`MAX_ROWS`]. `cursor` is the
    /// `next_cursor` of the page before. Error: `invalid_cursor`.
    pub async fn list(
        &self,
        cx: &CallContext,
        filter: &ListFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ChangePage, Error> {
        let sight = self.sight(&cx.principal).await?;
        let mut before = cursor.map(ChangeId::parse).transpose().map_err(|_| {
            Error::new(
                ErrorKind::NotFound,
                "invalid_cursor",
                "The cursor is none of this list; start again without a cursor.",
            )
        })?;
        let limit = limit.clamp(1, MAX_ROWS);
        let key = cx.principal.key();
        // The store keeps one index per question; what the other one would say is asked of each row.
        let newest = match (filter.requester, filter.state) {
            (Requesters::Me, _) => Newest::OfRequester(&key),
            (Requesters::All, Some(state)) => Newest::InState(state),
            (Requesters::All, None) => Newest::All,
        };
        let wanted = |change: &Listed| {
            filter.state.is_none_or(|state| change.state == state)
                && filter.server.as_ref().is_none_or(|server| change.instance.name == *server)
                && sight.reaches_listed(change)
        };
        let (mut items, mut looked_at) = (Vec::new(), 0);
        loop {
            // One row beyond the page says whether there is a next one.
            let missing = limit + 1 - items.len();
            let step = if looked_at == 0 { missing } else { missing.max(STEP) }.min(LOOKED_AT - looked_at);
            let read = self.book().newest(newest, before.as_ref(), step).await?;
            let last = read.len() < step;
            looked_at += read.len();
            for change in read {
                if items.len() == limit {
                    return Ok(ChangePage { items, next_cursor: before.map(|id| id.to_string()) });
                }
                before = Some(change.id.clone());
                if wanted(&change) {
                    items.push(ChangeRow::of(change));
                }
            }
            if last || looked_at >= LOOKED_AT {
                let next_cursor = before.filter(|_| !last).map(|id| id.to_string());
                return Ok(ChangePage { items, next_cursor });
            }
        }
    }

    /// The plan as people read it. Errors: `change_unknown`, `change_not_planned`.
    pub async fn plan_view(&self, cx: &CallContext, id: &ChangeId) -> Result<PlanView, Error> {
        let (kept, plan) = self.seen_plan(cx, id).await?;
        Ok(PlanView::of(&kept.change, &plan))
    }

    /// The whole public plan: what its hash is computed over (T15). Errors: `change_unknown`, `change_not_planned`.
    pub async fn public_plan(&self, cx: &CallContext, id: &ChangeId) -> Result<PublicPlan, Error> {
        Ok(self.seen_plan(cx, id).await?.1)
    }

    /// Whether this person may see the change: whoever asked for it, may approve it, may use the tools of its server that
    /// change something, or reads the audit log.
    pub async fn may_see(&self, person: &Principal, change: &Change) -> Result<bool, Error> {
        Ok(self.sight(person).await?.reaches(change))
    }

    /// A change that this caller may see. Error: `change_unknown`, for one that is not there and for one that the caller may
    /// not see alike.
    pub async fn seen(&self, caller: &Principal, id: &ChangeId) -> Result<Kept, Error> {
        let kept = self.book().get(id).await?;
        if self.may_see(caller, &kept.change).await? { Ok(kept) } else { Err(unknown()) }
    }

    async fn seen_plan(&self, cx: &CallContext, id: &ChangeId) -> Result<(Kept, PublicPlan), Error> {
        let kept = self.seen(&cx.principal, id).await?;
        let plan = self.book().plan(id).await?.filter(|_| kept.change.plan.is_some()).ok_or_else(|| {
            let error = Error::new(
                ErrorKind::Conflict,
                "change_not_planned",
                format!("This change is {} and has no plan to show.", kept.change.state),
            );
            match kept.change.state {
                State::Planning => {
                    error.with_next("get_change", serde_json::json!({"change_id": id, "wait_s": meaning::WAIT_S}))
                }
                _ => error,
            }
        })?;
        Ok((kept, plan))
    }

    async fn shown(&self, kept: Kept) -> Result<ChangeView, Error> {
        let plan = match &kept.change.plan {
            Some(_) => self.book().plan(&kept.change.id).await?,
            None => None,
        };
        let url = self.page_url(&kept.change.id);
        ChangeView::of(&kept, plan.as_ref(), url)
    }
}
