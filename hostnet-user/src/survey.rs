//! What the kernel shows beside its records: the sockets there are, and the
//! host's own addresses. It knows how to ask and when, not what it means.

use std::path::Path;

use anyhow::Context;

use crate::{
    attribute::{Found, addresses::Addresses, sock_diag},
    input::World,
    kernel::{self, Coverage},
};

/// What can be asked; by default nothing.
#[derive(Default)]
pub struct Survey {
    /// `Err` says why the kernel has no sock_diag.
    sockets: Option<Result<sock_diag::Connection, String>>,
    addresses: Option<Addresses>,
}

impl Survey {
    /// Asks about the network namespace with this inode.
    #[must_use]
    pub fn open(network_namespace: u32) -> Self {
        let sockets = kernel::in_network_namespace(network_namespace, || {
            sock_diag::Connection::open().context("the kernel has no sock_diag")
        });
        let addresses = kernel::in_network_namespace(network_namespace, || {
            Addresses::open().context("the kernel has no rtnetlink")
        });
        if let Err(error) = &addresses {
            tracing::warn!(
                "the host's addresses are not known, so that only what goes to loopback has its \
                 other end named: {error:#}"
            );
        }
        Self {
            sockets: Some(sockets.map_err(|error| format!("{error:#}"))),
            addresses: addresses.ok(),
        }
    }

    /// Where to ask about single sockets.
    #[must_use]
    pub fn sockets(&self) -> Option<&sock_diag::Connection> {
        self.sockets.as_ref()?.as_ref().ok()
    }

    /// The sockets there are; what the kernel cannot show is in the coverage.
    pub fn existing(&self, cgroup_root: &Path, coverage: &mut Coverage) -> Vec<Found> {
        let (found, asked) = match &self.sockets {
            Some(Ok(connection)) => sock_diag::existing(connection, cgroup_root),
            Some(Err(error)) => (Vec::new(), sock_diag::refused(error)),
            None => return Vec::new(),
        };
        for row in asked {
            let state = row.refused.map_or(kernel::State::Proven, kernel::State::Refused);
            coverage.set_start(row.sees, row.by, state);
        }
        found
    }

    /// The same later, as of now.
    #[must_use]
    pub fn listeners(&self, cgroup_root: &Path) -> Option<World> {
        let (sockets, _) = sock_diag::existing(self.sockets()?, cgroup_root);
        Some(World::Listeners { boot_ns: kernel::boot_clock(), sockets })
    }

    /// The host's addresses now.
    #[must_use]
    pub fn addresses(&self) -> Option<World> {
        let addresses = self.addresses.as_ref()?;
        match addresses.read() {
            Ok(found) => {
                Some(World::Addresses { addresses: found, chosen_ports: addresses.chosen_ports() })
            }
            Err(error) => {
                tracing::warn!("cannot ask for the host's addresses: {error}");
                None
            }
        }
    }

    /// The same when they may have changed.
    #[must_use]
    pub fn changed_addresses(&self) -> Option<World> {
        self.addresses.as_ref().filter(|addresses| addresses.have_changed())?;
        self.addresses()
    }
}
