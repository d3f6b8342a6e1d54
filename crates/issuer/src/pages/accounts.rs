//! Enrolment by a single-use link, and the setup of the first administrator.

use axum::response::Response;
use maud::{Markup, html};
use platform::{Error, Secret};
use qrcode::{Color, QrCode};

use super::{alert, form_page};
use crate::issuer::State;

/// A person's password and second factor, to be set and proven.
pub(crate) struct EnrolmentPage<'a> {
    /// CSRF token.
    pub(crate) csrf: &'a str,
    /// The sealed enrolment.
    pub(crate) request: &'a str,
    /// Sign-in name.
    pub(crate) name: &'a str,
    /// TOTP secret, base32.
    pub(crate) secret: &'a Secret,
    /// What went wrong before.
    pub(crate) error: Option<&'a Error>,
}

/// Password, secret as picture and as text, and the code that proves it.
pub(crate) fn enrolment(state: &State, page: &EnrolmentPage<'_>) -> Result<Response, Error> {
    let spaced: Vec<&str> =
        page.secret.expose().as_bytes().chunks(4).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    let body = html! {
        h1 { "Set up your account" }
        p.client { "for " strong { (page.name) } }
        (alert(page.error))
        form method="post" action={ (state.path) "/enrol" } {
            input type="hidden" name="csrf" value=(page.csrf);
            input type="hidden" name="request" value=(page.request);
            input type="hidden" name="username" value=(page.name) autocomplete="username";
            label for="password" { "New password" }
            input id="password" name="password" type="password" autocomplete="new-password" minlength="12"
                maxlength="1024" required autofocus aria-describedby="rules";
            p.hint id="rules" { "At least 12 characters. A few unusual words are better than one odd word." }
            label for="again" { "New password, again" }
            input id="again" name="again" type="password" autocomplete="new-password" minlength="12" maxlength="1024" required;
            p { "Scan this with an authenticator app:" }
            (picture(&uri(state, page))?)
            p.hint { "Or type it in: " code { (spaced.join(" ")) } }
            label for="otp" { "Six-digit code that the app shows" }
            input id="otp" name="otp" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,7}"
                maxlength="7" required;
            div.actions { button type="submit" { "Finish" } }
        }
    };
    Ok(form_page(state, None, "Set up your account", &body, page.error))
}

/// The key URI that authenticator apps read.
fn uri(state: &State, page: &EnrolmentPage<'_>) -> String {
    let host = url::Url::parse(&state.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let escape =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (label, issuer) = (escape(&format!("Interlock {host}:{}", page.name)), escape(&format!("Interlock {host}")));
    format!("otpauth://totp/{label}?secret={}&issuer={issuer}", page.secret.expose())
}

/// A QR code as inline SVG: one path, dark on white in any colour scheme, because cameras want it so.
fn picture(text: &str) -> Result<Markup, Error> {
    const QUIET: usize = 4;
    let code = QrCode::new(text.as_bytes()).map_err(Error::internal)?;
    let (width, mut path) = (code.width(), String::new());
    for (n, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", n % width + QUIET, n / width + QUIET));
        }
    }
    let size = width + 2 * QUIET;
    Ok(html! {
        svg.qr xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (size) " " (size) } role="img"
            aria-label="QR code with the key that is written below" shape-rendering="crispEdges" {
            rect width=(size) height=(size) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

/// The first administrator.
pub(crate) struct SetupPage<'a> {
    /// CSRF token.
    pub(crate) csrf: &'a str,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// What was typed before.
    pub(crate) display_name: &'a str,
    /// What went wrong before.
    pub(crate) error: Option<&'a Error>,
}

/// The code from the terminal, and who the first administrator is.
pub(crate) fn setup(state: &State, page: &SetupPage<'_>) -> Response {
    let body = html! {
        h1 { "First administrator" }
        p.client { "Nobody can sign in here. The terminal of " code { "interlock serve" } " shows a code." }
        (alert(page.error))
        form method="post" action={ (state.path) "/setup" } {
            input type="hidden" name="csrf" value=(page.csrf);
            label for="code" { "Code from the terminal" }
            input id="code" name="code" type="text" autocomplete="off" spellcheck="false" maxlength="64" required autofocus;
            label for="name" { "Sign-in name" }
            input id="name" name="name" type="text" autocomplete="username" autocapitalize="none" spellcheck="false"
                maxlength="64" required value=(page.name);
            label for="display_name" { "Your name" }
            input id="display_name" name="display_name" type="text" autocomplete="name" maxlength="128" required
                value=(page.display_name);
            div.actions { button type="submit" { "Continue" } }
        }
    };
    form_page(state, None, "First administrator", &body, page.error)
}
