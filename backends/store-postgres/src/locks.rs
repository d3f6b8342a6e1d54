//! What a transaction locks, and why that is enough.
//!
//! Each thing that an operation names (a record, a one-time id, a counter's window, a lock, a key, an intent) has a number,
//! and the transaction takes PostgreSQL's advisory lock of that number before its first read. The server gives it back when
//! the commit is visible to everybody, and not before. So whoever has the locks sees, in READ COMMITTED, everything that
//! others have done to these things, and nobody changes them until the commit: strict two-phase locking, which is
//! linearisable. All take them in one order, so that none waits in a circle. Row locks alone would not do: what is not there
//! has no row. Numbers are digests; two things that share one merely wait for each other.
//!
//! An idempotency key is decided by the intent of the call that stands behind it, which is known only after reading the key.
//! That one lock is taken late (`calls`); intents come last in the order, and where a circle comes about nevertheless, the
//! server breaks it and the transaction is repeated.

use platform::canonical::sha256;
use platform::store::Op;
use postgres_database::{DatabaseError, Transaction};

/// Everybody takes it shared, first; exclusive for who touches everything.
const EVERYTHING: i64 = 0x494C_5354_0000_0001; // "ILST"

/// More things than this are locked by locking everything: the server's table of locks is small.
const MOST: usize = 256;

/// One statement takes them all, in the order of the array.
const TAKE: &str = "
SELECT CASE WHEN place = 1 THEN pg_advisory_xact_lock_shared(number) ELSE pg_advisory_xact_lock(number) END
FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (number, place)";

/// The sorts of things, in the order in which they are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Record = 1,
    OneTime,
    Counter,
    Lock,
    Key,
    Intent,
}

/// What a transaction locks.
#[derive(Debug)]
pub(crate) enum Locks {
    /// The first number shared, the others exclusive.
    Some(Vec<i64>),
    Everything,
}

impl Locks {
    /// Whatever the operations name.
    pub(crate) fn of(ops: &[Op]) -> Self {
        let mut wanted: Vec<(Sort, i64)> = ops.iter().map(named).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.len() > MOST {
            return Self::Everything;
        }
        Self::Some(std::iter::once(EVERYTHING).chain(wanted.into_iter().map(|(_, number)| number)).collect())
    }

    pub(crate) fn everything() -> Self {
        Self::Everything
    }

    /// Waits until they are had. They go with the transaction.
    pub(crate) async fn take(&self, transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
        match self {
            Self::Some(numbers) => transaction.query(TAKE, &[numbers]).await.map(drop),
            Self::Everything => everything(transaction).await,
        }
    }
}

/// Waits until nobody else is in a transaction of the store.
pub(crate) async fn everything(transaction: &Transaction<'_>) -> Result<(), DatabaseError> {
    transaction.query("SELECT pg_advisory_xact_lock($1)", &[&EVERYTHING]).await.map(drop)
}

/// The intent of one call, late.
pub(crate) async fn intent(transaction: &Transaction<'_>, call_id: &str) -> Result<(), DatabaseError> {
    let number = number(Sort::Intent, &[call_id]);
    transaction.query("SELECT pg_advisory_xact_lock($1)", &[&number]).await.map(drop)
}

fn named(op: &Op) -> (Sort, i64) {
    let (sort, parts): (Sort, &[&str]) = match op {
        Op::Put { collection, id, .. } | Op::Delete { collection, id, .. } => (Sort::Record, &[collection.name, id]),
        Op::ConsumeOnce { namespace, id, .. } => (Sort::OneTime, &[namespace, id]),
        // A counter's windows have nothing to do with each other, and one lock for all of them does no harm.
        Op::AddIfBelow { counter, .. } => (Sort::Counter, &[counter]),
        Op::TakeLock { name, .. } | Op::KeepLock { name, .. } | Op::FreeLock { name, .. } => (Sort::Lock, &[name]),
        Op::ReserveKey { scope, key, .. } | Op::CompleteKey { scope, key, .. } | Op::ReleaseKey { scope, key } => {
            (Sort::Key, &[scope, key])
        }
        Op::OpenIntent { call_id, .. } | Op::SetHandle { call_id, .. } | Op::CloseIntent { call_id, .. } => {
            (Sort::Intent, &[call_id])
        }
    };
    (sort, number(sort, parts))
}

fn number(sort: Sort, parts: &[&str]) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&name(sort as u8, parts)[..8]);
    i64::from_be_bytes(first)
}

/// The digest of a name, for rows whose names have no limit of length: each part with its length before it, so that no two
/// names are one text.
pub(crate) fn name(sort: u8, parts: &[&str]) -> [u8; 32] {
    let mut text = vec![sort];
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    sha256(&text)
}

#[cfg(test)]
mod tests {
    use platform::store::Op;

    use super::{EVERYTHING, Locks, MOST, name};

    fn free(name: &str) -> Op {
        Op::FreeLock { name: name.to_owned(), fence: 1 }
    }

    fn key(name: &str) -> Op {
        Op::ReleaseKey { scope: "s".to_owned(), key: name.to_owned() }
    }

    #[test]
    fn t7_the_same_things_are_locked_once_and_in_one_order() {
        let Locks::Some(one) = Locks::of(&[key("k"), free("a"), free("b"), free("a")]) else { panic!("everything") };
        let Locks::Some(other) = Locks::of(&[free("b"), free("a"), key("k")]) else { panic!("everything") };
        assert_eq!(one, other);
        assert_eq!((one.len(), one[0]), (4, EVERYTHING));
        let Locks::Some(only_key) = Locks::of(&[key("k")]) else { panic!("everything") };
        assert_eq!(one[3], only_key[1], "keys come after locks");
    }

    #[test]
    fn names_that_read_alike_are_told_apart() {
        assert_ne!(name(1, &["ab", "c"]), name(1, &["a", "bc"]));
        assert_ne!(name(1, &["a"]), name(2, &["a"]));
    }

    #[test]
    fn very_many_things_are_everything() {
        let many: Vec<_> = (0..=MOST).map(|n| free(&n.to_string())).collect();
        assert!(matches!(Locks::of(&many), Locks::Everything));
        assert!(matches!(Locks::of(&many[1..]), Locks::Some(_)));
    }
}
