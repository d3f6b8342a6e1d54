//! Settings of the doors: under which names they answer, whom they believe, and what they take at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use platform::config::Config;
use platform::resource::BaseUrl;
use platform::{Error, ErrorKind, Result};
use url::Url;

/// Settings of the doors.
#[derive(Debug, Clone)]
pub struct Options {
    /// Public base URL.
    pub base: BaseUrl,
    /// `Host` values under which the platform answers, `host` or `host:port`, lower case.
    pub hosts: Vec<String>,
    /// Browser origins that may call MCP and REST.
    pub origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` counts (T2).
    pub trusted_proxies: Vec<IpNet>,
    /// Most bytes of a request body.
    pub max_body: usize,
    /// Requests under way at once.
    pub max_concurrent: usize,
    /// Requests of one source under way at once.
    pub max_concurrent_per_source: usize,
    /// Requests of one principal under way at once.
    pub max_concurrent_per_principal: usize,
    /// Requests without a valid token per source and minute, before a failure is told to wait.
    pub failures_per_source_per_minute: u32,
    /// How long a body may take whatever its rate.
    pub body_grace: Duration,
    /// Bytes per second with which a body comes after that.
    pub body_bytes_per_s: u64,
    /// Longest time for a request.
    pub request_timeout: Duration,
    /// Clients that answer a step-up challenge by HTTP (RFC 9470); everybody else gets a link.
    pub step_up_challenge_clients: Vec<String>,
    /// `acr` values that mean more than one factor, by issuer: what a challenge asks for.
    pub step_up_acr: BTreeMap<String, Vec<String>>,
    /// Whether `/metrics` is served without a token.
    pub open_metrics: bool,
    /// Version of the product.
    pub version: &'static str,
}

impl Options {
    /// As the configuration has them, for a platform that really listens at `address`. Errors: `config_invalid`.
    pub fn configured(config: &Config, address: SocketAddr, version: &'static str) -> Result<Self> {
        let (platform, limits) = (&config.platform, &config.limits);
        let mut trusted_proxies = Vec::new();
        for text in &platform.trusted_proxies {
            let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            trusted_proxies.push(net.map_err(|_| {
                Error::new(ErrorKind::InvalidInput, "config_invalid", format!("`{text}` is no address or network."))
            })?);
        }
        let authority = |url: &Url| {
            let host = url.host_str().unwrap_or_default().to_owned();
            url.port().map_or(host.clone(), |port| format!("{host}:{port}"))
        };
        let mut hosts = vec![authority(&platform.url), address.to_string()];
        if address.ip().is_loopback() {
            hosts.push(format!("localhost:{}", address.port()));
        }
        hosts.extend(platform.allowed_hosts.iter().cloned());
        let mut origins = vec![platform.url.origin().ascii_serialization()];
        origins.extend(platform.allowed_origins.iter().cloned());
        let by_issuer = config.issuer.iter();
        let step_up_acr =
            by_issuer.map(|i| (i.url.as_str().trim_end_matches('/').to_owned(), i.mfa_acr.clone())).collect();
        Ok(Self {
            base: BaseUrl::new(&platform.url),
            hosts,
            origins,
            trusted_proxies,
            max_body: limits.max_body,
            max_concurrent: limits.max_concurrent,
            max_concurrent_per_source: limits.max_concurrent_per_source,
            max_concurrent_per_principal: limits.max_concurrent_per_principal,
            failures_per_source_per_minute: limits.failures_per_source_per_minute,
            body_grace: Duration::from_secs(10),
            body_bytes_per_s: limits.body_bytes_per_s,
            request_timeout: Duration::from_secs(limits.request_timeout_s),
            step_up_challenge_clients: platform.step_up_challenge_clients.clone(),
            step_up_acr,
            open_metrics: config.telemetry.open_metrics,
            version,
        })
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }
}
