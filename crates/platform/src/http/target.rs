//! The client for one configured target (T13): exact scheme, host and port, no redirects, no proxy; every failure has a
//! code. When it sends again is in `retry`, when not at all in `breaker`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use url::Url;

use super::attempt::{Failure, attempt};
use super::breaker::{Breaker, BreakerOptions};
use super::budget::{Budget, BudgetOptions, Claim, Permit};
use super::observe::{Outbound, OutboundObserver, Outcome, Queued};
use super::request::{Request, Response};
use super::retry::{RetryBudget, RetryOptions, Verdict, backoff, retry_after, verdict};
use super::stream::Streamed;
use super::tls;
use crate::config::ServerConfig;
use crate::error::{Error, ErrorKind};

/// How to reach one configured target.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// Name for metrics, logs and errors: the server instance or the service.
    pub name: String,
    /// Scheme, host, port and base path; everything else is refused.
    pub base: Url,
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// SHA-256 of the server certificate's SubjectPublicKeyInfo, in hexadecimal: pins the peer.
    pub pin_sha256: Option<String>,
    /// Longest time for one attempt.
    pub attempt_timeout: Duration,
    /// Most bytes of a response body.
    pub max_body: usize,
    /// When a request is sent again.
    pub retry: RetryOptions,
    /// When nothing is sent for a while.
    pub breaker: BreakerOptions,
    /// How much is sent, where that is limited (T31).
    pub budget: Option<BudgetOptions>,
}

impl TargetOptions {
    /// Defaults: 10 s an attempt, 8 MiB a body, the system's certificate authorities, [`RetryOptions::default`],
    /// [`BreakerOptions::default`], no budget.
    pub fn new(name: impl Into<String>, base: Url) -> Self {
        Self {
            name: name.into(),
            base,
            ca_pem: None,
            pin_sha256: None,
            attempt_timeout: Duration::from_secs(10),
            max_body: 8 << 20,
            retry: RetryOptions::default(),
            breaker: BreakerOptions::default(),
            budget: None,
        }
    }
}

impl TargetOptions {
    /// As the operator says. Errors (settings): `target_missing`, `ca_file_unreadable`.
    pub fn configured(server: &ServerConfig) -> Result<Self, Error> {
        let base = server.target.clone().ok_or_else(|| {
            let message = format!("The server `{}` needs `target`, the base URL of its system.", server.name);
            Error::new(ErrorKind::InvalidInput, "target_missing", message)
        })?;
        let mut options = Self::new(server.name.clone(), base);
        if let Some(file) = &server.ca_file {
            let unreadable = |e| {
                let message = format!("{} cannot be read: {e}.", file.display());
                Error::new(ErrorKind::InvalidInput, "ca_file_unreadable", message)
            };
            options.ca_pem = Some(std::fs::read(file).map_err(unreadable)?);
        }
        options.pin_sha256.clone_from(&server.pin_sha256);
        let ServerConfig { calls_per_minute, concurrency, .. } = *server;
        options.budget = Some(BudgetOptions { calls_per_minute, concurrency });
        Ok(options)
    }
}

/// The client for one configured target. Clones share connections, retry budget and breaker.
#[derive(Clone)]
pub struct TargetClient(Arc<Inner>);

struct Inner {
    client: reqwest::Client,
    options: TargetOptions,
    retries: RetryBudget,
    breaker: Breaker,
    budget: Option<Budget>,
    observer: Option<Arc<dyn OutboundObserver>>,
}

impl std::fmt::Debug for TargetClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TargetClient").field("name", &self.0.options.name).finish_non_exhaustive()
    }
}

/// A timeout says something about the target only when it had at least this long to answer.
const FAIR_CHANCE: Duration = Duration::from_secs(1);

impl TargetClient {
    /// Builds the client. Errors (settings): `target_base_invalid`, `tls_ca_invalid`, `tls_pin_invalid`,
    /// `tls_no_authorities`.
    pub fn new(options: TargetOptions) -> Result<Self, Error> {
        Self::build(options, None)
    }

    /// The same, with an observer that hears of every attempt.
    pub fn observed(options: TargetOptions, observer: Arc<dyn OutboundObserver>) -> Result<Self, Error> {
        Self::build(options, Some(observer))
    }

    /// For a server as the operator configured it. Errors: those of [`TargetOptions::configured`] and of [`Self::new`].
    pub fn configured(server: &ServerConfig, observer: &Arc<dyn OutboundObserver>) -> Result<Self, Error> {
        Self::observed(TargetOptions::configured(server)?, Arc::clone(observer))
    }

    fn build(options: TargetOptions, observer: Option<Arc<dyn OutboundObserver>>) -> Result<Self, Error> {
        let base = &options.base;
        let encrypted = base.scheme() == "https";
        let plain_base = base.username().is_empty() && base.password().is_none() && base.query().is_none();
        let pinned_in_clear = !encrypted && (options.pin_sha256.is_some() || options.ca_pem.is_some());
        if !(encrypted || base.scheme() == "http") || !base.has_host() || !plain_base || pinned_in_clear {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "target_base_invalid",
                format!(
                    "The base URL of {} must be http or https with a host and at most a path; a CA or pin needs https.",
                    options.name
                ),
            ));
        }
        let tls = tls::client_config(encrypted, options.ca_pem.as_deref(), options.pin_sha256.as_deref())?;
        #[expect(clippy::disallowed_methods, reason = "this is the one place that builds the client for targets")]
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            // Retries are counted and budgeted here; none may happen below.
            .retry(reqwest::retry::never())
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5).min(options.attempt_timeout))
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(Error::internal)?;
        let (retries, breaker) = (RetryBudget::new(&options.retry), Breaker::new(options.breaker));
        let budget = options.budget.map(Budget::new);
        Ok(Self(Arc::new(Inner { client, options, retries, breaker, budget, observer })))
    }

    /// The options it was built with.
    pub fn options(&self) -> &TargetOptions {
        &self.0.options
    }

    /// Sends a request. Errors: `target_timeout` ([`ErrorKind::Timeout`]), `target_connection_lost`
    /// ([`ErrorKind::Unavailable`]), `target_response_too_large` ([`ErrorKind::Upstream`]): the request may have been
    /// acted on. `target_unreachable`, `target_circuit_open` ([`ErrorKind::Unavailable`]), `target_request_refused`
    /// ([`ErrorKind::InvalidInput`]), `target_busy` ([`ErrorKind::RateLimited`]): nothing was sent. A response of any status is a success here; the connector maps
    /// it.
    ///
    /// Only a request that says it is idempotent is sent again: after a broken connection, 502, 504, and after 429 or
    /// 503 with a `Retry-After` that ends before the deadline.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let Inner { options, retries, .. } = &*self.0;
        let url = request.url(&options.base)?;
        retries.deposit();
        let mut count = 0;
        loop {
            count += 1;
            let result = self.once(&request, url.clone(), count).await;
            let again = match &result {
                Ok(response) => verdict(response.status, &response.headers),
                Err(Stop::Failed(Failure::Unreachable(_) | Failure::Lost(_))) => Verdict::Again(None),
                Err(_) => Verdict::Final,
            };
            let pause = match again {
                Verdict::Again(after) if request.idempotent && count < options.retry.max_attempts => {
                    after.unwrap_or_default().max(backoff(&options.retry, count))
                }
                _ => return result.map_err(|stop| stop.into_error(&options.name)),
            };
            let fits = Instant::now() + pause < request.deadline;
            if !fits || !retries.withdraw() {
                return result.map_err(|stop| stop.into_error(&options.name));
            }
            tracing::debug!(target = %options.name, attempt = count, ?pause, "sending again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request once and hands its answer on as it comes; the deadline and the attempt's limit hold until the head
    /// is there. Errors: those of [`Self::send`], never a second attempt.
    pub async fn open(&self, request: Request) -> Result<Streamed, Error> {
        let Inner { client, options, breaker, .. } = &*self.0;
        let url = request.url(&options.base)?;
        let mut turn = self.turn(&request, 1).await.map_err(|stop| stop.into_error(&options.name))?;
        let started = Instant::now();
        let permit = breaker.acquire(started).map_err(|wait| {
            self.observe(&request.method, Outcome::CircuitOpen, 1, Duration::ZERO);
            Stop::CircuitOpen(wait).into_error(&options.name)
        })?;
        turn.sends();
        let limit = request.deadline.saturating_duration_since(started).min(options.attempt_timeout);
        let sent = client.request(request.method.clone(), url).headers(request.headers).body(request.body).send();
        let result = match tokio::time::timeout(limit, sent).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::Timeout(limit)),
        };
        let (outcome, healthy) = match &result {
            Ok(response) => (Outcome::Status(response.status()), Some(!response.status().is_server_error())),
            Err(failure @ Failure::Timeout(_)) => {
                (failure.outcome(), (limit >= options.attempt_timeout.min(FAIR_CHANCE)).then_some(false))
            }
            Err(failure) => (failure.outcome(), Some(false)),
        };
        if let Some(healthy) = healthy {
            permit.report(healthy, Instant::now());
        }
        turn.heard(result.as_ref().ok().map(|answer| (answer.status(), answer.headers())));
        self.observe(&request.method, outcome, 1, started.elapsed());
        result.map(|body| Streamed::new(&options.name, body)).map_err(|failure| failure.into_error(&options.name))
    }

    async fn once(&self, request: &Request, url: Url, count: u32) -> Result<Response, Stop> {
        let Inner { client, options, breaker, .. } = &*self.0;
        let mut turn = self.turn(request, count).await?;
        let started = Instant::now();
        let left = request.deadline.saturating_duration_since(started);
        if left.is_zero() {
            return Err(Stop::Failed(Failure::Timeout(Duration::ZERO)));
        }
        let permit = breaker.acquire(started).map_err(|wait| {
            self.observe(&request.method, Outcome::CircuitOpen, count, Duration::ZERO);
            Stop::CircuitOpen(wait)
        })?;
        turn.sends();
        let limit = left.min(options.attempt_timeout);
        let sent =
            client.request(request.method.clone(), url).headers(request.headers.clone()).body(request.body.clone());
        let result = attempt(sent, limit, options.max_body).await;
        let (outcome, healthy) = match &result {
            Ok((response, _)) => (Outcome::Status(response.status), Some(!response.status.is_server_error())),
            Err(failure @ Failure::Timeout(limit)) => {
                (failure.outcome(), (*limit >= options.attempt_timeout.min(FAIR_CHANCE)).then_some(false))
            }
            Err(failure @ (Failure::Unreachable(_) | Failure::Lost(_))) => (failure.outcome(), Some(false)),
            Err(failure @ Failure::TooLarge(_)) => (failure.outcome(), Some(true)),
        };
        if let Some(healthy) = healthy {
            permit.report(healthy, Instant::now());
        }
        turn.heard(result.as_ref().ok().map(|(answer, _)| (answer.status, &answer.headers)));
        self.observe(&request.method, outcome, count, started.elapsed());
        result.map(|(response, _)| response).map_err(Stop::Failed)
    }

    /// Waits for a turn in the target's budget. A circuit that is open is told before the waiting.
    async fn turn(&self, request: &Request, count: u32) -> Result<Turn, Stop> {
        let Inner { options, breaker, budget, observer, .. } = &*self.0;
        let Some(budget) = budget else { return Ok(Turn::default()) };
        if let Some(wait) = breaker.open_for(Instant::now()) {
            self.observe(&request.method, Outcome::CircuitOpen, count, Duration::ZERO);
            return Err(Stop::CircuitOpen(wait));
        }
        let (claim, began) = (Claim::current(), tokio::time::Instant::now());
        let permit = budget.acquire(&claim, &options.name, request.deadline.into()).await;
        if let Some(observer) = observer {
            let (target, class) = (&*options.name, claim.class());
            observer.queued(&Queued { target, class, waited: began.elapsed(), granted: permit.is_ok() });
        }
        permit.map(|permit| Turn { permit: Some(permit) }).map_err(Stop::Busy)
    }

    fn observe(&self, method: &Method, outcome: Outcome, attempt: u32, duration: Duration) {
        if let Some(observer) = &self.0.observer {
            let target = &*self.0.options.name;
            observer.attempted(&Outbound { target, method, outcome, attempt, duration });
        }
    }
}

/// One request's turn in the budget; nothing where there is no budget.
#[derive(Default)]
struct Turn {
    permit: Option<Permit>,
}

impl Turn {
    fn sends(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.sends();
        }
    }

    /// What the target says of its own limits holds for all that wait.
    fn heard(&mut self, answer: Option<(http::StatusCode, &http::HeaderMap)>) {
        let (Some(permit), Some((status, headers))) = (&mut self.permit, answer) else { return };
        match status {
            http::StatusCode::TOO_MANY_REQUESTS => permit.refused(retry_after(headers)),
            _ => permit.answered(),
        }
    }
}

enum Stop {
    Failed(Failure),
    CircuitOpen(Duration),
    /// Refused by the target's budget.
    Busy(Error),
}

impl Stop {
    fn into_error(self, target: &str) -> Error {
        match self {
            Self::Failed(failure) => failure.into_error(target),
            Self::Busy(busy) => busy,
            Self::CircuitOpen(wait) => Error::new(
                ErrorKind::Unavailable,
                "target_circuit_open",
                format!("{target} failed repeatedly and is left alone for a moment; try again later."),
            )
            .with_retry_after(wait),
        }
    }
}
