//! What the kernel shows beside its records: the sockets there are, and the
//! host's network. It knows how to ask and when, not what it means.

use std::{io, path::Path};

use anyhow::Context;

use crate::{
    attribute::{
        Found,
        fetch::{network::HostNetwork, passwd::HostUsers, sock_diag},
    },
    input::World,
    judge::surface::Network,
    kernel::{self, Programs},
};

/// What can be asked; by default nothing.
#[derive(Default)]
pub struct Survey {
    sockets: Option<sock_diag::Connection>,
    network: Option<HostNetwork>,
    users: HostUsers,
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
                "the host's network is not known, so that only what goes to loopback has its \
                 other end named, and neighbours are taken for others: {error:#}"
            );
        }
        (Self { sockets, network: network.ok(), users: HostUsers::default() }, existing)
    }

    /// Where to ask about single sockets.
    #[must_use]
    pub const fn sockets(&self) -> Option<&sock_diag::Connection> {
        self.sockets.as_ref()
    }

    /// What this host calls its users, when that is news.
    pub fn changed_users(&mut self, host: &kernel::Host) -> Option<World> {
        // An agent with mounts of its own has another file at that place.
        let is_inside = host.own_mount_namespace == host.mount_namespace;
        self.users.changed(if is_inside { "" } else { "/proc/1/root" }).map(World::Users)
    }

    /// The sockets there are now.
    #[must_use]
    pub fn listeners(&self, cgroup_root: &Path) -> Option<World> {
        let sockets = sock_diag::now(self.sockets()?, cgroup_root);
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
            tracing::warn!("cannot ask for the host's network: {error}");
            None
        }
    }
}
