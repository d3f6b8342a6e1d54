//! What waits for a person's decision.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use change_control::model::change::Change;
use http::{HeaderMap, StatusCode};
use maud::html;
use platform::Result;

use super::{answer, sign_in_first, text};
use crate::Gateway;
use crate::pages::{layout, visitor};

const START: &str = "/signin/changes";

/// `GET /changes`.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    answer(shown(&gateway, &headers).await, START)
}

async fn shown(gateway: &Gateway, headers: &HeaderMap) -> Result<Response> {
    let Some(session) = visitor::session(gateway, headers).await? else { return Ok(sign_in_first(START)) };
    let waiting = gateway.parts.changes.waiting_for(session.principal()?).await?;
    Ok(page(&waiting))
}

fn page(waiting: &[Change]) -> Response {
    let content = html! {
        h2 { "Waiting for your decision" }
        @if waiting.is_empty() {
            p { "Nothing. A change is here when it was submitted, you may decide about it, and you have not yet." }
        }
        @for change in waiting {
            a.card href=(super::path(Some(&change.id))) {
                strong { (text::plain(&change.title)) }
                @if let Some(risk) = change.risk { " " span.risk { (risk.as_str()) } }
                span.hint { (change.requester.who.name) ", " (text::moment(change.updated_at_ms)) }
                @if let Some(submission) = &change.submission {
                    span.hint { "Window ends " (text::moment(submission.window.not_after_ms)) }
                }
            }
        }
        p.hint {
            "Any other change has its address, /changes/ and its id. You see those that you asked for, may decide about, or oversee."
        }
    };
    layout::page(StatusCode::OK, "Changes", &content)
}
