//! The client for *foreign URLs*, written by somebody else (T13): https to public addresses only, the name resolved by
//! us, every address checked, the connection pinned to the checked ones and the peer looked at again afterwards; no
//! redirects, a small body, one attempt. The address rule is in `address`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderValue, Method};
use url::{Host, Url};

use super::address::AddressRule;
use super::attempt::attempt;
use super::observe::{Outbound, OutboundObserver, Outcome};
use super::request::Response;
use super::tls;
use crate::error::{Error, ErrorKind};

/// Turns a host name into addresses.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`, with `port` set.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// How foreign URLs are read.
#[derive(Clone)]
pub struct ForeignOptions {
    /// Which addresses may be reached.
    pub rule: AddressRule,
    /// Who resolves names.
    pub resolver: Arc<dyn Resolver>,
    /// Longest time for everything: name, connection, answer.
    pub timeout: Duration,
    /// Most bytes of a body.
    pub max_body: usize,
    /// Trust these PEM authorities instead of the system's; for tests and closed networks.
    pub ca_pem: Option<Vec<u8>>,
    /// Hears of every attempt.
    pub observer: Option<Arc<dyn OutboundObserver>>,
}

impl ForeignOptions {
    /// The system's resolver, 5 s, 64 KiB.
    pub fn new(rule: AddressRule) -> Self {
        Self {
            rule,
            resolver: Arc::new(SystemResolver),
            timeout: Duration::from_secs(5),
            max_body: 64 << 10,
            ca_pem: None,
            observer: None,
        }
    }
}

/// The client for foreign URLs.
#[derive(Clone)]
pub struct ForeignClient {
    options: Arc<ForeignOptions>,
    /// Made at the first https URL: a platform that never meets one reads no authorities and needs none.
    tls: Arc<OnceLock<rustls::ClientConfig>>,
}

impl ForeignClient {
    /// The client for short documents that somebody else wrote the URL of (T13): public addresses only, and `loopback`, which
    /// is a lab's own.
    pub fn for_documents(loopback: &[SocketAddr], observer: &Arc<dyn OutboundObserver>) -> Result<Self, Error> {
        let rule = loopback.iter().fold(AddressRule::public_only(), |rule, address| rule.with_loopback(*address));
        let mut options = ForeignOptions::new(rule);
        options.max_body = 16 << 10;
        options.observer = Some(Arc::clone(observer));
        Self::new(options)
    }

    /// Builds the client. Error (setting): `tls_ca_invalid`.
    pub fn new(options: ForeignOptions) -> Result<Self, Error> {
        let tls = OnceLock::new();
        if let Some(pem) = &options.ca_pem {
            let configured = tls::client_config(true, Some(pem), None)?;
            tls.get_or_init(|| configured);
        }
        Ok(Self { options: Arc::new(options), tls: Arc::new(tls) })
    }

    fn tls(&self, encrypted: bool) -> Result<rustls::ClientConfig, Error> {
        if let (true, Some(made)) = (encrypted, self.tls.get()) {
            return Ok(made.clone());
        }
        let made = tls::client_config(encrypted, None, None).map_err(|e| {
            Error::new(ErrorKind::Unavailable, "target_unreachable", "This machine cannot check https addresses now.")
                .with_detail(format!("{e:?}"))
        })?;
        Ok(if encrypted { self.tls.get_or_init(|| made).clone() } else { made })
    }

    /// Reads `url` with `GET`. Errors: `foreign_url_refused` ([`ErrorKind::InvalidInput`]: not https, user information,
    /// or an address that is not public; nothing was sent), `target_unreachable`, `target_timeout`,
    /// `target_response_too_large`. A response of any status, a redirect too, is a success here.
    pub async fn get(&self, url: &Url, accept: HeaderValue, deadline: Instant) -> Result<Response, Error> {
        let limit = deadline.saturating_duration_since(Instant::now()).min(self.options.timeout);
        let started = Instant::now();
        let result = tokio::time::timeout(limit, self.exchange(url, accept, limit)).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "target_timeout", "The address given did not answer in time."))
        });
        if let Some(observer) = &self.options.observer {
            let outcome = match &result {
                Ok(response) => Outcome::Status(response.status),
                Err(error) if error.kind() == ErrorKind::Timeout => Outcome::Timeout,
                Err(error) if error.kind() == ErrorKind::Upstream => Outcome::TooLarge,
                Err(_) => Outcome::Unreachable,
            };
            let duration = started.elapsed();
            observer.attempted(&Outbound { target: "foreign", method: &Method::GET, outcome, attempt: 1, duration });
        }
        result
    }

    async fn exchange(&self, url: &Url, accept: HeaderValue, limit: Duration) -> Result<Response, Error> {
        let (name, checked) = self.checked_addresses(url).await?;
        let mut builder = builder().tls_backend_preconfigured(self.tls(url.scheme() == "https")?);
        if let Some(name) = name {
            builder = builder.resolve_to_addrs(&name, &checked);
        }
        let client = builder.build().map_err(Error::internal)?;
        let sent = client.get(url.clone()).header(http::header::ACCEPT, accept);
        let (response, peer) = attempt(sent, limit, self.options.max_body)
            .await
            .map_err(|failure| failure.into_error("The address given"))?;
        if !peer.is_some_and(|peer| checked.contains(&peer)) {
            return Err(refused("the connection reached an address that was not checked"));
        }
        Ok(response)
    }

    /// The name to pin (none for an address literal) and the addresses it may lead to. One bad address among good ones
    /// refuses them all: an honest name has none.
    async fn checked_addresses(&self, url: &Url) -> Result<(Option<String>, Vec<SocketAddr>), Error> {
        if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
            return Err(refused("not an https URL without user information"));
        }
        let (host, port) = url.host().zip(url.port_or_known_default()).ok_or_else(|| refused("no host"))?;
        let (name, addresses) = match host {
            Host::Ipv4(ip) => (None, vec![SocketAddr::new(ip.into(), port)]),
            Host::Ipv6(ip) => (None, vec![SocketAddr::new(ip.into(), port)]),
            Host::Domain(name) => {
                let found = self.options.resolver.resolve(name, port).await.map_err(|e| {
                    Error::new(ErrorKind::Unavailable, "target_unreachable", "The name in this URL is not known.")
                        .with_detail(e)
                })?;
                (Some(name.to_owned()), found)
            }
        };
        let rule = &self.options.rule;
        if addresses.is_empty() || !addresses.iter().all(|address| address.port() == port && rule.allows(*address)) {
            return Err(refused(format!("{addresses:?} is not public")));
        }
        if url.scheme() == "http" && !addresses.iter().all(|address| rule.is_listed(*address)) {
            return Err(refused("http instead of https"));
        }
        Ok((name, addresses))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that builds the client for foreign URLs")]
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        // One connection for one answer: a kept one would outlive the check of its address.
        .pool_max_idle_per_host(0)
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "foreign_url_refused",
        "This URL is not fetched: it must be https, without user information, and lead to public addresses only.",
    )
    .with_detail(why)
}
