//! Host and Origin: the platform answers under its own names only, and browsers call MCP and REST only from origins that
//! were allowed. Against DNS rebinding, both are checked whatever the method.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header;
use platform::{Error, ErrorKind};

use crate::Gateway;
use crate::problem::Problem;

pub(super) async fn check(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    match allowed(&gateway, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

fn allowed(gateway: &Gateway, request: &Request) -> Result<(), Error> {
    let options = &gateway.parts.options;
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|h| h.to_str().ok()).or_else(|| request.uri().authority().map(|a| a.as_str()));
    let known = host.is_some_and(|h| options.hosts.iter().any(|known| known.eq_ignore_ascii_case(h)));
    if !known || hosts.next().is_some() {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "host_not_allowed",
            "This platform does not answer under that host name. Use its public URL.",
        ));
    }
    let path = request.uri().path();
    if !(path.starts_with("/mcp") || path.starts_with("/api/")) {
        return Ok(());
    }
    let refused = request.headers().get_all(header::ORIGIN).iter().any(|origin| {
        !origin.to_str().is_ok_and(|o| options.origins.iter().any(|known| known.eq_ignore_ascii_case(o)))
    });
    if refused {
        return Err(Error::new(
            ErrorKind::Forbidden,
            "origin_not_allowed",
            "Browser pages of that origin may not call this platform. An operator can allow it in the configuration.",
        ));
    }
    Ok(())
}
