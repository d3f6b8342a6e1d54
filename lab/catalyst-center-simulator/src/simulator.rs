//! One controller instance: options, routes, authentication, rate limit.
//!
//! Where next: the module of the area (`devices`, `templates`, `deploy`, …), each with its routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::routing::post;
use platform::{Secret, SharedClock};
use serde_json::json;
use world::accounts::Accounts;
use world::{CommandLog, Fault, Faults, World};

pub use world::knobs::{Knobs, Pace};
pub use world::wire::Running;

use crate::inventory::Inventory;
use crate::remembered::Remembered;
use crate::reply::{Answer, Fail, bare};
use crate::tokens::Tokens;
use crate::{
    advisories, assurance, clients, command_runner, compliance, config_files, deploy, devices, discovery, events, flow,
    hardware, interface_update, interfaces, issues, modern_devices, platform_facts, saving, site_health, sites, swim,
    tasks, templates, topology,
};

/// How to start an instance.
pub struct SimulatorOptions {
    /// Name of the instance, as faults and records know it.
    pub name: String,
    /// Address; port 0 takes a free one. Loopback only.
    pub listen: SocketAddr,
    /// The region that it manages.
    pub world: Arc<World>,
    /// The first account.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Who may sign in: the first account, and what the lab adds.
    pub accounts: Arc<Accounts>,
    /// The lab's faults.
    pub faults: Arc<Faults>,
    /// The record of device commands.
    pub commands: Arc<CommandLog>,
    /// The lab's clock.
    pub clock: SharedClock,
    /// Speed of asynchronous work.
    pub pace: Pace,
    /// Calls per minute (real time) and path family before 429; generous by default.
    pub calls_per_minute: u32,
    /// Where both may be turned while it runs; without any, they stay.
    pub knobs: Option<Arc<Knobs>>,
}

impl SimulatorOptions {
    /// Options with the defaults of the lab.
    pub fn new(name: &str, world: Arc<World>, username: &str, password: Secret, clock: SharedClock) -> Self {
        Self {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            world,
            username: username.to_owned(),
            accounts: Arc::new(Accounts::one(username, password.clone())),
            password,
            faults: Arc::new(Faults::default()),
            commands: Arc::new(CommandLog::default()),
            clock,
            pace: Pace::default(),
            calls_per_minute: 60_000,
            knobs: None,
        }
    }
}

/// One instance; cheap to share.
pub struct Simulator {
    pub(crate) name: String,
    pub(crate) username: String,
    pub(crate) world: Arc<World>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) commands: Arc<CommandLog>,
    pub(crate) clock: SharedClock,
    pub(crate) inventory: Inventory,
    pub(crate) known_ports: interfaces::Known,
    pub(crate) tallies: clients::Tallies,
    pub(crate) remembered: Remembered,
    tokens: Tokens,
    knobs: Arc<Knobs>,
    windows: Mutex<HashMap<String, (std::time::Instant, u32)>>,
}

pub(crate) type Shared = Arc<Simulator>;

impl Simulator {
    /// Prepares the instance: seeds its templates, closes work that a killed process left open.
    ///
    /// # Errors
    /// `world_state` when the journal cannot be written.
    pub fn new(options: SimulatorOptions) -> platform::Result<Arc<Self>> {
        let simulator = Arc::new(Self {
            tokens: Tokens::new(&options.name, &options.username, &options.password, options.accounts),
            name: options.name,
            username: options.username,
            inventory: Inventory::of(&options.world),
            known_ports: interfaces::Known::default(),
            tallies: clients::Tallies::default(),
            remembered: Remembered::default(),
            world: options.world,
            faults: options.faults,
            commands: options.commands,
            clock: options.clock,
            knobs: options.knobs.unwrap_or_else(|| Arc::new(Knobs::new(options.calls_per_minute, options.pace))),
            windows: Mutex::new(HashMap::new()),
        });
        templates::seed(&simulator)?;
        deploy::close_interrupted(&simulator)?;
        simulator.close_compliance_runs()?;
        Ok(simulator)
    }

    /// Prepares the instance and serves it on its socket.
    ///
    /// # Errors
    /// `world_state`, or `lab_listen` when the address cannot be bound.
    pub async fn start(options: SimulatorOptions) -> platform::Result<Running> {
        let (name, listen, faults) = (options.name.clone(), options.listen, Arc::clone(&options.faults));
        let simulator = Self::new(options)?;
        let router = simulator.router();
        world::wire::serve(name, listen, router, faults, simulator).await.map_err(|error| {
            platform::Error::new(platform::ErrorKind::Unavailable, "lab_listen", format!("cannot listen on {listen}"))
                .with_detail(error)
        })
    }

    /// The routes, without the faults of the wire.
    pub fn router(self: &Arc<Self>) -> Router {
        let intent = Router::new()
            .merge(devices::routes())
            .merge(modern_devices::routes())
            .merge(hardware::routes())
            .merge(interfaces::routes())
            .merge(interface_update::routes())
            .merge(sites::routes())
            .merge(site_health::routes())
            .merge(assurance::routes())
            .merge(issues::routes())
            .merge(clients::routes())
            .merge(events::routes())
            .merge(compliance::routes())
            .merge(saving::routes())
            .merge(config_files::routes())
            .merge(advisories::routes())
            .merge(templates::routes())
            .merge(deploy::routes())
            .merge(tasks::routes())
            .merge(command_runner::routes())
            .merge(discovery::routes())
            .merge(flow::routes())
            .merge(swim::routes())
            .merge(topology::routes())
            .merge(platform_facts::routes());
        intent
            .fallback(no_route)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(self), admit))
            .route("/dna/system/api/v1/auth/token", post(token))
            .with_state(Arc::clone(self))
    }

    /// How long asynchronous work takes now.
    pub(crate) fn pace(&self) -> Pace {
        self.knobs.pace()
    }

    /// Now in milliseconds since the epoch, by the lab's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// Counts a call; the answer is the wait in seconds when the family's minute is full.
    fn count_call(&self, path: &str) -> Option<u64> {
        let family: String = path.split('/').take(6).collect::<Vec<_>>().join("/");
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let now = std::time::Instant::now();
        let window = windows.entry(family).or_insert((now, 0));
        let age = now.duration_since(window.0).as_secs();
        if age >= 60 {
            *window = (now, 0);
        }
        window.1 += 1;
        (window.1 > self.knobs.calls_per_minute()).then_some(60 - age.min(59))
    }
}

async fn token(State(simulator): State<Shared>, headers: HeaderMap) -> Answer {
    let Some(account) = simulator.tokens.signed_in(&headers) else {
        return Err(Fail::new(
            StatusCode::UNAUTHORIZED,
            "INVALID_CREDENTIALS",
            "Authentication has failed. Please provide valid credentials.",
        ));
    };
    bare(json!({ "Token": simulator.tokens.issue(&account, simulator.clock.epoch_seconds()) }))
}

async fn admit(State(simulator): State<Shared>, request: Request, next: Next) -> Response<Body> {
    let token = request.headers().get("x-auth-token").and_then(|value| value.to_str().ok());
    if !token.is_some_and(|token| simulator.tokens.accepts(token, simulator.clock.epoch_seconds())) {
        return unauthorized();
    }
    if let Some(wait) = simulator.count_call(request.uri().path()) {
        // The field sees the header on some refusals only.
        return rate_limited(simulator.knobs.calls_per_minute(), (wait % 2 == 0).then_some(wait));
    }
    let mut answer = next.run(request).await;
    // The controller tells the time of its own clock, which is the lab's.
    let date = simulator.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::from_str(&date) {
        answer.headers_mut().insert(header::DATE, date);
    }
    answer
}

async fn no_route(request: Request) -> Fail {
    Fail::missing(format!("No resource found for {} {}", request.method(), request.uri().path()))
}

fn unauthorized() -> Response<Body> {
    Fail::new(StatusCode::UNAUTHORIZED, "rbac", "Invalid or expired token.").into_response()
}

fn rate_limited(rate: u32, retry_after_s: Option<u64>) -> Response<Body> {
    let message = format!(
        "RateLimitContext{{rate={rate}, windowUnit='minute', windowDuration=1, maxConcurrentExecutionsPermitted=0}}"
    );
    let mut answer = Fail::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", message).into_response();
    if let Some(seconds) = retry_after_s {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

impl world::wire::Wording for Simulator {
    fn refuse(&self, fault: Fault, request: &Request<Body>) -> Response<Body> {
        match fault {
            Fault::RateLimited { retry_after_s } => rate_limited(100, retry_after_s),
            Fault::ExpiredToken => {
                if let Some(token) = request.headers().get("x-auth-token").and_then(|value| value.to_str().ok()) {
                    self.tokens.kill(token);
                }
                unauthorized()
            }
            Fault::ServerError { status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let reason = status.canonical_reason().unwrap_or("Server Error");
                Fail::new(status, reason, "The service is not able to handle the request at this time.").into_response()
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
