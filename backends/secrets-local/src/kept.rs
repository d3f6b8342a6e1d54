//! Current versions that were read, kept as they stand in the file: sealed, so that a call's credential costs no look into the
//! file and is in the clear no longer than before. What is kept holds only as long as nothing was written
//! ([`SqliteFile::generation`]). Next: [`crate::versions`], which reads and opens them.
//!
//! [`SqliteFile::generation`]: sqlite_file::SqliteFile::generation

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::versions::SealedVersion;

/// Most rows that are kept. There is one for each server instance, and a few of the platform's own.
const MOST: usize = 256;

/// Rows of one generation of the file, by path.
#[derive(Default)]
pub(crate) struct Kept(RwLock<Generation>);

#[derive(Default)]
struct Generation {
    number: u64,
    rows: HashMap<String, SealedVersion>,
}

impl Kept {
    /// A row that was read in this generation.
    pub(crate) fn find(&self, generation: u64, path: &str) -> Option<SealedVersion> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.rows.get(path).filter(|_| kept.number == generation).cloned()
    }

    /// Keeps a row. `generation` is that of the file before the row was read.
    pub(crate) fn keep(&self, generation: u64, path: String, row: SealedVersion) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.number > generation {
            return;
        }
        if kept.number < generation || kept.rows.len() >= MOST {
            *kept = Generation { number: generation, rows: HashMap::new() };
        }
        kept.rows.insert(path, row);
    }

    /// Lets everything go: what was destroyed must not be here either.
    pub(crate) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;
    use crate::versions::SealedVersion;

    #[test]
    fn a_row_holds_for_its_generation_and_never_comes_back_from_an_older_one() {
        let kept = Kept::default();
        kept.keep(3, "a".to_owned(), SealedVersion::numbered(1));
        assert_eq!(kept.find(3, "a").map(|row| row.version()), Some(1));
        assert!(kept.find(4, "a").is_none() && kept.find(2, "a").is_none() && kept.find(3, "b").is_none());
        kept.keep(4, "b".to_owned(), SealedVersion::numbered(2));
        // Read before the write, and slower than those that were read after it.
        kept.keep(3, "a".to_owned(), SealedVersion::numbered(1));
        assert!(kept.find(3, "a").is_none() && kept.find(4, "a").is_none());
        assert_eq!(kept.find(4, "b").map(|row| row.version()), Some(2));
        kept.forget();
        assert!(kept.find(4, "b").is_none());
    }
}
