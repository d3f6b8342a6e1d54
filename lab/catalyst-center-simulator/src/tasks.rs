//! Asynchronous work: the task of every release (`/task`) and the newer one (`/tasks`), over the same records.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::query::Params;
use crate::reply::{Answer, Fail, enveloped};
use crate::simulator::{Shared, Simulator};

const SPACE: &str = "task";
/// Tasks kept; older ones are forgotten, as the controller purges its own.
const KEPT: usize = 2_000;

/// A record of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: Uuid,
    pub(crate) service: String,
    pub(crate) progress: String,
    pub(crate) data: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) start_ms: i64,
    pub(crate) update_ms: i64,
    pub(crate) end_ms: Option<i64>,
    /// Made by a fault: the task exists and is not to be found.
    pub(crate) hidden: bool,
    /// The task that this one is a part of.
    #[serde(default)]
    pub(crate) parent: Option<Uuid>,
}

impl Task {
    fn status(&self) -> &'static str {
        match (&self.error, self.end_ms) {
            (Some(_), _) => "FAILURE",
            (None, Some(_)) => "SUCCESS",
            (None, None) => "PENDING",
        }
    }

    fn root(&self) -> Uuid {
        self.parent.unwrap_or(self.id)
    }

    fn error_code(&self) -> Option<&str> {
        let code = self.error.as_deref()?.split([':', ' ']).next()?;
        (code.starts_with("NC") && code.len() > 6).then_some(code)
    }

    /// The row of `/task`.
    fn classic(&self, username: &str) -> Value {
        let mut row = json!({
            "id": self.id, "instanceTenantId": "5f6b7c8d9e0f1a2b3c4d5e6e", "rootId": self.root(),
            "serviceType": self.service, "username": username, "progress": self.progress, "data": self.data,
            "isError": self.error.is_some(), "startTime": self.start_ms, "lastUpdate": self.update_ms,
            "version": self.update_ms, "operationIdList": [],
        });
        if let Value::Object(row) = &mut row {
            if let Some(end) = self.end_ms {
                row.insert("endTime".to_owned(), json!(end));
            }
            if let Some(parent) = self.parent {
                row.insert("parentId".to_owned(), json!(parent));
            }
            if let Some(reason) = &self.error {
                row.insert("failureReason".to_owned(), json!(reason));
                row.insert("errorCode".to_owned(), json!(self.error_code()));
            }
        }
        row
    }

    /// The row of `/tasks`.
    fn modern(&self) -> Value {
        json!({
            "id": self.id, "rootId": self.root(), "parentId": self.parent, "status": self.status(),
            "startTime": self.start_ms, "updatedTime": self.update_ms, "endTime": self.end_ms,
            "resultLocation": format!("/dna/intent/api/v1/tasks/{}/detail", self.id),
        })
    }
}

impl Simulator {
    /// A time-ordered id by the lab's clock.
    pub(crate) fn fresh_id(&self) -> Uuid {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
    }

    /// Waits in real time.
    pub(crate) async fn pause(&self, ms: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }

    pub(crate) fn start_task(&self, service: &str, progress: &str, hidden: bool) -> Result<Uuid, Fail> {
        self.start_part(service, progress, hidden, None)
    }

    /// Starts a task that is a part of another one.
    pub(crate) fn start_part(
        &self,
        service: &str,
        progress: &str,
        hidden: bool,
        parent: Option<Uuid>,
    ) -> Result<Uuid, Fail> {
        let now = self.now_ms();
        let task = Task {
            id: self.fresh_id(),
            service: service.to_owned(),
            progress: progress.to_owned(),
            data: None,
            error: None,
            start_ms: now,
            update_ms: now,
            end_ms: None,
            hidden,
            parent,
        };
        self.keep_task(&task)?;
        let held = self.world.document_keys(SPACE);
        for old in held.iter().take(held.len().saturating_sub(KEPT)) {
            self.world.remove_document(SPACE, old)?;
        }
        Ok(task.id)
    }

    pub(crate) fn keep_task(&self, task: &Task) -> Result<(), Fail> {
        let value = serde_json::to_value(task).map_err(|error| Fail::broken(&error))?;
        Ok(self.world.put_document(SPACE, &task.id.to_string(), value)?)
    }

    pub(crate) fn task(&self, id: &str) -> Option<Task> {
        self.world.document(SPACE, id).and_then(|value| serde_json::from_value(value).ok())
    }

    /// Sets the progress of a running task.
    pub(crate) fn advance_task(&self, id: Uuid, progress: &str) -> Result<(), Fail> {
        let Some(mut task) = self.task(&id.to_string()) else { return Ok(()) };
        progress.clone_into(&mut task.progress);
        task.update_ms = self.now_ms();
        self.keep_task(&task)
    }

    /// Ends a task; with `error`, as failed.
    pub(crate) fn end_task(
        &self,
        id: Uuid,
        progress: &str,
        data: Option<String>,
        error: Option<String>,
    ) -> Result<(), Fail> {
        let Some(mut task) = self.task(&id.to_string()) else { return Ok(()) };
        progress.clone_into(&mut task.progress);
        task.data = data;
        task.error = error;
        task.update_ms = self.now_ms();
        task.end_ms = Some(task.update_ms);
        self.keep_task(&task)
    }

    /// As [`Simulator::end_task`], where nobody waits for the result.
    pub(crate) fn end_task_logged(&self, id: Uuid, progress: &str, data: Option<String>, error: Option<String>) {
        if let Err(fail) = self.end_task(id, progress, data, error) {
            tracing::warn!(?fail, "a task could not be kept");
        }
    }

    pub(crate) fn all_tasks(&self) -> Vec<Task> {
        let rows = self.world.documents(SPACE).into_iter();
        rows.filter_map(|(_, value)| serde_json::from_value(value).ok()).collect()
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/dna/intent/api/v1/task", get(classic_list))
        .route("/dna/intent/api/v1/task/count", get(classic_count))
        .route("/dna/intent/api/v1/task/{id}", get(classic_one))
        .route("/dna/intent/api/v1/task/{id}/tree", get(tree))
        .route("/dna/intent/api/v1/task/operation/{id}/{offset}/{limit}", get(of_operation))
        .route("/dna/intent/api/v1/tasks", get(modern_list))
        .route("/dna/intent/api/v1/tasks/count", get(modern_count))
        .route("/dna/intent/api/v1/tasks/{id}", get(modern_one))
        .route("/dna/intent/api/v1/tasks/{id}/detail", get(detail))
        .route("/dna/intent/api/v1/activities", get(activities))
        .route("/dna/intent/api/v1/activities/count", get(activities_count))
        .route("/dna/intent/api/v1/activities/{id}", get(activity))
}

fn visible(simulator: &Simulator, id: &str) -> Result<Task, Fail> {
    simulator
        .task(id)
        .filter(|task| !task.hidden)
        .ok_or_else(|| Fail::missing(format!("The task could not be found: {id}")))
}

/// The tasks that pass the filters of either list, in the order asked for; newest first by default.
fn matching(simulator: &Simulator, params: &Params) -> Result<Vec<Task>, Fail> {
    let (from, to) = (params.number("startTime")?, params.number("endTime")?);
    let part = |key: &str, value: &str| params.get(key).is_none_or(|wanted| value.contains(wanted));
    let mut tasks: Vec<Task> = simulator
        .all_tasks()
        .into_iter()
        .filter(|task| !task.hidden)
        .filter(|task| from.is_none_or(|from| task.start_ms >= from) && to.is_none_or(|to| task.start_ms <= to))
        .filter(|task| params.passes("status", task.status()) && params.passes("serviceType", &task.service))
        .filter(|task| params.passes_with("rootId", || task.root().to_string()))
        .filter(|task| params.passes_with("parentId", || task.parent.map_or_else(String::new, |id| id.to_string())))
        .filter(|_| params.passes("username", &simulator.username))
        .filter(|task| part("progress", &task.progress) && part("data", task.data.as_deref().unwrap_or_default()))
        .filter(|task| part("failureReason", task.error.as_deref().unwrap_or_default()))
        .filter(|task| params.passes("errorCode", task.error_code().unwrap_or_default()))
        .filter(|task| params.get("isError").is_none_or(|wanted| (wanted == "true") == task.error.is_some()))
        .collect();
    match params.get("sortBy").unwrap_or("startTime") {
        "startTime" => tasks.sort_by_key(|task| (task.start_ms, task.id)),
        "endTime" => tasks.sort_by_key(|task| (task.end_ms, task.id)),
        "updatedTime" | "lastUpdate" => tasks.sort_by_key(|task| (task.update_ms, task.id)),
        "status" => tasks.sort_by_key(|task| (task.status(), task.id)),
        other => return Err(Fail::bad(format!("Invalid sortBy {other}"))),
    }
    if params.get("order").is_none_or(|order| !order.eq_ignore_ascii_case("asc")) {
        tasks.reverse();
    }
    Ok(tasks)
}

/// The old list counts its offset from 0, and from 1 where people expect that: both mean the first row.
fn window(params: &Params) -> Result<(usize, usize), Fail> {
    let offset = params.number("offset")?.unwrap_or(1).max(1);
    let limit = params.number("limit")?.unwrap_or(500);
    if !(1..=500).contains(&limit) {
        return Err(Fail::bad(format!("Invalid limit {limit}: it must be between 1 and 500")));
    }
    Ok((usize::try_from(offset - 1).unwrap_or(0), usize::try_from(limit).unwrap_or(500)))
}

async fn classic_list(State(simulator): State<Shared>, params: Params) -> Answer {
    let (skip, limit) = window(&params)?;
    let rows = matching(&simulator, &params)?.into_iter().skip(skip).take(limit);
    enveloped(rows.map(|task| task.classic(&simulator.username)).collect::<Vec<_>>())
}

async fn classic_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(matching(&simulator, &params)?.len())
}

async fn classic_one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(visible(&simulator, &id)?.classic(&simulator.username))
}

/// A task with all its parts, whichever of them is asked for.
async fn tree(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let root = visible(&simulator, &id)?.root();
    let parts = simulator.all_tasks().into_iter().filter(|task| !task.hidden && task.root() == root);
    enveloped(parts.map(|task| task.classic(&simulator.username)).collect::<Vec<_>>())
}

/// Tasks of one operation; here no task belongs to an operation of several.
async fn of_operation(
    State(simulator): State<Shared>,
    Path((operation, offset, limit)): Path<(String, String, String)>,
) -> Answer {
    let (Ok(offset), Ok(limit)) = (offset.parse::<usize>(), limit.parse::<usize>()) else {
        return Err(Fail::bad("offset and limit must be integers"));
    };
    let tasks = simulator.all_tasks().into_iter().filter(|task| !task.hidden && task.root().to_string() == operation);
    let rows = tasks.skip(offset.saturating_sub(1)).take(limit).map(|task| task.classic(&simulator.username));
    enveloped(rows.collect::<Vec<_>>())
}

async fn modern_list(State(simulator): State<Shared>, params: Params) -> Answer {
    let (skip, limit) = window(&params)?;
    let rows = matching(&simulator, &params)?.into_iter().skip(skip).take(limit);
    enveloped(rows.map(|task| task.modern()).collect::<Vec<_>>())
}

async fn modern_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": matching(&simulator, &params)?.len() }))
}

async fn modern_one(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(visible(&simulator, &id)?.modern())
}

async fn detail(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    let task = visible(&simulator, &id)?;
    enveloped(json!({
        "id": task.id, "data": task.data.clone().unwrap_or_default(), "progress": task.progress,
        "errorCode": task.error_code().unwrap_or_default(), "failureReason": task.error.clone().unwrap_or_default(),
    }))
}

/// The row of `/activities`: a task that somebody started, not its parts.
fn activity_row(task: &Task) -> Value {
    json!({
        "id": task.id, "type": task.service, "description": task.progress, "status": task.status(), "recurring": false,
        "startTime": task.start_ms, "updatedTime": task.update_ms, "endTime": task.end_ms,
        "originatingWorkItemActivityId": Value::Null,
    })
}

fn begun(simulator: &Simulator, params: &Params) -> Result<Vec<Task>, Fail> {
    Ok(matching(simulator, params)?.into_iter().filter(|task| task.parent.is_none()).collect())
}

async fn activities(State(simulator): State<Shared>, params: Params) -> Answer {
    let (skip, limit) = window(&params)?;
    let rows = begun(&simulator, &params)?.into_iter().skip(skip).take(limit);
    enveloped(rows.map(|task| activity_row(&task)).collect::<Vec<_>>())
}

async fn activities_count(State(simulator): State<Shared>, params: Params) -> Answer {
    enveloped(json!({ "count": begun(&simulator, &params)?.len() }))
}

async fn activity(State(simulator): State<Shared>, Path(id): Path<String>) -> Answer {
    enveloped(activity_row(&visible(&simulator, &id)?))
}
