//! Tasks (T22): work that goes on after the reply, for callers that declared that they follow it as a task. Everybody else
//! gets the same as a plain call to repeat ([`FollowUp`]).
//!
//! A task is durable before it is told to anybody. Its id has 256 random bits and is no authority: every question is held
//! against (issuer, subject, client), against the endpoint, and against what policy shows to the caller today. A question
//! about work under way *is* a call of the follow-up tool by the road, as the caller; what came of it is kept sealed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use platform::audit::{AuditEntry, Outcome, Phase};
use platform::error::Refusal;
use platform::store::{Collection, Expect, Op, TransactError};
use platform::{CallContext, Error, ErrorKind, Json, Principal, canonical, seal};
use serde::{Deserialize, Serialize};

use super::{Answer, CallRequest, Pipeline, Reach, limit, resolve};
use crate::tool::FollowUp;

/// How long a task is kept after it began, seconds.
pub const TASK_S: i64 = 24 * 3600;

const TASKS: Collection = Collection { name: "tasks", indexes: &[] };

/// Longest message that is handed on.
const MAX_MESSAGE: usize = 300;

/// A task as its caller sees it.
#[derive(Debug)]
pub struct LongTask {
    /// Its id.
    pub id: String,
    /// Server instance of the call that began it.
    pub server: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// For people.
    pub message: Option<String>,
    /// What came of it; `None` while it is under way.
    pub ended: Option<Result<Answer, Error>>,
}

/// A task as it is stored, under the digest of its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    issuer: String,
    subject: String,
    client_id: String,
    server: String,
    tool: String,
    created_at: String,
    updated_at: String,
    #[serde(default)]
    message: Option<String>,
    /// [`Inside`], sealed for this id; base64.
    inside: String,
}

/// What only the platform reads.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Inside {
    follow_up: FollowUp,
    /// The first reply: what it knew and the last one does not say again.
    first: Json,
    ended: Option<Ended>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum Ended {
    Result(Json),
    Failure(ErrorKind, Box<Refusal>),
}

/// A task and the revision it was read at.
struct Found {
    id: String,
    revision: u64,
    stored: Stored,
    inside: Inside,
}

fn unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "task_unknown",
        "There is no such task of yours here. It may have expired, or belong to another client or endpoint.",
    )
}

fn place(id: &str) -> String {
    format!("task|{id}")
}

fn key(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(canonical::sha256(id.as_bytes()))
}

impl Pipeline {
    /// Makes a task of the work that `answer` leaves behind; durable when this returns.
    pub async fn begin_task(
        &self,
        cx: &CallContext,
        server: &str,
        tool: &str,
        answer: &Answer,
        follow_up: &FollowUp,
    ) -> Result<LongTask, Error> {
        let id = seal::random_text::<32>()?;
        let Principal { issuer, subject, client_id, .. } = cx.principal.as_ref();
        let now = self.parts.clock.now().to_string();
        let inside = Inside { follow_up: follow_up.clone(), first: answer.structured.clone(), ended: None };
        let stored = Stored {
            issuer: issuer.clone(),
            subject: subject.clone(),
            client_id: client_id.clone(),
            server: server.to_owned(),
            tool: tool.to_owned(),
            created_at: now.clone(),
            updated_at: now,
            message: message_of(&answer.structured),
            inside: self.sealed(&id, &inside)?,
        };
        let put = Op::Put {
            collection: TASKS,
            id: key(&id),
            expect: Expect::Absent,
            body: serde_json::to_value(&stored).map_err(Error::internal)?,
            expires_at: Some(self.parts.clock.epoch_seconds() + TASK_S),
        };
        self.parts.store.transact(vec![put]).await?;
        Ok(seen(id, stored, None))
    }

    /// How a task of this caller's stands now. Asks the target by the road while it is under way.
    pub async fn task(self: &Arc<Self>, cx: &Arc<CallContext>, id: &str) -> Result<LongTask, Error> {
        let found = self.find(cx, id).await?;
        if found.inside.ended.is_some() {
            return self.told(cx, found).await;
        }
        let request = CallRequest {
            server: found.stored.server.clone(),
            tool: found.inside.follow_up.tool.clone().into_owned(),
            arguments: self.without_waiting(&found),
            references: Default::default(),
        };
        match self.call_port(Arc::clone(cx), request).await {
            Ok(answer) => self.progressed(found, answer).await,
            // Who may not ask any more gets no answer, whatever became of the work.
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::Unmet) => Err(error),
            Err(error) if error.code() == "tool_unknown" => Err(unknown()),
            Err(error) => match error.kind() {
                ErrorKind::RateLimited
                | ErrorKind::Upstream
                | ErrorKind::Unavailable
                | ErrorKind::Timeout
                | ErrorKind::Internal => {
                    let mut stored = found.stored;
                    stored.message = Some(format!("Its state cannot be read at the moment: {}", error.message()));
                    Ok(seen(found.id, stored, None))
                }
                kind => {
                    let failure = Ended::Failure(kind, Box::new(error.refusal().clone()));
                    self.end(found, failure).await
                }
            },
        }
    }

    /// Whether a task is this caller's. None of ours waits for answers, so those that are brought to one are ignored.
    pub async fn knows_task(&self, cx: &CallContext, id: &str) -> Result<(), Error> {
        self.find(cx, id).await.map(drop)
    }

    /// Takes the wish to stop a task on record. No target that is connected can stop work which it has accepted, and the
    /// task says so; one that has ended stays as it is.
    pub async fn cancel_task(&self, cx: &CallContext, id: &str) -> Result<(), Error> {
        let mut found = self.find(cx, id).await?;
        limit::coarse(self, cx).await?;
        let ended = found.inside.ended.is_some();
        let code = if ended { "task_ended" } else { "task_not_cancellable" };
        self.record(cx, &found.stored, "task.cancel", Outcome::Refused, Some(code)).await?;
        if !ended {
            found.stored.message = Some(
                "You asked to stop this. The target cannot stop work that it has accepted, so it goes on.".to_owned(),
            );
            self.store(found).await?;
        }
        Ok(())
    }

    /// A task that is this caller's, at an endpoint that reaches its tool, while the tool is still shown to the caller.
    async fn find(&self, cx: &CallContext, id: &str) -> Result<Found, Error> {
        let record = self.parts.store.get(TASKS, &key(id)).await?.ok_or_else(unknown)?;
        let stored: Stored = serde_json::from_value(record.body).map_err(Error::internal)?;
        let p = &cx.principal;
        if (&stored.issuer, &stored.subject, &stored.client_id) != (&p.issuer, &p.subject, &p.client_id) {
            return Err(unknown());
        }
        let origin = CallRequest {
            server: stored.server.clone(),
            tool: stored.tool.clone(),
            arguments: Json::Null,
            references: Default::default(),
        };
        resolve::resolve(self, cx, &origin, Reach::Listed).await.map_err(|e| match e.code() {
            "tool_unknown" => unknown(),
            _ => e,
        })?;
        let sealed = STANDARD.decode(&stored.inside).map_err(Error::internal)?;
        let inside = self.parts.results.open(&place(id), &sealed);
        let inside: Option<Inside> = inside.and_then(|plain| serde_json::from_slice(&plain).ok());
        let inside = inside.ok_or_else(|| Error::internal("a stored task does not open"))?;
        Ok(Found { id: id.to_owned(), revision: record.revision, stored, inside })
    }

    /// The answer of the follow-up tool: still under way, or the end.
    async fn progressed(&self, mut found: Found, answer: Answer) -> Result<LongTask, Error> {
        let message = message_of(&answer.structured);
        match answer.follow_up {
            None => {
                let result = completed(answer.structured, &found.inside.first);
                found.stored.message = message;
                self.end(found, Ended::Result(result)).await
            }
            Some(follow_up) => {
                let moved = follow_up != found.inside.follow_up || message != found.stored.message;
                found.inside.follow_up = follow_up;
                found.stored.message = message;
                // Another question may have written at the same time, and it read the same target.
                let stored = if moved { self.store_unless_moved(&found).await? } else { found.stored };
                Ok(seen(found.id, stored, None))
            }
        }
    }

    async fn end(&self, mut found: Found, ended: Ended) -> Result<LongTask, Error> {
        found.inside.ended = Some(ended.clone());
        let stored = self.store_unless_moved(&found).await?;
        Ok(seen(found.id, stored, Some(opened(ended))))
    }

    /// The stored end, once more; on record, since no call tells that it was read.
    async fn told(&self, cx: &CallContext, found: Found) -> Result<LongTask, Error> {
        limit::coarse(self, cx).await?;
        self.record(cx, &found.stored, "task.read", Outcome::Success, None).await?;
        let ended = found.inside.ended.map(opened);
        Ok(seen(found.id, found.stored, ended))
    }

    async fn record(
        &self,
        cx: &CallContext,
        stored: &Stored,
        action: &str,
        outcome: Outcome,
        code: Option<&str>,
    ) -> Result<(), Error> {
        let mut entry = AuditEntry::tool_call(self.parts.clock.now(), cx, &stored.server, &stored.tool);
        entry.phase = Phase::Event;
        entry.action = action.to_owned();
        entry.outcome = outcome;
        entry.code = code.map(str::to_owned);
        self.parts.audit.append(entry).await.map(drop)
    }

    fn sealed(&self, id: &str, inside: &Inside) -> Result<String, Error> {
        let plain = serde_json::to_vec(inside).map_err(Error::internal)?;
        Ok(STANDARD.encode(self.parts.results.seal(&place(id), &plain)?))
    }

    /// Writes, whatever stands there; for what may be said twice.
    async fn store(&self, mut found: Found) -> Result<(), Error> {
        found.stored.updated_at = self.parts.clock.now().to_string();
        let put = self.put(&found.id, &found.stored, Expect::Revision(found.revision))?;
        match self.parts.store.transact(vec![put]).await {
            Ok(_) | Err(TransactError::Conflict { .. }) => Ok(()),
            Err(TransactError::Store(error)) => Err(error),
        }
    }

    /// Writes over the revision that was read. Where somebody was faster, theirs stands: it came from the same target.
    async fn store_unless_moved(&self, found: &Found) -> Result<Stored, Error> {
        let mut stored = found.stored.clone();
        stored.updated_at = self.parts.clock.now().to_string();
        stored.inside = self.sealed(&found.id, &found.inside)?;
        let put = self.put(&found.id, &stored, Expect::Revision(found.revision))?;
        match self.parts.store.transact(vec![put]).await {
            Ok(_) | Err(TransactError::Conflict { .. }) => Ok(stored),
            Err(TransactError::Store(error)) => Err(error),
        }
    }

    fn put(&self, id: &str, stored: &Stored, expect: Expect) -> Result<Op, Error> {
        // The life of a task is counted from its beginning; a record keeps its end only when it is said again.
        let began = stored.created_at.parse::<jiff::Timestamp>().map_err(Error::internal)?;
        Ok(Op::Put {
            collection: TASKS,
            id: key(id),
            expect,
            body: serde_json::to_value(stored).map_err(Error::internal)?,
            expires_at: Some(began.as_second() + TASK_S),
        })
    }

    /// The follow-up's arguments for a question that wants its answer now.
    fn without_waiting(&self, found: &Found) -> Json {
        let FollowUp { tool, arguments } = &found.inside.follow_up;
        let mut arguments = arguments.clone();
        let catalogue = self.parts.visibility.catalogue();
        let tool = catalogue.server(&found.stored.server).and_then(|s| s.tool_or_port(tool));
        let waits = tool.is_some_and(|t| t.published_input.pointer("/properties/wait_s").is_some());
        if let Some(members) = arguments.as_object_mut().filter(|_| waits) {
            members.insert("wait_s".to_owned(), 0.into());
        }
        arguments
    }
}

fn seen(id: String, stored: Stored, ended: Option<Result<Answer, Error>>) -> LongTask {
    let Stored { server, created_at, updated_at, message, .. } = stored;
    LongTask { id, server, created_at, updated_at, message, ended }
}

fn opened(ended: Ended) -> Result<Answer, Error> {
    match ended {
        Ended::Result(structured) => {
            Ok(Answer { structured, text: None, follow_up: None, replayed: false, queued_ms: 0 })
        }
        Ended::Failure(kind, refusal) => Err(Error::replayed(kind, *refusal)),
    }
}

/// What the target says of its work, where its result has a `message`.
fn message_of(structured: &Json) -> Option<String> {
    let message = structured.get("message").and_then(Json::as_str).filter(|m| !m.is_empty())?;
    Some(message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect())
}

/// The last answer, with what only the first one knew.
fn completed(mut last: Json, first: &Json) -> Json {
    if let (Some(last), Some(first)) = (last.as_object_mut(), first.as_object()) {
        for (name, known) in first {
            let member = last.entry(name.clone()).or_insert(Json::Null);
            if member.is_null() {
                *member = known.clone();
            }
        }
    }
    last
}
