//! Which writes run in this process right now. An intent without an outcome means "cannot be told" only once nobody is
//! at work on it any more; until then its key answers "still running" (T7).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ids of running writes.
#[derive(Clone, Default)]
pub(super) struct LiveCalls(Arc<Mutex<HashSet<String>>>);

/// One running write; it is over when this is dropped, however that comes about.
pub(super) struct LiveCall {
    calls: LiveCalls,
    id: String,
}

impl LiveCalls {
    pub(super) fn begin(&self, id: String) -> LiveCall {
        self.ids().insert(id.clone());
        LiveCall { calls: self.clone(), id }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.ids().contains(id)
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveCall {
    fn drop(&mut self) {
        self.calls.ids().remove(&self.id);
    }
}
