//! Step-up by HTTP challenge (RFC 9470): 401 `insufficient_user_authentication` says which `acr_values` a token must show
//! and how old its sign-in may be. Only for allow-listed clients, because many hang on a 401 in the middle of a call
//! (T11), and only where a token of the caller's issuer could be enough: what is bound to one call needs its link.

use std::sync::{Arc, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use platform::context::RequestId;
use platform::{CallContext, Error};

use super::{STEP_UP_REQUIRED, StepUp};
use crate::Gateway;
use crate::problem::Problem;

impl StepUp {
    /// `WWW-Authenticate` for a refusal that a fresh token would lift, where this caller may be told so.
    fn challenge(&self, gateway: &Gateway, cx: &CallContext, error: &Error) -> Option<HeaderValue> {
        if error.code() != STEP_UP_REQUIRED || !self.clients.contains(&cx.principal.client_id) {
            return None;
        }
        let details = error.refusal().details.as_ref()?;
        let by_token = details["by"].as_array().is_some_and(|by| by.iter().any(|way| way == "fresh_token"));
        let acr = self.acr.get(&cx.principal.issuer).filter(|acr| by_token && !acr.is_empty())?;
        let document = crate::metadata::document_url(&gateway.parts.options.base, &cx.resource);
        let max_age = details["max_age_s"].as_i64()?;
        let text = format!(
            "Bearer error=\"insufficient_user_authentication\", error_description=\"A fresh second factor is needed\", \
             acr_values=\"{}\", max_age=\"{max_age}\", resource_metadata=\"{document}\"",
            acr.join(" ")
        );
        HeaderValue::from_str(&text).ok()
    }

    /// Keeps a refusal for the layer around an MCP endpoint, which answers with it instead of the endpoint's reply. Does
    /// nothing once the reply has begun.
    pub(super) fn keep(&self, gateway: &Gateway, cx: &CallContext, error: &Error) -> bool {
        if self.challenge(gateway, cx, error).is_none() {
            return false;
        }
        match self.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&cx.request_id) {
            Some(kept) => {
                *kept = Some(Error::replayed(error.kind(), error.refusal().clone()));
                true
            }
            None => false,
        }
    }

    fn begin(&self, request: RequestId) -> Open<'_> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(request, None);
        Open { step_up: self, request }
    }
}

/// A request that may be answered with a challenge; forgotten when this is dropped, however that comes about.
struct Open<'a> {
    step_up: &'a StepUp,
    request: RequestId,
}

impl Open<'_> {
    fn take(&self) -> Option<Error> {
        self.step_up.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&self.request)?.take()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.step_up.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}

/// A refusal at REST: with the challenge where this caller may get one, else as it is.
pub(crate) fn of_refusal(gateway: &Gateway, cx: &CallContext, error: Error) -> Problem {
    match gateway.step_up.challenge(gateway, cx, &error) {
        Some(challenge) => challenged(error, challenge),
        None => Problem::from(error).logged(),
    }
}

fn challenged(error: Error, challenge: HeaderValue) -> Problem {
    Problem::from(error).logged().with_status(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, challenge)
}

/// The layer around an MCP endpoint, inside of its authentication: a refusal that [`StepUp::keep`] kept becomes the
/// answer, before anything of a result was sent.
pub(crate) async fn answer(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let cx = request.extensions().get::<Arc<CallContext>>().cloned();
    let Some(cx) = cx.filter(|cx| gateway.step_up.clients.contains(&cx.principal.client_id)) else {
        return next.run(request).await;
    };
    let open = gateway.step_up.begin(cx.request_id);
    let response = next.run(request).await;
    match open.take().map(|error| of_refusal(&gateway, &cx, error)) {
        Some(problem) => problem.into_response(),
        None => response,
    }
}
