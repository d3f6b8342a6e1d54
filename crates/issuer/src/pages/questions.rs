//! What a signed-in person is asked: whether a client may, whether a device may, and whether to sign out.

use axum::response::Response;
use maud::{Markup, html};
use platform::Error;
use url::Url;

use super::forms::{client, destination, hidden};
use super::{FormPage, alert, form_page, notice};
use crate::clients::Client;
use crate::device::DeviceErrand;
use crate::issuer::State;

/// Whether a client or a device may.
pub(crate) struct DecisionPage<'a> {
    /// The form; its `username` is who is asked.
    pub(crate) form: FormPage<'a>,
    /// Scopes, space-separated.
    pub(crate) scope: &'a str,
    /// The resource, where one was named.
    pub(crate) resource: Option<&'a str>,
    /// The device that waits, if it is one.
    pub(crate) device: Option<&'a DeviceErrand>,
}

/// The question.
pub(crate) fn decision(state: &State, page: &DecisionPage<'_>) -> Response {
    let form = &page.form;
    let title = if page.device.is_some() { "Let this device in?" } else { "Allow access?" };
    let body = html! {
        h1 { (title) }
        p.client { "Signed in as " strong { (form.username) } }
        p { (client(form.client)) (destination(form.redirect)) " asks to act for you:" }
        ul {
            @for scope in page.scope.split(' ') { li { (meaning(scope)) } }
            li { "at " code { (page.resource.unwrap_or(state.platform.as_str())) } }
        }
        @if let Some(device) = page.device {
            p { "The device shows the code " strong { (device.user_code) }
                @if let Some(source) = &device.source { " and asked from the address " code { (source) } }
                ". If it does not, or if you did not start this yourself, deny it." }
        } @else if form.client.third_party {
            p.hint { "Nobody here vouches for this application. Allow it only if you started this yourself"
                @if let Some(host) = form.redirect.and_then(Url::host_str) { ": it gets its answer at " strong { (host) } }
                "." }
        }
        form method="post" action={ (state.path) "/decision" } {
            (hidden(form))
            div.actions {
                button type="submit" name="action" value="approve" { "Allow" }
                button.quiet type="submit" name="action" value="deny" { "Deny" }
            }
        }
    };
    form_page(state, form.redirect, title, &body, form.error)
}

fn meaning(scope: &str) -> &str {
    match scope {
        "openid" => "know who you are",
        "profile" => "read your name and groups",
        "mcp" => "use the platform's tools with your rights, as far as policy allows",
        other => other,
    }
}

/// Where a device's code is typed.
pub(crate) fn device_code(state: &State, csrf: &str, code: &str, error: Option<&Error>) -> Response {
    let body = html! {
        h1 { "Let a device in" }
        p.client { "Enter the code that the device or the command line shows." }
        (alert(error))
        form method="post" action={ (state.path) "/device" } {
            input type="hidden" name="csrf" value=(csrf);
            label for="user_code" { "Code" }
            input id="user_code" name="user_code" type="text" autocomplete="off" autocapitalize="characters"
                spellcheck="false" maxlength="16" required autofocus[code.is_empty()] value=(code)
                aria-describedby=[error.map(|_| "alert")];
            div.actions { button type="submit" autofocus[!code.is_empty()] { "Continue" } }
        }
    };
    form_page(state, None, "Let a device in", &body, error)
}

/// The end of a device's way through the browser.
pub(crate) fn device_done(state: &State, client: &Client, approved: bool) -> Response {
    match approved {
        true => {
            let text = format!("{} goes on by itself. You can close this page.", client.name);
            notice(state, "The device is let in", &text)
        }
        false => notice(state, "The device was not let in", "It is told so. You can close this page."),
    }
}

/// Whether to sign out. `request` carries where to go afterwards, sealed.
pub(crate) fn sign_out(
    state: &State,
    csrf: &str,
    request: &str,
    name: Option<&str>,
    redirect: Option<&Url>,
) -> Response {
    let body: Markup = html! {
        h1 { "Sign out?" }
        @if let Some(name) = name { p.client { "Signed in as " strong { (name) } } }
        p { "Every application that you reached from this sign-in is signed out too." }
        form method="post" action={ (state.path) "/logout/confirm" } {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="request" value=(request);
            div.actions {
                button type="submit" name="action" value="sign-out" { "Sign out" }
                button.quiet type="submit" name="action" value="stay" { "Stay signed in" }
            }
        }
    };
    form_page(state, redirect, "Sign out?", &body, None)
}
