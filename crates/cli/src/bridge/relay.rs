//! The relay itself: lines of the client become requests of their own, side by side; answers and notifications become
//! lines again, in the order in which they come.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use platform::Json;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

use super::message::{Kind, Message, Unreadable};
use super::progress::Progress;
use super::step_up::{self, Act, Opened, StepUpBy};
use super::task;
use super::upstream::{Answer, Upstream};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::sign_in::{Say, browser};

/// Requests under way at one time; more wait for their turn.
const AT_ONCE: usize = 64;

/// One client, one endpoint.
pub(super) struct Relay {
    pub(super) upstream: Upstream,
    step_up: StepUpBy,
    say: Box<Say>,
    out: mpsc::Sender<String>,
    open: Mutex<HashMap<String, Open>>,
    /// Requests of ours that the client has not answered.
    asked: Mutex<HashMap<String, oneshot::Sender<Json>>>,
    next: AtomicU64,
    turns: Semaphore,
    opened: Opened,
    /// An older client said at `initialize` that it shows links (URL elicitation).
    shows_links: AtomicBool,
}

/// A request of the client under way.
struct Open {
    abort: AbortHandle,
    modern: bool,
    /// The task that it became, with the call that it came from.
    task: Option<(String, Message)>,
}

impl Relay {
    pub(super) fn new(upstream: Upstream, step_up: StepUpBy, say: Box<Say>, out: mpsc::Sender<String>) -> Self {
        Self {
            upstream,
            step_up,
            say,
            out,
            open: Mutex::default(),
            asked: Mutex::default(),
            next: AtomicU64::new(1),
            turns: Semaphore::new(AT_ONCE),
            opened: Opened::default(),
            shows_links: AtomicBool::new(false),
        }
    }

    /// An id of ours, which no client uses.
    pub(super) fn next_id(&self) -> Json {
        Json::from(format!("interlock-bridge-{}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Takes a line of the client; what it sets in motion runs on `work`.
    pub(super) async fn take(self: &Arc<Self>, line: &str, work: &mut JoinSet<()>) {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(unreadable) => return self.send(unreadable_line(&unreadable)).await,
        };
        match message.kind.clone() {
            Kind::Request(id) => self.begin(message, id, work).await,
            Kind::Notification if message.method == "notifications/cancelled" => self.cancel(message, work),
            Kind::Notification => self.tell(message, work),
            Kind::Response(id) => {
                if let Some(waiting) = lock(&self.asked).remove(&id.to_string()) {
                    // Whoever asked may have given up; then nobody needs the answer.
                    drop(waiting.send(message.body));
                }
            }
        }
    }

    async fn begin(self: &Arc<Self>, message: Message, id: Json, work: &mut JoinSet<()>) {
        if message.method == "initialize" {
            let links = !message.body["capabilities"]["elicitation"]["url"].is_null();
            self.shows_links.store(links, Ordering::Relaxed);
        }
        let key = id.to_string();
        let taken = {
            let mut open = lock(&self.open);
            let free = !open.contains_key(&key);
            if free {
                let (relay, modern) = (Arc::clone(self), message.is_modern());
                let answering = id.clone();
                // Under the lock: the end of the work, which takes it out again, comes after this.
                let abort = work.spawn(async move { relay.answer(message, answering).await });
                open.insert(key, Open { abort, modern, task: None });
            }
            free
        };
        if !taken {
            let failure =
                Failure::new(Exit::Usage, "id_in_use", "A request with this id is under way; use another id.");
            self.send(failure_line(&id, &failure)).await;
        }
    }

    async fn answer(self: Arc<Self>, message: Message, id: Json) {
        let _turn = self.turns.acquire().await;
        let line = match Box::pin(self.find(&message, &id)).await {
            Ok(answer) => answer.text,
            Err(failure) => failure_line(&id, &failure),
        };
        lock(&self.open).remove(&id.to_string());
        self.send(line).await;
    }

    async fn find(&self, message: &Message, id: &Json) -> Outcome<Answer> {
        let mut progress = Progress::new(message, self.out.clone());
        let answer = self.once(message, id, &mut progress).await?;
        match step_up::page(&answer, &self.upstream) {
            Some(page) => self.after_step_up(message, id, answer, page, &mut progress).await,
            None => Ok(answer),
        }
    }

    /// The call, and the work that it becomes, to its end.
    async fn once(&self, message: &Message, id: &Json, progress: &mut Progress) -> Outcome<Answer> {
        let Some(declared) = message.declaring_tasks() else {
            return self.upstream.ask(message, &message.text, progress).await;
        };
        if let Some((task, responses)) = task::continued(message) {
            self.note_task(id, task, message);
            task::update(self, message, task, responses).await?;
            return task::follow(self, message, id, task, &Json::Null, progress).await;
        }
        let answer = self.upstream.ask(message, &declared, progress).await?;
        let Some(task) = task::created(&answer) else { return Ok(answer) };
        self.note_task(id, task, message);
        task::follow(self, message, id, task, answer.result(), progress).await
    }

    fn note_task(&self, id: &Json, task: &str, message: &Message) {
        if let Some(open) = lock(&self.open).get_mut(&id.to_string()) {
            open.task = Some((task.to_owned(), message.clone()));
        }
    }

    async fn after_step_up(
        &self,
        message: &Message,
        id: &Json,
        refused: Answer,
        page: Url,
        progress: &mut Progress,
    ) -> Outcome<Answer> {
        // A client of 2026-07-28 that shows links was asked by the platform itself, and gave no way through.
        let shows_links = self.shows_links.load(Ordering::Relaxed) && !message.is_modern();
        let elicitation = match self.step_up.act(shows_links, browser::available()) {
            Act::Pass => return Ok(refused),
            Act::Elicit => match self.elicit(&page, &refused).await {
                Some(id) => Some(id),
                None => return Ok(refused),
            },
            Act::Open => {
                if !self.opened.open(&page) {
                    return Ok(refused);
                }
                (self.say)(&format!("A second factor is needed; your browser was opened at\n\n  {page}\n"));
                None
            }
            Act::Print => {
                (self.say)(&format!("A second factor is needed. Open\n\n  {page}\n"));
                None
            }
        };
        let until = Instant::now() + step_up::PATIENCE;
        let mut last = refused;
        let found = loop {
            progress.tell(&format!("Waiting for a second factor at {page}")).await;
            tokio::time::sleep(step_up::PAUSE).await;
            // Refused again: nothing happened. Anything else is the call's own answer.
            let answer = self.once(message, id, progress).await;
            match answer {
                Ok(answer) if step_up::page(&answer, &self.upstream).is_some() && Instant::now() < until => {
                    last = answer
                }
                Ok(answer) if step_up::page(&answer, &self.upstream).is_some() => break Ok(last),
                other => break other,
            }
        };
        self.opened.done(&page);
        if let Some(elicitation) = elicitation {
            let params = json!({"elicitationId": elicitation});
            let done = json!({"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params});
            self.send(done.to_string()).await;
        }
        found
    }

    /// Asks the client to show the link (MCP 2025-11-25, URL elicitation); the elicitation's id when the person agreed.
    async fn elicit(&self, page: &Url, refused: &Answer) -> Option<String> {
        let (id, elicitation) = (self.next_id(), page.path().trim_start_matches('/').replace('/', "-"));
        let why = refused.result()["structuredContent"]["message"].as_str().unwrap_or("A second factor is needed.");
        let params = json!({"mode": "url", "elicitationId": elicitation, "url": page.as_str(), "message": why});
        let (sender, answered) = oneshot::channel();
        lock(&self.asked).insert(id.to_string(), sender);
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": params}).to_string())
            .await;
        let answer = tokio::time::timeout(step_up::PATIENCE, answered).await;
        lock(&self.asked).remove(&id.to_string());
        let agreed = answer.ok()?.ok()?["result"]["action"] == "accept";
        agreed.then_some(elicitation)
    }

    /// Ends a request at the client's wish: no answer comes any more. Closing the connection is what tells a platform of
    /// 2026-07-28; older revisions want to be told, and a task has to be told in any case.
    fn cancel(self: &Arc<Self>, message: Message, work: &mut JoinSet<()>) {
        let Some(open) = lock(&self.open).remove(&message.body["requestId"].to_string()) else { return };
        open.abort.abort();
        let relay = Arc::clone(self);
        if let Some((task, call)) = open.task {
            work.spawn(async move {
                let Ok(cancel) = task::request(&relay, &call, "tasks/cancel", &task, Json::Null) else { return };
                let told = relay.upstream.ask(&cancel, &cancel.text, &mut Progress::unheard()).await;
                if told.is_err() {
                    (relay.say)(&format!("The platform could not be told to cancel task {task}; the work may go on."));
                }
            });
        } else if !open.modern {
            self.tell(message, work);
        }
    }

    fn tell(self: &Arc<Self>, message: Message, work: &mut JoinSet<()>) {
        let relay = Arc::clone(self);
        work.spawn(async move {
            // A notification has no answer, so its failure is told to the person and not to the client.
            if let Err(Failure::Said(said)) = relay.upstream.tell(&message).await {
                (relay.say)(&format!("{} was not taken: {}", message.method, said.in_words()));
            }
        });
    }

    /// Answers what was no message at all.
    pub(super) async fn refuse(&self, line: String) {
        self.send(line).await;
    }

    async fn send(&self, line: String) {
        // The writer has ended when the client is gone, and then so does the bridge.
        drop(self.out.send(line).await);
    }
}

/// The JSON-RPC error for a request that got no answer: the code of `mcp::error`, and the refusal as data.
fn failure_line(id: &Json, failure: &Failure) -> String {
    let error = match failure {
        Failure::Said(said) => {
            let code = match said.exit {
                Exit::Usage => -32602,
                Exit::Failed => -32603,
                Exit::NotSignedIn => 401,
                Exit::Refused => 403,
                Exit::Unavailable => 503,
            };
            json!({"code": code, "message": said.refusal.message, "data": said.refusal})
        }
        Failure::Shown(_) | Failure::ReaderGone => json!({"code": -32603, "message": "The bridge ends."}),
    };
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()
}

/// The error for a line that is no message; nobody knows its id.
pub(super) fn unreadable_line(unreadable: &Unreadable) -> String {
    let error = json!({"code": unreadable.rpc, "message": unreadable.message, "data": {"code": unreadable.code}});
    json!({"jsonrpc": "2.0", "id": null, "error": error}).to_string()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
