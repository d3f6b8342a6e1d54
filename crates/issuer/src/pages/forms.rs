//! The sign-in: name and password, then the one-time code.

use axum::response::Response;
use maud::{Markup, html};
use platform::Error;
use url::Url;

use super::{alert, form_page};
use crate::clients::Client;
use crate::issuer::State;

/// What the forms of a sign-in show.
pub(crate) struct FormPage<'a> {
    /// The sealed sign-in.
    pub(crate) request: &'a str,
    /// Its CSRF token.
    pub(crate) csrf: &'a str,
    /// The client that asked.
    pub(crate) client: &'a Client,
    /// Where the browser goes afterwards; nowhere when a device waits.
    pub(crate) redirect: Option<&'a Url>,
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
        p.client { "to continue to " (client(page.client)) (destination(page.redirect)) }
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
    form_page(state, page.redirect, "Sign in", &body, page.error)
}

/// The one-time code.
pub(crate) fn second_factor(state: &State, page: &FormPage<'_>) -> Response {
    let body = html! {
        h1 { "Enter your code" }
        p.client { "Signing in as " strong { (page.username) } " to " (client(page.client)) (destination(page.redirect)) }
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
    form_page(state, page.redirect, "Enter your code", &body, page.error)
}

/// The name of a client. One that nobody here vouches for is named by where its description comes from too: its own name
/// is what it says about itself.
pub(super) fn client(client: &Client) -> Markup {
    let host = Url::parse(&client.client_id).ok().and_then(|url| url.host_str().map(str::to_owned));
    html! {
        strong { (client.name) }
        @if let Some(host) = host { " (described by " strong { (host) } ")" }
        @else if client.third_party { " (registered by itself)" }
    }
}

pub(super) fn hidden(page: &FormPage<'_>) -> Markup {
    html! {
        input type="hidden" name="csrf" value=(page.csrf);
        input type="hidden" name="request" value=(page.request);
    }
}

/// Where the answer goes, so that a person can tell a program on this machine from a web site.
pub(super) fn destination(redirect: Option<&Url>) -> Markup {
    html! {
        @if let Some(redirect) = redirect {
            @if redirect.scheme() == "http" { " on this computer" }
            @else if redirect.scheme() == "https" { " at " (redirect.host_str().unwrap_or_default()) }
            @else { " (an application on this device)" }
        } @else { " on another device" }
    }
}
