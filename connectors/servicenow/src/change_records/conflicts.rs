//! Conflict detection: the instance looks in the background for what stands against a change, and is asked until it is done.

use std::time::{Duration, Instant};

use http::Method;
use platform::http::Request;
use platform::{Error, ErrorKind, Json};
use serde::Deserialize;
use serde_json::json;
use tool_runtime::ToolCx;
use tool_runtime::combinators::{Poll, poll_until};
use tool_runtime::ports::change_records::Conflict;

use crate::changes::{PATH, Started};
use crate::client::Api;
use crate::query::{Query, Table};
use crate::record::Record;
use crate::write;

static TABLE: Table = Table { name: "conflict", fields: &["change"] };

/// How long the instance is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// Starts a detection, waits for its end, and reads what it found.
pub(super) async fn detect(api: &Api, cx: &ToolCx, id: &str) -> Result<Vec<Conflict>, Error> {
    let path = format!("{PATH}/{id}/conflict");
    let request = Request::new(Method::POST, path.clone(), cx.deadline).json(&json!({}))?;
    write::sending(cx);
    let begun: Begun = api.send(cx, request).await?;
    // From here on it only reads, and a repeat of the whole would do no harm either.
    write::preparing(cx);
    let done = match begun.job_status {
        None => begun.worker.finished(api, cx).await?,
        Some(_) => {
            let until = (Instant::now() + WAIT).min(cx.deadline);
            let seen = poll_until(until, || async {
                let found: Begun = api.get(cx, &path).await?;
                Ok(if found.is_over() { Poll::Ready(true) } else { Poll::Pending(false) })
            });
            seen.await? == Poll::Ready(true)
        }
    };
    if !done {
        return Err(Error::new(
            ErrorKind::Timeout,
            "ticket_conflicts_pending",
            "ServiceNow looks for conflicts and has not finished. Ask again in a minute.",
        ));
    }
    let query = Query::of(&TABLE).is("change", Some(id)).build()?;
    let fields = ["change", "type", "configuration_item", "conflicting_change", "schedule"];
    Ok(api.all(cx, &TABLE, &query, &fields).await?.iter().map(conflict).collect())
}

/// Releases differ: some answer with a worker, some with the status of a job: 0 waits, 1 runs, 2 is over.
#[derive(Deserialize)]
struct Begun {
    job_status: Option<Json>,
    #[serde(flatten)]
    worker: Started,
}

impl Begun {
    fn is_over(&self) -> bool {
        match &self.job_status {
            Some(Json::String(text)) => text == "2",
            Some(Json::Number(number)) => number.as_u64() == Some(2),
            _ => false,
        }
    }
}

fn conflict(row: &Record) -> Conflict {
    Conflict {
        kind: row.owned("type").unwrap_or_default(),
        ci: row.owned("configuration_item"),
        with: row.shown("conflicting_change").or_else(|| row.shown("schedule")).unwrap_or_default(),
    }
}
