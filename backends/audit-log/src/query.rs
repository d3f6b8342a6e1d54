//! Reading records by the columns that are indexed: position, request, caller. Next: [`crate::offline`] for whole-log
//! reading.

use platform::Json;
use platform::audit::AuditFilter;
use rusqlite::{Connection, ToSql};

use crate::error::AuditFault;

/// The latest `limit` records that `filter` admits, oldest first.
pub(crate) fn recent(connection: &Connection, filter: &AuditFilter, limit: usize) -> Result<Vec<Json>, AuditFault> {
    let mut sql = "SELECT seq, line FROM audit WHERE seq > ?1".to_owned();
    let after = filter.after.map_or(0, |position| i64::try_from(position.0).unwrap_or(i64::MAX));
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(after)];
    if let Some(request) = &filter.request_id {
        values.push(Box::new(request.clone()));
        sql.push_str(&format!(" AND request_id = ?{}", values.len()));
    }
    if let Some((issuer, subject)) = &filter.actor {
        values.push(Box::new(subject.clone()));
        sql.push_str(&format!(" AND subject = ?{}", values.len()));
        values.push(Box::new(issuer.clone()));
        sql.push_str(&format!(" AND issuer = ?{}", values.len()));
    }
    values.push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
    sql.push_str(&format!(" ORDER BY seq DESC LIMIT ?{}", values.len()));

    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let line = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        found.push(
            serde_json::from_str(line)
                .map_err(|e| AuditFault::damaged(position.unsigned_abs(), format!("the record is no JSON: {e}")))?,
        );
    }
    found.reverse();
    Ok(found)
}
