//! What pages look like: one frame, one style sheet, one set of security headers.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use platform::{Error, ErrorKind};

use super::sessions::Session;
use super::visitor::FORM_TOKEN;
use crate::Gateway;

const STYLE: &str = include_str!("pages.css");

/// Everything from ourselves, forms to ourselves, nothing framed, no scripts at all.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

pub(super) async fn stylesheet() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600")),
    ];
    (headers, STYLE).into_response()
}

pub(super) fn page(status: StatusCode, title: &str, content: &Markup) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Interlock" }
                link rel="stylesheet" href="/pages.css";
            }
            body {
                header {
                    a href="/" { "Interlock" }
                    nav { a href="/changes" { "Changes" } a href=(super::account::PATH) { "Your page" } }
                }
                main { h1 { (title) } (content) }
            }
        }
    };
    let headers: [(HeaderName, HeaderValue); 7] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    (status, headers, body.into_string()).into_response()
}

/// The hidden field that every form carries.
pub(super) fn form_token(session: &Session) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(session.form_token()); }
}

/// A moment for people, in UTC: pages know no time zone.
pub(super) fn moment(epoch_s: i64) -> String {
    jiff::Timestamp::from_second(epoch_s)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

pub(super) fn failed(error: &Error) -> Response {
    if let Some(detail) = error.detail() {
        tracing::warn!(error.code = error.code(), error.message = detail, "page failed");
    }
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content = html! {
        p.bad { (error.message()) }
        p { "Code: " a href=(format!("/errors/{}", error.code())) { code { (error.code()) } } }
        @if error.kind() == ErrorKind::Unauthenticated {
            p { a.button href="/signin" { "Sign in" } }
        }
    };
    page(status, "That did not work", &content)
}

/// A document of ours. Of Markdown it knows what our error pages use: headings, paragraphs, lists and `code`.
pub(crate) fn document(title: &str, text: &str) -> Response {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty() && !block.starts_with("# "));
    let content = html! {
        @for block in blocks {
            @if let Some(heading) = block.strip_prefix("## ") {
                h2 { (inline(heading)) }
            } @else if block.starts_with("- ") {
                ul { @for item in block.split("- ").filter(|i| !i.is_empty()) { li { (inline(item)) } } }
            } @else {
                p { (inline(block)) }
            }
        }
    };
    page(StatusCode::OK, title, &content)
}

/// Every second part between backticks is code.
fn inline(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// The first page: what this is, and where to connect.
pub(crate) fn home(gateway: &Gateway) -> Response {
    let base = &gateway.parts.options.base;
    let catalogue = gateway.parts.pipeline.visibility().catalogue();
    let content = html! {
        p { "MCP servers for the network, behind sign-in, policy, just-in-time credentials and a tamper-evident audit log." }
        h2 { "Connect an MCP client" }
        p { "Streamable HTTP, OAuth 2.1. Tools you may not use are not listed." }
        table {
            thead { tr { th { "Server" } th { "Connector" } th { "Environment" } th { "URL" } } }
            tbody {
                @for server in catalogue.servers() {
                    tr {
                        td { (server.facts.name) } td { (server.facts.connector) } td { (server.facts.environment) }
                        td { code { (base) "/mcp/" (server.facts.name) } }
                    }
                }
            }
        }
        h2 { "Or use REST" }
        pre { "curl -H \"Authorization: Bearer $TOKEN\" " (base) "/api/v1/mcp/interlock/tools" }
        h2 { "Sign in at" }
        ul { @for issuer in gateway.parts.tokens.issuers() { li { code { (issuer) } } } }
    };
    page(StatusCode::OK, "Interlock", &content)
}
