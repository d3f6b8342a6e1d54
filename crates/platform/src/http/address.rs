//! Which addresses a *foreign URL* may lead to (T13): the public Internet, and nothing that is special in the IANA
//! registries (RFC 6890 and its updates). The client that asks is in `foreign`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Special IPv4 blocks (IANA IPv4 Special-Purpose Address Registry), plus multicast and the reserved space.
const REFUSED_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // "this network"
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared, carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, cloud metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, deprecated
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(233, 252, 0, 0), 24),  // documentation, multicast
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// What is special inside the global unicast block 2000::/3. Everything outside that block is refused as a whole:
/// unspecified, loopback, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, unique-local,
/// link-local, site-local, multicast, segment routing.
const REFUSED_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // IETF assignments: Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address in disguise
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether `address` is one that anybody on the Internet could reach.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let bits = u32::from(v4);
            !REFUSED_V4.iter().any(|(net, len)| bits >> (32 - len) == u32::from(*net) >> (32 - len))
        }
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            bits >> 125 == 0b001
                && !REFUSED_V6.iter().any(|(net, len)| bits >> (128 - len) == u128::from(*net) >> (128 - len))
        }
    }
}

/// The rule that a [`super::ForeignClient`] is built with: `serve` takes [`AddressRule::public_only`], the lab adds the
/// loopback authorities of its own parts.
#[derive(Debug, Clone, Default)]
pub struct AddressRule {
    loopback: BTreeSet<SocketAddr>,
}

impl AddressRule {
    /// Public addresses, over https.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// Also this one loopback address and port, over http too. Anything but a loopback address is ignored.
    #[must_use]
    pub fn with_loopback(mut self, authority: SocketAddr) -> Self {
        if authority.ip().is_loopback() {
            self.loopback.insert(authority);
        }
        self
    }

    /// Whether a URL may lead to this address and port.
    pub fn allows(&self, address: SocketAddr) -> bool {
        is_public(address.ip()) || self.is_listed(address)
    }

    /// Whether this is a listed loopback authority: only then may the scheme be http.
    pub fn is_listed(&self, address: SocketAddr) -> bool {
        self.loopback.contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressRule, is_public};

    #[test]
    fn t13_special_addresses_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2001:10::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"]
        {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn t13_only_the_listed_loopback_port_is_allowed() {
        let rule = AddressRule::public_only().with_loopback("127.0.0.1:9000".parse().unwrap());
        assert!(rule.allows("127.0.0.1:9000".parse().unwrap()));
        assert!(!rule.allows("127.0.0.1:9001".parse().unwrap()));
        assert!(!rule.allows("127.0.0.2:9000".parse().unwrap()));
        let private = AddressRule::public_only().with_loopback("10.0.0.1:443".parse().unwrap());
        assert!(!private.allows("10.0.0.1:443".parse().unwrap()));
    }
}
