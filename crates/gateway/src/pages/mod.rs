//! Pages for people: the step-up page of a refusal (T4). No JavaScript, strict headers, nothing kept in the browser but
//! one short-lived cookie that binds the sign-in to the browser that began it.
//!
//! `GET /elevate/{id}` shows what was refused · `GET /elevate/{id}/start` sends to the issuer · `GET /signin/callback`
//! comes back, verifies, grants.

pub(crate) mod elevate;
pub(crate) mod layout;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use platform::tokens::SignInRequest;

use crate::Gateway;

/// Sign-ins under way: state → what it is for. They live minutes; losing them at a restart costs a click.
#[derive(Clone)]
pub(crate) struct PendingSignIns(moka::sync::Cache<String, Arc<Pending>>);

/// One sign-in under way.
pub(crate) struct Pending {
    /// What the issuer was asked for.
    request: SignInRequest,
    /// Value of the cookie of the browser that began it.
    browser: String,
    /// Elevation request to fulfil.
    elevation: String,
}

impl Default for PendingSignIns {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(600)).build())
    }
}

pub(crate) fn router(gateway: &Arc<Gateway>) -> Router {
    Router::new()
        .route("/elevate/{id}", get(elevate::show))
        .route("/elevate/{id}/start", get(elevate::start))
        .route("/signin/callback", get(elevate::finish))
        .route("/pages.css", get(layout::stylesheet))
        .with_state(Arc::clone(gateway))
}
