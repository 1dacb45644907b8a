//! The other end of an operation, when it is on this host, too.

use std::{fmt, net::SocketAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Owner, OwnerKind, Process, Scope, unit};
use crate::text;

/// Who was at the other end at that instant.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Everybody it may have been: several where the kernel chooses among the
    /// sockets of one address.
    pub possible: Vec<PeerParty>,
    /// Where the other end listens, or is bound.
    pub listens_on: Option<SocketAddr>,
    /// How that is known.
    pub method: PeerMethod,
}

/// Somebody at another socket.
#[derive(Clone, Debug)]
pub struct PeerParty {
    /// Whose it is.
    pub owner: Arc<Owner>,
    /// The process that began to listen or to connect, when it is known.
    pub process: Option<Arc<Process>>,
    /// The process only passes on to the owner.
    pub via: Option<Via>,
    /// Where its socket is bound.
    pub local: Option<SocketAddr>,
}

/// Programs of the host that pass on what they get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Docker's, for a published port.
    DockerProxy,
}

/// How the other end is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerMethod {
    /// Its socket is bound to that very address.
    Address,
    /// Its socket is bound to every address.
    Wildcard,
    /// It is the other end of the same connection, which was seen from there, too.
    Connection,
    /// The kernel keeps it with the socket.
    Credentials,
    /// The container runtime says that the container has that address.
    Runtime,
}

impl Peer {
    /// Somebody who is known, but not by where its socket is bound.
    #[must_use]
    pub fn one(
        owner: &Arc<Owner>,
        process: Option<&Arc<Process>>,
        method: PeerMethod,
    ) -> Box<Self> {
        let (owner, process) = (Arc::clone(owner), process.map(Arc::clone));
        let possible = vec![PeerParty { owner, process, via: None, local: None }];
        Box::new(Self { possible, listens_on: None, method })
    }

    /// Who it was, when it can only have been one.
    #[must_use]
    pub fn sole(&self) -> Option<&PeerParty> {
        if let [sole] = self.possible.as_slice() { Some(sole) } else { None }
    }

    /// Who can reach the other end.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        self.listens_on.map(Scope::of)
    }
}

/// `, sharing the port with nginx, container web`
pub(super) fn sharing(f: &mut fmt::Formatter<'_>, others: &[PeerParty]) -> fmt::Result {
    for (index, other) in others.iter().enumerate() {
        let before = if index == 0 { ", sharing the port with " } else { "; " };
        write!(f, "{before}{other}")?;
    }
    Ok(())
}

/// `redis-server, redis-server.service on the host`
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.possible.as_slice() {
            [sole] => sole.fmt(f),
            several => {
                f.write_str("one of: ")?;
                for (index, party) in several.iter().enumerate() {
                    write!(f, "{}{party}", if index == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl PeerParty {
    /// The systemd unit of a process of the host's.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        (self.owner.kind == OwnerKind::Host).then(|| unit(&self.owner.cgroup_path)).flatten()
    }

    /// Its name in a word: the container's, the unit's, or the process's.
    #[must_use]
    pub fn label(&self) -> String {
        let process = || self.process.as_ref().map(|process| text::text(&process.name).readable);
        match (self.owner.kind, self.unit()) {
            (OwnerKind::Host, Some(unit)) => unit.to_owned(),
            (OwnerKind::Host, None) => process().unwrap_or_else(|| "host".to_owned()),
            _ => self.owner.label().to_owned(),
        }
    }
}

impl fmt::Display for PeerParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.via == Some(Via::DockerProxy) {
            return write!(f, "container {} by docker-proxy", self.owner.label());
        }
        if let Some(process) = &self.process {
            write!(f, "{}, ", text::text(&process.name).readable)?;
        }
        match (self.owner.kind, self.unit()) {
            (OwnerKind::Host, Some(unit)) => write!(f, "{unit} on the host"),
            (OwnerKind::Host, None) => f.write_str("on the host"),
            (OwnerKind::Container, _) => write!(f, "container {}", self.owner.label()),
            (OwnerKind::ContainerUnknown, _) => f.write_str("of an unknown container"),
            (OwnerKind::Unknown, _) => f.write_str("of an unknown owner"),
        }
    }
}
