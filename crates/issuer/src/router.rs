//! The routes, relative to the issuer's URL, with the headers and limits that hold for all of them.

use axum::extract::{DefaultBodyLimit, State as Extension};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderValue;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use platform::{Error, ErrorKind};

use crate::browser::{PageError, render_error};
use crate::issuer::Issuer;
use crate::{
    admin, authorize, decision, device, device_pages, enrolment, introspection, logout, metadata, pages, registration,
    setup, sign_in, token, userinfo,
};

/// Most bytes of a request body.
const LARGEST_BODY: usize = 64 << 10;

pub(crate) fn router(issuer: Issuer) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/.well-known/oauth-authorization-server", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize::get).post(authorize::post))
        .route("/sign-in", post(sign_in::password))
        .route("/sign-in/otp", post(sign_in::otp))
        .route("/token", post(token::post))
        .route("/userinfo", get(userinfo::handle).post(userinfo::handle))
        .route("/decision", post(decision::post))
        .route("/device_authorization", post(device::authorization))
        .route("/device", get(device_pages::get).post(device_pages::post))
        .route("/introspect", post(introspection::introspect))
        .route("/revoke", post(introspection::revoke))
        .route("/register", post(registration::post))
        .route("/logout", get(logout::handle).post(logout::handle))
        .route("/logout/confirm", post(logout::confirm))
        .route("/enrol", get(enrolment::get).post(enrolment::post))
        .route("/setup", get(setup::get).post(setup::post))
        .merge(admin::routes())
        .route("/style.css", get(style))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::map_response_with_state(issuer.clone(), protect))
        .with_state(issuer)
}

async fn discovery(Extension(issuer): Extension<Issuer>) -> impl IntoResponse {
    (public(), Json(issuer.metadata_json()))
}

async fn jwks(Extension(issuer): Extension<Issuer>) -> impl IntoResponse {
    (public(), Json(metadata::keys(&issuer.0)))
}

async fn style() -> impl IntoResponse {
    let css = (CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    ([css, (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"))], pages::STYLE)
}

async fn not_found() -> PageError {
    PageError(Error::new(ErrorKind::NotFound, "not_found", "There is no such page here."))
}

/// Documents that anybody may read, browsers of other origins included.
fn public() -> [(HeaderName, HeaderValue); 2] {
    [
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300")),
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    ]
}

/// Headers of every response; what a handler set itself stands.
async fn protect(Extension(issuer): Extension<Issuer>, response: Response) -> Response {
    let mut response = render_error(&issuer.0, response);
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
