//! Reading records by the columns that are indexed: time, person, tool, server, change, outcome, code, request, position.
//! Next: [`crate::offline::search`] for a search over several logs.

use jiff::Timestamp;
use platform::Json;
use platform::audit::{AuditFilter, AuditPosition, Outcome};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::AuditFault;
use crate::file::steps_taken;
use crate::schema::WITH_SEARCH;

/// In which order records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// By rising position.
    OldestFirst,
    /// By falling position.
    NewestFirst,
}

// A log that was closed under the first layout has no columns for these; there they are read from the line.
const FROM_LINE: [(&str, &str); 7] = [
    (
        "at",
        r#"(substr(line ->> '$."@timestamp"', 1, 19) || '.' ||
            substr(rtrim(substr(line ->> '$."@timestamp"', 21), 'Z') || '000000000', 1, 9))"#,
    ),
    ("name", "(line ->> '$.user.name')"),
    ("server", "(line ->> '$.interlock.server')"),
    ("tool", "(line ->> '$.interlock.tool')"),
    ("change", "(line ->> '$.interlock.change')"),
    ("outcome", "(line ->> '$.interlock.outcome')"),
    ("code", "(line ->> '$.event.code')"),
];

struct Where {
    sql: String,
    values: Vec<Value>,
    columns: bool,
}

impl Where {
    fn column(&self, name: &'static str) -> &'static str {
        let from_line = FROM_LINE.iter().find(|(column, _)| *column == name).filter(|_| !self.columns);
        from_line.map_or(name, |(_, expression)| expression)
    }

    fn and(&mut self, column: &'static str, operator: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        let (column, place) = (self.column(column), self.values.len());
        self.sql.push_str(&format!(" AND {column} {operator} ?{place}"));
    }

    fn of(filter: &AuditFilter, columns: bool) -> Self {
        let after = filter.after.map_or(0, |position| i64::try_from(position.0).unwrap_or(i64::MAX));
        let mut found = Self { sql: "seq > ?1".to_owned(), values: vec![Value::from(after)], columns };
        if let Some(before) = filter.before {
            found.and("seq", "<", i64::try_from(before.0).unwrap_or(i64::MAX));
        }
        if let Some((issuer, subject)) = &filter.actor {
            found.and("subject", "=", subject.clone());
            found.and("issuer", "=", issuer.clone());
        }
        let texts = [
            ("request_id", &filter.request_id),
            ("server", &filter.server),
            ("tool", &filter.tool),
            ("change", &filter.change),
            ("code", &filter.code),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                found.and(column, "=", text.clone());
            }
        }
        if let Some(person) = &filter.person {
            found.values.push(Value::from(person.clone()));
            let (name, place) = (found.column("name"), found.values.len());
            found.sql.push_str(&format!(" AND ({name} = ?{place} OR subject = ?{place})"));
        }
        if let Some(outcome) = filter.outcome {
            // Word for word the condition of the index, which is used only then.
            if !matches!(outcome, Outcome::Success | Outcome::Pending) {
                let column = found.column("outcome");
                found.sql.push_str(&format!(" AND {column} NOT IN ('success', 'pending')"));
            }
            found.and("outcome", "=", outcome_name(outcome).to_owned());
        }
        if let Some(from) = filter.from {
            found.time(">=", "min", from);
        }
        if let Some(until) = filter.until {
            found.time("<", "max", until);
        }
        found
    }

    // The index of times only says between which positions to look: a page in the order of positions then ends early,
    // where the index itself would have every record of the time sorted first. Positions rise with time but not strictly.
    // The sum keeps SQLite from looking for the least position record by record.
    fn time(&mut self, operator: &str, end: &str, at: Timestamp) {
        self.values.push(Value::from(sortable(at)));
        let (column, place) = (self.column("at"), self.values.len());
        self.sql.push_str(&format!(" AND +{column} {operator} ?{place}"));
        if self.columns {
            let bound = if end == "min" { ">=" } else { "<=" };
            self.sql.push_str(&format!(
                " AND seq {bound} (SELECT coalesce({end}(seq + 0), 0) FROM audit WHERE at {operator} ?{place})"
            ));
        }
    }
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Refused => "refused",
        Outcome::Pending => "pending",
        Outcome::Unknown => "unknown",
    }
}

/// As the column `at` holds it: nine digits after the point, and no letter at the end.
pub(crate) fn sortable(at: Timestamp) -> String {
    let mut text = format!("{at:.9}");
    text.truncate(text.trim_end_matches('Z').len());
    text
}

/// Hands position and line of each record that `filter` admits to `seen`, at most `limit` of them. Error: that of `seen`,
/// or the database's.
pub(crate) fn each(
    connection: &Connection,
    filter: &AuditFilter,
    order: Order,
    limit: Option<usize>,
    mut seen: impl FnMut(AuditPosition, &str) -> Result<(), AuditFault>,
) -> Result<(), AuditFault> {
    let Where { sql, mut values, .. } = Where::of(filter, steps_taken(connection)? >= WITH_SEARCH);
    values.push(Value::from(limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))));
    let order = if order == Order::NewestFirst { " DESC" } else { "" };
    let sql = format!("SELECT seq, line FROM audit WHERE {sql} ORDER BY seq{order} LIMIT ?{}", values.len());
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let position = row.get::<_, i64>(0)?.unsigned_abs();
        seen(AuditPosition(position), row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
    }
    Ok(())
}

/// A line as JSON. Error: [`AuditFault::Damaged`].
pub(crate) fn parsed(position: AuditPosition, line: &str) -> Result<Json, AuditFault> {
    serde_json::from_str(line).map_err(|e| AuditFault::damaged(position.0, format!("the record is no JSON: {e}")))
}

/// The latest `limit` records that `filter` admits, oldest first.
pub(crate) fn recent(connection: &Connection, filter: &AuditFilter, limit: usize) -> Result<Vec<Json>, AuditFault> {
    let mut found = Vec::new();
    each(connection, filter, Order::NewestFirst, Some(limit), |position, line| {
        found.push(parsed(position, line)?);
        Ok(())
    })?;
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use platform::audit::{AuditFilter, AuditPosition, Outcome};
    use rusqlite::Connection;
    use rusqlite::params_from_iter;

    use super::{Where, sortable};
    use crate::schema::STEPS;

    fn plan(filter: &AuditFilter) -> String {
        let connection = Connection::open_in_memory().unwrap();
        STEPS.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let Where { sql, values, .. } = Where::of(filter, true);
        let sql = format!("EXPLAIN QUERY PLAN SELECT seq, line FROM audit WHERE {sql} ORDER BY seq DESC LIMIT 10");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn t25_every_narrow_filter_is_answered_by_an_index() {
        let text = || Some("x".to_owned());
        let all = AuditFilter::default;
        for (index, filter) in [
            ("audit_by_request", AuditFilter { request_id: text(), ..all() }),
            ("audit_by_actor", AuditFilter { actor: Some(("i".to_owned(), "s".to_owned())), ..all() }),
            ("audit_by_name", AuditFilter { person: text(), ..all() }),
            ("audit_by_tool", AuditFilter { tool: text(), ..all() }),
            ("audit_by_change", AuditFilter { change: text(), ..all() }),
            ("audit_by_code", AuditFilter { code: text(), ..all() }),
            ("audit_by_outcome", AuditFilter { outcome: Some(Outcome::Refused), ..all() }),
            ("audit_by_time", AuditFilter { from: Some(jiff::Timestamp::UNIX_EPOCH), ..all() }),
            ("INTEGER PRIMARY KEY", AuditFilter { before: Some(AuditPosition(9)), ..all() }),
        ] {
            let plan = plan(&filter);
            assert!(plan.contains(index), "{index}: {plan}");
        }
    }

    #[test]
    fn t25_times_sort_as_text_whatever_their_digits() {
        let at = |text: &str| sortable(text.parse().unwrap());
        assert_eq!(at("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000000000");
        assert_eq!(at("2026-01-02T03:04:05.25Z"), "2026-01-02T03:04:05.250000000");
        let connection = Connection::open_in_memory().unwrap();
        STEPS.iter().for_each(|step| connection.execute_batch(step).unwrap());
        let times = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05.000000001Z"];
        for (place, time) in (1..).zip(times) {
            let line = format!(r#"{{"@timestamp":"{time}"}}"#);
            connection.execute("INSERT INTO audit(seq, line, hash) VALUES(?, ?, x'00')", (place, line)).unwrap();
            let column: String =
                connection.query_row("SELECT at FROM audit WHERE seq = ?", [place], |row| row.get(0)).unwrap();
            assert_eq!(column, at(time));
        }
    }
}
