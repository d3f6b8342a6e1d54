//! `/device`: the page where a person types the code that a device shows (RFC 8628, section 3.3), and its post, which goes
//! on to the sign-in and to the question whether the device may.

use axum::extract::{RawQuery, State as Extension};
use axum::response::Response;
use http::HeaderMap;
use platform::Error;

use crate::browser::{CookieKind, PageError, Sent, Source, browser_id, with_cookies};
use crate::device;
use crate::errand::{self, Errand};
use crate::issuer::{Issuer, State};
use crate::pages;
use crate::parameters::{LONGEST_VALUE, Parameters};
use crate::sign_in::{PENDING_S, throttled};
use crate::throttle::Bucket;

/// What the form's CSRF token is bound to, beside the browser.
const FORM: &str = "device";
/// Wrong codes from one address before it has to wait.
const FREE_TRIES: u32 = 10;

/// `GET /device`, with the code filled in where the address carries it. Nothing happens before the person agrees: the
/// address may have come from somebody else (RFC 8628, section 5.4).
pub(crate) async fn get(
    Extension(issuer): Extension<Issuer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let parameters = Parameters::parse(query.unwrap_or_default().as_bytes(), LONGEST_VALUE).ok();
    let code = parameters.and_then(|p| p.get("user_code").and_then(device::usual_form)).unwrap_or_default();
    Ok(page(state, &headers, &code, None)?)
}

/// `POST /device`.
pub(crate) async fn post(
    Extension(issuer): Extension<Issuer>,
    source: Source,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Result<Response, PageError> {
    let state = &*issuer.0;
    let form = state.own_form(source, &headers, &body, FORM)?;
    let typed = form.get("user_code").unwrap_or_default();
    let (guesses, now) = (Bucket::codes(FORM, source.0, FREE_TRIES), state.clock.epoch_seconds());
    if let Err(error) = throttled(state, source, &[guesses]) {
        return Ok(page(state, &headers, typed, Some(&error))?);
    }
    let found = match device::find(state, typed).await? {
        Some(found) => state.client(&found.client_id, source).await?.map(|client| (found, client)),
        None => None,
    };
    let Some((found, client)) = found else {
        state.throttle.failed(&[guesses], now);
        state.refuse(source.0, "device_code_unknown", None);
        return Ok(page(state, &headers, typed, Some(&device::unknown_code()))?);
    };
    Ok(errand::begin(state, &headers, Errand::Device(found), &client, None).await?)
}

fn page(state: &State, headers: &HeaderMap, code: &str, error: Option<&Error>) -> Result<Response, Error> {
    let browser = browser_id(state, headers)?;
    let csrf = state.sealer.csrf(&browser, FORM);
    let page = pages::device_code(state, &csrf, code, error);
    Ok(with_cookies(page, [CookieKind::Browser.set(state, &browser, PENDING_S)?]))
}
