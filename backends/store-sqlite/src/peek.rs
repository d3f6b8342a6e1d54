//! A look at one collection from outside, read only and beside a running platform: what an auditor's command needs to know
//! of the registry of logs. Next: [`crate::SqliteStore`], which writes it.

use std::path::Path;
use std::time::Duration;

use platform::Json;
use platform::error::{Error, ErrorKind};
use platform::store::Collection;
use rusqlite::{Connection, OpenFlags};

/// The bodies of all records of a collection, by id. `None` when there is no file. Error: `store_unavailable`.
pub fn peek(path: &Path, collection: Collection) -> Result<Option<Vec<Json>>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let read = || -> rusqlite::Result<Vec<String>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF;")?;
        let mut statement = connection.prepare("SELECT body FROM record WHERE collection = ? ORDER BY id")?;
        let rows = statement.query_map([collection.name], |row| row.get(0))?;
        rows.collect()
    };
    let unavailable = |e: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Unavailable, "store_unavailable", "The store cannot be read; try again.").with_detail(e)
    };
    let bodies = read().map_err(|e| unavailable(&e))?;
    let parsed: Result<Vec<Json>, _> = bodies.iter().map(|body| serde_json::from_str(body)).collect();
    parsed.map(Some).map_err(|e| unavailable(&e))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use platform::clock::SystemClock;
    use platform::store::{Collection, Expect, Op, Store};
    use serde_json::json;

    use super::peek;
    use crate::SqliteStore;

    const THINGS: Collection = Collection { name: "things", indexes: &[] };
    const OTHERS: Collection = Collection { name: "others", indexes: &[] };

    #[tokio::test]
    async fn t25_a_running_store_can_be_looked_at_and_is_not_held_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        assert_eq!(peek(&path, THINGS).unwrap(), None);
        let store = SqliteStore::open(&path, Arc::new(SystemClock)).unwrap();
        for id in ["b", "a"] {
            let put = Op::Put {
                collection: THINGS,
                id: id.to_owned(),
                body: json!({"id": id}),
                expect: Expect::Absent,
                expires_at: None,
            };
            store.transact(vec![put]).await.unwrap();
        }
        assert_eq!(peek(&path, THINGS).unwrap().unwrap(), [json!({"id": "a"}), json!({"id": "b"})]);
        assert_eq!(peek(&path, OTHERS).unwrap().unwrap(), Vec::<platform::Json>::new());
        std::fs::write(folder.path().join("other"), "not a database, and long enough to be looked at as one").unwrap();
        assert_eq!(peek(&folder.path().join("other"), THINGS).unwrap_err().code(), "store_unavailable");
    }
}
