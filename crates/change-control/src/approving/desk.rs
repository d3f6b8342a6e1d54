//! Which changes wait for whom.

use platform::{Error, Principal};

use super::rules;
use crate::changes::Changes;
use crate::model::change::{Change, ChangeId};
use crate::model::state::State;

/// Rows that are read in one step.
const PAGE: usize = 500;
/// Most changes on one list.
const MOST: usize = 200;

impl Changes {
    /// The submissions that this person may decide about now, the oldest first; at most 200.
    pub async fn waiting_for(&self, person: &Principal) -> Result<Vec<Change>, Error> {
        let (mut waiting, mut after, now_ms) = (Vec::new(), None::<ChangeId>, self.now_ms());
        loop {
            let page = self.book().in_state(State::Submitted, after.as_ref(), PAGE).await?;
            let full = page.len() == PAGE;
            after = page.last().map(|kept| kept.change.id.clone());
            let mine = page.into_iter().map(|kept| kept.change);
            waiting.extend(mine.filter(|change| rules::may_decide(change, person, now_ms).is_ok()));
            if !full || waiting.len() >= MOST {
                waiting.truncate(MOST);
                return Ok(waiting);
            }
        }
    }
}
