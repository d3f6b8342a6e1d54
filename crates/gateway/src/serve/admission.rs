//! Who gets a connection: so many in all, so many from one source. What is beyond that is told so and closed, and never
//! waits in a queue where it would only look open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use platform::telemetry::Metrics;
use platform::{Error, ErrorKind};

use super::ConnectionLimits;

/// The unit in which sources are counted: an IPv4 address, or an IPv6 network of 64 bits, which is what one subscriber
/// gets.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    Process,
    /// This source has its share.
    Source,
}

impl Full {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Process => "connections_exhausted",
            Self::Source => "too_many_connections",
        }
    }

    pub(super) fn refusal(self) -> Error {
        let error = match self {
            Self::Process => Error::new(
                ErrorKind::Unavailable,
                "connections_exhausted",
                "Every connection that this platform serves at once is taken. Repeat shortly.",
            ),
            Self::Source => Error::new(
                ErrorKind::RateLimited,
                "too_many_connections",
                "Too many connections are open from your address. Use the open ones again, or close some.",
            ),
        };
        error.with_retry_after(Duration::from_secs(1))
    }
}

#[derive(Default)]
struct Open {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

/// Counts open connections.
pub(super) struct Admission {
    open: Arc<Mutex<Open>>,
    most: usize,
    most_per_source: usize,
    proxies: Vec<IpNet>,
    metrics: Arc<Metrics>,
}

impl Admission {
    pub(super) fn new(limits: &ConnectionLimits, metrics: Arc<Metrics>) -> Self {
        let (most, most_per_source) = (limits.connections.max(1), limits.connections_per_source.max(1));
        Self { open: Arc::default(), most, most_per_source, proxies: limits.trusted_proxies.clone(), metrics }
    }

    /// Takes a connection in, or says why not.
    pub(super) fn admit(&self, peer: IpAddr) -> Result<Admitted, Full> {
        // A proxy's connections carry everybody's requests; those are counted one by one further in.
        let source = (!self.proxies.iter().any(|net| net.contains(&peer))).then(|| bucket(peer));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return Err(Full::Process);
        }
        if let Some(source) = source {
            let count = open.by_source.entry(source).or_default();
            if *count >= self.most_per_source {
                return Err(Full::Source);
            }
            *count += 1;
        }
        open.all += 1;
        self.metrics.connections(open.all);
        Ok(Admitted { open: Arc::clone(&self.open), source, metrics: Arc::clone(&self.metrics) })
    }
}

/// An open connection; closed when it is dropped.
pub(super) struct Admitted {
    open: Arc<Mutex<Open>>,
    source: Option<IpAddr>,
    metrics: Arc<Metrics>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        self.metrics.connections(open.all);
        if let Some(source) = self.source
            && let Some(count) = open.by_source.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                open.by_source.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::telemetry::Metrics;

    use super::{Admission, Full, bucket};
    use crate::serve::ConnectionLimits;

    #[test]
    fn one_source_cannot_take_all_and_what_it_gives_back_is_free_again() {
        let limits = ConnectionLimits {
            connections: 3,
            connections_per_source: 2,
            trusted_proxies: vec!["192.0.2.9/32".parse().unwrap()],
            ..ConnectionLimits::default()
        };
        let admission = Admission::new(&limits, Metrics::new());
        let admit = |address: &str| admission.admit(address.parse().unwrap());
        let first = admit("2001:db8::1").unwrap();
        let _second = admit("2001:db8::2").unwrap();
        assert_eq!(admit("2001:db8::3").err(), Some(Full::Source));
        let _other = admit("192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.2").err(), Some(Full::Process));
        drop(first);
        drop(admit("2001:db8::3").unwrap());
        assert_eq!(admission.open.lock().unwrap().by_source.len(), 2);
        assert_eq!(admission.open.lock().unwrap().all, 2);
    }

    #[test]
    fn a_trusted_proxy_has_no_share_to_use_up() {
        let limits = ConnectionLimits {
            connections_per_source: 1,
            trusted_proxies: vec!["192.0.2.9/32".parse().unwrap()],
            ..ConnectionLimits::default()
        };
        let admission = Admission::new(&limits, Metrics::new());
        let open: Vec<_> = (0..5).map(|_| admission.admit("192.0.2.9".parse().unwrap()).unwrap()).collect();
        assert_eq!(open.len(), 5);
    }

    #[test]
    fn sources_are_addresses_of_version_4_and_networks_of_version_6() {
        let same = |a: &str, b: &str| bucket(a.parse().unwrap()) == bucket(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }
}
