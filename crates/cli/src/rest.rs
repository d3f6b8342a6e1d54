//! The platform's REST as this command line uses it, and how its problem documents (RFC 9457, T11) become failures.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use http::{HeaderValue, Method, StatusCode, header};
use platform::http::{Request, Response, TargetClient};
use platform::{Json, Secret};
use serde_json::json;
use url::Url;

use crate::bridge::challenge::Challenge;
use crate::bridge::step_up::{PATIENCE, PAUSE};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Said};
use crate::sign_in::{Way, browser};
use crate::terminal::{self, Terminal};
use crate::tokens::Tokens;
use crate::tokens::store::{Store, StoreKind};
use crate::web;

/// Which platform, and as whom.
#[derive(Args)]
pub(crate) struct Connection {
    /// Public base URL of the platform; the last one signed in to when left out.
    #[arg(long, env = "INTERLOCK_URL", value_name = "URL", conflicts_with = "state")]
    url: Option<Url>,
    /// State folder of a lab, instead of a URL.
    #[arg(long, value_name = "DIR", requires = "user")]
    state: Option<PathBuf>,
    /// With --state: the person of the lab who calls.
    #[arg(long, value_name = "NAME", requires = "state")]
    user: Option<String>,
    /// With --state: sign in with the second factor.
    #[arg(long, requires = "state")]
    mfa: bool,
    /// Access token, instead of the one that `interlock login` keeps.
    #[arg(skip = token_from_environment())]
    token: Option<Secret>,
}

/// The platform, with a token.
pub(crate) struct Rest {
    base: Url,
    client: TargetClient,
    token: Secret,
    /// Where the token comes from, when its person can be asked for a stronger one.
    tokens: Option<Tokens>,
    /// A person of a lab, whose second factor is at hand.
    #[cfg(feature = "lab")]
    of_the_lab: Option<(PathBuf, String)>,
}

/// An answer that is a success.
pub(crate) struct Reply {
    pub(crate) body: Json,
    pub(crate) request_id: Option<String>,
    pub(crate) location: Option<String>,
}

impl Connection {
    /// The platform at `url`, or the last one signed in to; or somebody's call to the lab of a state folder.
    pub(crate) fn to(url: Option<Url>, of_the_lab: Option<(PathBuf, String)>) -> Self {
        let (state, user) = of_the_lab.unzip();
        Self { url, state, user, mfa: false, token: token_from_environment() }
    }

    /// Finds platform and token.
    pub(crate) async fn open(self, terminal: &Terminal) -> Outcome<Rest> {
        #[cfg(feature = "lab")]
        if let (Some(state), Some(user)) = (&self.state, &self.user) {
            let ready = server::offline::lab::ready(state)?;
            let url = ready.url.parse().map_err(|e| Failure::internal(&e))?;
            let request = server::offline::lab::TokenRequest {
                state: state.clone(),
                user: user.clone(),
                mfa: self.mfa,
                audience: None,
            };
            let token = server::offline::lab::token(&request, &|text| terminal.progress(text)).await?;
            let client = web::client(&url, "interlock")?;
            let of_the_lab = Some((state.clone(), user.clone()));
            return Ok(Rest { base: url, client, token, tokens: None, of_the_lab });
        }
        #[cfg(not(feature = "lab"))]
        let _unused = (terminal, self.mfa, &self.user, &self.state);
        let base = platform(self.url)?;
        let url: Url = base.parse().map_err(|e| Failure::internal(&e))?;
        let (token, tokens) = match self.token {
            Some(token) => (token, None),
            None => {
                let store = Store::open(StoreKind::Auto)?;
                let tokens = Tokens::new(base, None, Way::Auto, store, Box::new(terminal::say));
                (tokens.quiet().await?, Some(tokens))
            }
        };
        let client = web::client(&url, "interlock")?;
        Ok(Rest {
            base: url,
            client,
            token,
            tokens,
            #[cfg(feature = "lab")]
            of_the_lab: None,
        })
    }
}

impl Rest {
    /// `GET /api/v1/mcp/{server}/tools`.
    pub(crate) async fn tools(&self, server: &str) -> Outcome<Vec<Json>> {
        let path = format!("/api/v1/mcp/{}/tools", segment(server)?);
        let mut reply = self.send(Request::new(Method::GET, path, Instant::now() + web::PATIENCE)).await?;
        match reply.body["tools"].take() {
            Json::Array(tools) => Ok(tools),
            _ => Err(garbled(&reply.body)),
        }
    }

    /// `POST /api/v1/mcp/{server}/tools/{tool}`. Never sent twice by itself: it may write. Only a challenge for a fresh
    /// second factor (RFC 9470) is answered, once, by a new sign-in: what was challenged did not run.
    pub(crate) async fn call(&self, server: &str, tool: &str, arguments: &Json, key: Option<&str>) -> Outcome<Reply> {
        let request = call_request(server, tool, arguments, key)?;
        let response = self.sent(request, &self.token).await?;
        let challenge = Challenge::read(&response.headers);
        match &self.tokens {
            Some(tokens) if response.status == StatusCode::UNAUTHORIZED && challenge.wants_factor() => {
                let token = tokens.signed_in_for(&self.token, challenge.more).await?;
                let request = call_request(server, tool, arguments, key)?;
                read(&self.sent(request, &token).await?)
            }
            _ => read(&response),
        }
    }

    /// Calls a tool that needs its person: where the platform asks for a second factor, its page is opened and the call is
    /// repeated until it was passed (T4). In a lab the factor is at hand.
    pub(crate) async fn call_by_person(&self, terminal: &Terminal, tool: &str, arguments: &Json) -> Outcome<Reply> {
        let began = Instant::now();
        let mut shown = None;
        loop {
            let refused = match self.call("interlock", tool, arguments, None).await {
                Err(refused) => refused,
                done => return done,
            };
            let Some(page) = self.step_up_page(&refused) else { return Err(refused) };
            if shown.as_ref() != Some(&page) {
                if !self.show(terminal, &page).await? {
                    return Err(refused);
                }
                shown = Some(page);
            } else if began.elapsed() > PATIENCE {
                return Err(refused);
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// The page that would lift a refusal; only one of this platform.
    fn step_up_page(&self, refused: &Failure) -> Option<Url> {
        let Failure::Said(said) = refused else { return None };
        let page = Url::parse(said.refusal.url.as_deref()?).ok()?;
        (said.refusal.code == "step_up_required" && page.origin() == self.base.origin()).then_some(page)
    }

    /// Brings the person to a page; `false` where there is no way to.
    async fn show(&self, terminal: &Terminal, page: &Url) -> Outcome<bool> {
        #[cfg(feature = "lab")]
        if let Some((state, user)) = &self.of_the_lab {
            let progress = |text: &str| terminal.progress(text);
            server::offline::lab::pass_second_factor(state, user, page, &progress).await?;
            return Ok(true);
        }
        let opened = browser::open(page);
        if !opened && !std::io::stderr().is_terminal() {
            return Ok(false);
        }
        terminal.progress(&format!("This needs a second factor of yours, for this one call. Pass it at\n\n  {page}\n"));
        Ok(true)
    }

    async fn send(&self, request: Request) -> Outcome<Reply> {
        read(&self.sent(request, &self.token).await?)
    }

    async fn sent(&self, request: Request, token: &Secret) -> Outcome<Response> {
        Ok(self.client.send(request.header(header::AUTHORIZATION, bearer(token)?)).await?)
    }
}

fn call_request(server: &str, tool: &str, arguments: &Json, key: Option<&str>) -> Outcome<Request> {
    let path = format!("/api/v1/mcp/{}/tools/{}", segment(server)?, segment(tool)?);
    let mut request =
        Request::new(Method::POST, path, Instant::now() + web::PATIENCE).json(&json!({ "arguments": arguments }))?;
    if let Some(key) = key {
        let value = HeaderValue::from_str(key).map_err(|_| {
            Failure::new(Exit::Usage, "idempotency_key_invalid", "An idempotency key is plain text without line ends.")
        })?;
        request.headers.insert("idempotency-key", value);
    }
    Ok(request)
}

/// The platform's base URL without trailing slash: the one that was named, else the last one signed in to.
pub(crate) fn platform(named: Option<Url>) -> Outcome<String> {
    let url = match named {
        Some(url) => Some(url.to_string()),
        None => Store::open(StoreKind::File)?.current(),
    };
    url.map(|url| url.trim_end_matches('/').to_owned()).ok_or_else(|| {
        let message = "Say which platform: --url URL, or sign in with `interlock login --url URL`.";
        Failure::new(Exit::Usage, "platform_not_named", message)
    })
}

/// The value of `Authorization`.
pub(crate) fn bearer(token: &Secret) -> Outcome<HeaderValue> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        Failure::new(Exit::NotSignedIn, "token_malformed", "The access token is no token; sign in again.")
    })?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// `INTERLOCK_TOKEN`: never an argument, which others can read.
pub(crate) fn token_from_environment() -> Option<Secret> {
    let set = platform::config::environment().into_iter().find(|(name, _)| name == "INTERLOCK_TOKEN");
    set.map(|(_, value)| Secret::new(value)).filter(|token| !token.expose().is_empty())
}

/// A success, or the failure that a problem document describes.
fn read(response: &Response) -> Outcome<Reply> {
    if !response.status.is_success() {
        return Err(refusal(response));
    }
    let text = |name: &str| text_of(response, name);
    let body: Json = serde_json::from_slice(&response.body).unwrap_or(Json::Null);
    Ok(Reply { body, request_id: text("x-request-id"), location: text("location") })
}

fn text_of(response: &Response, header: &str) -> Option<String> {
    response.headers.get(header).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// The failure that an answer describes which is no success.
pub(crate) fn refusal(response: &Response) -> Failure {
    let status = response.status.as_u16();
    let mut problem: Json = serde_json::from_slice(&response.body).unwrap_or(Json::Null);
    let detail = problem.get_mut("detail").map(Json::take).unwrap_or_default();
    if let Some(members) = problem.as_object_mut() {
        members.entry("message").or_insert(detail);
    }
    match serde_json::from_value(problem) {
        Ok(refusal) => {
            let request_id = text_of(response, "x-request-id");
            Failure::Said(Box::new(Said { exit: Exit::of_status(status), refusal, detail: None, request_id }))
        }
        Err(_) => Failure::new(
            Exit::of_status(status),
            "answer_unreadable",
            format!("The platform answered HTTP {status} without saying why; is this URL the platform's?"),
        ),
    }
}

fn garbled(body: &Json) -> Failure {
    let message = "This answer is not the platform's; check the URL.";
    Failure::new(Exit::Unavailable, "answer_unreadable", message).with_detail(body)
}

/// A name as a path segment: names of servers and tools need no escapes, so anything else is a mistake.
fn segment(name: &str) -> Outcome<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(plain) {
        return Ok(name);
    }
    let message = format!("`{name}` is no name of a server or tool: letters, digits, - and _.");
    Err(Failure::new(Exit::Usage, "name_invalid", message))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use platform::http::Response;

    use super::{read, segment};
    use crate::failure::Failure;

    fn response(status: u16, body: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "r-1".parse().unwrap());
        Response { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() }
    }

    #[test]
    fn t11_a_problem_document_keeps_reason_link_and_request_id() {
        let body = r#"{"type":"/errors/step_up_required","title":"Forbidden","status":403,"detail":"Not yet.",
            "code":"step_up_required","message":"Not yet.","unmet":[{"obligation":"step_up","message":"m"}],
            "url":"http://h/elevate/1"}"#;
        let Err(Failure::Said(said)) = read(&response(403, body)) else { panic!("a refusal") };
        assert_eq!((said.exit as u8, said.refusal.url.as_deref()), (4, Some("http://h/elevate/1")));
        assert_eq!(said.request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn an_answer_that_is_not_the_platforms_is_no_success_and_no_panic() {
        assert_eq!(read(&response(502, "<html>")).map(drop).unwrap_err().exit(), 5);
        assert_eq!(read(&response(401, "{}")).map(drop).unwrap_err().exit(), 3);
        assert_eq!(read(&response(500, "[1]")).map(drop).unwrap_err().exit(), 1);
        assert!(read(&response(200, "{}")).is_ok());
        assert!(segment("a/b").is_err() && segment("").is_err() && segment("get_device").is_ok());
    }
}
