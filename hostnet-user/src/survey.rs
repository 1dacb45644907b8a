//! What the kernel shows beside its records: the sockets there are, and the
//! host's network. It knows how to ask and when, not what it means.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    attribute::{
        Found,
        fetch::{network::HostNetwork, packet_filter::PacketFilters, passwd::HostUsers, sock_diag},
    },
    input::World,
    judge::surface::Network,
    kernel::{self, Programs},
};

/// The rest between two questions for the listeners' ports.
const PORTS_REST: Duration = Duration::from_millis(100);

/// After a question, the rest is at least this many times as long as its answer took.
const PORTS_SHARE: u32 = 19;

/// What can be asked; by default nothing.
#[derive(Default)]
pub struct Survey {
    sockets: Option<sock_diag::Connection>,
    network: Option<HostNetwork>,
    filters: Option<PacketFilters>,
    users: HostUsers,
    /// When the listeners' ports may be asked for again.
    next_ports: Option<Instant>,
}

impl Survey {
    /// Asks about the host's network namespace from now on. Returns the sockets
    /// there are, too; what the kernel cannot show of them is in the coverage.
    pub fn begin(programs: &mut Programs) -> (Self, Vec<Found>) {
        // First of all: what is gone by the time it is asked for is never told.
        let (existing, sockets) = sock_diag::of_host(programs);
        let network = kernel::in_network_namespace(programs.host.network_namespace, || {
            HostNetwork::open().context("the kernel has no rtnetlink")
        });
        if let Err(error) = &network {
            tracing::warn!(
                "cannot read the host's addresses and routes: {error:#}; only other ends on loopback \
                 are named, and other addresses may be shown with the wrong surface"
            );
        }
        let filters = kernel::in_network_namespace(programs.host.network_namespace, || {
            PacketFilters::open().context("cannot ask for the host's packet filters")
        });
        if let Err(error) = &filters {
            tracing::warn!("what the host's packet filters redirect is not known: {error:#}");
        }
        let (network, filters) = (network.ok(), filters.ok());
        (Self { sockets, network, filters, ..Self::default() }, existing)
    }

    /// The ports may be asked for again at once: the run ends.
    pub const fn ask_ports_at_once(&mut self) {
        self.next_ports = None;
    }

    /// The ports of the host's listeners that `is_wanted`, by cookie; `None` when it is
    /// too early to ask again.
    #[must_use]
    pub fn listening_ports(&mut self, is_wanted: impl Fn(u64) -> bool) -> Option<World> {
        let begun = Instant::now();
        if self.next_ports.is_some_and(|next| begun < next) {
            return None;
        }
        let mut ports = Vec::new();
        sock_diag::listening_ports(self.sockets.as_ref()?, |cookie, port| {
            if is_wanted(cookie) {
                ports.push((cookie, port));
            }
        });
        let over = Instant::now();
        self.next_ports = Some(over + PORTS_REST.max((over - begun) * PORTS_SHARE));
        Some(World::ListeningPorts(ports))
    }

    /// What this host calls its users, when that is news.
    pub fn changed_users(&mut self, host: &kernel::Host) -> Option<World> {
        // An agent with mounts of its own has another file at that place.
        let is_inside = host.own_mount_namespace == host.mount_namespace;
        self.users.changed(if is_inside { "" } else { "/proc/1/root" }).map(World::Users)
    }

    /// What the host's packet filters may redirect, when that has changed.
    #[must_use]
    pub fn changed_redirects(&mut self) -> Option<World> {
        self.filters.as_mut()?.changed().map(World::Redirects)
    }

    /// The sockets there are now.
    #[must_use]
    pub fn listeners(&self, cgroup_root: &Path) -> Option<World> {
        let sockets = sock_diag::now(self.sockets.as_ref()?, cgroup_root);
        Some(World::Listeners { boot_ns: kernel::boot_clock(), sockets })
    }

    /// The host's network now.
    #[must_use]
    pub fn network(&mut self) -> Option<World> {
        let network = self.network.as_mut()?;
        let found = network.read();
        told(network, found.map(Some))
    }

    /// The same when it has changed.
    #[must_use]
    pub fn changed_network(&mut self) -> Option<World> {
        let network = self.network.as_mut()?;
        let found = network.changed();
        told(network, found)
    }
}

fn told(asked: &HostNetwork, found: io::Result<Option<Network>>) -> Option<World> {
    match found {
        Ok(found) => Some(World::network(found?, asked.chosen_ports())),
        Err(error) => {
            tracing::warn!("cannot read the host's addresses and routes: {error}");
            None
        }
    }
}
