//! The pages that people see: sign-in, second factor, errors. No script, no inline style, one stylesheet of our own.
//! `maud` escapes every value.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use platform::{Error, ErrorKind};
use url::Url;

use crate::issuer::State;
use crate::redirects;

/// The stylesheet, served at `/style.css`.
pub(crate) const STYLE: &str = include_str!("style.css");

/// What both forms show.
pub(crate) struct FormPage<'a> {
    /// The sealed sign-in.
    pub(crate) request: &'a str,
    /// Its CSRF token.
    pub(crate) csrf: &'a str,
    /// Name of the client that asked.
    pub(crate) client: &'a str,
    /// Where the browser goes afterwards.
    pub(crate) redirect: &'a Url,
    /// The name to show or to fill in.
    pub(crate) username: &'a str,
    /// What went wrong before.
    pub(crate) error: Option<&'a Error>,
}

/// Name and password.
pub(crate) fn sign_in(state: &State, page: &FormPage<'_>) -> Response {
    let known = !page.username.is_empty();
    let body = html! {
        h1 { "Sign in" }
        p.client { "to continue to " strong { (page.client) } (destination(page.redirect)) }
        (alert(page.error))
        form method="post" action={ (state.path) "/sign-in" } {
            (hidden(page))
            label for="username" { "Name" }
            input id="username" name="username" type="text" autocomplete="username" autocapitalize="none"
                spellcheck="false" maxlength="64" required autofocus[!known] value=(page.username)
                aria-describedby=[page.error.map(|_| "alert")];
            label for="password" { "Password" }
            input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024"
                required autofocus[known] aria-describedby=[page.error.map(|_| "alert")];
            div.actions {
                button type="submit" { "Sign in" }
                button.quiet type="submit" name="action" value="cancel" formnovalidate { "Cancel" }
            }
        }
    };
    form_page(state, page, "Sign in", &body)
}

/// The one-time code.
pub(crate) fn second_factor(state: &State, page: &FormPage<'_>) -> Response {
    let body = html! {
        h1 { "Enter your code" }
        p.client { "Signing in as " strong { (page.username) } " to " strong { (page.client) } (destination(page.redirect)) }
        (alert(page.error))
        form method="post" action={ (state.path) "/sign-in/otp" } {
            (hidden(page))
            label for="otp" { "Six-digit code" }
            input id="otp" name="otp" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,7}"
                maxlength="7" required autofocus aria-describedby=(if page.error.is_some() { "hint alert" } else { "hint" });
            p.hint id="hint" { "Your authenticator app shows it. Each code works once." }
            div.actions {
                button type="submit" { "Continue" }
                button.quiet type="submit" name="action" value="other" formnovalidate { "Use another name" }
                button.quiet type="submit" name="action" value="cancel" formnovalidate { "Cancel" }
            }
        }
    };
    form_page(state, page, "Enter your code", &body)
}

/// An error without a way back to a client.
pub(crate) fn error(state: &State, error: &Error) -> Response {
    if error.kind() == ErrorKind::Internal {
        tracing::error!(code = error.code(), detail = error.detail(), "a sign-in page failed");
    }
    let body = html! {
        h1 { "This did not work" }
        p role="alert" { (error.message()) }
        p.hint { "Code: " code { (error.code()) } }
    };
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    render(status, "This did not work", &stylesheet(state), &body, "'none'", error)
}

fn stylesheet(state: &State) -> String {
    format!("{}/style.css", state.path)
}

fn form_page(state: &State, page: &FormPage<'_>, title: &str, body: &Markup) -> Response {
    let status = page
        .error
        .map_or(StatusCode::OK, |e| StatusCode::from_u16(e.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    let allowed = format!("'self' {}", redirects::csp_source(page.redirect));
    let style = stylesheet(state);
    match page.error {
        Some(error) => render(status, title, &style, body, &allowed, error),
        None => document(status, title, &style, body, &allowed),
    }
}

fn render(status: StatusCode, title: &str, style: &str, body: &Markup, forms: &str, error: &Error) -> Response {
    let mut response = document(status, title, style, body, forms);
    if let Some(seconds) = error.refusal().retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn document(status: StatusCode, title: &str, style: &str, body: &Markup, forms: &str) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Interlock" }
                link rel="stylesheet" href=(style);
            }
            body {
                main {
                    p.brand { "Interlock" }
                    (body)
                }
            }
        }
    };
    let policy =
        format!("default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action {forms}");
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = (status, [(CONTENT_TYPE, html)], page.into_string()).into_response();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn hidden(page: &FormPage<'_>) -> Markup {
    html! {
        input type="hidden" name="csrf" value=(page.csrf);
        input type="hidden" name="request" value=(page.request);
    }
}

fn alert(error: Option<&Error>) -> Markup {
    html! { @if let Some(error) = error { p.alert id="alert" role="alert" { (error.message()) } } }
}

/// Where the answer goes, so that a person can tell a program on this machine from a web site.
fn destination(redirect: &Url) -> Markup {
    let host = redirect.host_str().unwrap_or_default();
    html! {
        @if redirect.scheme() == "http" { " on this computer" }
        @else if redirect.scheme() == "https" { " at " (host) }
        @else { " (an application on this device)" }
    }
}
