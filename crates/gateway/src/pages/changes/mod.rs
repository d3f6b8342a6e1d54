//! The pages of changes (T16): what waits for a person, one change with its whole plan, and the decision about it.
//!
//! A decision takes three steps that nothing shortens. The plan is shown, and the session notes which submission that was. The
//! person goes to the issuer from there for a factor that is given now, and what comes back counts for this submission. Then
//! they approve or reject, with a reason. The rules are `change_control`'s; here they are only asked.
//!
//! - [`decision`]: the way to the issuer, the form, and what came of it
//! - [`show`]: a change; [`plan`]: its plan; [`progress`]: its run; [`list`]: what waits
//! - [`text`]: what others wrote, without what would mislead an eye

mod decision;
mod list;
mod plan;
mod progress;
mod show;
mod text;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use change_control::ChangeId;
use change_control::model::change::Change;
use change_control::model::plan::PublicPlan;
use http::{HeaderMap, StatusCode};
use maud::html;
use platform::{Error, ErrorKind, Result};

use super::sessions::Session;
use super::sign_in::{Purpose, go};
use super::{layout, visitor};
use crate::Gateway;

/// All of them.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/changes", get(list::show))
        .route("/signin/changes", get(start_list))
        .route("/changes/{id}", get(show::show))
        .route("/changes/{id}/start", get(start_one))
        .route("/changes/{id}/plan", get(show::plan))
        .route("/changes/{id}/decide", get(decision::start))
        .route("/changes/{id}/decision", get(decision::show).post(decision::take))
}

/// Where a change is, or all that wait.
pub(super) fn path(id: Option<&ChangeId>) -> String {
    id.map_or_else(|| "/changes".to_owned(), |id| format!("/changes/{id}"))
}

/// Where the decision about it is made.
pub(super) fn decision_path(id: &ChangeId) -> String {
    format!("/changes/{id}/decision")
}

/// `GET /signin/changes`.
async fn start_list(State(gateway): State<Arc<Gateway>>) -> Response {
    go(&gateway, Purpose::Changes(None), None).await
}

/// `GET /changes/{id}/start`: to the issuer, to see it. Whether there is such a change, only those learn who may see it.
async fn start_one(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match ChangeId::parse(&id) {
        Ok(id) => go(&gateway, Purpose::Changes(Some(id)), None).await,
        Err(error) => layout::failed(&error),
    }
}

/// Who looks at which change.
struct Seen {
    session: Session,
    change: Change,
}

/// The change that a signed-in person may see; nothing where nobody is signed in. Error: `change_unknown`.
async fn seen(gateway: &Gateway, id: &str, headers: &HeaderMap) -> Result<Option<Seen>> {
    let Some(session) = visitor::session(gateway, headers).await? else { return Ok(None) };
    let change = gateway.parts.changes.seen(session.principal()?, &ChangeId::parse(id)?).await?.change;
    Ok(Some(Seen { session, change }))
}

/// The public plan of a change, once there is one.
async fn plan_of(gateway: &Gateway, change: &Change) -> Result<Option<PublicPlan>> {
    match change.plan {
        Some(_) => gateway.parts.changes.book().plan(&change.id).await,
        None => Ok(None),
    }
}

/// What somebody sees who is not signed in: the same for every id.
fn sign_in_first(start: &str) -> Response {
    let content = html! {
        p { "Sign in to see it. What you see depends on who you are." }
        p { a.button href=(start) { "Sign in" } }
    };
    layout::page(StatusCode::OK, "Changes", &content)
}

/// A page, or why there is none. A session that the platform does not know any more leads to a new sign-in.
fn answer(page: Result<Response>, start: &str) -> Response {
    match page {
        Ok(page) => page,
        Err(error) if error.kind() == ErrorKind::Unauthenticated => sign_in_first(start),
        Err(error) => layout::failed(&error),
    }
}

fn now_ms(gateway: &Gateway) -> i64 {
    gateway.parts.clock.now().as_millisecond()
}

/// What somebody is told who opens an id that is none.
fn start_of(id: &str) -> Result<String, Error> {
    Ok(format!("/changes/{}/start", ChangeId::parse(id)?))
}
