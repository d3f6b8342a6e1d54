//! The settings of the doors out of the configuration. What they mean stands at [`Options`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use platform::config::Config;
use platform::resource::BaseUrl;
use platform::{Error, ErrorKind, Result};
use url::Url;

use crate::Options;

impl Options {
    /// As configured, for a platform that listens at `address`. Error: `config_invalid`.
    pub fn configured(config: &Config, base: BaseUrl, address: SocketAddr, version: &'static str) -> Result<Self> {
        let platform = &config.platform;
        let mut trusted_proxies = Vec::new();
        for text in &platform.trusted_proxies {
            let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from));
            trusted_proxies.push(net.map_err(|_| {
                Error::new(ErrorKind::InvalidInput, "config_invalid", format!("`{text}` is no address or network."))
            })?);
        }
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
            base,
            hosts,
            origins,
            trusted_proxies,
            max_body: config.limits.max_body,
            max_concurrent: config.limits.max_concurrent,
            max_concurrent_per_source: config.limits.max_concurrent_per_source,
            max_concurrent_per_principal: config.limits.max_concurrent_per_principal,
            failures_per_source_per_minute: config.limits.failures_per_source_per_minute,
            body_grace: Duration::from_secs(10),
            body_bytes_per_s: config.limits.body_bytes_per_s,
            request_timeout: Duration::from_secs(config.limits.request_timeout_s),
            step_up_challenge_clients: platform.step_up_challenge_clients.clone(),
            step_up_acr,
            open_metrics: config.telemetry.open_metrics,
            version,
        })
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_owned();
    url.port().map_or(host.clone(), |port| format!("{host}:{port}"))
}
