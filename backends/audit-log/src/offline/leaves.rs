//! The leaves of a log in order, those of removed records first: what proofs and the walk read. Next: [`super::proof`].

use rusqlite::Connection;

use crate::error::AuditFault;
use crate::file::steps_taken;
use crate::schema::WITH_SEARCH;
use crate::tree::{Hash, leaf_hash};

/// Hands each range of removed records to `seen`: its first position and its leaves, 32 bytes each.
pub(crate) fn each_removed(connection: &Connection, mut seen: impl FnMut(u64, &[u8])) -> Result<(), AuditFault> {
    if steps_taken(connection)? < WITH_SEARCH {
        return Ok(());
    }
    let mut statement = connection.prepare("SELECT first, leaves FROM removed ORDER BY last")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let leaves = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        seen(row.get::<_, i64>(0)?.unsigned_abs(), leaves);
    }
    Ok(())
}

/// Hands the leaves of the first `size` records to `seen`, in order, and returns how many there were. One that is missing
/// ends it: what comes after would stand in another place.
pub(crate) fn each_leaf(connection: &Connection, size: u64, mut seen: impl FnMut(Hash)) -> Result<u64, AuditFault> {
    let mut count = 0;
    each_removed(connection, |_, leaves| {
        for leaf in leaves.as_chunks::<32>().0 {
            if count < size {
                seen(*leaf);
                count += 1;
            }
        }
    })?;
    let mut statement = connection.prepare("SELECT seq, line FROM audit WHERE seq > ?1 AND seq <= ?2 ORDER BY seq")?;
    let most = i64::try_from(size).unwrap_or(i64::MAX);
    let mut rows = statement.query([i64::try_from(count).unwrap_or(i64::MAX), most])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(0)?.unsigned_abs() != count + 1 {
            break;
        }
        seen(leaf_hash(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?.as_bytes()));
        count += 1;
    }
    Ok(count)
}
