//! The vendor's tasks (`GET /task/{id}`, every release has them): started by a write, read until they have ended.

use std::time::Instant;

use http::Method;
use platform::http::{Request, Response};
use platform::{Error, ErrorKind, Json};
use serde::{Deserialize, Serialize};
use tool_runtime::ToolCx;
use tool_runtime::combinators::{Poll, poll_until};

use crate::client::{Api, Enveloped, Query, segment};

const TASKS: &str = "/dna/intent/api/v1/task";
/// Most rows the vendor gives at once.
const PAGE: usize = 500;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    task_id: String,
}

/// A task. Times are the vendor's, milliseconds since the epoch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) is_error: bool,
    pub(crate) progress: Option<String>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) service_type: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) start_time: Option<Json>,
    pub(crate) end_time: Option<Json>,
}

/// A time of the vendor's: a number, or a number as text.
fn ms(time: Option<&Json>) -> Option<i64> {
    match time? {
        Json::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

impl Task {
    /// Whether nothing more happens.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_error || self.end_time.as_ref().is_some_and(|time| !time.is_null())
    }

    /// When it began.
    pub(crate) fn started_ms(&self) -> Option<i64> {
        ms(self.start_time.as_ref())
    }

    /// When it ended.
    pub(crate) fn ended_ms(&self) -> Option<i64> {
        ms(self.end_time.as_ref())
    }

    /// What the vendor says about it.
    pub(crate) fn words(&self) -> &str {
        let reason = self.failure_reason.as_deref().filter(|reason| self.is_error && !reason.is_empty());
        reason.or(self.progress.as_deref()).unwrap_or_default()
    }
}

/// The task that a reply names.
pub(crate) fn started(response: &Response) -> Result<String, Error> {
    Ok(response.json::<Enveloped<Started>>()?.response.task_id)
}

/// Sends a request that starts a task.
pub(crate) async fn start(
    api: &Api,
    cx: &ToolCx,
    method: Method,
    path: &str,
    body: &impl Serialize,
) -> Result<String, Error> {
    started(&api.request(cx, Request::new(method, path, cx.deadline).json(body)?).await?)
}

/// One task.
pub(crate) async fn read(api: &Api, cx: &ToolCx, id: &str) -> Result<Task, Error> {
    api.read(cx, &format!("{TASKS}/{}", segment(id)?)).await
}

/// Waits for the end of a task.
pub(crate) async fn wait(api: &Api, cx: &ToolCx, id: &str, until: Instant) -> Result<Poll<Task>, Error> {
    poll_until(until, || async {
        let task = read(api, cx, id).await?;
        Ok(if task.has_ended() { Poll::Ready(task) } else { Poll::Pending(task) })
    })
    .await
}

/// Waits for the success of a task that takes moments; its failure and its delay are errors.
pub(crate) async fn succeed(api: &Api, cx: &ToolCx, id: &str) -> Result<Task, Error> {
    match wait(api, cx, id, cx.deadline).await? {
        Poll::Ready(task) if !task.is_error => Ok(task),
        Poll::Ready(_) => Err(Error::new(
            ErrorKind::Upstream,
            "target_task_failed",
            "Catalyst Center accepted the work and failed at it. Its own task list tells why.",
        )
        .with_detail(format!("task {id}"))),
        Poll::Pending(_) => Err(Error::new(
            ErrorKind::Timeout,
            "target_timeout",
            "Catalyst Center did not finish its work in time. Repeat later.",
        )
        .with_detail(format!("task {id}"))),
    }
}

/// A part of the vendor's task list, and the vendor's own time when it gave it.
pub(crate) struct TaskPage {
    pub(crate) tasks: Vec<Task>,
    /// Whether there may be more.
    pub(crate) full: bool,
    /// `Date` of the answer, in milliseconds since the epoch, cut to the second (RFC 9110, section 6.6.1).
    pub(crate) vendor_now_ms: Option<i64>,
}

/// Tasks that began at a time or later, oldest first, from the row `offset` on, which counts from 0.
pub(crate) async fn since(api: &Api, cx: &ToolCx, start_ms: i64, offset: usize) -> Result<TaskPage, Error> {
    let path = Query::default()
        .with("startTime", Some(start_ms))
        .with("sortBy", Some("startTime"))
        .with("order", Some("asc"))
        .with("offset", Some(offset + 1))
        .with("limit", Some(PAGE))
        .on(TASKS);
    let response = api.request(cx, Request::new(Method::GET, path, cx.deadline)).await?;
    let tasks = response.json::<Enveloped<Vec<Task>>>()?.response;
    Ok(TaskPage { full: tasks.len() >= PAGE, tasks, vendor_now_ms: date_ms(&response) })
}

/// The vendor's clock, as its answer tells it.
pub(crate) fn date_ms(response: &Response) -> Option<i64> {
    let text = response.headers.get(http::header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond())
}
