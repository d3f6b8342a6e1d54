//! How the index stays young: each source is read by itself, at start, then every `targets.refresh_s`, sooner where somebody
//! waits, and later and later while it fails. A server is read by the one road (T13): one call of its port per refresh, as the
//! platform's own identity, which policy grants this port and nothing else; so one record in the audit per refresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::context::{CallReferences, LOCAL_SOURCE, Protocol, RequestId, TraceContext};
use platform::principal::{PrincipalKind, TokenFacts};
use platform::resource::Resource;
use platform::{CallContext, Error, Principal};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::index::SourceKind;
use super::{FILE, TargetDirectory};
use crate::pipeline::{CallRequest, Pipeline};
use crate::ports::target_source::{LIST_TARGETS, TargetList};

/// The group that policy grants the port. No issuer may give it to anybody: groups that begin with `platform:` are dropped
/// from tokens.
pub const GROUP: &str = "platform:target-directory";

/// Sources that are read at once.
const AT_ONCE: usize = 2;
/// Longest time for one source.
const LONGEST: Duration = Duration::from_secs(300);
/// The first pause after a failure; it doubles until it is the usual interval.
const FIRST_PAUSE_S: i64 = 5;
/// A source is not read again sooner than this because somebody waits, seconds.
const SOONEST_S: i64 = 5;

/// When a source is read next, and how often it has failed in a row.
struct Due {
    at: i64,
    failures: u32,
}

impl TargetDirectory {
    /// Keeps the index young until `stop`.
    pub(crate) async fn run(self: Arc<Self>, road: Arc<Pipeline>, stop: CancellationToken) {
        let sources: Vec<_> = self.lock().iter().map(|s| s.name.clone()).collect();
        if sources.is_empty() {
            return;
        }
        self.refreshing.send_replace(true);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let tasks = sources.into_iter().map(|name| {
            let (directory, road, turns) = (Arc::clone(&self), Arc::clone(&road), Arc::clone(&turns));
            async move { directory.keep(&road, &name, &turns).await }
        });
        stop.run_until_cancelled(futures_util::future::join_all(tasks)).await;
        self.refreshing.send_replace(false);
        // Who waits is told that nobody refreshes any more.
        self.refreshed.send_modify(|count| *count += 1);
    }

    /// Reads one source again and again.
    async fn keep(&self, road: &Arc<Pipeline>, name: &str, turns: &Semaphore) {
        let clock = road.clock();
        let every = i64::try_from(self.every.as_secs()).unwrap_or(i64::MAX);
        let mut due = Due { at: clock.epoch_seconds(), failures: 0 };
        let mut wanted = self.wanted.subscribe();
        loop {
            let began = clock.epoch_seconds();
            let read = match turns.acquire().await {
                Ok(_turn) => road.refresh_target_source(name).await,
                Err(closed) => Err(Error::internal(closed)),
            };
            let (devices, ambiguous) = self.size();
            road.metrics().targets(name, read.is_ok().then_some(began), devices, ambiguous);
            due = match read {
                Ok(rows) => {
                    tracing::debug!(source = name, rows, devices, ambiguous, "the target directory was refreshed");
                    Due { at: began.saturating_add(every), failures: 0 }
                }
                Err(error) => {
                    tracing::warn!(
                        source = name,
                        error.code = error.code(),
                        error.message = error.detail(),
                        "devices could not be read"
                    );
                    let pause = FIRST_PAUSE_S << due.failures.min(10);
                    let asked = error.refusal().retry_after_s.and_then(|s| i64::try_from(s).ok()).unwrap_or(0);
                    let pause = pause.min(every).max(asked.min(every));
                    Due { at: began.saturating_add(pause), failures: due.failures + 1 }
                }
            };
            self.until(&due, began, &mut wanted, || clock.epoch_seconds()).await;
        }
    }

    /// Waits until a source is due: by the platform's clock, which a lab moves, or because somebody waits for it.
    async fn until(&self, due: &Due, began: i64, wanted: &mut watch::Receiver<u64>, now: impl Fn() -> i64) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asked = false;
        while now() < due.at && !(asked && now() >= began + SOONEST_S) {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = wanted.changed(), if !asked => asked = !self.usable(now()),
            }
        }
    }

    async fn read(self: &Arc<Self>, road: &Arc<Pipeline>, name: &str, kind: SourceKind) -> Result<usize, Error> {
        let began = road.clock().epoch_seconds();
        let rows = match kind {
            SourceKind::File => match &self.file {
                Some(file) => file.read()?,
                None => Vec::new(),
            },
            SourceKind::Server => {
                let request = CallRequest {
                    server: name.to_owned(),
                    tool: LIST_TARGETS.to_owned(),
                    arguments: json!({}),
                    references: CallReferences::default(),
                };
                let answer = road.call_port(Arc::new(context(began)), request).await?;
                serde_json::from_value::<TargetList>(answer.structured).map_err(Error::internal)?.rows
            }
        };
        let count = rows.len();
        debug_assert!(kind == SourceKind::Server || name == FILE, "there is one file");
        let (directory, name) = (Arc::clone(self), name.to_owned());
        let joined = tokio::task::spawn_blocking(move || directory.publish(&name, began, rows));
        joined.await.map_err(Error::internal)?;
        Ok(count)
    }
}

/// The platform itself, for one refresh.
fn context(now: i64) -> CallContext {
    let who = "target-directory".to_owned();
    let principal = Principal {
        issuer: "urn:interlock:platform".to_owned(),
        subject: who.clone(),
        person: who.clone(),
        name: who.clone(),
        kind: PrincipalKind::Client,
        groups: vec![GROUP.to_owned()],
        client_id: who,
        scopes: Vec::new(),
        acr: None,
        amr: Vec::new(),
        auth_time: None,
        mfa: false,
        actors: Vec::new(),
        token: TokenFacts {
            id: None,
            session: None,
            key: None,
            proof: Default::default(),
            issued_at: now,
            expires_at: now.saturating_add(i64::try_from(LONGEST.as_secs()).unwrap_or(i64::MAX)),
        },
    };
    CallContext {
        request_id: RequestId::mint(),
        client_request_id: None,
        trace: TraceContext::root(),
        principal: Arc::new(principal),
        resource: Resource::Platform,
        protocol: Protocol::Internal,
        source: LOCAL_SOURCE,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now() + LONGEST,
    }
}

/// Whether a result is the platform's own and never a reply: it is as large as it is.
pub(crate) fn is_own(cx: &CallContext, tool: &str) -> bool {
    cx.protocol == Protocol::Internal && tool == LIST_TARGETS
}

impl Pipeline {
    /// Reads one source of the target directory now, and tells how many rows it has. Errors: those of the road, and the
    /// source's own.
    pub async fn refresh_target_source(self: &Arc<Self>, name: &str) -> Result<usize, Error> {
        let kind = self.directory().lock().iter().find(|s| s.name == name).map(|s| s.kind);
        let kind = kind.ok_or_else(|| Error::internal(format!("{name} is no source of the target directory")))?;
        let read = self.directory().read(self, name, kind).await;
        read.inspect_err(|error| self.directory().failed(name, error.code()))
    }

    /// Keeps the target directory young until `stop`.
    pub async fn refresh_targets(self: Arc<Self>, stop: CancellationToken) {
        Arc::clone(self.directory()).run(Arc::clone(&self), stop).await;
    }
}
