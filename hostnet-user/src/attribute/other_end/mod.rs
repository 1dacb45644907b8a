//! Who is at the other end of an operation: who listens where, who connected, for whom a
//! proxy stands.
//!
//! It answers from what was seen, for the moment that is asked about, or not at all. It
//! must not know what an operation is told as.

mod clients;
mod docker_proxy;
mod doubt;
pub(super) mod listeners;
pub(super) mod peer;
mod receiver;
mod redirects;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use redirects::{Redirect, Redirects};

use super::{found::Found, owners::OwnerResolver, policy::Policy};
use crate::event::{canonical, shares::Fill};
use clients::Clients;
use docker_proxy::Proxies;
use doubt::Doubt;
use listeners::Listeners;

/// What is known of sockets that can be the other end.
#[derive(Debug)]
pub(super) struct PeerTable {
    policy: Policy,
    listeners: Listeners,
    clients: Clients,
    proxies: Proxies,
    /// Addresses of this host's, beside the loopback ones.
    addresses: Vec<IpAddr>,
    /// Ranges of the networks behind its bridges: container runtimes tell whose an address
    /// there is.
    bridged: Vec<(IpAddr, u8)>,
    /// What packet filters may lead elsewhere.
    redirects: Redirects,
    /// The lowest and the highest port that the kernel chooses, once they are known.
    chosen_ports: Option<(u16, u16)>,
    doubt: Doubt,
}

impl PeerTable {
    /// One that knows nobody yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            listeners: Listeners::default(),
            clients: Clients::default(),
            proxies: Proxies::default(),
            addresses: Vec::new(),
            bridged: Vec::new(),
            redirects: Redirects::default(),
            chosen_ports: None,
            doubt: Doubt::default(),
        }
    }

    /// The addresses this host has now, and the ports its kernel chooses from.
    pub fn addresses(&mut self, addresses: Vec<IpAddr>, chosen_ports: (u16, u16)) {
        self.addresses = addresses;
        self.chosen_ports = Some(chosen_ports);
    }

    /// What packet filters may lead elsewhere from now on.
    pub fn redirects(&mut self, redirects: Redirects) {
        self.redirects = redirects;
    }

    /// The ranges of the networks behind this host's bridges.
    pub fn bridged(&mut self, ranges: Vec<(IpAddr, u8)>) {
        self.bridged = ranges;
    }

    /// The address as it is on this host; `None` when it is not this host's.
    pub fn own_address(&self, address: SocketAddr) -> Option<SocketAddr> {
        let known = canonical(address);
        let ip = match known.ip() {
            // connect(2) to no address in particular means this host.
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
        };
        (ip.is_loopback() || self.addresses.contains(&ip))
            .then(|| SocketAddr::new(ip, known.port()))
    }

    /// How full the tables of listeners and of connections within this host are.
    pub const fn fill(&self) -> [Fill; 2] {
        [self.listeners.fill(), self.clients.fill()]
    }

    /// The kernel is asked which sockets there are, unless it is being asked: returns
    /// whether it is to be.
    pub fn ask(&mut self) -> bool {
        self.doubt.ask()
    }

    /// From now on every end is of a socket that the table would have.
    pub fn start_is_over(&mut self) {
        self.doubt.start_is_over();
    }

    /// Records that may have told of a listener's beginning or end were lost.
    pub fn doubt(&mut self, boot_ns: u64) {
        self.listeners.forget();
        self.proxies.forget();
        self.clients.forget();
        self.doubt.since(boot_ns);
    }

    /// The sockets there were at `boot_ns`, after they were asked for: from now on it is
    /// known again who can be the other end, unless records that tell it were lost since.
    pub fn answered(&mut self, owners: &mut OwnerResolver, boot_ns: u64, found: &[Found]) {
        self.doubt.answered(boot_ns);
        if !self.doubt.is_there() {
            for one in found {
                self.found_listener(owners, one, boot_ns, boot_ns);
            }
        }
        self.doubt.start_is_over();
    }

    /// Forgets what was kept long enough. Returns whether it is time to ask which sockets
    /// there are.
    pub fn expire(&mut self, boot_ns: u64) -> bool {
        self.listeners.expire(boot_ns);
        let is_partial =
            self.listeners.partial_since().is_some_and(|at| Doubt::is_old(at, boot_ns));
        if is_partial && !self.doubt.is_being_asked() {
            // Which are missing is not known, so all are asked for.
            self.listeners.forget();
            self.doubt.since(boot_ns);
        }
        is_partial || self.doubt.is_due(boot_ns)
    }
}
