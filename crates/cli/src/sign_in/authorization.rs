//! Authorization code with PKCE in the person's own browser, back to a loopback port (RFC 6749, 7636, 8252, 9207).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Secret, canonical, seal};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::discovery::IssuerDocument;
use super::grant::{self, Granted};
use super::{Say, Wanted, Way, browser, expired};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// How long the browser may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest head of a callback's request, bytes.
const LONGEST_HEAD: u64 = 16 << 10;

/// Signs in; `scope` is what is asked for.
pub(super) async fn sign_in(issuer: &IssuerDocument, wanted: &Wanted, scope: &str, say: &Say) -> Outcome<Granted> {
    let unable = |why: &str| {
        let message = format!("The issuer {} {why}; another way is --device.", issuer.issuer);
        Failure::new(Exit::Failed, "issuer_unsuitable", message)
    };
    let endpoint = issuer.authorization_endpoint.as_ref().ok_or_else(|| unable("has no sign-in page"))?;
    if !issuer.code_challenge_methods_supported.iter().any(|m| m == "S256") {
        return Err(unable("does not promise PKCE with S256, without which a code could be stolen on its way"));
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|e| Failure::internal(&e))?;
    let port = listener.local_addr().map_err(|e| Failure::internal(&e))?.port();
    let request = Arc::new(Request {
        redirect: format!("http://127.0.0.1:{port}/callback"),
        state: random()?,
        verifier: random()?,
        issuer: issuer.issuer.clone(),
        names_itself: issuer.authorization_response_iss_parameter_supported,
    });
    let url = request.authorization_url(endpoint, wanted, scope);
    let opened = wanted.way != Way::Print && browser::open(&url);
    let how = if opened { "Your browser was opened. If it does not show the page, open" } else { "Open in a browser" };
    say(&format!("{how}:\n\n  {url}\n\nWaiting for you to sign in, at most 5 minutes …"));
    let code = tokio::time::timeout(PATIENCE, callback(&request, &listener)).await.map_err(|_| expired())??;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("client_id", &wanted.client_id),
        ("redirect_uri", &request.redirect),
        ("code_verifier", &request.verifier),
        ("resource", &wanted.resource),
    ];
    grant::ask(&issuer.token_endpoint, &form).await?.map_err(|refused| refused.into_failure("The issuer gave no token"))
}

/// One authorization request.
struct Request {
    redirect: String,
    state: String,
    verifier: String,
    issuer: String,
    /// The issuer promised to name itself in its answer (RFC 9207): one without is refused.
    names_itself: bool,
}

impl Request {
    fn authorization_url(&self, endpoint: &Url, wanted: &Wanted, scope: &str) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(canonical::sha256(self.verifier.as_bytes()));
        let mut url = endpoint.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &wanted.client_id)
            .append_pair("redirect_uri", &self.redirect)
            .append_pair("scope", scope)
            .append_pair("state", &self.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &wanted.resource);
        if let Some(acr) = &wanted.more.acr_values {
            query.append_pair("acr_values", acr);
        }
        if let Some(age) = wanted.more.max_age {
            query.append_pair("max_age", &age.to_string());
        }
        drop(query);
        url
    }

    /// Answers one connection; the code if it brought one.
    async fn one(self: Arc<Self>, stream: TcpStream) -> Option<Outcome<Secret>> {
        let mut stream = BufReader::new(stream);
        let head = tokio::time::timeout(Duration::from_secs(10), head(&mut stream)).await.ok()?.ok()?;
        let answer = self.read(head.lines().next()?);
        let (status, text) = match &answer {
            None => ("404 Not Found", "There is nothing here."),
            Some(Ok(_)) => ("200 OK", "You are signed in. You can close this page and go back to your program."),
            Some(Err(_)) => ("400 Bad Request", "The sign-in did not succeed. Go back to your program."),
        };
        let reply = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
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
        let other_issuer = match value("iss") {
            Some(iss) => iss != self.issuer,
            None => self.names_itself,
        };
        Some(match (value("code"), value("error")) {
            _ if other_issuer => Err(refused(
                "The answer came from another issuer than the one that was asked; nothing was taken.".to_owned(),
            )),
            (Some(code), None) => Ok(Secret::new(code)),
            (_, error) => {
                let said = value("error_description").or(error).unwrap_or_else(|| "no code".to_owned());
                Err(refused(format!("The issuer did not sign you in: {}", said.trim_end_matches('.')) + "."))
            }
        })
    }
}

/// A request's head, to its empty line: whoever closes a connection with something unread breaks it for the other side.
async fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut head, mut limited) = (Vec::new(), stream.take(LONGEST_HEAD));
    loop {
        let before = head.len();
        limited.read_until(b'\n', &mut head).await?;
        if matches!(&head[before..], b"\r\n" | b"\n" | b"") {
            return Ok(String::from_utf8_lossy(&head).into_owned());
        }
    }
}

/// Waits for the browser to come back. What else connects to the port is answered beside it and forgotten: browsers open
/// connections that they never use.
async fn callback(request: &Arc<Request>, listener: &TcpListener) -> Outcome<Secret> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.map_err(|e| Failure::internal(&e))?;
                open.spawn(Arc::clone(request).one(stream));
            }
            Some(answered) = open.join_next() => {
                if let Ok(Some(result)) = answered {
                    return result;
                }
            }
        }
    }
}

fn random() -> Outcome<String> {
    Ok(seal::random_text::<32>()?)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Request;
    use crate::sign_in::{More, Wanted, Way};

    fn request(names_itself: bool) -> Request {
        Request {
            redirect: "http://127.0.0.1:5/callback".to_owned(),
            state: "s".to_owned(),
            verifier: "v".to_owned(),
            issuer: "http://i".to_owned(),
            names_itself,
        }
    }

    #[test]
    fn a_callback_counts_only_with_our_state_and_our_issuer() {
        let read = |names_itself: bool, line: &str| {
            request(names_itself).read(line).map(|r| r.map(|code| code.expose().to_owned()).map_err(|e| e.exit()))
        };
        assert_eq!(read(true, "GET /callback?code=c&state=s&iss=http://i HTTP/1.1"), Some(Ok("c".to_owned())));
        assert_eq!(read(false, "GET /callback?code=c&state=s&iss=http://j HTTP/1.1"), Some(Err(3)));
        assert_eq!(read(false, "GET /callback?code=c&state=s HTTP/1.1"), Some(Ok("c".to_owned())));
        assert_eq!(read(true, "GET /callback?code=c&state=s HTTP/1.1"), Some(Err(3)), "it promised to name itself");
        assert_eq!(read(false, "GET /callback?error=access_denied&state=s HTTP/1.1"), Some(Err(3)));
        for other in
            ["GET /callback?code=c&state=t HTTP/1.1", "GET /favicon.ico HTTP/1.1", "POST /callback HTTP/1.1", ""]
        {
            assert_eq!(read(true, other), None, "{other}");
        }
    }

    #[test]
    fn the_request_asks_for_the_resource_with_pkce_and_for_what_a_challenge_wants() {
        let more = More { acr_values: Some("mfa".to_owned()), max_age: Some(900), ..More::default() };
        let (resource, client_id) = ("http://p/mcp/x".to_owned(), "c".to_owned());
        let wanted = Wanted { resource, client_id, way: Way::Auto, more };
        let url = request(true).authorization_url(&Url::parse("http://i/authorize").unwrap(), &wanted, "mcp");
        let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).map(|(_, v)| v.into_owned()).unwrap();
        assert_eq!((value("resource").as_str(), value("code_challenge_method").as_str()), ("http://p/mcp/x", "S256"));
        assert_eq!((value("acr_values").as_str(), value("max_age").as_str()), ("mfa", "900"));
        assert_ne!(value("code_challenge"), "v");
    }
}
