//! Answers to questions over whole tables, kept until a row changes: a client that reads page after page asks the same
//! question each time, and each page is cut from the one answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Most answers that are kept; the oldest goes first.
const MOST: usize = 32;

/// Rows by table and id, in the order of the answer.
pub(crate) type Keys = Arc<[(&'static str, Box<str>)]>;

/// Where an answer stands when somebody has found it.
type Place = Arc<OnceLock<Keys>>;

/// The answers since the last change, by question.
#[derive(Default)]
pub(super) struct Remembered(Mutex<VecDeque<(String, Place)>>);

impl Remembered {
    /// The answer to a question. Callers who ask it at once wait for the first of them to find it.
    pub(super) fn keys(&self, question: &str, find: impl FnOnce() -> Keys) -> Keys {
        let place = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let known = kept.iter().find(|(asked, _)| asked == question).map(|(_, place)| Arc::clone(place));
            known.unwrap_or_else(|| {
                let place = Place::default();
                if kept.len() >= MOST {
                    kept.pop_front();
                }
                kept.push_back((question.to_owned(), Arc::clone(&place)));
                place
            })
        };
        Arc::clone(place.get_or_init(find))
    }

    /// A row changed.
    pub(super) fn forget(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
