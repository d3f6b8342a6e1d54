//! The decision (T16): to the issuer for a factor that counts for one submission, the form, and what came of it.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use change_control::approving::{Decision, Factor, rules};
use change_control::model::approval::Verdict;
use change_control::model::change::Change;
use change_control::{ChangeId, State as At};
use http::{HeaderMap, StatusCode};
use maud::html;
use platform::context::{CallReferences, Protocol};
use platform::resource::Resource;
use platform::{CallContext, Error, ErrorKind, Principal, Result};

use super::{Seen, answer, now_ms, plan, plan_of, seen, show as page, sign_in_first, start_of, text};
use crate::Gateway;
use crate::edge::Identified;
use crate::pages::sessions::{Session, ShownSubmission};
use crate::pages::sign_in::{Purpose, go, with_cookies};
use crate::pages::{layout, visitor};

/// `GET /changes/{id}/decide`: to the issuer, for whoever was shown the plan in this session.
pub(super) async fn start(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match start_of(&id) {
        Ok(start) => answer(started(&gateway, &id, &headers, &start).await, &start),
        Err(error) => layout::failed(&error),
    }
}

async fn started(gateway: &Gateway, id: &str, headers: &HeaderMap, start: &str) -> Result<Response> {
    let Some(Seen { session, change }) = seen(gateway, id, headers).await? else { return Ok(sign_in_first(start)) };
    rules::may_decide(&change, session.principal()?, now_ms(gateway))?;
    let submission = rules::open_submission(&change)?.0.digest()?;
    // What was not shown is shown first.
    let Some(shown_at_ms) = session.shown_at(&submission) else { return Ok(back_to(&change.id)) };
    let shown = ShownSubmission { change: change.id.to_string(), submission, shown_at_ms };
    let person = (session.issuer().to_owned(), session.subject().to_owned());
    let hint = session.actor().name.clone();
    Ok(go(gateway, Purpose::Decision(change.id, shown, person), Some(hint)).await)
}

fn back_to(id: &ChangeId) -> Response {
    Redirect::to(&super::path(Some(id))).into_response()
}

/// What the session's factor was given for, where that is this submission.
fn factor(session: &Session, change: &Change, digest: &str) -> Option<Factor> {
    let decides = session.decides()?;
    let fits = decides.change == change.id.as_str() && decides.submission == digest;
    fits.then(|| Factor { submission: decides.submission.clone(), shown_at_ms: decides.shown_at_ms })
}

/// `GET /changes/{id}/decision`: the form, for whoever has given the factor.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match start_of(&id) {
        Ok(start) => answer(shown(&gateway, &id, &headers, &start).await, &start),
        Err(error) => layout::failed(&error),
    }
}

async fn shown(gateway: &Gateway, id: &str, headers: &HeaderMap, start: &str) -> Result<Response> {
    let Some(Seen { session, change }) = seen(gateway, id, headers).await? else { return Ok(sign_in_first(start)) };
    rules::may_decide(&change, session.principal()?, now_ms(gateway))?;
    let digest = rules::open_submission(&change)?.0.digest()?;
    if factor(&session, &change, &digest).is_none() {
        return Ok(back_to(&change.id));
    }
    let planned = plan_of(gateway, &change).await?;
    let content = html! {
        p.good { "The second factor was accepted. It counts for one decision about this change, for 15 minutes." }
        p { strong { (text::plain(&change.title)) } }
        (page::summary(&change))
        @if let Some(planned) = &planned { (plan::alarms(planned)) }
        form method="post" action=(super::decision_path(&change.id)) {
            (layout::form_token(&session))
            input type="hidden" name="submission" value=(digest);
            label for="reason" { "Why" }
            textarea #reason name="reason" rows="4" maxlength=(rules::LONGEST_REASON) required {}
            p.hint { "The reason is kept with the decision, and everybody who sees the change can read it." }
            div.verdict {
                button.button type="submit" name="verdict" value="approve" { "Approve" }
                button.button.danger type="submit" name="verdict" value="reject" { "Reject" }
            }
        }
        p { a href=(super::path(Some(&change.id))) { "Read the plan again" } }
        @if let Some(planned) = &planned { details { summary { "The plan" } (plan::whole(planned)) } }
    };
    Ok(layout::page(StatusCode::OK, "Your decision", &content))
}

/// `POST /changes/{id}/decision`.
pub(super) async fn take(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    match taken(&gateway, &id, &identified, request).await {
        Ok(page) => page,
        Err(error) => layout::failed(&error),
    }
}

async fn taken(gateway: &Gateway, id: &str, identified: &Identified, request: Request) -> Result<Response> {
    let id = ChangeId::parse(id)?;
    let (session, fields) = visitor::filled_in(gateway, request).await?;
    let verdict = match fields.one("verdict")? {
        "approve" => Verdict::Approve,
        "reject" => Verdict::Reject,
        _ => return Err(Error::new(ErrorKind::Forbidden, "form_refused", "This form says neither yes nor no.")),
    };
    let changes = &gateway.parts.changes;
    let person = session.principal()?;
    let submission = fields.one("submission")?.to_owned();
    let given = session.decides().filter(|given| given.change == id.as_str());
    let factor = given.map(|g| Factor { submission: g.submission.clone(), shown_at_ms: g.shown_at_ms });
    let decision = Decision { verdict, reason: fields.one("reason")?.to_owned(), submission, factor };
    let change = Box::pin(changes.decide(&caller(identified, person), &id, decision)).await?;
    // The factor is used.
    let (value, _) = gateway.parts.sessions.rotate(&session).await?;
    Ok(with_cookies(decided(&change, verdict), [visitor::session_cookie(gateway, value.expose())?]))
}

/// The person at the page, as everybody else is called who asks for something.
fn caller(identified: &Identified, person: &Principal) -> CallContext {
    CallContext {
        request_id: identified.request_id,
        client_request_id: identified.client_request_id.clone(),
        trace: identified.trace.clone(),
        principal: Arc::new(person.clone()),
        resource: Resource::Pages,
        protocol: Protocol::Page,
        source: identified.source,
        references: CallReferences::default(),
        run: None,
        deadline: Instant::now(),
    }
}

fn decided(change: &Change, verdict: Verdict) -> Response {
    let content = html! {
        @match verdict {
            Verdict::Approve if change.state == At::Submitted => {
                p.good { "Your approval is kept. The change needs another one before it runs." }
            }
            Verdict::Approve => p.good { "Approved. The change runs in its window." },
            Verdict::Reject => p.good { "Rejected. The change will not run." },
        }
        p { strong { (text::plain(&change.title)) } }
        p { a.button href=(super::path(Some(&change.id))) { "See the change" } " " a href="/changes" { "What else waits" } }
    };
    layout::page(StatusCode::OK, "Decided", &content)
}
