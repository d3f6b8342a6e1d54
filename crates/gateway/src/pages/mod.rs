//! Pages for people. No JavaScript, strict headers, nothing in the browser but an opaque session id and, during a sign-in,
//! a cookie that binds it to the browser that began it.
//!
//! - [`elevate`]: the step-up page of a refusal (T4): `/elevate/{id}`, `/elevate/{id}/start`
//! - [`changes`]: a change, and the decision about it (T16): `/changes`, `/changes/{id}`
//! - [`account`]: a person's own page, and signing out: `/pages`, `/signout`
//! - [`sign_in`]: to the issuer and back: `/signin`, `/signin/callback`
//! - [`sessions`] and [`visitor`]: who is there, and whether a form is ours
//! - [`layout`]: what pages look like

mod account;
mod changes;
mod elevate;
pub(crate) mod layout;
pub(crate) mod sessions;
mod sign_in;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use platform::audit::{AuditActor, AuditEntry, Outcome};

pub use self::sessions::BrowserSessions;
pub(crate) use self::sign_in::PendingSignIns;
pub(crate) use self::visitor::cookie;
use crate::Gateway;
use crate::edge::Identified;

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    Router::new()
        .route("/elevate/{id}", get(elevate::show).post(elevate::allow))
        .route("/elevate/{id}/start", get(elevate::start))
        .route("/signin", get(sign_in::start))
        .route("/signin/callback", get(sign_in::finish))
        .route(account::PATH, get(account::show))
        .route("/pages/elevations/{id}/end", post(account::end_elevation))
        .route("/pages/sessions/{id}/end", post(account::end_session))
        .route("/signout", post(account::sign_out))
        .route("/signout/everywhere", post(account::sign_out_everywhere))
        .route("/signedout", get(account::signed_out_page))
        .merge(changes::routes())
        .route("/pages.css", get(layout::stylesheet))
        .with_state(Arc::clone(gateway))
}

/// A record about a page, with the visitor's request and address.
fn event(gateway: &Gateway, identified: &Identified, action: &str, outcome: Outcome, actor: AuditActor) -> AuditEntry {
    let mut entry = AuditEntry::event(gateway.parts.clock.now(), action, outcome);
    entry.request_id = Some(identified.request_id.to_string());
    entry.client_request_id = identified.client_request_id.clone();
    entry.trace_id = Some(identified.trace.trace_id_hex());
    entry.source = Some(identified.source);
    entry.protocol = Some("page".to_owned());
    entry.actor = Some(actor);
    entry
}
