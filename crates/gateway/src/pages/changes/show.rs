//! A change on its page: what, who, why, when, the whole plan, the decisions, and how far it is.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use change_control::approving::rules;
use change_control::model::change::Change;
use change_control::model::plan::{PublicPlan, plan_hash};
use http::{HeaderMap, StatusCode};
use maud::{Markup, html};
use platform::Result;

use super::{Seen, answer, now_ms, plan as planned, plan_of, progress, seen, sign_in_first, start_of, text};
use crate::Gateway;
use crate::pages::layout;

/// `GET /changes/{id}`.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match start_of(&id) {
        Ok(start) => answer(shown(&gateway, &id, &headers, &start).await, &start),
        Err(error) => layout::failed(&error),
    }
}

async fn shown(gateway: &Gateway, id: &str, headers: &HeaderMap, start: &str) -> Result<Response> {
    let Some(Seen { session, change }) = seen(gateway, id, headers).await? else { return Ok(sign_in_first(start)) };
    let plan = plan_of(gateway, &change).await?;
    let now_ms = now_ms(gateway);
    let offer = match (&plan, rules::may_decide(&change, session.principal()?, now_ms)) {
        (Some(plan), Ok(())) => {
            let (submission, _) = rules::open_submission(&change)?;
            // What is shown is what was submitted, or there is nothing to decide about.
            if plan_hash(plan)? == submission.plan {
                gateway.parts.sessions.note_shown(&session, &submission.digest()?, now_ms).await?;
                Offer::Decide
            } else {
                Offer::Altered
            }
        }
        (_, Err(error)) if error.code() != "change_state" => Offer::No(error.message().to_owned()),
        _ => Offer::Nothing,
    };
    Ok(layout::page(StatusCode::OK, &change.title, &whole(&change, plan.as_ref(), &offer)))
}

/// What the person can do about it.
enum Offer {
    /// Go on to the issuer.
    Decide,
    /// Nothing, since the plan that is kept is another one.
    Altered,
    /// Nothing, and why.
    No(String),
    /// It does not wait for a decision.
    Nothing,
}

fn whole(change: &Change, plan: Option<&PublicPlan>, offer: &Offer) -> Markup {
    html! {
        p { strong.state { (progress::words(change.state.as_str())) } @if let Some(risk) = change.risk { " " span.risk { (risk.as_str()) } } }
        (progress::standstill(change))
        (progress::trouble(change))
        (summary(change))
        @if matches!(offer, Offer::Altered) {
            p.bad { "The plan that is kept is not the plan that was submitted. Nobody can decide about it." }
        }
        @if let Some(plan) = plan {
            (planned::whole(plan))
            p { a href=(format!("/changes/{}/plan", change.id)) { "The plan as it is hashed" } }
        }
        (progress::devices(change, plan))
        (progress::decisions(change))
        (offered(change, offer))
        (progress::history(change))
        @if let Some(evidence) = &change.evidence {
            h2 { "Evidence" }
            p { "Signed archive " code { (evidence.id) } ". Get it with " code { "interlock change evidence " (change.id) } "." }
        }
    }
}

/// What stands on both pages: the change and the decision about it.
pub(super) fn summary(change: &Change) -> Markup {
    let who = &change.requester;
    html! {
        dl {
            dt { "Asked by" }
            dd {
                (text::plain(&who.who.name)) " (" (who.groups.join(", ")) "), with " code { (text::plain(&who.client_id)) }
                @for actor in &who.actors { ", through " code { (text::plain(&actor.subject)) } }
            }
            dt { "Why" } dd { (text::plain(&change.reason)) }
            dt { "Where" } dd { (change.instance.name) " (" (change.instance.environment) ")" }
            @if let Some(submission) = &change.submission {
                dt { "Window" }
                dd { (text::moment(submission.window.not_before_ms)) " to " (text::moment(submission.window.not_after_ms)) }
                @if let Some(ticket) = &submission.ticket { dt { "Ticket" } dd { code { (text::plain(ticket)) } } }
            }
            @if let Some(undoes) = &change.undoes {
                dt { "Undoes" } dd { a href=(super::path(Some(undoes))) { code { (undoes) } } }
            }
            dt { "Change" } dd { code { (change.id) } }
            @if let Some(plan) = &change.plan { dt { "Plan" } dd { code title=(plan.hash) { (text::short(&plan.hash)) } ", made " (text::moment(plan.made_at_ms)) } }
        }
    }
}

fn offered(change: &Change, offer: &Offer) -> Markup {
    html! {
        @match offer {
            Offer::Decide => {
                p { a.button href=(format!("/changes/{}/decide", change.id)) { "Go on to the decision" } }
                p.hint { "You will be asked for your second factor, and then approve or reject. Nothing is decided before that." }
            }
            Offer::No(why) => p.hint { (why) },
            Offer::Altered | Offer::Nothing => {}
        }
    }
}

/// `GET /changes/{id}/plan`: the text whose hash an approval binds.
pub(super) async fn plan(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match start_of(&id) {
        Ok(start) => answer(plan_shown(&gateway, &id, &headers, &start).await, &start),
        Err(error) => layout::failed(&error),
    }
}

async fn plan_shown(gateway: &Gateway, id: &str, headers: &HeaderMap, start: &str) -> Result<Response> {
    let Some(Seen { change, .. }) = seen(gateway, id, headers).await? else { return Ok(sign_in_first(start)) };
    let plan = plan_of(gateway, &change).await?.ok_or_else(change_control::model::change::unknown)?;
    let hash = plan_hash(&plan)?;
    let text = serde_json::to_string_pretty(&plan).map_err(platform::Error::internal)?;
    let content = html! {
        p { a href=(super::path(Some(&change.id))) { "Back to the change" } }
        p { "SHA-256 over its RFC 8785 JSON: " code.hash { (hash) } }
        @if change.plan.as_ref().is_some_and(|kept| kept.hash != hash) {
            p.bad { "This is not the plan that was made: its hash was " code.hash { (change.plan.as_ref().map_or("", |kept| &kept.hash)) } "." }
        }
        p.hint { "A value that may hold a secret stands here masked, beside a commitment to it." }
        pre.lines tabindex="0" { (text::plain_lines(&text)) }
    };
    Ok(layout::page(StatusCode::OK, "The plan as it is hashed", &content))
}
