//! Who administers, and how they are asked: a token for `<platform>/issuer/admin` with a second factor of the last quarter of
//! an hour. It comes from the environment, from a lab's folder, or from [`crate::tokens`]; when the issuer wants a fresher
//! factor, the person signs in again and the request is sent once more, which did nothing before.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use http::{HeaderValue, Method, StatusCode, header};
use platform::config::environment;
use platform::http::{Request, Response, TargetClient};
use platform::{Json, Secret};
use tokio::sync::Mutex;
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Said};
use crate::sign_in::{CLIENT_ID, More, Way};
use crate::terminal::{self, Terminal};
use crate::tokens::Tokens;
use crate::tokens::store::{Store, StoreKind};
use crate::web;

/// How old a second factor may be when a sign-in is asked for, seconds: what the issuer allows, less what work takes.
const FRESH_S: u64 = 600;
/// `acr` of a sign-in with a second factor at the built-in issuer.
const MFA: &str = "urn:interlock:acr:mfa";

/// Which platform, and as whom.
#[derive(Args, Clone)]
pub(crate) struct AdminConnection {
    /// Public base URL of the platform; the last one signed in to when left out.
    #[arg(long, global = true, env = "INTERLOCK_URL", value_name = "URL")]
    url: Option<Url>,
    /// Sign in by a code on any device, if a sign-in is needed.
    #[arg(long, global = true)]
    device: bool,
    /// State folder of a lab, instead of a URL.
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    /// With --state: the administrator of the lab who acts.
    #[arg(long = "as", global = true, value_name = "NAME", default_value = "ada")]
    who: String,
}

/// The administration, with a token.
pub(crate) struct Administration {
    client: TargetClient,
    token: Mutex<Secret>,
    /// Where another token comes from; none for one that was given.
    tokens: Option<Tokens>,
}

impl AdminConnection {
    /// Finds the administration, and a token for it.
    pub(crate) async fn open(self, terminal: &Terminal) -> Outcome<Administration> {
        #[cfg(feature = "lab")]
        if let Some(state) = &self.state {
            let ready = server::offline::lab::ready(state)?;
            let resource = format!("{}/admin", ready.issuer);
            let request = server::offline::lab::TokenRequest {
                state: state.clone(),
                user: self.who.clone(),
                mfa: true,
                audience: Some(resource.clone()),
            };
            let token = server::offline::lab::token(&request, &|text| terminal.progress(text)).await?;
            return Administration::at(&resource, token, None);
        }
        #[cfg(not(feature = "lab"))]
        let _unused = (&self.state, &self.who, terminal);
        let store = Store::open(StoreKind::Auto)?;
        let url = self.url.map(String::from).or_else(|| store.current());
        let url =
            url.ok_or_else(|| Failure::new(Exit::Usage, "platform_not_named", "Say which platform: --url URL."))?;
        let resource = format!("{}/issuer/admin", url.trim_end_matches('/'));
        if let Some(token) = from_environment() {
            return Administration::at(&resource, token, None);
        }
        let way = if self.device { Way::Device } else { Way::Auto };
        let tokens = Tokens::new(resource.clone(), Some(CLIENT_ID.to_owned()), way, store, Box::new(terminal::say));
        let token = match tokens.quiet().await {
            Ok(kept) => kept,
            Err(_) => tokens.sign_in(with_second_factor()).await?.access_token,
        };
        Administration::at(&resource, token, Some(tokens))
    }
}

/// `INTERLOCK_ADMIN_TOKEN`: never an argument, which others can read.
fn from_environment() -> Option<Secret> {
    let set = environment().into_iter().find(|(name, _)| name == "INTERLOCK_ADMIN_TOKEN");
    set.map(|(_, value)| Secret::new(value)).filter(|token| !token.expose().is_empty())
}

fn with_second_factor() -> More {
    More { acr_values: Some(MFA.to_owned()), max_age: Some(FRESH_S), ..More::default() }
}

impl Administration {
    fn at(resource: &str, token: Secret, tokens: Option<Tokens>) -> Outcome<Self> {
        let url = Url::parse(resource).map_err(|e| {
            Failure::new(Exit::Usage, "platform_not_named", format!("`{resource}` is no URL.")).with_detail(&e)
        })?;
        Ok(Self { client: web::client(&url, "administration")?, token: Mutex::new(token), tokens })
    }

    /// Asks for something; `path` is below the administration.
    pub(crate) async fn get(&self, path: &str) -> Outcome<Json> {
        self.send(Request::new(Method::GET, path, Instant::now() + web::PATIENCE)).await
    }

    /// Does something.
    pub(crate) async fn act(&self, method: Method, path: &str, body: Option<&Json>) -> Outcome<Json> {
        let request = Request::new(method, path, Instant::now() + web::PATIENCE);
        let request = match body {
            Some(body) => request.json(body)?,
            None => request,
        };
        self.send(request).await
    }

    async fn send(&self, mut request: Request) -> Outcome<Json> {
        let mut token = self.token.lock().await;
        let mut answer = self.once(request.clone(), &token).await?;
        if let (StatusCode::UNAUTHORIZED, Some(tokens)) = (answer.status, &self.tokens) {
            *token = tokens.signed_in_for(&token, with_second_factor()).await?;
            // The person may have taken their time.
            request.deadline = Instant::now() + web::PATIENCE;
            answer = self.once(request, &token).await?;
        }
        read(&answer)
    }

    async fn once(&self, request: Request, token: &Secret) -> Outcome<Response> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
            Failure::new(Exit::NotSignedIn, "token_malformed", "The access token is no token; sign in again.")
        })?;
        bearer.set_sensitive(true);
        Ok(self.client.send(request.header(header::AUTHORIZATION, bearer)).await?)
    }
}

/// A success, or the failure that a problem document describes.
fn read(answer: &Response) -> Outcome<Json> {
    let body: Json = serde_json::from_slice(&answer.body).unwrap_or(Json::Null);
    if answer.status.is_success() {
        return Ok(body);
    }
    let status = answer.status.as_u16();
    match serde_json::from_value(body) {
        Ok(refusal) => Err(Failure::Said(Box::new(Said {
            exit: Exit::of_status(status),
            refusal,
            detail: None,
            request_id: None,
        }))),
        Err(_) => Err(Failure::new(
            Exit::of_status(status),
            "answer_unreadable",
            format!("The issuer answered HTTP {status} without saying why; is this URL the platform's?"),
        )),
    }
}
