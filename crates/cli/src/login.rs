//! `interlock login`: authorization code with PKCE in the person's own browser, back to a loopback port (RFC 8252). The
//! platform says where its issuer is (RFC 9728); the token is kept by [`crate::signed_in`].

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use platform::clock::SystemClock;
use platform::config::environment;
use platform::{Clock as _, Json, Secret, canonical, seal};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::signed_in::{self, SignedIn};
use crate::terminal::Terminal;
use crate::web;

/// How long the browser may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest request line of a callback, bytes.
const LONGEST_LINE: usize = 8192;

#[derive(Args)]
pub(crate) struct Login {
    /// Public base URL of the platform.
    #[arg(long, value_name = "URL")]
    url: Url,
    /// Registered public client with a loopback redirect.
    #[arg(long, value_name = "ID", default_value = "interlock-lab")]
    client_id: String,
    /// Only print the address to open.
    #[arg(long)]
    no_browser: bool,
}

/// What we need of the issuer's metadata (RFC 8414).
#[derive(Debug, Deserialize)]
pub(crate) struct IssuerDocument {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) jwks_uri: Option<Url>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<i64>,
}

impl Login {
    pub(crate) async fn run(self, terminal: &Terminal) -> Outcome {
        let base = self.url.as_str().trim_end_matches('/').to_owned();
        let issuer = issuer_document(&issuers(&self.url).await?.remove(0)).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| Failure::internal(&e))?;
        let port = listener.local_addr().map_err(|e| Failure::internal(&e))?.port();
        let request = Request {
            redirect: format!("http://127.0.0.1:{port}/callback"),
            state: random()?,
            verifier: random()?,
            issuer: issuer.issuer.clone(),
        };
        let url = request.authorization_url(&issuer.authorization_endpoint, &self.client_id, &base);
        let opened = !self.no_browser && open_browser(&url);
        let how =
            if opened { "Your browser was opened. If it does not show the page, open" } else { "Open in a browser" };
        terminal.progress(&format!("{how}:\n\n  {url}\n\nWaiting for you to sign in, at most 5 minutes …"));

        let code = tokio::time::timeout(PATIENCE, request.callback(&listener)).await.map_err(|_| {
            Failure::new(Exit::NotSignedIn, "sign_in_expired", "Nobody signed in within 5 minutes; start again.")
        })??;
        let granted = request.redeem(&issuer.token_endpoint, &self.client_id, &base, &code).await?;
        let signed_in = SignedIn {
            url: base.clone(),
            issuer: issuer.issuer,
            token: granted.access_token,
            expires_at: SystemClock.epoch_seconds() + granted.expires_in.unwrap_or(300),
        };
        let file = signed_in::keep(&signed_in::folder()?, &signed_in)?;
        let text = format!(
            "Signed in to {base}. The token is kept in {}.\nTry: interlock tools list interlock",
            file.display()
        );
        terminal.result(
            &text,
            &json!({"url": base, "issuer": signed_in.issuer, "expires_at": signed_in.expires_at, "file": file}),
        )
    }
}

/// The issuers whose tokens a platform takes, from its own document.
pub(crate) async fn issuers(platform: &Url) -> Outcome<Vec<String>> {
    let at = web::well_known(platform, "oauth-protected-resource");
    let document: Json = web::get_url(&at).await?.json()?;
    let listed = document["authorization_servers"].as_array().cloned().unwrap_or_default();
    let issuers: Vec<String> = listed.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    if issuers.is_empty() {
        let message = format!("{at} names no issuer; is this URL a platform's?");
        return Err(Failure::new(Exit::Unavailable, "issuer_not_named", message));
    }
    Ok(issuers)
}

/// An issuer's metadata; its `issuer` must be what was asked for (RFC 8414, section 3.3).
pub(crate) async fn issuer_document(issuer: &str) -> Outcome<IssuerDocument> {
    let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let url = Url::parse(&at).map_err(|e| {
        Failure::new(Exit::Usage, "issuer_malformed", format!("The issuer `{issuer}` is no URL.")).with_detail(&e)
    })?;
    let response = web::get_url(&url).await?;
    if !response.status.is_success() {
        let message = format!(
            "{at} answered HTTP {}; the issuer's URL must be exactly the one in its tokens.",
            response.status.as_u16()
        );
        return Err(Failure::new(Exit::Unavailable, "issuer_unreadable", message));
    }
    let document: IssuerDocument = response.json()?;
    if document.issuer != issuer {
        let message = format!(
            "{at} calls itself `{}`; set the issuer's URL to exactly that, if it is the right one.",
            document.issuer
        );
        return Err(Failure::new(Exit::Failed, "issuer_mismatch", message));
    }
    Ok(document)
}

/// One authorization request.
struct Request {
    redirect: String,
    state: String,
    verifier: String,
    issuer: String,
}

impl Request {
    fn authorization_url(&self, endpoint: &Url, client_id: &str, resource: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(canonical::sha256(self.verifier.as_bytes()));
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", "mcp")
            .append_pair("state", &self.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", resource);
        url
    }

    /// Waits for the browser to come back. What else connects to the port is answered and forgotten.
    async fn callback(&self, listener: &TcpListener) -> Outcome<Secret> {
        loop {
            let (stream, _) = listener.accept().await.map_err(|e| Failure::internal(&e))?;
            if let Some(result) = self.one(stream).await {
                return result;
            }
        }
    }

    async fn one(&self, stream: TcpStream) -> Option<Outcome<Secret>> {
        let mut stream = BufReader::with_capacity(LONGEST_LINE, stream);
        let line = tokio::time::timeout(Duration::from_secs(10), stream.fill_buf()).await.ok()?.ok()?;
        let line = String::from_utf8_lossy(line).lines().next()?.to_owned();
        let answer = self.read(&line);
        let (status, text) = match &answer {
            None => ("404 Not Found", "There is nothing here."),
            Some(Ok(_)) => ("200 OK", "You are signed in. You can close this page and go back to the terminal."),
            Some(Err(_)) => ("400 Bad Request", "The sign-in did not succeed. Go back to the terminal."),
        };
        let reply = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{text}",
            text.len()
        );
        // A browser that is gone has brought its code all the same.
        drop(stream.get_mut().write_all(reply.as_bytes()).await);
        drop(stream.get_mut().shutdown().await);
        answer
    }

    /// The code in a request line; `None` when it is not our callback.
    fn read(&self, line: &str) -> Option<Outcome<Secret>> {
        let target = line.strip_prefix("GET ")?.split(' ').next()?;
        let url = Url::parse(&format!("http://127.0.0.1{target}")).ok().filter(|url| url.path() == "/callback")?;
        let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
        // Whoever does not know the state is not the browser we sent; RFC 9207 for the issuer.
        if value("state").as_deref() != Some(&self.state) {
            return None;
        }
        let refused = |why: String| Failure::new(Exit::NotSignedIn, "sign_in_refused", why);
        Some(match (value("code"), value("error")) {
            _ if value("iss").is_some_and(|iss| iss != self.issuer) => Err(refused(
                "The answer came from another issuer than the one that was asked; nothing was taken.".to_owned(),
            )),
            (Some(code), None) => Ok(Secret::new(code)),
            (_, error) => {
                let said = value("error_description").or(error).unwrap_or_else(|| "no code".to_owned());
                Err(refused(format!("The issuer did not sign you in: {}", said.trim_end_matches('.')) + "."))
            }
        })
    }

    async fn redeem(&self, endpoint: &Url, client_id: &str, resource: &str, code: &Secret) -> Outcome<Granted> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("client_id", client_id),
            ("redirect_uri", &self.redirect),
            ("code_verifier", &self.verifier),
            ("resource", resource),
        ];
        let response = web::post_form(endpoint, &form).await?;
        if response.status.is_success() {
            return Ok(response.json()?);
        }
        let said: Json = response.json().unwrap_or_default();
        let why = said["error_description"].as_str().unwrap_or("it gave no reason").trim_end_matches('.').to_owned();
        Err(Failure::new(Exit::NotSignedIn, "sign_in_refused", format!("The issuer gave no token: {why}.")))
    }
}

fn random() -> Outcome<String> {
    Ok(URL_SAFE_NO_PAD.encode(seal::random::<32>()?))
}

/// Asks the desktop to open a page; `false` where there is none.
fn open_browser(url: &Url) -> bool {
    let desktop = |name: &str| environment().iter().any(|(n, v)| n == name && !v.is_empty());
    let program = if cfg!(target_os = "macos") {
        "open"
    } else if desktop("DISPLAY") || desktop("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return false;
    };
    let mut command = std::process::Command::new(program);
    command.arg(url.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Request;

    fn request() -> Request {
        Request {
            redirect: "http://127.0.0.1:5/callback".to_owned(),
            state: "s".to_owned(),
            verifier: "v".to_owned(),
            issuer: "http://i".to_owned(),
        }
    }

    #[test]
    fn a_callback_counts_only_with_our_state_and_our_issuer() {
        let read =
            |line: &str| request().read(line).map(|r| r.map(|code| code.expose().to_owned()).map_err(|e| e.exit()));
        assert_eq!(read("GET /callback?code=c&state=s&iss=http://i HTTP/1.1"), Some(Ok("c".to_owned())));
        assert_eq!(read("GET /callback?code=c&state=s&iss=http://j HTTP/1.1"), Some(Err(3)));
        assert_eq!(read("GET /callback?error=access_denied&state=s HTTP/1.1"), Some(Err(3)));
        for other in
            ["GET /callback?code=c&state=t HTTP/1.1", "GET /favicon.ico HTTP/1.1", "POST /callback HTTP/1.1", ""]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn the_request_asks_for_the_platform_with_pkce() {
        let url = request().authorization_url(&Url::parse("http://i/authorize").unwrap(), "c", "http://p");
        let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap();
        assert_eq!((value("resource").as_str(), value("code_challenge_method").as_str()), ("http://p", "S256"));
        assert_ne!(value("code_challenge"), "v");
    }
}
