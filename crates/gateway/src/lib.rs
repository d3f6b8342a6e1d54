//! The doors: one list of layers around every request ([`edge`]), the MCP endpoints, REST, the pages where a person
//! passes a second factor, and the documents that say what the platform is. Handlers hold no decisions: they parse,
//! call the pipeline, and map.
//!
//! The gateway knows no connector, no backend and no issuer; `server` hands it the parts. Where to go next: [`edge`]
//! for the layers, [`mcp_door`] and [`rest`] for the two ways to a tool, [`pages`] for people, `step_up` for callers that
//! can do better than read a link.

pub mod edge;
#[doc(hidden)]
pub mod fuzzing;
mod logout;
pub mod mcp_door;
mod metadata;
mod operations;
mod options;
pub mod pages;
mod problem;
pub mod rest;
mod revoking;
mod serve;
mod step_up;

use std::sync::Arc;

use axum::Router;
use change_control::Changes;
use platform::SharedClock;
use platform::audit::AuditLog;
use platform::audit_refusals::RefusalCounter;
use platform::revocation::{LogoutTokens, Revocations};
use platform::seal::Sealer;
use platform::telemetry::Metrics;
use platform::tokens::{SignIn, TokenVerifier};
use tool_runtime::Pipeline;

pub use self::options::Options;
pub use self::pages::BrowserSessions;
pub use self::revoking::Revoking;
pub use self::serve::tls::{ClientCertificates, Tls, TlsFiles};
pub use self::serve::{ConnectionLimits, Serving, serve};

/// What the gateway is made of.
pub struct Parts {
    /// The road.
    pub pipeline: Arc<Pipeline>,
    /// Changes.
    pub changes: Arc<Changes>,
    /// Bearer tokens.
    pub tokens: Arc<dyn TokenVerifier>,
    /// What issuers announce about sessions that ended.
    pub logout: Arc<dyn LogoutTokens>,
    /// Sign-in of the pages.
    pub sign_in: Arc<dyn SignIn>,
    /// Browser sessions of the pages.
    pub sessions: BrowserSessions,
    /// Where a person's sign-out everywhere goes: [`Revoking`].
    pub revocations: Arc<dyn Revocations>,
    /// Seals what MCP clients carry between two rounds of one call.
    pub request_state: Arc<Sealer>,
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

/// What every handler and layer shares.
pub(crate) struct Gateway {
    pub(crate) parts: Parts,
    pub(crate) sign_ins: pages::PendingSignIns,
    pub(crate) step_up: step_up::StepUp,
    pub(crate) principals: edge::Turns,
}

/// The whole router: every door behind the edge's list. `more` is served behind the outer layers too, but brings its own
/// authentication (the built-in issuer).
pub fn router(parts: Parts, more: Router) -> (Router, mcp_door::Endpoints) {
    let sign_ins = pages::PendingSignIns::default();
    let step_up = step_up::StepUp::new(&parts.options, Arc::clone(&parts.request_state));
    let principals = edge::Turns::new(parts.options.max_concurrent_per_principal, "your account");
    let gateway = Arc::new(Gateway { parts, sign_ins, step_up, principals });
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
