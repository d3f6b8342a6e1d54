//! Search: the newest records first, a page at a time, over all logs of a folder. Next: [`super::export()`] for all of
//! them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use platform::Json;
use platform::audit::{AuditFilter, AuditPosition};

use super::folder::logs;
use crate::error::AuditFault;
use crate::query::{self, Order};

/// Where a page begins: before a position of a log. As text `<position>` of the current log, or `<log>:<position>`, where
/// the log is named by the last part of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The log; the current one where it is absent.
    pub log: Option<String>,
    /// The position.
    pub position: u64,
}

impl FromStr for Before {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (log, position) = match text.split_once(':') {
            Some((log, position)) => (Some(log.to_owned()), position),
            None => (None, text),
        };
        let position = position.parse().map_err(|_| "not a position, nor `log:position`".to_owned())?;
        Ok(Self { log, position })
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.log {
            Some(log) => write!(f, "{log}:{}", self.position),
            None => write!(f, "{}", self.position),
        }
    }
}

/// A page of a search.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records as they stand, newest first.
    pub records: Vec<Json>,
    /// Where the next page begins; absent when there is nothing more.
    pub next: Option<Before>,
}

/// The newest `limit` records that `filter` admits, before `before`. `state` is the logs' folder or one database. Error:
/// [`AuditFault::NoSuchLog`] when `before` names none of them.
pub fn search(state: &Path, filter: &AuditFilter, before: Option<&Before>, limit: usize) -> Result<Page, AuditFault> {
    let mut logs = logs(state)?;
    let mut filter = filter.clone();
    if let Some(before) = before {
        let named = |log: &super::LogPlace| before.log.as_deref().map_or(log.current, |name| log.short() == name);
        let place = logs.iter().position(named).ok_or_else(|| AuditFault::NoSuchLog(before.to_string()))?;
        logs.truncate(place + 1);
        filter.before = Some(AuditPosition(before.position));
    }
    let mut records = Vec::new();
    let mut last: Option<Before> = None;
    for log in logs.iter().rev() {
        let connection = log.open()?;
        // One more than asked for: it tells whether there is a next page.
        let wanted = limit + 1 - records.len();
        query::each(&connection, &filter, Order::NewestFirst, Some(wanted), |position, line| {
            if records.len() < limit {
                last = Some(Before { log: Some(log.short().to_owned()), position: position.0 });
            }
            records.push(query::parsed(position, line)?);
            Ok(())
        })?;
        if records.len() > limit {
            break;
        }
        filter.before = None;
    }
    let more = records.len() > limit;
    records.truncate(limit);
    Ok(Page { records, next: last.filter(|_| more) })
}
