//! A person's own page: who they are to the platform, where they are signed in, what they have allowed, and the means to
//! end each of it. Every act is a form of this page, and on record.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use maud::{Markup, html};
use platform::audit::Outcome;
use platform::revocation::Revoked;
use platform::{Error, ErrorKind, Result};
use tool_runtime::elevation::HeldElevation;

use super::sessions::Session;
use super::sign_in::with_cookies;
use super::{event, layout, visitor};
use crate::Gateway;
use crate::edge::Identified;

/// Where it is.
pub(super) const PATH: &str = "/pages";

/// `GET /pages`.
pub(super) async fn show(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    answer(async {
        let Some(session) = visitor::session(&gateway, &headers).await? else { return Ok(signed_out(None)) };
        let elevations = gateway.parts.pipeline.elevations().held(session.issuer(), session.subject()).await?;
        let sessions = gateway.parts.sessions.of_person(session.issuer(), session.subject()).await?;
        Ok(account(&session, &elevations, &sessions))
    })
    .await
}

async fn answer(page: impl Future<Output = Result<Response>>) -> Response {
    page.await.unwrap_or_else(|error| layout::failed(&error))
}

/// `POST /pages/elevations/{id}/end`.
pub(super) async fn end_elevation(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    answer(async {
        let session = visitor::form(&gateway, request).await?;
        let ended = gateway.parts.pipeline.elevations().end(session.issuer(), session.subject(), &id).await?;
        let mut entry = event(&gateway, &identified, "elevation.ended", Outcome::Success, session.actor().clone());
        entry.facts.insert("server".into(), ended.server.into());
        entry.facts.insert("client_id".into(), ended.client_id.into());
        entry.facts.insert("tool".into(), ended.tool.into());
        gateway.parts.audit.append(entry).await?;
        Ok(Redirect::to(PATH).into_response())
    })
    .await
}

/// `POST /pages/sessions/{id}/end`: another browser of the same person, or this one.
pub(super) async fn end_session(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    answer(async {
        let session = visitor::form(&gateway, request).await?;
        let mine = gateway.parts.sessions.of_person(session.issuer(), session.subject()).await?;
        if !mine.iter().any(|s| s.id == id) {
            return Err(Error::new(
                ErrorKind::NotFound,
                "session_unknown",
                "You have no such session any more: it has expired, or was ended before.",
            ));
        }
        end_by_person(&gateway, &identified, &session, &id).await?;
        Ok(Redirect::to(PATH).into_response())
    })
    .await
}

/// `POST /signout`: this browser, and then the issuer's session where the issuer offers that.
pub(super) async fn sign_out(
    State(gateway): State<Arc<Gateway>>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    answer(async {
        let session = visitor::form(&gateway, request).await?;
        end_by_person(&gateway, &identified, &session, &session.id).await?;
        goodbye(&gateway, &session).await
    })
    .await
}

/// `POST /signout/everywhere`: everything that was issued to this person until now is dead, here and at every door (T3).
pub(super) async fn sign_out_everywhere(
    State(gateway): State<Arc<Gateway>>,
    Extension(identified): Extension<Identified>,
    request: Request,
) -> Response {
    answer(async {
        let session = visitor::form(&gateway, request).await?;
        let parts = &gateway.parts;
        let subject = Revoked::Subject(session.subject().to_owned());
        parts.revocations.revoke(session.issuer(), subject, parts.clock.epoch_seconds()).await?;
        let mut entry =
            event(&gateway, &identified, "session.ended_everywhere", Outcome::Success, session.actor().clone());
        entry.facts.insert("by".into(), "person".into());
        parts.audit.append(entry).await?;
        goodbye(&gateway, &session).await
    })
    .await
}

/// `GET /signedout`: where the issuer sends a browser that signed out there.
pub(super) async fn signed_out_page() -> Response {
    signed_out(Some("You are signed out."))
}

/// Ends one browser session of the person who asks, on record.
async fn end_by_person(gateway: &Gateway, identified: &Identified, session: &Session, id: &str) -> Result<()> {
    gateway.parts.sessions.end_one(id).await?;
    let mut entry = event(gateway, identified, "session.ended", Outcome::Success, session.actor().clone());
    entry.facts.insert("by".into(), "person".into());
    gateway.parts.audit.append(entry).await?;
    Ok(())
}

/// Takes the cookie away and goes on to the issuer's own sign-out (OpenID Connect RP-Initiated Logout 1.0). By `Refresh`
/// and not by a redirect: `form-action` would have to allow the issuer's origin on every page.
async fn goodbye(gateway: &Gateway, session: &Session) -> Result<Response> {
    let parts = &gateway.parts;
    let back = format!("{}/signedout", parts.options.base);
    // Here the person is signed out already; an issuer that cannot be asked must not hide that.
    let onward = parts.sign_in.sign_out_url(&back, &session.actor().name).await.unwrap_or_else(|error| {
        tracing::warn!(error.code = error.code(), "the issuer's sign-out cannot be found");
        None
    });
    let mut response = match &onward {
        Some(url) => {
            let content = html! {
                p.good { "You are signed out here." }
                p { a.button href=(url) { "Sign out at the sign-in service too" } }
            };
            layout::page(StatusCode::OK, "Signed out", &content)
        }
        None => signed_out(Some("You are signed out here. Your session at the sign-in service may go on.")),
    };
    if let Some(value) = onward.and_then(|url| HeaderValue::from_str(&format!("0;url={url}")).ok()) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    Ok(with_cookies(response, [visitor::no_session_cookie(gateway)?]))
}

fn signed_out(said: Option<&str>) -> Response {
    let content = html! {
        @if let Some(said) = said { p.good { (said) } }
        p { "Sign in to see where you are signed in and what you have allowed, and to end it." }
        p { a.button href="/signin" { "Sign in" } }
    };
    layout::page(StatusCode::OK, if said.is_some() { "Signed out" } else { "Your page" }, &content)
}

/// A button that does one thing.
fn act(session: &Session, action: &str, label: &str) -> Markup {
    html! {
        form.inline method="post" action=(action) {
            (layout::form_token(session))
            button.small type="submit" { (label) }
        }
    }
}

fn account(session: &Session, elevations: &[HeldElevation], sessions: &[Session]) -> Response {
    let actor = session.actor();
    let content = html! {
        dl {
            dt { "Person" } dd { (actor.name) }
            dt { "Subject" } dd { code { (actor.subject) } " at " code { (actor.issuer) } }
            dt { "Groups" } dd { @if actor.groups.is_empty() { "none" } @else { (actor.groups.join(", ")) } }
            dt { "Signed in" }
            dd { (layout::moment(session.began_at())) @if session.mfa() { ", with a second factor" } }
        }
        (act(session, "/signout", "Sign out"))
        (act(session, "/signout/everywhere", "Sign out everywhere"))
        p.hint { "Everywhere ends every session, every token that was issued to you until now, and everything you allowed." }

        h2 { "What you have allowed" }
        @if elevations.is_empty() {
            p { "Nothing at the moment." }
        } @else {
            table {
                thead { tr { th { "Client" } th { "Server" } th { "For" } th { "Until" } th {} } }
                tbody { @for held in elevations { (row_of_elevation(session, held)) } }
            }
        }
        h2 { "Where you are signed in to these pages" }
        table {
            thead { tr { th { "Browser" } th { "Address" } th { "Last used" } th {} } }
            tbody {
                @for other in sessions {
                    tr {
                        td { (other.browser()) @if other.id == session.id { " (this one)" } }
                        td { code { (other.source()) } }
                        td { (layout::moment(other.seen_at())) }
                        td {
                            @if other.id != session.id {
                                (act(session, &format!("/pages/sessions/{}/end", other.id), "End"))
                            }
                        }
                    }
                }
            }
        }
    };
    layout::page(StatusCode::OK, "Your page", &content)
}

fn row_of_elevation(session: &Session, held: &HeldElevation) -> Markup {
    html! {
        tr {
            td { code { (held.client_id) } }
            td { code { (held.server) } }
            td { @match &held.tool { Some(tool) => { code { (tool) } ", once" }, None => "changes" } }
            td { (layout::moment(held.expires_at)) }
            td { (act(session, &format!("/pages/elevations/{}/end", held.id), "End")) }
        }
    }
}
