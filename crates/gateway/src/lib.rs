//! The doors: one list of layers around every request ([`edge`]), the MCP endpoints, REST, the pages where a person
//! passes a second factor, and the documents that say what the platform is. Handlers hold no decisions: they parse,
//! call the pipeline, and map.
//!
//! The gateway knows no connector, no backend and no issuer; `server` hands it the parts. Where to go next: [`edge`]
//! for the layers, [`mcp_door`] and [`rest`] for the two ways to a tool, [`pages`] for people.

pub mod edge;
#[doc(hidden)]
pub mod fuzzing;
mod logout;
pub mod mcp_door;
mod metadata;
mod operations;
pub mod pages;
mod problem;
pub mod rest;
mod serve;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use platform::SharedClock;
use platform::audit::AuditLog;
use platform::audit_refusals::RefusalCounter;
use platform::resource::BaseUrl;
use platform::revocation::LogoutTokens;
use platform::telemetry::Metrics;
use platform::tokens::{SignIn, TokenVerifier};
use tool_runtime::Pipeline;

pub use self::serve::tls::{ClientCertificates, SOON, Tls, TlsFiles};
pub use self::serve::{ConnectionLimits, Serving, serve};

/// What the gateway is made of.
pub struct Parts {
    /// The road.
    pub pipeline: Arc<Pipeline>,
    /// Bearer tokens.
    pub tokens: Arc<dyn TokenVerifier>,
    /// What issuers announce about sessions that ended.
    pub logout: Arc<dyn LogoutTokens>,
    /// Sign-in of the pages.
    pub sign_in: Arc<dyn SignIn>,
    /// Audit, for what is not a tool call.
    pub audit: Arc<dyn AuditLog>,
    /// What is refused before a principal is known (T25).
    pub refusals: Arc<RefusalCounter>,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// Time of day.
    pub clock: SharedClock,
    /// Servers outside the road, by name, each behind the whole edge at `/mcp/<name>`: the lab's conformance fixture and
    /// nothing else (the one exception to T13).
    pub fixtures: Vec<(String, Arc<dyn mcp::CallHandler>)>,
    /// Settings.
    pub options: Options,
}

/// Settings of the doors.
#[derive(Debug, Clone)]
pub struct Options {
    /// Public base URL.
    pub base: BaseUrl,
    /// `Host` values under which the platform answers, `host` or `host:port`, lower case.
    pub hosts: Vec<String>,
    /// Browser origins that may call MCP and REST.
    pub origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` counts (T2).
    pub trusted_proxies: Vec<ipnet::IpNet>,
    /// Most bytes of a request body.
    pub max_body: usize,
    /// Requests under way at once.
    pub max_concurrent: usize,
    /// Requests of one source under way at once.
    pub max_concurrent_per_source: usize,
    /// Requests of one principal under way at once.
    pub max_concurrent_per_principal: usize,
    /// Requests without a valid token per source and minute, before a failure is told to wait.
    pub failures_per_source_per_minute: u32,
    /// How long a body may take whatever its rate.
    pub body_grace: Duration,
    /// Bytes per second with which a body comes after that.
    pub body_bytes_per_s: u64,
    /// Longest time for a request.
    pub request_timeout: Duration,
    /// Whether `/metrics` is served without a token.
    pub open_metrics: bool,
    /// Version of the product.
    pub version: &'static str,
}

impl Options {
    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}

/// What every handler and layer shares.
pub(crate) struct Gateway {
    pub(crate) parts: Parts,
    pub(crate) sign_ins: pages::PendingSignIns,
    pub(crate) principals: edge::Turns,
}

/// The whole router: every door behind the edge's list. `more` is served behind the outer layers too, but brings its own
/// authentication (the built-in issuer).
pub fn router(parts: Parts, more: Router) -> (Router, mcp_door::Endpoints) {
    let sign_ins = pages::PendingSignIns::default();
    let principals = edge::Turns::new(parts.options.max_concurrent_per_principal, "your account");
    let gateway = Arc::new(Gateway { parts, sign_ins, principals });
    let (mcp, endpoints) = mcp_door::router(&gateway);
    let doors = Router::new()
        .merge(mcp)
        .merge(rest::router(&gateway))
        .merge(pages::router(&gateway))
        .merge(metadata::router(&gateway))
        .merge(logout::router(&gateway))
        .merge(operations::router(&gateway))
        .merge(more)
        .fallback(operations::not_found);
    (edge::around(&gateway, doors), endpoints)
}
