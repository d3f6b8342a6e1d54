//! From a client's request over the person's consent to the provider and back: `GET /authorize` asks, `POST /authorize` takes
//! the decision, `GET /callback` is where the provider sends the browser.
//!
//! Each step counts only in the browser of the step before: a cookie is bound into the sealed request and into the sign-in.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{RawQuery, Request, State as Extension};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use platform::tokens::{ProviderTokens, SignInAtProvider};
use platform::{Error, Secret, canonical};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::clients::Client;
use crate::oauth::{MAX_FORM, OAuthError, Parameters, random_id, redirect};
use crate::page;
use crate::{SIGN_IN, State};

/// The cookie that binds the steps to one browser.
const COOKIE: &str = "interlock_oauth";

/// What a client asked for, as it is sealed into the form of the consent page.
#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    client_id: String,
    pub(crate) client: Client,
    redirect_uri: String,
    state: Option<String>,
    challenge: String,
    pub(crate) resource: Option<String>,
    /// When, epoch seconds.
    at: i64,
}

/// A sign-in at the provider.
pub(crate) struct Pending {
    asked: Asked,
    sign_in: SignInAtProvider,
    browser: String,
}

/// What a code of ours stands for.
pub(crate) struct Issued {
    pub(crate) client_id: String,
    pub(crate) client: Client,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    pub(crate) tokens: ProviderTokens,
}

impl Asked {
    /// The client's redirect URI with these parameters, its own `state`, and who sends it (RFC 9207).
    fn back(&self, state: &State, parameters: &[(&str, &str)]) -> Result<Url, Error> {
        let mut url = Url::parse(&self.redirect_uri).map_err(Error::internal)?;
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(parameters);
            if let Some(own) = &self.state {
                query.append_pair("state", own);
            }
            query.append_pair("iss", &state.url);
        }
        Ok(url)
    }

    fn refuse(&self, state: &State, error: OAuthError) -> Response {
        match self.back(state, &[("error", error.code), ("error_description", error.description)]) {
            Ok(url) => redirect(&url),
            Err(error) => OAuthError::from(error).into_response(),
        }
    }
}

/// `GET /authorize` (RFC 6749 section 4.1.1, with RFC 7636 and RFC 8707).
pub(crate) async fn ask(
    Extension(state): Extension<Arc<State>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let no_client = |sentence: &str| page::refused(StatusCode::BAD_REQUEST, sentence);
    let Some(given) = Parameters::read(query.unwrap_or_default().as_bytes()) else {
        return no_client("The request cannot be read: a parameter stands twice, or there is too much of it.");
    };
    let client_id = given.get("client_id").unwrap_or_default();
    let Some(client) = Client::open(&state, client_id) else {
        return no_client("No such client is registered here. Remove this server from your program and add it again.");
    };
    let requested = given.get("redirect_uri").unwrap_or_default();
    let Some(target) = client.redirect(requested) else {
        return no_client(
            "The program wants your sign-in at a place that it did not register. Nothing was sent there.",
        );
    };
    let asked = Asked {
        client_id: client_id.to_owned(),
        client,
        redirect_uri: requested.to_owned(),
        state: given.get("state").map(str::to_owned),
        challenge: given.get("code_challenge").unwrap_or_default().to_owned(),
        resource: given.get("resource").map(str::to_owned),
        at: state.options.clock.epoch_seconds(),
    };
    if let Err(error) = acceptable(&state, &given, &asked) {
        return asked.refuse(&state, error);
    }
    match form(&state, &asked, &target, &headers).await {
        Ok(response) => response,
        Err(error) => asked.refuse(&state, error.into()),
    }
}

fn acceptable(state: &State, given: &Parameters, asked: &Asked) -> Result<(), OAuthError> {
    if given.get("response_type") != Some("code") {
        return Err(OAuthError::new("unsupported_response_type", "Only the response type `code` exists here."));
    }
    if given.get("code_challenge_method") != Some("S256") || asked.challenge.len() != 43 {
        return Err(OAuthError::new("invalid_request", "Send a code_challenge by S256 (RFC 7636)."));
    }
    if asked.resource.as_deref().is_some_and(|resource| !state.is_ours(resource)) {
        return Err(OAuthError::new("invalid_target", "The resource is not one of this platform."));
    }
    Ok(())
}

async fn form(state: &State, asked: &Asked, target: &Url, headers: &HeaderMap) -> Result<Response, Error> {
    let browser = browser(headers).map_or_else(random_id, Ok)?;
    let provider = state.options.provider.authorization_endpoint().await?;
    let plain = serde_json::to_vec(asked).map_err(Error::internal)?;
    let sealed = state.options.sealer.seal(&state.place(&browser), &plain)?;
    let mut response = page::consent(state, asked, target, &provider, &URL_SAFE_NO_PAD.encode(sealed));
    let cookie = Cookie::build((COOKIE, browser))
        .path(state.path.clone())
        .http_only(true)
        .secure(state.url.starts_with("https:"))
        .same_site(SameSite::Lax)
        .max_age(cookie::time::Duration::minutes(30));
    let cookie = HeaderValue::from_str(&cookie.to_string()).map_err(Error::internal)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// The browser's cookie, if it is one that we could have made.
fn browser(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut cookies = values.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|c| c.name() == COOKIE && c.value().len() == 43).map(|c| c.value().to_owned())
}

/// `POST /authorize`: what the person decided.
pub(crate) async fn decide(Extension(state): Extension<Arc<State>>, request: Request) -> Response {
    let expired = || {
        page::refused(
            StatusCode::FORBIDDEN,
            "This page was not opened in this browser, or is too old. Start again in your program.",
        )
    };
    let Some(browser) = browser(request.headers()) else { return expired() };
    let Ok(body) = to_bytes(request.into_body(), MAX_FORM).await else { return expired() };
    let Some(given) = Parameters::read(&body) else { return expired() };
    let Some(asked) = opened(&state, &browser, given.get("request")) else { return expired() };
    if given.get("decision") != Some("allow") {
        return asked.refuse(&state, OAuthError::new("access_denied", "The person refused."));
    }
    match forward(&state, asked, browser).await {
        Ok(url) => redirect(&url),
        Err(error) => OAuthError::from(error).into_response(),
    }
}

/// What the form carries, if it was sealed for this browser and is young enough.
fn opened(state: &State, browser: &str, sealed: Option<&str>) -> Option<Asked> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed?).ok()?;
    let asked: Asked = serde_json::from_slice(&state.options.sealer.open(&state.place(browser), &sealed)?).ok()?;
    let age = state.options.clock.epoch_seconds().saturating_sub(asked.at);
    let longest = i64::try_from(SIGN_IN.as_secs()).unwrap_or(i64::MAX);
    (0..longest).contains(&age).then_some(asked)
}

/// Only here, after the consent, does a `state` for the provider come to be.
async fn forward(state: &State, asked: Asked, browser: String) -> Result<Url, Error> {
    let provider = &state.options.provider;
    let mut url = provider.authorization_endpoint().await?;
    let sign_in =
        SignInAtProvider { redirect_uri: format!("{}/callback", state.url), code_verifier: Secret::new(random_id()?) };
    let own_state = random_id()?;
    let challenge = URL_SAFE_NO_PAD.encode(canonical::sha256(sign_in.code_verifier.expose().as_bytes()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", provider.client_id())
        .append_pair("redirect_uri", &sign_in.redirect_uri)
        .append_pair("scope", &state.options.scopes.join(" "))
        .append_pair("state", &own_state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    state.record("facade.consented", &asked.client, &asked.redirect_uri).await?;
    state.pending.insert(own_state, Arc::new(Pending { asked, sign_in, browser }));
    Ok(url)
}

/// `GET /callback`: the provider's answer (RFC 6749 section 4.1.2, RFC 9207).
pub(crate) async fn come_back(
    Extension(state): Extension<Arc<State>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let unknown = || {
        page::refused(
            StatusCode::FORBIDDEN,
            "This sign-in was not begun in this browser, took too long, or was finished before. Start again in your program.",
        )
    };
    let given = Parameters::read(query.unwrap_or_default().as_bytes());
    let Some(given) = given else { return unknown() };
    let Some(pending) = given.get("state").and_then(|own| state.pending.remove(own)) else { return unknown() };
    let same = browser(&headers).is_some_and(|b| bool::from(b.as_bytes().ct_eq(pending.browser.as_bytes())));
    if !same {
        return unknown();
    }
    let asked = &pending.asked;
    let (Some(code), None) = (given.get("code"), given.get("error")) else {
        return asked.refuse(&state, OAuthError::new("access_denied", "The identity provider did not let you in."));
    };
    match redeemed(&state, &pending, code, given.get("iss")).await {
        Ok(own_code) => match asked.back(&state, &[("code", &own_code)]) {
            Ok(url) => redirect(&url),
            Err(error) => OAuthError::from(error).into_response(),
        },
        Err(error) => asked.refuse(&state, error.into()),
    }
}

/// Redeems the provider's code, and returns one of ours for it.
async fn redeemed(state: &State, pending: &Pending, code: &str, issuer: Option<&str>) -> Result<String, Error> {
    let tokens = state.options.provider.redeem(&pending.sign_in, code, issuer).await?;
    let asked = &pending.asked;
    let issued = Issued {
        client_id: asked.client_id.clone(),
        client: asked.client.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        challenge: asked.challenge.clone(),
        tokens,
    };
    let own_code = random_id()?;
    state.codes.insert(own_code.clone(), Arc::new(issued));
    Ok(own_code)
}
