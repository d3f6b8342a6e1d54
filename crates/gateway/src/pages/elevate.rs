//! The step-up page (T4): the person sees what was refused, passes the second factor at the issuer, and the platform
//! stores the elevation for exactly the caller that was refused. The link by itself opens nothing and tells little: what
//! the call is about is shown to its own person only.
//!
//! What lasts for a while is granted when the person comes back from the issuer. What is good for one call is granted by
//! one more act on the page that shows this call, with the factor that was given for it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::HeaderMap;
use maud::{Markup, html};
use platform::Result;
use platform::audit::Outcome;
use tool_runtime::elevation::{ElevationRequest, SecondFactor};

use super::sessions::Session;
use super::sign_in::{Purpose, go, with_cookies};
use super::{event, layout, visitor};
use crate::Gateway;
use crate::edge::Identified;

/// `GET /elevate/{id}`.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match seen(&gateway, &id, &headers).await {
        Ok(page) => page,
        Err(error) => layout::failed(&error),
    }
}

async fn seen(gateway: &Gateway, id: &str, headers: &HeaderMap) -> Result<Response> {
    let request = gateway.parts.pipeline.elevations().find(id).await?;
    let session = visitor::session(gateway, headers).await?;
    Ok(match session {
        Some(session) if !session.is_persons(&request.issuer, &request.subject) => other_person(&request, &session),
        Some(session) if request.single_use() && session.factor_is_for(id) => confirm(&request, &session),
        session => ask(&request, session.is_some()),
    })
}

/// `GET /elevate/{id}/start`: to the issuer.
pub(super) async fn start(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match gateway.parts.pipeline.elevations().find(&id).await {
        Ok(request) => go(&gateway, Purpose::Elevation(id), Some(request.name)).await,
        Err(error) => layout::failed(&error),
    }
}

/// Back from the issuer, signed in.
pub(super) async fn signed_in(gateway: &Gateway, identified: &Identified, id: &str, session: &Session) -> Response {
    let request = match gateway.parts.pipeline.elevations().find(id).await {
        Ok(request) => request,
        Err(error) => return layout::failed(&error),
    };
    if request.single_use() && session.mfa() && session.is_persons(&request.issuer, &request.subject) {
        return Redirect::to(&format!("/elevate/{id}")).into_response();
    }
    match grant(gateway, identified, &request, session).await {
        Ok(()) => granted(&request),
        Err(error) => layout::failed(&error),
    }
}

/// `POST /elevate/{id}`: yes, exactly this call.
pub(super) async fn allow(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    match allowed(&gateway, &identified, &id, request).await {
        Ok(page) => page,
        Err(error) => layout::failed(&error),
    }
}

async fn allowed(gateway: &Gateway, identified: &Identified, id: &str, form: Request) -> Result<Response> {
    let session = visitor::form(gateway, form).await?;
    let request = gateway.parts.pipeline.elevations().find(id).await?;
    // A factor that was given for something else, or was used already, is none for this.
    let factor = if session.factor_is_for(id) { session.clone() } else { session.without_factor() };
    grant(gateway, identified, &request, &factor).await?;
    let (value, _) = gateway.parts.sessions.rotate(&session).await?;
    Ok(with_cookies(granted(&request), [visitor::session_cookie(gateway, value.expose())?]))
}

/// Grants, and puts it on record; a refusal is on record too. What cannot be put on record is not granted.
async fn grant(
    gateway: &Gateway,
    identified: &Identified,
    request: &ElevationRequest,
    session: &Session,
) -> Result<()> {
    let elevations = gateway.parts.pipeline.elevations();
    let factor = SecondFactor {
        issuer: session.issuer(),
        subject: session.subject(),
        mfa: session.mfa(),
        auth_time: session.auth_time(),
    };
    let result = elevations.grant(request, factor).await;
    let mut entry = event(gateway, identified, "elevation.granted", Outcome::Success, session.actor().clone());
    entry.facts.insert("server".into(), request.server.clone().into());
    entry.facts.insert("tool".into(), request.tool.clone().into());
    entry.facts.insert("client_id".into(), request.client_id.clone().into());
    match &result {
        Ok(granted) => {
            entry.facts.insert("expires_at".into(), granted.facts.expires_at.into());
            entry.facts.insert("single_use".into(), granted.facts.single_use.into());
        }
        Err(error) => {
            "elevation.refused".clone_into(&mut entry.action);
            entry.outcome = Outcome::Refused;
            entry.code = Some(error.code().to_owned());
        }
    }
    let recorded = gateway.parts.audit.append(entry).await;
    let granted = result?;
    if let Err(error) = recorded {
        elevations.end(&request.issuer, &request.subject, &granted.id).await?;
        return Err(error);
    }
    Ok(())
}

/// The refused call. `whole`: with what only its person may read.
fn call(request: &ElevationRequest, whole: bool) -> Markup {
    html! {
        dl {
            dt { "Person" } dd { (request.name) }
            dt { "Client" } dd { code { (request.client_id) } }
            dt { "Server" } dd { code { (request.server) } }
            dt { "Tool" } dd { code { (request.tool) } " " span.risk { (request.risk.as_str()) } }
            @if whole {
                @for line in &request.shown { dt.detail { (line.name) } dd { (line.value) } }
                dt { "Asked" } dd { (layout::moment(request.opened_at)) " from " code { (request.source) } }
            }
        }
    }
}

fn worth(request: &ElevationRequest) -> Markup {
    html! {
        p {
            @if request.single_use() {
                "The second factor allows exactly this call, once, within 15 minutes."
            } @else {
                "The second factor allows this client to make changes on this server in your name for 15 minutes. You can \
                 end that earlier on your own page."
            }
        }
        p.hint { "If you did not ask for this, close the page and tell your operator." }
    }
}

fn ask(request: &ElevationRequest, whole: bool) -> Response {
    let content = html! {
        p { "A call in your name was stopped because it needs a fresh second factor." }
        (call(request, whole))
        (worth(request))
        p { a.button href=(format!("/elevate/{}/start", request.id)) { "Pass the second factor" } }
    };
    layout::page(http::StatusCode::OK, "Confirm it is you", &content)
}

fn confirm(request: &ElevationRequest, session: &Session) -> Response {
    let content = html! {
        p { "The second factor was accepted. Read once more what it is for:" }
        (call(request, true))
        p { "This allows exactly this call, once, within 15 minutes." }
        form method="post" action=(format!("/elevate/{}", request.id)) {
            (layout::form_token(session))
            button.button.danger type="submit" { "Allow this call once" }
        }
        p.hint { "If this is not what you asked for, close the page: nothing is allowed then." }
    };
    layout::page(http::StatusCode::OK, "Allow this call?", &content)
}

fn other_person(request: &ElevationRequest, session: &Session) -> Response {
    let content = html! {
        p.bad { "You are signed in as " (session.actor().name) ". This call was made by somebody else." }
        p { "If that somebody is you, pass the second factor as the person who made the call:" }
        (call(request, false))
        p { a.button href=(format!("/elevate/{}/start", request.id)) { "Sign in as that person" } }
        p.hint { "If somebody sent you this link, do not go on: nobody else can confirm a call for them." }
    };
    layout::page(http::StatusCode::OK, "This link is for somebody else", &content)
}

fn granted(request: &ElevationRequest) -> Response {
    let content = html! {
        p.good { "Done. The second factor was accepted." }
        p { "Go back to your client and repeat the same call: " code { (request.tool) } " on " code { (request.server) } "." }
        p { "You can close this page, or see what you have allowed on " a href=(super::account::PATH) { "your own page" } "." }
    };
    layout::page(http::StatusCode::OK, "You are confirmed", &content)
}
