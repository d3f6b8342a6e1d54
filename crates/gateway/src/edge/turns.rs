//! Fairness: how many requests of one source, or of one principal, are under way at once. Nobody takes all of a process's
//! room, however quickly they ask.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use platform::{Error, ErrorKind};

/// Counts requests under way by a key of which only a keyed hash is kept; two keys with the same hash would share.
pub(crate) struct Turns {
    hasher: RandomState,
    taken: Arc<Mutex<HashMap<u64, usize>>>,
    most: usize,
    whose: &'static str,
}

/// A request under way.
pub(crate) struct Turn {
    key: u64,
    taken: Arc<Mutex<HashMap<u64, usize>>>,
}

impl Turns {
    /// At most `most` at once for each; `whose` stands in the refusal's sentence.
    pub(crate) fn new(most: usize, whose: &'static str) -> Self {
        Self { hasher: RandomState::new(), taken: Arc::default(), most: most.max(1), whose }
    }

    /// Takes a turn. Errors: `too_many_at_once`, to be repeated shortly.
    pub(crate) fn take(&self, key: impl Hash) -> Result<Turn, Error> {
        let key = self.hasher.hash_one(key);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key).or_default();
        if *count >= self.most {
            return Err(Error::new(
                ErrorKind::RateLimited,
                "too_many_at_once",
                format!("Too many requests of {} are under way. Wait for some of them.", self.whose),
            )
            .with_retry_after(Duration::from_secs(1)));
        }
        *count += 1;
        Ok(Turn { key, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn each_has_its_share_and_gives_it_back() {
        let turns = Turns::new(2, "yours");
        let first = turns.take("alice").unwrap();
        let _second = turns.take("alice").unwrap();
        assert_eq!(turns.take("alice").err().unwrap().code(), "too_many_at_once");
        let _other = turns.take("bob").unwrap();
        drop(first);
        drop(turns.take("alice").unwrap());
        assert_eq!(turns.taken.lock().unwrap().len(), 2);
    }
}
