//! One-off HTTP requests to a URL that the person at this terminal named: the platform's client for configured targets,
//! built for its origin. Next: [`crate::rest`], which adds a token.

use std::time::{Duration, Instant};

use http::Method;
use platform::Error;
use platform::http::{Request, Response, TargetClient, TargetOptions};
use url::{Host, Url};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Longest time for one answer: tools may take two minutes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(130);
/// Longest time for an answer that should come at once.
const SOON: Duration = Duration::from_secs(10);

/// A client for the origin and base path of `base`.
pub(crate) fn client(base: &Url, name: &str) -> Result<TargetClient, Error> {
    let mut base = base.clone();
    base.set_query(None);
    base.set_fragment(None);
    let mut options = TargetOptions::new(name, base);
    options.attempt_timeout = PATIENCE;
    options.max_body = 32 << 20;
    TargetClient::new(options)
}

/// `GET base/path`, soon.
pub(crate) async fn get(base: &Url, path: &str) -> Result<Response, Error> {
    client(base, &name(base))?.send(Request::new(Method::GET, path, Instant::now() + SOON)).await
}

/// `GET` of a whole URL, soon.
pub(crate) async fn get_url(url: &Url) -> Result<Response, Error> {
    let (base, path) = split(url);
    get(&base, &path).await
}

/// `POST` of a form to a whole URL, soon.
pub(crate) async fn post_form(url: &Url, fields: &[(&str, &str)]) -> Result<Response, Error> {
    let (base, path) = split(url);
    client(&base, &name(&base))?.send(Request::new(Method::POST, path, Instant::now() + SOON).form(fields)).await
}

/// The well-known URL of RFC 9728 and RFC 8414: inserted between host and path.
pub(crate) fn well_known(url: &Url, document: &str) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut at = url.clone();
    at.set_path(&format!("/.well-known/{document}{path}"));
    at.set_query(None);
    at.set_fragment(None);
    at
}

/// Tokens never travel in clear, except on this machine. Errors: `in_clear_refused`.
pub(crate) fn refuse_in_clear(url: &Url) -> Outcome {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
        return Ok(());
    }
    let message = format!("{url} is not https, and a token would travel to it in clear; nothing was sent.");
    Err(Failure::new(Exit::Usage, "in_clear_refused", message))
}

fn split(url: &Url) -> (Url, String) {
    let mut base = url.clone();
    base.set_path("");
    base.set_query(None);
    base.set_fragment(None);
    let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
    (base, format!("{}{query}", url.path()))
}

fn name(base: &Url) -> String {
    base.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{refuse_in_clear, split, well_known};

    #[test]
    fn a_token_travels_in_clear_only_on_this_machine() {
        let fine = |url: &str| refuse_in_clear(&Url::parse(url).unwrap()).is_ok();
        for url in ["https://h", "http://127.0.0.1:1", "http://[::1]:1/x", "http://localhost:8080"] {
            assert!(fine(url), "{url}");
        }
        for url in ["http://h", "http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example", "ftp://h"] {
            assert!(!fine(url), "{url}");
        }
    }

    #[test]
    fn well_known_documents_stand_between_host_and_path() {
        let at = |url: &str| well_known(&Url::parse(url).unwrap(), "x").to_string();
        assert_eq!(at("http://h:1"), "http://h:1/.well-known/x");
        assert_eq!(at("http://h:1/issuer?q"), "http://h:1/.well-known/x/issuer");
    }

    #[test]
    fn a_url_is_split_without_loss() {
        let (base, path) = split(&Url::parse("https://h/a/b?c=d#e").unwrap());
        assert_eq!((base.as_str(), path.as_str()), ("https://h/", "/a/b?c=d"));
    }
}
