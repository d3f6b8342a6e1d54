//! The step-up page: the person sees what was refused, passes the second factor at the issuer, and the platform stores
//! the elevation for exactly the caller that was refused (T4). The link by itself opens nothing.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, header};
use platform::audit::{AuditActor, AuditEntry, Outcome};
use platform::tokens::SignInRequest;
use platform::{Error, ErrorKind, Result, Secret, seal};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use tool_runtime::elevation::ElevationRequest;

use super::{Pending, layout};
use crate::Gateway;
use crate::edge::Identified;

/// The cookie that binds a sign-in to the browser that began it.
const COOKIE: &str = "interlock_signin";

/// The binding that a browser brought.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut cookies = values.flat_map(Cookie::split_parse).filter_map(std::result::Result::ok);
    cookies.find(|c| c.name() == COOKIE).map(|c| c.value().to_owned())
}

pub(super) async fn show(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match gateway.parts.pipeline.elevations().find(&id).await {
        Ok(request) => layout::step_up(&id, &request),
        Err(error) => layout::failed(&error),
    }
}

pub(super) async fn start(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>) -> Response {
    match begin(&gateway, &id).await {
        Ok((url, cookie)) => {
            let mut response = Redirect::to(&url).into_response();
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => layout::failed(&error),
    }
}

async fn begin(gateway: &Gateway, id: &str) -> Result<(String, HeaderValue)> {
    let parts = &gateway.parts;
    let elevation = parts.pipeline.elevations().find(id).await?;
    let request = SignInRequest {
        redirect_uri: format!("{}/signin/callback", parts.options.base),
        state: token()?,
        nonce: token()?,
        code_verifier: Secret::new(token()?),
        require_mfa: true,
        login_hint: Some(elevation.name),
    };
    let url = parts.sign_in.authorization_url(&request).await?;
    let browser = token()?;
    let secure = parts.options.base.as_str().starts_with("https:");
    let cookie = Cookie::build((COOKIE, browser.clone()))
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure)
        .path("/signin")
        .max_age(cookie::time::Duration::minutes(10))
        .build();
    let cookie = HeaderValue::from_str(&cookie.to_string()).map_err(Error::internal)?;
    let state = request.state.clone();
    gateway.sign_ins.0.insert(state, Arc::new(Pending { request, browser, elevation: id.to_owned() }));
    Ok((url, cookie))
}

/// 256 random bits as text: long enough for a PKCE verifier (RFC 7636: at least 43 characters).
fn token() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(seal::random::<32>()?))
}

/// The issuer's redirect (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Deserialize)]
pub(super) struct Callback {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

pub(super) async fn finish(
    State(gateway): State<Arc<Gateway>>,
    Extension(identified): Extension<Identified>,
    Query(callback): Query<Callback>,
    headers: HeaderMap,
) -> Response {
    let mut entry = AuditEntry::event(gateway.parts.clock.now(), "elevation.granted", Outcome::Success);
    entry.request_id = Some(identified.request_id.to_string());
    entry.source = Some(identified.source);
    entry.protocol = Some("page".to_owned());
    let result = redeem(&gateway, &callback, &headers, &mut entry).await;
    if let Err(error) = &result {
        // Anybody can knock here: before a person is known, refusals are counted and not written one by one (T25).
        if entry.actor.is_none() {
            gateway.parts.refusals.count(identified.source, "sign_in");
            return layout::failed(error);
        }
        entry.outcome = Outcome::Refused;
        entry.action = "elevation.refused".to_owned();
        entry.code = Some(error.code().to_owned());
    }
    // An elevation that is not on record is not told to anybody as granted.
    if let Err(error) = gateway.parts.audit.append(entry).await {
        return layout::failed(&error);
    }
    match result {
        Ok(request) => layout::elevated(&request),
        Err(error) => layout::failed(&error),
    }
}

async fn redeem(
    gateway: &Gateway,
    callback: &Callback,
    headers: &HeaderMap,
    entry: &mut AuditEntry,
) -> Result<ElevationRequest> {
    let expired = || {
        Error::new(
            ErrorKind::Unmet,
            "sign_in_expired",
            "This sign-in was not begun in this browser, or took too long. Open the link of the refusal again.",
        )
    };
    let pending = callback.state.as_ref().and_then(|state| gateway.sign_ins.0.remove(state)).ok_or_else(expired)?;
    let browser = cookie(headers);
    let same = browser.is_some_and(|c| bool::from(c.as_bytes().ct_eq(pending.browser.as_bytes())));
    if !same {
        return Err(expired());
    }
    let code = match (&callback.code, &callback.error) {
        (Some(code), None) => code,
        _ => {
            return Err(Error::new(
                ErrorKind::Unmet,
                "sign_in_declined",
                "The issuer did not complete the sign-in. Nothing was granted; open the link of the refusal to try again.",
            ));
        }
    };
    let parts = &gateway.parts;
    let signed_in = parts.sign_in.redeem(&pending.request, code, callback.iss.as_deref()).await?;
    entry.actor = Some(AuditActor::from(&signed_in.principal));
    let request = parts.pipeline.elevations().find(&pending.elevation).await?;
    entry.facts.insert("server".into(), request.server.clone().into());
    entry.facts.insert("tool".into(), request.tool.clone().into());
    entry.facts.insert("client_id".into(), request.client_id.clone().into());
    let granted = parts.pipeline.elevations().grant(&request, &signed_in.principal).await?;
    entry.facts.insert("expires_at".into(), granted.expires_at.into());
    entry.facts.insert("single_use".into(), granted.single_use.into());
    Ok(request)
}
