//! The page that asks a person, and the one that says what went wrong. No scripts, nothing framed, nothing kept.

use axum::response::{IntoResponse as _, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use url::Url;

use crate::State;
use crate::authorize::Asked;

/// What the person is asked: who wants in, and where the answer goes. `sealed` is the request, for the form.
pub(crate) fn consent(state: &State, asked: &Asked, redirect: &Url, provider: &Url, sealed: &str) -> Response {
    let content = html! {
        p { "A program wants to use Interlock in your name. You will sign in at " strong { (host(provider)) } "." }
        dl {
            dt { "It calls itself" } dd { (asked.client.name) }
            dt { "Your sign-in is handed to" } dd { code { (place(redirect)) } }
            @if let Some(resource) = &asked.resource { dt { "For" } dd { code { (resource) } } }
        }
        p { "Anybody can choose that name. Go on only if you started this yourself, just now, in that program." }
        form method="post" action=(format!("{}/authorize", state.path)) {
            input type="hidden" name="request" value=(sealed);
            button.button name="decision" value="allow" { "Go on and sign in" }
            " "
            button name="decision" value="deny" { "Refuse" }
        }
    };
    // A form's answer redirects to both, and browsers hold `form-action` against each step of it.
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' {} {}",
        source(provider),
        source(redirect)
    );
    page(StatusCode::OK, "Let this program in?", &content, &policy)
}

/// A refusal that must not be redirected: nobody knows yet to whom.
pub(crate) fn refused(status: StatusCode, sentence: &str) -> Response {
    let content = html! { p.bad { (sentence) } };
    let policy = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";
    page(status, "That did not work", &content, policy)
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// A redirect URI as a person can judge it.
fn place(url: &Url) -> String {
    let host = host(url);
    if url.scheme() == "http" { format!("a program on this computer ({host})") } else { host.to_owned() }
}

/// CSP has no syntax for IPv6 hosts; the scheme stands alone then.
fn source(url: &Url) -> String {
    match url.host() {
        Some(url::Host::Ipv6(_)) | None => format!("{}:", url.scheme()),
        Some(_) => url.origin().ascii_serialization(),
    }
}

fn page(status: StatusCode, title: &str, content: &Markup, policy: &str) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Interlock" }
                link rel="stylesheet" href="/pages.css";
            }
            body { header { a href="/" { "Interlock" } } main { h1 { (title) } (content) } }
        }
    };
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers: [(HeaderName, HeaderValue); 6] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, body.into_string()).into_response()
}
