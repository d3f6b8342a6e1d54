//! The platform's side of the bridge: one POST per message, with a token that is renewed or signed in for when the
//! platform refuses it, and the answer as JSON or as an event stream.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, header};
use platform::http::{Request, Response, Streamed, TargetClient, TargetOptions};
use platform::{Json, Secret};
use url::Url;

use super::challenge::Challenge;
use super::event_stream::EventStream;
use super::message::{Kind, Message, Mirrored};
use super::progress::Progress;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Said};
use crate::rest;
use crate::tokens::Tokens;
use crate::web;

/// An event stream is lost when nothing comes for this long; the platform sends comments more often.
const IDLE: Duration = Duration::from_secs(90);
/// Longest answer, bytes.
const LARGEST: usize = 32 << 20;
/// Pauses before a message that was not sent at all is tried again: a platform that restarts is back soon.
const UNREACHABLE: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// As whom the bridge speaks.
pub(super) enum Bearer {
    /// A token that was given; when the platform refuses it, there is no other.
    Given(Secret),
    /// Tokens that renew themselves.
    Tokens(Tokens),
}

/// One endpoint of the platform.
pub(super) struct Upstream {
    client: TargetClient,
    bearer: Bearer,
    /// Whether a person can be brought to a second factor when a challenge asks for one (RFC 9470).
    answers_challenges: bool,
    negotiated: Mutex<Option<String>>,
    mirrored: Mutex<Mirrored>,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    /// One line of JSON, as the platform wrote it.
    pub(super) text: String,
    /// The same, read.
    pub(super) whole: Json,
}

impl Answer {
    /// From its text. `None` when this is no answer to `id`.
    fn read(text: &str, id: &Json) -> Option<Self> {
        let mut whole: Json = serde_json::from_str(text).ok()?;
        if whole.get("method").is_some() || (whole.get("result").is_none() && whole.get("error").is_none()) {
            return None;
        }
        // A platform that could not read the request cannot know its id; the client has to.
        if whole["id"].is_null() && whole.get("error").is_some() {
            whole["id"] = id.clone();
            return Some(Self { text: whole.to_string(), whole });
        }
        (whole["id"] == *id).then(|| Self { text: one_line(text), whole })
    }

    /// The result; `null` for an error.
    pub(super) fn result(&self) -> &Json {
        &self.whole["result"]
    }
}

/// JSON holds line ends only between its tokens, so that a space in their place changes nothing.
pub(super) fn one_line(text: &str) -> String {
    text.trim().replace(['\n', '\r'], " ")
}

/// How often a message was sent again because of its token.
#[derive(Default)]
struct Tries {
    renewed: bool,
    signed_in: bool,
}

impl Upstream {
    /// The endpoint `url`. Errors: those of a URL that no token may travel to.
    pub(super) fn new(url: &Url, bearer: Bearer, answers_challenges: bool) -> Outcome<Self> {
        web::refuse_in_clear(url)?;
        let mut options = TargetOptions::new("the platform", url.clone());
        options.attempt_timeout = web::PATIENCE;
        // Each message is somebody's question; none is refused because of what happened to others.
        options.breaker.failures = 0;
        let client = TargetClient::new(options)?;
        Ok(Self { client, bearer, answers_challenges, negotiated: Mutex::default(), mirrored: Mutex::default() })
    }

    /// Whether a page belongs to the platform: only those are opened for a person unasked.
    pub(super) fn owns(&self, page: &Url) -> bool {
        page.origin() == self.client.options().base.origin()
    }

    /// Sends a request, as `text`, and returns its answer; what comes before it goes to `progress`.
    pub(super) async fn ask(&self, message: &Message, text: &str, progress: &mut Progress) -> Outcome<Answer> {
        let Kind::Request(id) = &message.kind else { return Err(Failure::internal(&"only a request has an answer")) };
        let mut answer = self.exchange(message, id, text, progress).await?;
        // The platform wants arguments in headers that we do not know of: its list of tools says which.
        let unknown = message.tool().is_some_and(|tool| lock(&self.mirrored).of(tool).is_none());
        if unknown && answer.whole["error"]["code"] == HEADER_MISMATCH {
            self.learn(message).await?;
            answer = self.exchange(message, id, text, progress).await?;
        }
        match &*message.method {
            "initialize" => {
                if let Some(version) = answer.result()["protocolVersion"].as_str() {
                    *lock(&self.negotiated) = Some(version.to_owned());
                }
            }
            "tools/list" => lock(&self.mirrored).learn(answer.result()),
            _ => {}
        }
        Ok(answer)
    }

    /// Sends a message that wants no answer.
    pub(super) async fn tell(&self, message: &Message) -> Outcome {
        let response = self.send(message, &message.text, &mut Progress::unheard()).await?;
        if response.status.is_success() { Ok(()) } else { Err(refusal(response).await) }
    }

    async fn learn(&self, like: &Message) -> Outcome {
        let mut cursor = Json::Null;
        // A list that has no end teaches nothing.
        for _ in 0..20 {
            let mut params = serde_json::json!({"_meta": like.body["_meta"]});
            if !cursor.is_null() {
                params["cursor"] = cursor;
            }
            let id = Json::from("interlock-tools");
            let line = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params});
            let list = Message::parse(&line.to_string()).map_err(|e| Failure::internal(&e.message))?;
            let answer = self.exchange(&list, &id, &list.text, &mut Progress::unheard()).await?;
            lock(&self.mirrored).learn(answer.result());
            cursor = answer.result()["nextCursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        Ok(())
    }

    async fn exchange(&self, message: &Message, id: &Json, text: &str, progress: &mut Progress) -> Outcome<Answer> {
        let mut response = self.send(message, text, progress).await?;
        let challenge = Challenge::read(&response.headers);
        let kind = response.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return events(&mut response, id, progress).await;
        }
        let json = kind.starts_with("application/json");
        let (status, headers) = (response.status, std::mem::take(&mut response.headers));
        let body = response.rest(IDLE, LARGEST).await?;
        let answer = if json { std::str::from_utf8(&body).ok().and_then(|text| Answer::read(text, id)) } else { None };
        match answer {
            Some(answer) => Ok(answer),
            None if status.is_success() => Err(garbled()),
            None => match rest::refusal(&Response { status, headers, body: body.into() }) {
                // Clients know this refusal as a result (T11); that it came as a challenge was between the platform and us.
                Failure::Said(said) if challenge.wants_factor() && message.method == "tools/call" => {
                    Ok(refused(message, id, &said))
                }
                failure => Err(failure),
            },
        }
    }

    /// Sends, and sends again with another token as the platform's challenge asks for: renewed once, signed in for once.
    async fn send(&self, message: &Message, text: &str, progress: &mut Progress) -> Outcome<Streamed> {
        const WAIT: &str = "Waiting for you to sign in";
        let mut token = match &self.bearer {
            Bearer::Given(token) => token.clone(),
            Bearer::Tokens(tokens) => progress.while_waiting(WAIT, tokens.valid()).await?,
        };
        let mut tries = Tries::default();
        loop {
            let response = self.once(message, text, &token).await?;
            let status = response.status.as_u16();
            let challenge = Challenge::read(&response.headers);
            let Bearer::Tokens(tokens) = &self.bearer else { return Ok(response) };
            token = match status {
                401 if challenge.wants_factor() => {
                    if !self.answers_challenges || tries.signed_in {
                        return Ok(response);
                    }
                    tries.signed_in = true;
                    let words = "Waiting for you to sign in with a second factor";
                    progress.while_a_person_acts(words, tokens.signed_in_for(&token, challenge.more)).await?
                }
                401 if !tries.renewed => {
                    tries.renewed = true;
                    progress.while_waiting(WAIT, tokens.instead_of(&token)).await?
                }
                401 | 403 if (status == 401 || challenge.wants_scope()) && !tries.signed_in => {
                    tries.signed_in = true;
                    progress.while_a_person_acts(WAIT, tokens.signed_in_for(&token, challenge.more)).await?
                }
                _ => return Ok(response),
            };
        }
    }

    /// One POST; again only while the platform cannot be reached at all, because then nothing was sent.
    async fn once(&self, message: &Message, text: &str, token: &Secret) -> Outcome<Streamed> {
        let negotiated = if message.method == "initialize" { None } else { lock(&self.negotiated).clone() };
        let mut headers = message.headers(negotiated.as_deref(), &lock(&self.mirrored));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, rest::bearer(token)?);
        let mut pauses = UNREACHABLE.into_iter();
        loop {
            match self.client.open(self.request(headers.clone(), text)).await {
                Err(error) if error.code() == "target_unreachable" => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error.into()),
                },
                Err(error) => return Err(lost(error, message)),
                Ok(response) => return Ok(response),
            }
        }
    }

    fn request(&self, headers: HeaderMap, text: &str) -> Request {
        let mut request = Request::new(Method::POST, "", Instant::now() + web::PATIENCE);
        request.headers = headers;
        request.body = text.to_owned().into();
        request
    }
}

/// MCP 2026-07-28: headers and body do not agree.
const HEADER_MISMATCH: i64 = -32020;

async fn events(response: &mut Streamed, id: &Json, progress: &mut Progress) -> Outcome<Answer> {
    let mut stream = EventStream::default();
    while let Some(bytes) = response.chunk(IDLE).await? {
        for event in stream.feed(&bytes).map_err(|_| garbled())? {
            if let Some(answer) = Answer::read(&event, id) {
                return Ok(answer);
            }
            match serde_json::from_str::<Json>(&event) {
                Ok(other) if other["method"].is_string() => progress.heard(one_line(&event), &other).await,
                _ => {}
            }
        }
    }
    let message =
        "The platform ended its reply without an answer; look whether the call was carried out before you repeat it.";
    Err(Failure::new(Exit::Unavailable, "answer_missing", message))
}

/// A call may have been carried out although its answer is lost; reading again does no harm.
fn lost(error: platform::Error, message: &Message) -> Failure {
    let uncertain = matches!(error.code(), "target_connection_lost" | "target_timeout");
    if !uncertain || message.method != "tools/call" {
        return error.into();
    }
    let text = "The connection to the platform broke before the answer came, and the call may have been carried out; look \
                before you repeat it.";
    Failure::new(Exit::Unavailable, error.code(), text).with_detail(&error.detail().unwrap_or_default())
}

/// A refusal as every client knows it: a result with `isError`, and two lines of text (T11).
fn refused(message: &Message, id: &Json, said: &Said) -> Answer {
    let refusal = &said.refusal;
    let next = refusal.url.as_ref().map(|url| format!("\nNext: a person opens {url}")).unwrap_or_default();
    let text = format!("Refused ({}): {}{next}", refusal.code, refusal.message);
    let mut result = serde_json::json!({"isError": true, "structuredContent": refusal,
        "content": [{"type": "text", "text": text}]});
    if message.is_modern() {
        result["resultType"] = "complete".into();
    }
    let whole = serde_json::json!({"jsonrpc": "2.0", "id": id, "result": result});
    Answer { text: whole.to_string(), whole }
}

async fn refusal(mut response: Streamed) -> Failure {
    let (status, headers) = (response.status, std::mem::take(&mut response.headers));
    match response.rest(IDLE, LARGEST).await {
        Ok(body) => rest::refusal(&Response { status, headers, body: body.into() }),
        Err(error) => error.into(),
    }
}

fn garbled() -> Failure {
    let message = "The answer is not one of MCP; is this URL the platform's?";
    Failure::new(Exit::Unavailable, "answer_unreadable", message)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Answer;

    #[test]
    fn an_answer_is_the_one_with_our_id_on_one_line() {
        let text = |text: &str| Answer::read(text, &json!(7)).map(|a| a.text);
        assert_eq!(
            text("{\"id\":7,\n \"result\":{\"a\": \"x\\ny\"}}\n").unwrap(),
            "{\"id\":7,  \"result\":{\"a\": \"x\\ny\"}}"
        );
        assert!(text(r#"{"id":8,"result":{}}"#).is_none());
        assert!(text(r#"{"id":"7","result":{}}"#).is_none());
        assert!(text(r#"{"id":7,"method":"ping"}"#).is_none());
        let given = Answer::read(r#"{"jsonrpc":"2.0","error":{"code":-32700}}"#, &json!(7)).unwrap();
        assert_eq!(given.whole["id"], 7);
    }
}
