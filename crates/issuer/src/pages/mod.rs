//! The pages that people see. No script, no inline style, one stylesheet of our own; `maud` escapes every value. Here is
//! the frame of all of them; `forms` holds the sign-in, `questions` what a signed-in person is asked, `accounts` enrolment
//! and setup.

mod accounts;
mod forms;
mod questions;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use platform::{Error, ErrorKind};
use url::Url;

pub(crate) use self::accounts::{EnrolmentPage, SetupPage, enrolment, setup};
pub(crate) use self::forms::{FormPage, second_factor, sign_in};
pub(crate) use self::questions::{DecisionPage, decision, device_code, device_done, sign_out};
use crate::issuer::State;
use crate::redirects;

/// The stylesheet, served at `/style.css`.
pub(crate) const STYLE: &str = include_str!("style.css");

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

/// Something that a person is told, and that goes on nowhere.
pub(crate) fn notice(state: &State, title: &str, text: &str) -> Response {
    let body = html! {
        h1 { (title) }
        p { (text) }
    };
    document(StatusCode::OK, title, &stylesheet(state), &body, "'none'")
}

/// A page with a form of ours, whose answer may lead to `redirect`, and what went wrong before.
fn form_page(state: &State, redirect: Option<&Url>, title: &str, body: &Markup, error: Option<&Error>) -> Response {
    let allowed = match redirect {
        Some(redirect) => format!("'self' {}", redirects::csp_source(redirect)),
        None => "'self'".to_owned(),
    };
    let style = stylesheet(state);
    match error {
        Some(error) => {
            let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            render(status, title, &style, body, &allowed, error)
        }
        None => document(StatusCode::OK, title, &style, body, &allowed),
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

fn alert(error: Option<&Error>) -> Markup {
    html! { @if let Some(error) = error { p.alert id="alert" role="alert" { (error.message()) } } }
}
