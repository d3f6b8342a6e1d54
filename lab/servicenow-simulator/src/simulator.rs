//! One instance: options, routes, sign-in, the checks in front of every route, and the words of its refusals.
//!
//! Where next: [`crate::table_api`], [`crate::change_api`], [`crate::attachments`], and the other APIs beside them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::post;
use platform::{Secret, SharedClock};
use tower::ServiceExt as _;
use world::accounts::Accounts;
use world::{Fault, Faults, World};

pub use world::wire::Running;

use crate::caller::Caller;
use crate::change_api::{self, Workers};
use crate::oauth::{self, Tokens};
use crate::records::{Records, new_id};
use crate::reply::{Answer, Fail};
use crate::rules::{self, approval};
use crate::{aggregate, attachments, batch, cmdb_api, import_set, table_api};

/// Longest body; the instance's own limit of attachments is lower.
const MOST_BYTES: usize = 64 << 20;

/// How to start an instance.
pub struct SimulatorOptions {
    /// Name of the instance, as faults and records know it.
    pub name: String,
    /// Address; port 0 takes a free one. Loopback only.
    pub listen: SocketAddr,
    /// The regions whose devices it knows; the first one's journal keeps its records.
    pub worlds: Vec<Arc<World>>,
    /// Number of the lab, from which people and tickets are drawn.
    pub seed: u64,
    /// The first account: the lab's integration user.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Who may sign in: the first account, and what the lab adds. An account of a person's name is that person.
    pub accounts: Arc<Accounts>,
    /// The lab's faults.
    pub faults: Arc<Faults>,
    /// The lab's clock.
    pub clock: SharedClock,
    /// A rule of so many calls per hour (real time); the vendor has none by default.
    pub calls_per_hour: Option<u32>,
}

impl SimulatorOptions {
    /// Options with the defaults of the lab.
    pub fn new(name: &str, worlds: Vec<Arc<World>>, username: &str, password: Secret, clock: SharedClock) -> Self {
        Self {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            worlds,
            seed: 1,
            username: username.to_owned(),
            accounts: Arc::new(Accounts::one(username, password.clone())),
            password,
            faults: Arc::new(Faults::default()),
            clock,
            calls_per_hour: None,
        }
    }
}

/// One instance; cheap to share.
pub struct Simulator {
    name: String,
    pub(crate) clock: SharedClock,
    pub(crate) tokens: Tokens,
    records: RwLock<Records>,
    /// Work that goes on after a request.
    pub(crate) workers: Workers,
    /// Conflict checks that run, by change, with how often they were looked at.
    pub(crate) checks: Mutex<HashMap<String, u32>>,
    calls_per_hour: Option<u32>,
    window: Mutex<(Instant, u32)>,
}

pub(crate) type Shared = Arc<Simulator>;

impl Simulator {
    /// Prepares the instance: seeds its tables, reads its journal, finishes what a killed process left open.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written, or when there is no world.
    pub fn new(options: SimulatorOptions) -> platform::Result<Arc<Self>> {
        let state = |why: String| {
            platform::Error::new(
                platform::ErrorKind::Internal,
                "world_state",
                "the instance's records cannot be opened",
            )
            .with_detail(why)
        };
        let clock = Arc::clone(&options.clock);
        let records = Records::open(&options.name, &options.worlds, clock, options.seed, &options.username);
        let mut records = records.ok_or_else(|| state("no world".to_owned()))?;
        approval::finish_interrupted(&mut records).map_err(|fail| state(format!("{fail:?}")))?;
        Ok(Arc::new(Self {
            tokens: Tokens::new(&options.name, &options.password, options.accounts),
            name: options.name,
            clock: options.clock,
            records: RwLock::new(records),
            calls_per_hour: options.calls_per_hour,
            workers: Workers::default(),
            checks: Mutex::new(HashMap::new()),
            window: Mutex::new((Instant::now(), 0)),
        }))
    }

    /// Prepares the instance and serves it on its socket.
    ///
    /// # Errors
    /// `world_state`, or `lab_listen` when the address cannot be bound.
    pub async fn start(options: SimulatorOptions) -> platform::Result<Running> {
        let (listen, faults) = (options.listen, Arc::clone(&options.faults));
        Self::new(options)?.serve(listen, faults).await
    }

    /// Serves the instance on a socket.
    ///
    /// # Errors
    /// `lab_listen` when the address cannot be bound.
    pub async fn serve(self: Arc<Self>, listen: SocketAddr, faults: Arc<Faults>) -> platform::Result<Running> {
        let (name, router) = (self.name.clone(), self.router());
        world::wire::serve(name, listen, router, faults, self).await.map_err(|error| {
            platform::Error::new(platform::ErrorKind::Unavailable, "lab_listen", format!("cannot listen on {listen}"))
                .with_detail(error)
        })
    }

    /// The routes, without the faults of the wire.
    pub fn router(self: &Arc<Self>) -> Router {
        let now = Router::new()
            .merge(table_api::routes())
            .merge(attachments::routes())
            .merge(aggregate::routes())
            .merge(batch::routes())
            .merge(cmdb_api::routes())
            .merge(import_set::routes());
        let versions =
            Router::new().nest("/api/now", now.clone()).nest("/api/now/v1", now.clone()).nest("/api/now/v2", now);
        let change = change_api::routes();
        let routes: Router = versions
            .nest("/api/sn_chg_rest", change.clone())
            .nest("/api/sn_chg_rest/v1", change)
            .fallback(no_route)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(self), admit))
            .route("/oauth_token.do", post(oauth::token))
            .with_state(Arc::clone(self));
        // Routes are chosen by method, so another method must be known before.
        Router::new().fallback_service(routes.map_request(overridden))
    }

    /// Decides about a change as one of its approvers, as if that person had done it on the vendor's own page. `change` is a
    /// number or an id, `state` `approved` or `rejected`.
    ///
    /// # Errors
    /// A sentence when nobody asked that person.
    pub fn decide(&self, change: &str, user_name: &str, state: &str) -> Result<(), String> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        approval::decide_as(&mut records, change, user_name, state)
            .map_err(|_| format!("no open approval of {user_name} for {change}"))
    }

    /// Reads under the lock.
    pub(crate) fn read<T>(&self, reading: impl FnOnce(&Records) -> T) -> T {
        reading(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads under the lock on a thread for long work, for questions that may look at every row of a table: the process has
    /// other callers and other systems to answer meanwhile.
    pub(crate) async fn read_aside(
        self: Arc<Self>,
        reading: impl FnOnce(&Records) -> Answer + Send + 'static,
    ) -> Answer {
        let answer = tokio::task::spawn_blocking(move || self.read(reading)).await;
        answer.unwrap_or_else(|error| {
            let detail = error.to_string();
            Err(Fail::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", Some(&detail)))
        })
    }

    /// Writes under the lock: one request's changes are together.
    pub(crate) fn write<T>(&self, writing: impl FnOnce(&mut Records) -> T) -> T {
        writing(&mut self.records.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The user of an account. An account without a user gets one with the integration user's role.
    fn caller(&self, account: &str) -> Result<Option<Caller>, Fail> {
        let known =
            self.read(|records| records.first("sys_user", "user_name", account).map(|_| Caller::of(records, account)));
        if let Some(caller) = known {
            return Ok(caller);
        }
        self.write(|records| {
            let system = Caller::system();
            let role =
                records.first("sys_user_role", "name", "itil").map(|role| role.id().to_owned()).unwrap_or_default();
            let user = rules::insert(
                records,
                &system,
                "sys_user",
                &rules::Input::of([("user_name", account), ("last_name", account)]),
            )?;
            rules::insert(
                records,
                &system,
                "sys_user_has_role",
                &rules::Input::of([("user", &user), ("role", &role)]),
            )?;
            Ok(Caller::of(records, account))
        })
    }

    /// Counts a call; the answer is the wait in seconds when the hour is full.
    fn count_call(&self) -> Option<u64> {
        let limit = self.calls_per_hour?;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let age = window.0.elapsed().as_secs();
        if age >= 3_600 {
            *window = (Instant::now(), 0);
        }
        window.1 += 1;
        (window.1 > limit).then_some(3_600 - age.min(3_599))
    }

    fn rate_limited(&self, limit: u32, wait_s: Option<u64>) -> Response<Body> {
        let detail = format!("Rate limit of {limit} requests per hour for Table API exceeded");
        let mut answer = Fail::new(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded", Some(&detail)).into_response();
        let reset = self.clock.epoch_seconds() + i64::try_from(wait_s.unwrap_or(3_600)).unwrap_or(3_600);
        let headers = answer.headers_mut();
        headers.insert("x-ratelimit-limit", HeaderValue::from(limit));
        headers.insert("x-ratelimit-reset", HeaderValue::from(reset));
        headers.insert("x-ratelimit-rule", HeaderValue::from_static("5f6b7c8d9e0f1a2b3c4d5e6f70819203"));
        if let Some(seconds) = wait_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

/// What every handler knows about its request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Who calls.
    pub(crate) caller: Caller,
    /// `http://host:port` as the client spells it.
    pub(crate) base: String,
    /// The path.
    pub(crate) path: String,
    /// Whether the path names version 1, which answers some things differently.
    pub(crate) is_version_1: bool,
}

impl<S: Sync> FromRequestParts<S> for Request {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Fail> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Fail::unauthenticated)
    }
}

async fn admit(State(simulator): State<Shared>, mut request: axum::extract::Request, next: Next) -> Response<Body> {
    let account = simulator.tokens.signed_in(request.headers(), simulator.clock.epoch_seconds());
    let caller = match account.map(|account| simulator.caller(&account)).transpose() {
        Ok(caller) => caller.flatten(),
        Err(fail) => return fail.into_response(),
    };
    let Some(caller) = caller else { return Fail::unauthenticated().into_response() };
    if let Some(wait) = simulator.count_call() {
        return simulator.rate_limited(simulator.calls_per_hour.unwrap_or_default(), Some(wait));
    }
    let path = request.uri().path().to_owned();
    if let Err(fail) = speaks_json(&request, &path) {
        return fail.into_response();
    }
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1");
    let base = format!("http://{host}");
    let is_version_1 = path.starts_with("/api/now/v1/");
    request.extensions_mut().insert(Request { caller, base, path, is_version_1 });
    let mut answer = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&new_id()) {
        answer.headers_mut().insert("x-transaction-id", id);
    }
    answer
}

/// A client that wants something else than JSON, or sends it, is refused. Attachments carry anything.
fn speaks_json(request: &axum::extract::Request, path: &str) -> Result<(), Fail> {
    let text = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if path.contains("/attachment") {
        return Ok(());
    }
    let accepts = text(header::ACCEPT).is_none_or(|accept| accept.contains("json") || accept.contains("*/*"));
    if !accepts {
        return Err(Fail::bad("Unsupported response type", Some("Accept must name application/json")));
    }
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let has_body = request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    let sends = text(header::CONTENT_TYPE).is_some_and(|kind| kind.contains("json"));
    if writes && has_body && !sends {
        return Err(Fail::bad("Unsupported content type", Some("Content-Type must be application/json")));
    }
    Ok(())
}

/// A client that can only GET and POST names the method that it means in a header.
fn overridden(mut request: axum::extract::Request) -> axum::extract::Request {
    let named =
        request.headers().get("x-http-method-override").and_then(|value| Method::from_bytes(value.as_bytes()).ok());
    if let Some(method) = named {
        *request.method_mut() = method;
    }
    request
}

async fn no_route() -> Fail {
    Fail::no_resource()
}

async fn no_method(request: axum::extract::Request) -> Fail {
    let detail = format!("{} is not supported here", request.method());
    Fail::new(StatusCode::METHOD_NOT_ALLOWED, "Method not supported", Some(&detail))
}

impl world::wire::Wording for Simulator {
    fn refuse(&self, fault: Fault, request: &axum::http::Request<Body>) -> Response<Body> {
        match fault {
            Fault::RateLimited { retry_after_s } => self.rate_limited(100, retry_after_s),
            Fault::ExpiredToken => {
                self.tokens.kill(request.headers());
                Fail::unauthenticated().into_response()
            }
            Fault::ServerError { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let reason = status.canonical_reason().unwrap_or("Server Error");
                Fail::new(status, reason, Some("Transaction cancelled")).into_response()
            }
            Fault::Hibernating => hibernating(),
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// A developer instance that sleeps: a page for people, with status 200.
fn hibernating() -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8"));
    let page = "<html><head><title>Instance Hibernating page</title></head><body><p>Your instance is hibernating. Sign in to \
                the developer site to wake it up.</p></body></html>";
    (StatusCode::OK, headers, page).into_response()
}
