//! A bind: asked for, and given or refused.

use std::{fmt, net::SocketAddr};

use hostnet_abi::reuse;
use serde::Serialize;

use super::{Action, Outcome, PeerParty, Told, canonical, sharing};
use crate::event::errno;

/// Who can reach an address that was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Loopback: only this host, and every host-network container on it.
    Loopback,
    /// One address.
    Specific,
    /// Every address of the host.
    Any,
}

impl Scope {
    /// The scope of a local address.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        if ip.is_unspecified() {
            Self::Any
        } else if ip.is_loopback() {
            Self::Loopback
        } else {
            Self::Specific
        }
    }

    const fn phrase(self) -> &'static str {
        match self {
            Self::Loopback => " on loopback",
            Self::Specific => "",
            Self::Any => " on all interfaces",
        }
    }
}

/// `bind(2)`.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The address asked for; `None` when the request was not seen.
    pub requested: Option<SocketAddr>,
    /// The address given; the requested one when the kernel refused.
    pub local: SocketAddr,
    /// Bits of [`hostnet_abi::reuse`].
    pub reuse: u32,
    /// Whether the kernel gave it; the errno of a refusal needs the `families` set.
    pub outcome: Outcome,
    /// Others whose sockets have the same port at an address of this one's.
    pub shares_port_with: Vec<PeerParty>,
}

impl Bind {
    /// Who can reach it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::of(self.local)
    }

    /// `SO_REUSEADDR`, `SO_REUSEPORT`, `IPV6_V6ONLY`.
    #[must_use]
    pub const fn options(&self) -> (bool, bool, bool) {
        (
            self.reuse & reuse::ADDRESS != 0,
            self.reuse & reuse::PORT != 0,
            self.reuse & reuse::V6_ONLY != 0,
        )
    }
}

impl Told for Bind {
    fn operation(&self) -> &'static str {
        "bind"
    }
    fn action(&self) -> Action {
        Action::BoundSocket
    }
    fn types(&self) -> &'static [&'static str] {
        &["start"]
    }
    fn outcome(&self) -> Outcome {
        self.outcome
    }
    fn local(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = canonical(self.local);
        match self.outcome {
            Outcome::Success => {
                write!(f, "bound {local}{}", self.scope().phrase())?;
                sharing(f, &self.shares_port_with)
            }
            Outcome::Failure(errno) => {
                write!(f, "failed to bind {local}")?;
                errno::suffix(f, errno)
            }
            Outcome::Unknown => write!(f, "asked to bind {local}, result unknown"),
        }
    }
}
