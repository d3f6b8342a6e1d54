//! Login, renewal and requests. One session per credential version, shared by all calls; a 401 renews it once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use platform::http::{Claim, Class, Request, Response, TargetClient};
use platform::{Error, ErrorKind, Secret, SharedClock};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, OnceCell};
use tool_runtime::combinators::{PageOf, PageRequest};
use tool_runtime::{Lease, ToolCx};

use crate::error;

const LOGIN: &str = "/dna/system/api/v1/auth/token";
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// The call's id, in the target's own log where it keeps one (T29).
const CALLER: HeaderName = HeaderName::from_static("x-caller-id");
/// Tokens live an hour; a session is renewed before that.
const SESSION_S: i64 = 50 * 60;
/// How long a refused credential is not tried again.
const REFUSED_S: i64 = 60;
/// A read that every account of ours may make, and that costs the vendor little.
const CHEAP: &str = "/dna/intent/api/v1/network-device/count";
/// Most rows the vendor gives at once.
const MOST: u32 = 500;

/// `{"response": …}`, the envelope of most replies.
#[derive(Deserialize)]
pub(crate) struct Enveloped<T> {
    pub(crate) response: T,
}

struct Session {
    token: Secret,
    /// Version of the stored credential it was made with.
    version: u64,
    renew_at: i64,
}

/// What is known of the account.
enum Slot {
    Empty,
    Open(Arc<Session>),
    /// The vendor refused this version of the credential: it is not tried again for a while, since accounts are locked
    /// after a few wrong passwords.
    Refused {
        version: u64,
        until: i64,
    },
}

/// One Catalyst Center's API.
pub(crate) struct Api {
    http: TargetClient,
    clock: SharedClock,
    slot: Mutex<Slot>,
    counts: std::sync::Mutex<Counts>,
}

/// Counts under way, by list and by the class of who waits for them.
type Counts = HashMap<(String, Class), Arc<OnceCell<Result<u64, Error>>>>;

impl Api {
    pub(crate) fn new(http: TargetClient, clock: SharedClock) -> Self {
        Self { http, clock, slot: Mutex::new(Slot::Empty), counts: std::sync::Mutex::default() }
    }

    /// GET, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, cx: &ToolCx, path: &str) -> Result<T, Error> {
        self.request(cx, Request::new(Method::GET, path, cx.deadline)).await?.json()
    }

    /// GET of an envelope's content.
    pub(crate) async fn read<T: DeserializeOwned>(&self, cx: &ToolCx, path: &str) -> Result<T, Error> {
        Ok(self.get::<Enveloped<T>>(cx, path).await?.response)
    }

    /// A page of an enveloped list whose whole length stands beside it under `/count`. The vendor counts from 1 and says
    /// nothing of the end: one row more is asked for. Only the whole list's count is known to every release, so a
    /// filtered list has no total.
    pub(crate) async fn page<V: DeserializeOwned, R: From<V>>(
        &self,
        cx: &ToolCx,
        path: &str,
        query: Query,
        page: PageRequest,
    ) -> Result<PageOf<R>, Error> {
        let total = if query.0.is_empty() { Some(self.count(cx, path).await?) } else { None };
        let wanted = (page.limit + 1).min(MOST);
        let query = query.with("offset", Some(page.offset + 1)).with("limit", Some(wanted));
        let mut rows: Vec<V> = self.read(cx, &query.on(path)).await?;
        let (got, asked) = (rows.len() as u64, u64::from(page.limit));
        let more = match total {
            Some(total) => page.offset + got.min(asked) < total,
            // A full page of the vendor's largest size leaves no room for the row more; then a next page may be empty.
            None => got > asked || (wanted == page.limit && got == asked),
        };
        rows.truncate(page.limit as usize);
        Ok(PageOf { rows: rows.into_iter().map(R::from).collect(), total, more })
    }

    /// How long a whole list is. Of those who want to know at the same time one asks, and the others take its answer (T31), but a
    /// person never that of an agent, whose turn comes later.
    async fn count(&self, cx: &ToolCx, path: &str) -> Result<u64, Error> {
        let ask = || async {
            let count: Count = self.read(cx, &format!("{path}/count")).await?;
            Ok(count.number())
        };
        let key = (path.to_owned(), Claim::current().class());
        let cell = Arc::clone(self.counts().entry(key.clone()).or_default());
        let mut asked = false;
        // Where the one who asked went away, the next one asks.
        let answer = cell.get_or_init(|| async {
            asked = true;
            let answer = ask().await;
            // Who comes from here on asks anew.
            self.counts().remove(&key);
            answer
        });
        match answer.await {
            // It failed for a reason of its own: its deadline, its place in the line.
            Err(error) if !asked && matches!(error.kind(), ErrorKind::Timeout | ErrorKind::RateLimited) => ask().await,
            answer => answer.clone(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request with the session's token; renews the session once when the vendor says 401.
    pub(crate) async fn request(&self, cx: &ToolCx, request: Request) -> Result<Response, Error> {
        let session = self.session(cx, None).await?;
        let response = self.attempt(cx, request.clone(), &session).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return succeeded(response);
        }
        // The vendor refused before it did anything, so that a repeat is safe for writes too.
        let renewed = self.session(cx, Some(&session)).await?;
        succeeded(self.attempt(cx, request, &renewed).await?)
    }

    async fn attempt(&self, cx: &ToolCx, request: Request, session: &Session) -> Result<Response, Error> {
        let mut token = HeaderValue::from_str(session.token.expose()).map_err(Error::internal)?;
        token.set_sensitive(true);
        let caller = HeaderValue::from_str(&cx.call.request_id.to_string()).map_err(Error::internal)?;
        self.http.send(request.header(TOKEN, token).header(CALLER, caller).trace(&cx.call.trace)).await
    }

    /// The session, made or renewed by one caller while the others wait. `refused` is the one that got a 401.
    async fn session(&self, cx: &ToolCx, refused: Option<&Arc<Session>>) -> Result<Arc<Session>, Error> {
        let now = self.clock.epoch_seconds();
        let version = cx.lease.version();
        let mut slot = self.slot.lock().await;
        match &*slot {
            // A call that leased before a rotation may use the session of the credential that came after.
            Slot::Open(session)
                if session.version >= version
                    && now < session.renew_at
                    && refused.is_none_or(|refused| !Arc::ptr_eq(refused, session)) =>
            {
                return Ok(Arc::clone(session));
            }
            Slot::Refused { version: known, until } if *known >= version && now < *until => {
                return Err(error::rejected_credential());
            }
            _ => {}
        }
        *slot = Slot::Empty;
        match self.login(cx, &cx.lease).await {
            Ok(token) => {
                let session = Arc::new(Session { token, version, renew_at: now + SESSION_S });
                *slot = Slot::Open(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                if error.code() == "target_rejected_credential" {
                    *slot = Slot::Refused { version, until: now + REFUSED_S };
                }
                Err(error)
            }
        }
    }

    /// Tries the credential of `cx.lease`. A candidate signs in on its own: the session that calls share stays as it is, and
    /// so does what is known of refused versions.
    pub(crate) async fn verify(&self, cx: &ToolCx) -> Result<(), Error> {
        let request = Request::new(Method::GET, CHEAP, cx.deadline);
        if cx.lease.version() != Lease::CANDIDATE {
            return self.request(cx, request).await.map(drop);
        }
        let token = self.login(cx, &cx.lease).await?;
        let session = Session { token, version: Lease::CANDIDATE, renew_at: 0 };
        succeeded(self.attempt(cx, request, &session).await?).map(drop)
    }

    async fn login(&self, cx: &ToolCx, lease: &Lease) -> Result<Secret, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Reply {
            token: Secret,
        }
        let (user, password) = (lease.field("username")?, lease.field("password")?);
        let basic = STANDARD.encode(format!("{}:{}", user.expose(), password.expose()));
        let mut basic = HeaderValue::from_str(&format!("Basic {basic}")).map_err(Error::internal)?;
        basic.set_sensitive(true);
        let request =
            Request::new(Method::POST, LOGIN, cx.deadline).header(header::AUTHORIZATION, basic).idempotent(true);
        let response = self.http.send(request).await?;
        Ok(succeeded(response)?.json::<Reply>()?.token)
    }
}

fn succeeded(response: Response) -> Result<Response, Error> {
    if response.status.is_success() {
        return Ok(response);
    }
    Err(error::of(&response))
}

/// `…/count` answers with a number, or with one in an object, depending on the route.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Bare(u64),
    Object { count: u64 },
}

impl Count {
    fn number(&self) -> u64 {
        match self {
            Self::Bare(count) | Self::Object { count } => *count,
        }
    }
}

/// A query string.
#[derive(Default)]
pub(crate) struct Query(String);

impl Query {
    /// Of a tool's filters; an absent or empty one is left out.
    pub(crate) fn of<const N: usize>(filters: [(&str, Option<Filter>); N]) -> Self {
        filters.into_iter().fold(Self::default(), |query, (name, filter)| {
            query.with(name, filter.map(|f| f.0).filter(|f| !f.is_empty()))
        })
    }

    /// Adds a value, if there is one.
    #[must_use]
    pub(crate) fn with<T: ToString>(mut self, name: &str, value: Option<T>) -> Self {
        if let Some(value) = value {
            let mut pairs = url::form_urlencoded::Serializer::for_suffix(self.0, 0);
            pairs.append_pair(name, &value.to_string());
            self.0 = pairs.finish();
        }
        self
    }

    /// `path?query`.
    pub(crate) fn on(&self, path: &str) -> String {
        if self.0.is_empty() { path.to_owned() } else { format!("{path}?{}", self.0) }
    }
}

/// The text of a filter, at most 255 characters.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Filter(String);

impl JsonSchema for Filter {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Filter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 255})
    }
}

/// One path segment, percent-encoded: an argument never becomes more of the path than that. What cannot be an id of the
/// vendor's names nothing, and is not asked for.
pub(crate) fn segment(text: &str) -> Result<String, Error> {
    if text.chars().all(|c| c == '.') || text.contains(|c: char| c.is_control() || matches!(c, '/' | '\\')) {
        let message = "Catalyst Center does not know what the arguments name.";
        return Err(Error::new(ErrorKind::NotFound, "target_not_found", message));
    }
    Ok(percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string())
}
