//! What the host's packet filters may lead elsewhere than it was sent to.
//!
//! It is read now and then, not at each datagram, and says "may": a rule is taken for one
//! that matches wherever it does not say for certain that it does not.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A rule that changes where something goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// IP protocol number, when it is for one alone.
    pub protocol: Option<u32>,
    /// A range of addresses, when it is for what goes there alone.
    pub to: Option<(IpAddr, u8)>,
    /// The lowest and highest port, when it is for those alone.
    pub ports: Option<(u16, u16)>,
    /// It is for IPv4, or IPv6, alone.
    pub is_v6: Option<bool>,
    /// It is for the host's own addresses alone.
    pub own_only: bool,
    /// It is not for 127.0.0.0/8.
    pub not_loopback: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirects(pub Vec<Redirect>);

impl Redirects {
    /// Whether an address is in a range.
    #[must_use]
    pub fn covers((range, bits): (IpAddr, u8), ip: IpAddr) -> bool {
        let shared = match (range, ip) {
            (IpAddr::V4(range), IpAddr::V4(ip)) => (range.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(range), IpAddr::V6(ip)) => (range.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        shared >= u32::from(bits)
    }

    /// Whether what is sent to `remote` may arrive elsewhere; `is_own` when that is an
    /// address of this host.
    #[must_use]
    pub fn may_lead(&self, protocol: u32, remote: SocketAddr, is_own: bool) -> bool {
        self.0.iter().any(|rule| rule.may_match(protocol, remote, is_own))
    }
}

impl Redirect {
    /// Both conditions; `None` when they never hold together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Option<Self> {
        fn both<T: PartialEq + Copy>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
            match (one, other) {
                (Some(one), Some(other)) => (one == other).then_some(Some(one)),
                (one, other) => Some(one.or(other)),
            }
        }
        Some(Self {
            protocol: both(self.protocol, other.protocol)?,
            is_v6: both(self.is_v6, other.is_v6)?,
            // Of two ranges the inner one is asked for; either says enough.
            to: other.to.or(self.to),
            ports: other.ports.or(self.ports),
            own_only: self.own_only || other.own_only,
            not_loopback: self.not_loopback || other.not_loopback,
        })
    }

    fn may_match(&self, protocol: u32, remote: SocketAddr, is_own: bool) -> bool {
        let ip = remote.ip().to_canonical();
        self.protocol.is_none_or(|own| own == protocol)
            && self.is_v6.is_none_or(|is_v6| is_v6 == ip.is_ipv6())
            && self.to.is_none_or(|range| Redirects::covers(range, ip))
            && !(self.not_loopback && ip.is_ipv4() && ip.is_loopback())
            && self.ports.is_none_or(|(low, high)| (low..=high).contains(&remote.port()))
            && (is_own || !self.own_only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_may_match_unless_it_says_not() {
        let at = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let docker = Redirect {
            protocol: Some(6),
            ports: Some((8080, 8080)),
            is_v6: Some(false),
            own_only: true,
            ..Redirect::default()
        };
        let rules = Redirects(vec![docker]);
        assert!(rules.may_lead(6, at("127.0.0.1:8080"), true));
        assert!(rules.may_lead(6, at("[::ffff:127.0.0.1]:8080"), true));
        assert!(!rules.may_lead(17, at("127.0.0.1:8080"), true), "another protocol");
        assert!(!rules.may_lead(6, at("127.0.0.1:8081"), true), "another port");
        assert!(!rules.may_lead(6, at("[::1]:8080"), true), "another family");
        assert!(!rules.may_lead(6, at("172.17.0.2:8080"), false), "no address of the host's");
        let range = Some(([10, 0, 0, 0].into(), 8));
        let rules = Redirects(vec![Redirect { to: range, ..Redirect::default() }]);
        assert!(rules.may_lead(17, at("10.1.2.3:53"), false));
        assert!(!rules.may_lead(17, at("11.1.2.3:53"), false));
    }
}
